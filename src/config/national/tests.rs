//! What is right for the national profile, and what is wrong with what is not.

use super::super::{Config, Environment, Problems, Profile, parse};
use super::*;
use std::path::Path;

const KEY: &str = "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020\
                   CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13";
const OURS: &str = "3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8";

/// As little as a lane for texts needs.
const LEAST: &str = "path = '/submit'\napp_mark = '8890'\napp_word = 'env:WORD'\n\
                     sign = 'encrypted'\ndata_source = '121'\n";

const ONLY: &str = "only = { kinds = ['rating'], channels = ['sms'] }";

fn read(only: &str, national: &str) -> Result<Config, Problems> {
    let environment = Environment::given(
        Path::new(""),
        &[("S", "secret"), ("WORD", "word"), ("OURS", OURS), ("BAD", "no key")],
    );
    let text = format!(
        "[destination]\nurl = 'https://p.example/'\nsecret = 'env:S'\nprofile = 'national'\n{only}\n\
         [destination.national]\npublic_key = '{KEY}'\n{national}"
    );
    parse(&text, "f", &environment)
}

fn good(only: &str, national: &str) -> (National, String) {
    let config = read(only, national).unwrap_or_else(|problems| panic!("{problems}"));
    let Profile::National(national) = config.destination.profile else { panic!("another profile") };
    (National::clone(&national), config.gaps.to_string())
}

#[test]
fn the_least_that_must_be_told_is_enough_and_the_rest_is_as_the_family_has_it() {
    let (national, gaps) = good(ONLY, LEAST);
    assert_eq!(gaps, "");
    assert_eq!(national.sealing.layout, Layout::C1C3C2 { prefix: true });
    assert_eq!(national.sealing.encoding, sm2::Encoding::Hex);
    assert_eq!((national.entry, &national.sign), (Entry::List, &Sign::Encrypted));
    assert_eq!((national.pf_sms, national.pf_ivr, national.max_comment), (6, None, 150));
    assert_eq!(national.required, REQUIRED);
    assert!(national.eval_detail.is_empty() && national.constants.is_empty());
    assert_eq!(national.duplicates, DUPLICATES);
    assert_eq!(national.permanent, PERMANENT);
}

#[test]
fn everything_can_be_agreed_otherwise() {
    let more = "ciphertext = 'c1c2c3'\npoint_prefix = false\nencoding = 'base64'\nentry = 'record'\n\
                pf_ivr = 8\npf_sms = 2\nproject_no_prefix = '21'\nmax_comment = 500\n\
                eval_detail = ['214', '115']\nrequired = ['projectNo', 'satisfaction', 'assessNumber']\n\
                leave_out = ['mobile']\nconstants = { userProp = '1' }\nduplicates = ['重复提交']\n\
                permanent = ['事项已注销']\n";
    let (national, _) = good("only = { kinds = ['rating'] }", &(LEAST.to_owned() + more));
    assert_eq!(national.sealing.layout, Layout::C1C2C3 { prefix: false });
    assert_eq!(national.sealing.encoding, sm2::Encoding::Base64);
    assert_eq!((national.pf_sms, national.pf_ivr), (2, Some(8)));
    assert_eq!(national.constants["userProp"], "1");
    assert_eq!(national.duplicates.last().map(String::as_str), Some("重复提交"));
    assert_eq!(national.permanent.len(), PERMANENT.len() + 1);
    assert_eq!(national.leave_out, [Field::Mobile]);
}

#[test]
fn a_signing_key_is_read_and_one_that_is_not_set_is_a_gap() {
    let signed = LEAST.replace("encrypted", "signed");
    let (national, gaps) = good(ONLY, &(signed.clone() + "private_key = 'env:OURS'"));
    let expected = SigningKey::read(&Secret::new(OURS.into()), sm2::DEFAULT_ID).ok();
    assert_eq!(national.sign, Sign::Signed { key: expected, form: SignatureForm::Der });
    assert_eq!(gaps, "");
    for key in ["", "private_key = 'env:UNSET'"] {
        let (national, gaps) = good(ONLY, &(signed.clone() + key));
        assert!(matches!(national.sign, Sign::Signed { key: None, .. }));
        assert!(gaps.contains("private_key"), "{gaps}");
    }
    let (_, gaps) = good(ONLY, &LEAST.replace("env:WORD", "env:UNSET"));
    assert!(gaps.contains("destination.national.app_word"), "{gaps}");
}

