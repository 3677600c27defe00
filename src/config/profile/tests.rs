//! What `check` says of profiles.

use super::*;
use crate::config::{self, Config, Environment, Problems};
use crate::model::RecordKind;
use std::path::Path;

const HEAD: &str = "[destination]\nurl = \"https://p.example/\"\nprofile = \"template\"\n\
    only = { kinds = [\"rating\"] }\n";

const ANSWER: &str =
    "[destination.template.answer]\nformat = \"json\"\ncode = \"code\"\nsuccess = [\"0\"]\n";

fn read(text: &str) -> Result<Config, Problems> {
    config::parse(text, "f", &Environment::given(Path::new(""), &[("S", "secret")]))
}

/// What is said of a table `rating` with these lines.
fn of_rating(lines: &str) -> Result<Config, String> {
    let text = format!(
        "{HEAD}[destination.template]\npath = \"/\"\ncodes.few = {{ sms = \"1\" }}\n\
         [destination.template.rating]\n{lines}\n{ANSWER}"
    );
    read(&text).map_err(|problems| problems.to_string())
}

#[test]
fn a_template_is_read() {
    let config = of_rating("json = '{\"id\":\"${key}\",\"level\":${level}}'").expect("right");
    let config::Profile::Template(template) = &config.destination.profile else { panic!() };
    let [(RecordKind::Rating, shape)] = &template.shapes[..] else { panic!("{template:?}") };
    assert_eq!(shape.method, http::Method::POST);
    assert!(config.destination.final_statuses.is_empty(), "nothing is final by itself");
    assert!(config.warnings.is_empty(), "{}", config.warnings);
}

#[test]
fn what_is_missing_is_said() {
    for (text, expected) in [
        (HEAD.to_owned(), "`template` is missing; say how records are written"),
        (format!("{HEAD}[destination.template]\npath = \"/\""), "`answer` is missing"),
        (
            format!("{HEAD}{ANSWER}"),
            "says nothing of the kind `rating`, which the destination is sent",
        ),
        (
            format!("{HEAD}[destination.template.rating]\njson = '\"${{key}}\"'\n{ANSWER}"),
            "`path` is missing",
        ),
        (
            format!(
                "{HEAD}[destination.template]\npath = \"/\"\n[destination.template.rating]\n{ANSWER}"
            ),
            "has no body; write one of `json`, `form`, `xml`",
        ),
        (
            format!(
                "{HEAD}[destination.template]\nanswer = {{ format = \"json\", success = [\"0\"] }}"
            ),
            "`code` is missing",
        ),
    ] {
        let problems = read(&text).expect_err(&text).to_string();
        assert!(problems.contains(expected), "{text}\n{problems}");
    }
    let everything = HEAD.replace("only = { kinds = [\"rating\"] }\n", "");
    let text = format!("{everything}{ANSWER}");
    let problems = read(&text).expect_err("three kinds").to_string();
    for kind in ["rating", "complaint", "not_rated"] {
        assert!(
            problems.contains(&format!("[destination.template.{kind}], or leave")),
            "{problems}"
        );
    }
}

