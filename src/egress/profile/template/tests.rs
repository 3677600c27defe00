//! Records as templates write them: by the examples of docs/profiles.md, and whatever they hold.

use super::*;
use crate::config::{self, Config, Environment};
use crate::egress::samples::{bare_complaint, now, rating};
use crate::egress::verdict::{ItemVerdict, Refusal};
use crate::model::{Comment, Deadlines, Matter, RecordSeq, TargetType};
use http::Uri;
use jiff::civil::date;
use proptest::prelude::*;
use std::path::Path;

const PAGE: &str = include_str!("../../../../docs/profiles.md");

fn record() -> Record {
    let mut record = rating(1);
    record.comment = Comment("等了 <两> 小时 & 没人管".to_owned());
    let project_no = Some("210100-2026-000123".to_owned());
    record.context.matter = Some(Matter { project_no, ..Matter::bare(TargetType::Case) });
    record
}

fn complaint() -> Record {
    let mut complaint = Record { comment: record().comment, id: rating(2).id, ..rating(2) };
    let (call_back_by, repair_by) = (date(2026, 3, 6), date(2026, 3, 26));
    complaint.meaning = bare_complaint().meaning;
    if let Meaning::Complaint { rating, deadlines, .. } = &mut complaint.meaning {
        *rating = Some(record().id);
        *deadlines = Some(Deadlines { call_back_by, repair_by });
    }
    complaint
}

fn leased(record: Record) -> Leased {
    Leased { seq: RecordSeq(7), attempt: 1, queued_at: record.received_at, record }
}

fn parse(text: &str) -> Config {
    let environment = Environment::given(Path::new(""), &[("BRIDGE8890_EXAMPLE_KEY", "s")]);
    config::parse(text, "profiles.md", &environment).unwrap_or_else(|it| panic!("{text}\n{it}"))
}

fn template(text: &str) -> Template {
    let destination = parse(text).destination;
    let config::Profile::Template(template) = destination.profile else { panic!("{text}") };
    Template { template, finals: destination.final_statuses }
}

/// A request as the page shows it.
fn shown(request: &Request<Bytes>) -> String {
    let mut text = format!("{} {}\n", request.method(), request.uri());
    let mut headers: Vec<_> = request.headers().iter().collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in headers {
        text += &format!("{name}: {}\n", value.to_str().expect("ASCII"));
    }
    text + "\n" + std::str::from_utf8(request.body()).expect("UTF-8") + "\n"
}

/// A verdict as the page shows it.
fn told(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Each(each) => match &each[..] {
            [ItemVerdict::Delivered] => "delivered".to_owned(),
            [ItemVerdict::Duplicate] => "duplicate".to_owned(),
            other => panic!("{other:?}"),
        },
        Verdict::Refused(Refusal { reason, is_final })
        | Verdict::RefusedIn200(Refusal { reason, is_final }) => {
            format!("{}: {reason}", if *is_final { "final" } else { "again" })
        }
        Verdict::Throttled(_) => "throttled".to_owned(),
        Verdict::Again(_) | Verdict::Failed(_) => "failed".to_owned(),
        Verdict::Unknown(_) => "unknown".to_owned(),
        Verdict::Fault(_) => "the lane holds".to_owned(),
        Verdict::TooLarge { .. } => "too large".to_owned(),
    }
}

