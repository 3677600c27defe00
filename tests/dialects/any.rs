//! Any value in any key makes a dialect, or a problem with its line.

use super::{account, around, parse};
use bridge8890::config::{self, Origin};
use proptest::prelude::*;

/// Dialects with one value left open.
const OPEN: &[&str] = &[
    "KEY = @",
    "routes.up.KEY = @",
    "routes = { up = { KEY = @ }, \"a/b\" = @ }",
    "answers.KEY = @",
    "answers.accepted.KEY = @",
    "answers.busy.KEY = @",
    "auth = { scheme = \"digest\", KEY = @ }",
    "auth = [{ scheme = \"WORD\", KEY = @ }]",
    "auth = { scheme = \"digest\", algorithm = \"md5\", over = \"${secret}\", given = \"s\", KEY = @ }",
    "auth = { scheme = \"digest\", sorted = { KEY = @ } }",
    "auth = { scheme = \"jwt\", time = { from = \"t\", KEY = @ } }",
    "formats = [\"form\"]\ninside = { field = \"f\", KEY = @ }",
    "formats = [\"form\"]\ninside = { field = \"f\", records = { record = \";\", KEY = @ } }",
    "events = [{ kind = \"WORD\", KEY = @ }]",
    "events = [{ kind = \"sms_reply\", id = \"i\", call = \"c\", text = \"t\", KEY = @ }]",
    "events = [{ kind = \"sms_reply\", id = \"i\", call = \"c\", text = \"t\", part = { KEY = @ } }]",
    "events = [{ kind = \"call_status\", id = \"i\", state = { from = \"s\", KEY = @ } }]",
    "events = [{ kind = \"opt_out\", id = \"i\", caller = { KEY = @ } }]",
    "events = [{ kind = \"opt_out\", id = \"i\", caller = { from = \"c\", KEY = @ } }]",
    "events = [{ kind = \"opt_out\", id = \"i\", caller = \"c\", time = { from = \"t\", KEY = @ } }]",
    "events = [{ kind = \"opt_out\", id = \"i\", caller = \"c\", when = { KEY = @ } }]",
];

/// Words that mean something somewhere in a dialect.
const WORDS: &str = "title transport methods max_body max_items formats charset inside auth events \
    answers routes name when items kind id call caller service time pass_through part reference \
    total number text digits url state raw dedupe time_resolution resend_window from template value decode decode_by charset_from \
    map strip required country form zone scheme user nonce tolerance given prefix algorithm over \
    written key sorted body_hash optional of except pair join skip_empty replace field format records \
    record columns surplus split_encoded status content_type headers body accepted duplicate refused \
    unsigned none json xml query sms_reply ivr_keypad call_status delivery_report recording opt_out \
    ignored token basic digest twilio hmac-sm3 ed25519 base64 hex gbk epoch_s GET POST 5m 4MiB \
    header:X-A header:X#p form:a query:b /a.b a.b.0 body: %Y%m%d%H%M %Y ${a|md5|hex} ${secret} \
    ${sorted} ${name}=${value} application/json +08:00";

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(WORDS.split_whitespace().collect::<Vec<&str>>())
            .prop_map(str::to_owned),
        1 => "[ -~é满]{0,12}",
    ]
}

fn value() -> impl Strategy<Value = toml::Value> {
    let plain = prop_oneof![
        3 => word().prop_map(toml::Value::from),
        1 => any::<i64>().prop_map(toml::Value::from),
        1 => (100_i64..600).prop_map(toml::Value::from),
        1 => any::<bool>().prop_map(toml::Value::from),
        1 => Just(toml::Value::from(1.5)),
    ];
    plain.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(toml::Value::from),
            prop::collection::btree_map(word(), inner, 0..4)
                .prop_map(|entries| toml::Value::Table(entries.into_iter().collect())),
        ]
    })
}

/// Puts another value in one of the places of a document.
fn change(here: &mut toml::Value, at: usize, value: toml::Value) {
    let mut within: Vec<&mut toml::Value> = match here {
        toml::Value::Table(table) => table.iter_mut().map(|(_, value)| value).collect(),
        toml::Value::Array(items) => items.iter_mut().collect(),
        _ => Vec::new(),
    };
    // One choice more than there are values within: this one itself.
    let (chosen, rest) = (at % (within.len() + 1), at / (within.len() + 1));
    if chosen < within.len() {
        change(within.swap_remove(chosen), rest, value);
    } else {
        *here = value;
    }
}

/// An account is read or what is wrong with it is told, with its line; it is never left out without
/// a word.
fn is_judged(file: &str) -> Result<(), TestCaseError> {
    match parse(file) {
        Ok(config) => prop_assert_eq!(config.accounts.len(), 1, "{}", file),
        Err(problems) => {
            prop_assert!(!problems.is_empty(), "{}", file);
            for problem in &problems {
                let Origin { file: name, line } = &problem.origin;
                let ours = name == "gateway.toml";
                prop_assert!(ours || name.starts_with("config/carriers/"), "{}", problem);
                prop_assert!(!ours || (1..=file.lines().count()).contains(line), "{}", problem);
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_value_in_any_key_makes_a_dialect_or_a_problem_with_its_line(
        open in prop::sample::select(OPEN.to_vec()),
        kind in prop::sample::select(WORDS.split_whitespace().collect::<Vec<&str>>()),
        key in word(),
        value in value(),
        ours in any::<bool>(),
    ) {
        let written = open
            .replace("WORD", kind)
            .replace("KEY", &toml::Value::from(key).to_string())
            .replace('@', &value.to_string());
        is_judged(&if ours { account(&written) } else { around("yunpian", true, &written) })?;
    }

    #[test]
    fn a_dialect_with_any_value_changed_is_one_still_or_a_problem_with_its_line(
        (_, text) in prop::sample::select(config::built_in().collect::<Vec<_>>()),
        at in any::<usize>(),
        value in value(),
    ) {
        let mut dialect = toml::Value::Table(toml::from_str(text).expect("it is TOML"));
        change(&mut dialect, at, value);
        is_judged(&format!(
            "accounts.a = {{ carrier = \"generic\", secrets = [\"env:PUBLIC\"], dialect = {dialect} }}"
        ))?;
    }
}
