//! Whole scripts, and what they show.

use super::*;
use crate::config::{Environment, parse};
use proptest::prelude::*;
use std::path::Path;

const CONFIG: &str = r#"
    [accounts.kannel]
    carrier = "kannel"
    allow_http = true
    [accounts.kannel.send]
    url = "https://kannel.example/cgi-bin/sendsms"
    user = "8890"
    secret = "env:NOT_THERE"
    values = { report_url = "https://gateway.example/callback/kannel/dlr" }
    [accounts.voice]
    carrier = "tencent-vms"
    allow_http = true
    [campaigns.hotline]
    service_numbers = ["1069008890*"]
    extensions = { "01" = "210100" }
    scheme = "asc"
    target = "case"
    [campaigns.hotline.conversation]
    sender = "kannel"
    invite = "请评价"
    thank_you = { template = "SMS_1", parameters = ["case=${project_no}"] }
    ask_reason = "请问哪里不满意？"
    validity = "1d"
    call_wait = "10m"
"#;

/// Plays a script at ten o'clock.
fn try_to_play(script: &str, json: bool) -> (anyhow::Result<()>, String) {
    play_with(CONFIG, "hotline", script, json)
}

fn play_with(config: &str, name: &str, script: &str, json: bool) -> (anyhow::Result<()>, String) {
    let config = parse(config, "f", &Environment::without_secrets(Path::new("")));
    let config = config.unwrap_or_else(|problems| panic!("{problems}"));
    let campaign = campaign(&config, name).expect("it is there");
    let lines = Lines::of(campaign, &config, None);
    let citizen = Msisdn::read(CITIZEN, "86").ok();
    let begins = "2026-03-05T10:00:00+08:00".parse().expect("a time");
    let player = Player::new(&config, campaign, lines, citizen, begins);
    let mut out = Vec::new();
    let mut session = Session { player, json, whole: false, typing: false };
    let played = session.play(script.as_bytes(), &mut out);
    (played, String::from_utf8(out).expect("text"))
}

/// What the last line of a script shows.
fn shows(script: &str) -> String {
    let (played, out) = try_to_play(script, false);
    played.expect(script);
    let (_, last) = out.rsplit_once(" > ").expect("a line");
    last.split_once('\n').expect("its end").1.to_owned()
}

#[test]
fn a_call_puts_the_question_and_keys_answer_it() {
    let called = "/invite channel=ivr projectNo=P-1\n/call";
    assert!(shows(called).contains("the question is put"), "{}", shows(called));
    let rated = shows(&format!("{called}\n/keys 1#"));
    assert!(rated.contains("answers the invitation that it names"), "{rated}");
    assert!(rated.contains("recorded   rating #1, revision 1: 5 非常满意 of P-1\n"), "{rated}");
    let other = shows(&format!("{called}\n/hangup\n/from 13940000002\n/keys 1#"));
    assert!(!other.contains("answers the invitation"), "{other}");
}

#[test]
fn a_call_whose_steps_are_ours_asks_its_questions_and_ends() {
    let asking = CONFIG.to_owned()
        + r#"
        [accounts.twilio]
        carrier = "twilio"
        allow_http = true
        secrets = ["env:NOT_THERE"]
        [campaigns.voice]
        service_numbers = ["+862400008890"]
        scheme = "asc"
        target = "call"
        [campaigns.voice.call]
        rating = "请评价"
        reason = { ask = "原因", keys = { 1 = ["214", "115"] } }
        message = { ask = "留言请按1", record = "请留言" }
        thanks = "谢谢"
        goodbye = "再见"
        repeats = 1
        "#;
    let shows = |script: &str| {
        let (played, out) = play_with(&asking, "voice", script, false);
        played.expect(script);
        let (_, last) = out.rsplit_once(" > ").expect("a line");
        last.split_once('\n').expect("its end").1.to_owned()
    };
    assert!(shows("/call").contains("  asks       请评价\n"), "{}", shows("/call"));
    let bad = shows("/call\n/keys 5");
    assert!(bad.contains("rating #1, revision 1: 1 非常不满意"), "{bad}");
    assert!(bad.contains("  asks       原因\n"), "{bad}");
    let reason = shows("/call\n/keys 5\n/keys 1");
    assert!(
        reason.contains("[\"115\"]") && reason.contains("  asks       留言请按1\n"),
        "{reason}"
    );
    let spoken = shows("/call\n/keys 5\n/keys 1\n/keys 1\n/speak");
    assert!(spoken.contains("  says       谢谢\n"), "{spoken}");
    let silent = shows("/call\n/keys\n/keys");
    assert!(silent.contains("not rated #1, revision 1: silent"), "{silent}");
    assert!(silent.contains("  says       再见\n"), "{silent}");
    let gone = shows("/call\n/hangup");
    assert!(gone.contains("not rated #1, revision 1: hung_up"), "{gone}");
    let (played, _) = play_with(&asking, "voice", "/call\n/speak", false);
    let wrong = format!("{:#}", played.expect_err("no message"));
    assert!(wrong.contains("no message is asked for"), "{wrong}");
}