fn blocks(text: &'static str, language: &str) -> Vec<&'static str> {
    let opening = format!("```{language}\n");
    let blocks = text.split(opening.as_str()).skip(1);
    blocks.map(|rest| rest.split_once("```").expect("an end").0).collect()
}

#[test]
fn every_example_comes_to_what_the_page_says() {
    let (_, examples) = PAGE.split_once("## Worked examples").expect("the section");
    let examples: Vec<&'static str> = examples.split("\n### ").skip(1).collect();
    assert_eq!(examples.len(), 3);
    for example in examples {
        let [toml] = blocks(example, "toml")[..] else { panic!("one configuration: {example}") };
        let config = parse(toml);
        assert!(config.warnings.is_empty() && config.gaps.is_empty(), "{}", config.warnings);
        let template = template(toml);
        for (record, expected) in [record(), complaint()].into_iter().zip(blocks(example, "http")) {
            let written = template.write(&[leased(record)], now());
            let request = written.request.unwrap_or_else(|| panic!("{:?}", written.unwritable));
            assert_eq!(shown(&request), expected);
        }
        for answer in blocks(example, "text").iter().flat_map(|block| block.lines()) {
            let (rest, expected) = answer
                .rsplit_once("   ")
                .or_else(|| answer.rsplit_once("  "))
                .expect("two columns");
            let (status, body) = rest.split_once(' ').expect("status and body");
            let body = if body.trim() == "-" { "" } else { body.trim() };
            let status = StatusCode::from_bytes(status.as_bytes()).expect("a status");
            let body = Bytes::from_static(body.as_bytes());
            let answer = Answer { status, headers: HeaderMap::new(), body };
            let verdict = template.read(&answer, &[leased(record())], now());
            assert_eq!(told(&verdict), expected.trim(), "{rest}");
        }
    }
}

const BARE: &str = "[destination]\nurl = \"https://x.example/\"\nprofile = \"template\"\n\
    only = { kinds = [\"rating\"] }\n[destination.template]\npath = \"/${channel}\"\n\
    answer = { format = \"json\", code = \"code\", success = [\"0\"] }\n\
    codes.few = { sms = \"6\" }\n[destination.template.rating]\n";

/// What becomes of a record under a body.
fn write(body: &str, record: Record) -> Result<Request<Bytes>, String> {
    let written = template(&format!("{BARE}{body}")).write(&[leased(record)], now());
    written.request.ok_or_else(|| {
        let [(seq, lack)] = &written.unwritable[..] else { panic!("{:?}", written.unwritable) };
        assert_eq!(*seq, RecordSeq(7));
        lack.to_string()
    })
}

fn body_of(body: &str, record: Record) -> String {
    let request = write(body, record).expect("written");
    String::from_utf8(request.into_body().to_vec()).expect("UTF-8")
}

#[test]
fn what_a_record_lacks_is_named_and_never_made_up() {
    let lacking = || Record { comment: Comment::default(), occurred_at: None, ..rating(1) };
    for (field, named) in [
        ("${project_no}", "`project_no` is missing"),
        ("${comment}", "`comment` is missing"),
        ("${occurred_at|local}", "`occurred_at` is missing"),
        ("${assess_number}", "`assess_number` is missing"),
        ("${message_id|few}", "`codes.few` has no code for the value of `message_id`"),
    ] {
        let body = format!("json = '{{\"key\":\"${{key}}\",\"x\":\"{field}\"}}'");
        assert_eq!(write(&body, lacking()).err().as_deref(), Some(named));
    }
    let body = "json = '[\"${key}\",\"${project_no:-无}\",\"${occurred_at|local:-}\",\"${account|few:-?}\"]'";
    let key = lacking().idempotency_key();
    assert_eq!(body_of(body, lacking()), format!("[\"{key}\",\"无\",\"\",\"?\"]"));
}

#[test]
fn moments_and_days_are_written_as_asked_at_the_province_s_clock() {
    let body = "json = '[\"${received_at|local}\",\"${received_at|compact}\",\"${received_at}\",\
        ${received_at|epoch_s},${received_at|epoch_ms},\"${sent_at|%Y/%m/%d}\",\"${id}\"]'";
    let id = rating(1).id;
    assert_eq!(
        body_of(body, rating(1)),
        format!(
            "[\"2026-03-05 10:20:30\",\"20260305102030\",\"2026-03-05T10:20:30.125+08:00\",\
             1772677230,1772677230125,\"2026/03/05\",\"{id}\"]"
        )
    );
}

#[test]
fn numbers_leave_in_the_form_that_is_asked_for() {
    let body = "form = { a = \"${caller}\", b = \"${caller_digits}\", c = \"${caller_national}\", \
        d = \"${caller_masked}\", e = \"${area_12}\", f = \"${key}\" }";
    let written = body_of(body, rating(1));
    assert!(written.starts_with("a=%2B8613940000001&b=8613940000001&c=13940000001&d="));
    assert!(!written.split("&d=").nth(1).expect("masked").contains("13940000001"));
    assert!(written.contains("&e=210100000000&"), "{written}");
}

#[test]
fn a_header_takes_no_line_break() {
    let body = "headers = { \"X-Words\" = \"${comment}\" }\njson = '\"${key}\"'";
    let record = Record { comment: Comment("a\r\nx-admin: 1".to_owned()), ..rating(1) };
    let lack = write(body, record).err();
    assert_eq!(
        lack.as_deref(),
        Some("what the fields come to cannot stand in the header `x-words`")
    );
}

#[test]
fn a_body_leaves_in_the_charset_that_is_asked_for() {
    let record = || Record { comment: Comment("等了".to_owned()), ..rating(1) };
    let in_gb = BARE.replace("path =", "charset = \"gb18030\"\npath =");
    let write = |body: &str| {
        let template = template(&format!("{in_gb}{body}"));
        template.write(&[leased(record())], now()).request.expect("written")
    };
    let form = write("form = { c = \"${comment}\", key = \"${key}\" }");
    assert!(form.body().starts_with(b"c=%B5%C8%C1%CB&key="), "{form:?}");
    let xml = write("xml = '<a k=\"${key}\">${comment}</a>'");
    assert!(xml.body().ends_with(b">\xb5\xc8\xc1\xcb</a>"), "{xml:?}");
    assert_eq!(xml.headers()[CONTENT_TYPE], "application/xml; charset=gb18030");
}

#[test]
fn of_two_records_none_is_sent() {
    let written = template(&format!("{BARE}json = '\"${{key}}\"'"))
        .write(&[leased(rating(1)), leased(rating(2))], now());
    assert!(written.request.is_none() && written.unwritable.is_empty());
}

proptest! {
    #[test]
    fn no_comment_leaves_its_place(comment in "\\PC{1,40}|[\"'<>&\\\\\r\n\t\u{0}-\u{1f}]{1,20}") {
        let record = Record { comment: Comment(comment.clone()), ..rating(1) };
        let json = body_of("json = '{\"key\":\"${key}\",\"c\":\"${comment}\"}'", record.clone());
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        prop_assert_eq!(json["c"].as_str(), Some(comment.as_str()));
        let form = body_of("form = { c = \"${comment}\", key = \"${key}\" }", record.clone());
        let fields: Vec<(String, String)> =
            form.split('&').map(|it| it.split_once('=').expect("a pair")).map(|(name, value)| {
                let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
                (name.to_owned(), value.into_owned())
            }).collect();
        prop_assert_eq!(&fields[0], &("c".to_owned(), comment));
        prop_assert_eq!(fields.len(), 2);
        let xml = body_of("xml = '<a k=\"${key}\" c=\"${comment}\">${comment}</a>'", record);
        prop_assert_eq!(xml.matches('<').count(), 2);
        prop_assert_eq!(xml.matches('"').count(), 4);
    }

    #[test]
    fn no_value_leaves_the_path(project_no in "\\PC{1,20}") {
        let mut record = record();
        record.context.matter = Some(Matter {
            project_no: Some(project_no),
            ..Matter::bare(TargetType::Case)
        });
        let body = "path = \"/a/${project_no}/b?c=${project_no}\"\njson = '\"${key}\"'";
        let request = write(body, record).expect("written");
        let uri: &Uri = request.uri();
        prop_assert_eq!(uri.path().matches('/').count(), 3);
        prop_assert!(uri.query().is_some_and(|query| !query.contains(['&', '#', '?'])));
    }
}