#[test]
fn what_is_wrong_with_a_text_is_said_at_its_line() {
    for (lines, expected) in [
        (
            "json = '{\"a\":\"${projectNo}\"}'",
            "f:9: destination.template.rating.json: no record has",
        ),
        ("json = '{\"a\":\"${projectno}\"}'", "did you mean `${project_no}`?"),
        ("json = '{\"a\":\"${tags}\"}'", "no rating has `${tags}`"),
        ("json = '{\"a\":\"${why:-}\",\"b\":\"${key}\"}'", ""),
        ("json = '{\"a\":${comment}}'", "is not JSON with fields in it"),
        (
            "json = '{\"a\":${assess_number:-none},\"k\":\"${key}\"}'",
            "is not JSON with fields in it",
        ),
        ("json = '{\"a\":${assess_number:-0},\"k\":\"${key}\"}'", ""),
        ("json = '{\"a\":\"${key}'", "is not JSON with fields in it"),
        ("json = '{\"a\":\"${key\"'", "`${` at character 6 is never closed"),
        ("json = '{\"a\":\"${channel|few}\"}'", "`codes.few` has no code for `ivr`"),
        ("json = '[\"${key}\",\"${channel|few:-0}\"]'", ""),
        ("json = '[\"${key}\",\"${channel|fews}\"]'", "did you mean `few`?"),
        ("json = '[\"${key}\",\"${received_at|loc}\"]'", "is no way to write `received_at`"),
        ("xml = '<a>${key}</a>'", ""),
        ("xml = '<a b=\"${key}\"/>'", ""),
        ("xml = '<a b=${key}/>'", "is not XML with fields in it"),
        ("xml = '<a ${key}=\"b\"/>'", "is not XML with fields in it"),
        ("xml = '<${key}/>'", "is not XML with fields in it"),
        ("xml = '<a><![CDATA[${key}]]></a>'", "a value stands where it cannot be escaped"),
        ("xml = '<a><!-- ${key} --></a>'", "a value stands where it cannot be escaped"),
        ("xml = '<a>${key}'", "is not XML with fields in it"),
        ("xml = '<a/>${key}'", "there must be one root element"),
        ("xml = '<a/>'\njson = '1'", "has several bodies, `json`, `xml`"),
        ("path = \"rating\"\njson = '\"${key}\"'", "is not a path"),
        ("path = \"/a b\"\njson = '\"${key}\"'", "is no path with a query"),
        ("path = \"/${level}#x\"\njson = '\"${key}\"'", "is no path with a query"),
        ("headers = { Host = \"x\" }\njson = '\"${key}\"'", "writes `host` itself"),
        ("headers = { \"a b\" = \"x\" }\njson = '\"${key}\"'", "is not a header's name"),
        ("jsn = '\"${key}\"'", "did you mean `json`?"),
    ] {
        match (of_rating(lines), expected) {
            (Ok(config), "") => assert!(config.warnings.is_empty(), "{}", config.warnings),
            (Ok(_), expected) => panic!("{lines}: not {expected}"),
            (Err(problems), expected) => {
                assert!(!expected.is_empty() && problems.contains(expected), "{lines}\n{problems}");
            }
        }
    }
}

#[test]
fn a_far_end_that_could_not_know_a_repeat_is_warned_of() {
    let config = of_rating("json = '{\"level\":${level}}'").expect("it works");
    assert!(config.warnings.to_string().contains("nothing to know a repeat by"));
}

#[test]
fn statuses_and_profiles_are_held_to_what_they_can_be() {
    for (lines, expected) in [
        ("final_statuses = [401]", "401 speaks of us or of the time"),
        ("final_statuses = [200]", "200 is no status of a refusal"),
        ("final_statuses = [\"422\"]", "is a text, not a number"),
        ("profile = \"nativ\"", "did you mean \"native\"?"),
        ("template = { path = \"/\" }", "is the table of another profile"),
    ] {
        let text = format!("[destination]\nurl = \"https://p.example/\"\n{lines}");
        let problems = read(&text).expect_err(lines).to_string();
        assert!(problems.contains(expected), "{lines}\n{problems}");
    }
    let statuses = |lines: &str| {
        let config = read(&format!("[destination]\n{lines}")).expect("right");
        config.destination.final_statuses.iter().map(StatusCode::as_u16).collect::<Vec<_>>()
    };
    assert_eq!(statuses("max_batch = 7"), [400, 422], "what the native interface documents");
    assert_eq!(statuses("final_statuses = []"), [0_u16; 0]);
    assert_eq!(statuses("final_statuses = [410, 500]"), [410, 500]);
    let wrong = format!("{HEAD}{}", ANSWER.replace("[\"0\"]", "[\"0\"]\nstatuses = [404]"));
    let problems = read(&wrong).expect_err("404").to_string();
    assert!(problems.contains("404 is no status of success"), "{problems}");
}