#[test]
fn keys_wait_for_the_number_of_their_call() {
    let held = "/from withheld\n/keys 5";
    assert!(shows(held).contains("  heard      held\n"), "{}", shows(held));
    let named = shows(&format!("{held}\n/from 13940000002\n/hangup"));
    assert!(named.contains("the number of the call is known"), "{named}");
    assert!(named.contains("rating #1, revision 1: 1 非常不满意\n"), "{named}");
    let late = shows(&format!("{held}\n/wait 11m"));
    assert!(late.starts_with("2026-03-05 10:10:00\n  due        rated\n"), "{late}");
    assert!(late.contains("\"marks\":[\"no_caller\"]"), "{late}");
}

#[test]
fn parts_are_read_as_one() {
    let whole = shows("/part 2/2 没人管\n/part 1/2 不满意，");
    assert!(whole.contains("all parts are there"), "{whole}");
    assert!(whole.contains("comment \"没人管\""), "{whole}");
}

#[test]
fn what_a_carrier_cannot_be_told_is_not_sent() {
    let thanked = shows("/invite\n满意");
    let expected = "  not sent   thank_you to 139****0001 from 1069008890 by kannel, template SMS_1: \
                    case=case-1: the carrier knows no templates";
    assert!(thanked.contains(expected), "{thanked}");
}

#[test]
fn an_invitation_that_ends_is_recorded_and_a_report_says_why() {
    let ended = shows("/invite\n/report failed\n/wait 1d");
    assert!(ended.contains("not rated #1, revision 1: undelivered of case-1\n"), "{ended}");
}

#[test]
fn an_extension_names_its_district_and_all_begins_again() {
    assert!(shows("/to 106900889001\n满意").contains("\"area\":\"210100\""));
    let again = "不满意\n/wait 1h\n/to 10086\n/new";
    let (_, out) = try_to_play(&format!("{again}\n满意"), false);
    assert!(out.contains("\n2026-03-05 10:00:00 139****0001 > 满意\n  heard      rated"), "{out}");
    assert!(shows(&format!("{again}\n满意")).contains("the first rating of it"));
}

#[test]
fn each_thing_that_happens_is_one_object() {
    let (played, out) = try_to_play("/invite\n不满意\n/help\n脏乱差", true);
    played.expect("it plays");
    let scenes: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    let what: Vec<&str> = scenes.iter().map(|it| it["what"].as_str().expect("a text")).collect();
    assert_eq!(what, ["invited", "sent", "heard", "sent", "heard"]);
    assert_eq!(scenes[1]["message"]["segments"], 1);
    assert_eq!(scenes[4]["line"], 4);
    let changed = &scenes[4]["records"][0]["changed"];
    assert_eq!(*changed, serde_json::json!({"comment": ["", "脏乱差"]}));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever is typed, it is played or refused, and every revision follows the one before.
    #[test]
    fn nothing_that_is_typed_makes_it_panic(
        lines in proptest::collection::vec(
            prop_oneof![
                "[1-5]|不满意|没人管了|退订|好的|\\PC{0,8}",
                "/(invite|invite channel=ivr|call|keys [1-5]|hangup|report failed|new|json)",
                "/(wait [1-9](m|h|d)|from withheld|from 1394000000[1-3]|part [1-3]/2 x|to [0-9]{0,4})",
            ],
            0..12,
        )
    ) {
        let (_, out) = try_to_play(&lines.join("\n"), true);
        for line in out.lines() {
            let scene: serde_json::Value = serde_json::from_str(line).expect("an object");
            for record in scene["records"].as_array().expect("records") {
                let first = record["forwarded"]["revision"] == 1;
                let changed = record["changed"].as_object().expect("changes");
                prop_assert_eq!(first, changed.is_empty(), "{}", record);
            }
        }
    }
}