#[test]
fn what_is_wrong_is_said_with_what_would_be_right() {
    for key in ["path", "app_mark", "sign", "data_source"] {
        let rest = LEAST.lines().filter(|line| !line.starts_with(key));
        let rest: String = rest.map(|line| format!("{line}\n")).collect();
        let problems = read(ONLY, &rest).expect_err(key).to_string();
        assert!(problems.contains(&format!("`{key}` is missing")), "{problems}");
    }
    for (only, more, expected) in [
        ("", "", "kinds = [\"rating\"]"),
        ("only = { kinds = ['rating', 'complaint'], channels = ['sms'] }", "", "no fields"),
        ("only = { kinds = ['rating'] }", "", "ask the province and write pf_ivr"),
        (ONLY, "signer_id = 'x'", "has no use, since nothing is signed"),
        (ONLY, "ciphertext = 'c3c2c1'", "is not an order"),
        (ONLY, "eval_detail = ['14']", "is no option code"),
        (ONLY, "required = ['pf']", "required lacks projectNo"),
        (ONLY, "leave_out = ['assessNumber']", "leave_out names assessNumber"),
        (
            ONLY,
            "required = ['projectNo', 'satisfaction', 'assessNumber', 'mobile']\nleave_out = ['mobile']",
            "requires mobile and leaves mobile out",
        ),
        (ONLY, "required = ['projectno']", "did you mean"),
        (ONLY, "constants = { pf = '7' }", "which cannot be the same in all"),
        (ONLY, "max_comment = 0", "is out of bounds"),
        (ONLY, "duplicates = ['']", "is empty"),
        (ONLY, "dataSource = '121'", "there is no such key"),
    ] {
        let problems = read(only, &(LEAST.to_owned() + more)).expect_err(more).to_string();
        assert!(problems.contains(expected), "{more}\n{problems}");
    }
    let signed = LEAST.replace("encrypted", "signed") + "private_key = 'env:BAD'";
    let problems = read(ONLY, &signed).expect_err("a bad key").to_string();
    assert!(
        problems.contains("is no SM2 private key") && !problems.contains("no key;"),
        "{problems}"
    );
}

#[test]
fn what_is_signed_is_right_where_no_secret_is_asked_for() {
    let national = LEAST.replace("encrypted", "signed") + "private_key = 'env:OURS'";
    let text = format!(
        "[destination]\nsecret = 'env:S'\nprofile = 'national'\n{ONLY}\nidentity.scheme = 'sm2'\n\
         key_id = 'us'\n[destination.national]\npublic_key = '{KEY}'\n{national}"
    );
    let config = parse(&text, "f", &Environment::without_secrets(Path::new("/nowhere")));
    let config = config.unwrap_or_else(|problems| panic!("{problems}"));
    let Profile::National(national) = config.destination.profile else { panic!("another profile") };
    assert!(matches!(national.sign, Sign::Signed { key: Some(_), .. }));
}

#[test]
fn the_documented_example_is_right() {
    let doc = include_str!("../../../docs/national.md");
    let example = doc.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    let example = example.expect("an example").replace("04…", KEY);
    let environment = Environment::given(Path::new(""), &[]);
    let config = parse(&example, "f", &environment);
    let config = config.unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.others[0].profile.name(), "national");
    for text in DUPLICATES.iter().chain(&PERMANENT) {
        assert!(doc.contains(text), "{text} is not documented");
    }
    for (name, _) in Field::NAMES {
        assert!(doc.contains(&format!("`{name}`")), "{name} is not documented");
    }
}

#[test]
fn a_profile_and_its_table_stand_together() {
    let environment = Environment::given(Path::new(""), &[]);
    let problem = |text: &str| parse(text, "f", &environment).expect_err(text).to_string();
    let alone = problem("[destination]\nprofile = 'national'");
    assert!(alone.contains("destination: `national` is missing"), "{alone}");
    let other = problem("[destination.national]\npath = '/x'");
    assert!(other.contains("is the table of another profile"), "{other}");
}

#[test]
fn a_word_or_key_that_changed_where_it_is_kept_is_noticed() {
    let national = LEAST.replace("encrypted", "signed") + "private_key = 'env:OURS'";
    let text = format!(
        "[destination]\nprofile = 'national'\n{ONLY}\n[destination.national]\n\
         public_key = '{KEY}'\n{national}"
    );
    let read = |word: &str, ours: &str| {
        let environment = Environment::given(Path::new(""), &[("WORD", word), ("OURS", ours)]);
        parse(&text, "f", &environment).unwrap_or_else(|problems| panic!("{problems}"))
    };
    let other = "1".repeat(64);
    let changes = read("old", OURS).changes(&read("new", &other));
    assert_eq!(
        changes.restart,
        ["destination.national.app_word", "destination.national.private_key"]
    );
    assert_eq!(read("old", OURS).changes(&read("old", OURS)).restart, [""; 0]);
}
