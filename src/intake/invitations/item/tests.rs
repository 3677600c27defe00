//! Good items, and a table of bad ones.

use super::*;
use crate::config::{Config, Environment, parse};
use proptest::prelude::*;
use serde_json::json;
use std::path::Path;

const CONFIG: &str = r#"
http.trusted_proxies = ["10.0.0.1"]
accounts.hears = { carrier = "aliyun-sms" }
accounts.voice = { carrier = "tencent-vms", country = "44" }

[accounts.sms]
carrier = "aliyun-sms"
send = { user = "u", secret = "env:KEY", values = { sign_name = "沈阳8890" } }

[campaigns.cases]
service_numbers = ["8890*"]
scheme = "asc"
target = "case"
conversation = { sender = "sms", invite = "请评价", validity = "2d" }

[campaigns.mute]
service_numbers = ["8891"]
scheme = "asc"
target = "call"
conversation = { invite = "请评价" }

[campaigns.calls]
service_numbers = ["024-8890"]
scheme = "asc"
target = "call"
conversation = {}

[campaigns.listens]
service_numbers = ["12345"]
scheme = "asc"
target = "call"
"#;

const NUMBER: &str = "13940000001";

fn now() -> Timestamp {
    "2026-03-05T10:00:00+08:00".parse().expect("a time")
}

fn config() -> Config {
    parse(CONFIG, "gateway.toml", &Environment::given(Path::new(""), &[("KEY", "k")]))
        .expect("right")
}

fn checked(item: &Value) -> Result<Invitation, Vec<Problem>> {
    let config = config();
    let premises = Premises {
        campaigns: &config.campaigns,
        accounts: &config.accounts,
        areas: Areas::liaoning(),
        now: now(),
    };
    read(item.as_object().expect("an object"), premises)
}

/// The least that an invitation to rate a case needs.
fn least() -> Value {
    json!({
        "id": "i-1", "campaign": "cases", "mobile": NUMBER, "channel": "sms", "projectNo": "P-1",
    })
}

fn with(changes: &Value) -> Value {
    let mut item = least();
    let fields = item.as_object_mut().expect("an object");
    fields.extend(changes.as_object().expect("an object").clone());
    item
}

#[test]
fn the_campaign_says_what_is_left_out() {
    let read = checked(&least()).expect("good");
    assert_eq!(read.id, InvitationId("i-1".to_owned()));
    assert_eq!((read.campaign.as_str(), read.account.as_str()), ("cases", "sms"));
    assert_eq!(read.caller.reveal(), "+8613940000001");
    assert_eq!((read.channel, read.matter.target_type), (Channel::Sms, TargetType::Case));
    assert_eq!(read.matter.reference(), Some("P-1"));
    assert_eq!((read.send_at, read.valid_for), (None, None));
    assert_eq!(read.expires_at, "2026-03-07T10:00:00+08:00".parse().expect("a time"));
    assert_eq!((read.state, read.attempted_at), (InvitationState::Planned, None));
    // What says nothing is as if it were not there.
    assert_eq!(checked(&with(&json!({"handler": null, "expiresAt": ""}))), Ok(read));
}

#[test]
fn every_field_is_read() {
    let item = json!({
        "id": "i-2", "campaign": "calls", "account": "voice", "mobile": "020 7946 0000",
        "senderNumber": "024-8890", "channel": "ivr", "targetType": "case", "projectNo": "P-2",
        "taskCode": "T-1", "taskName": "办理身份证", "areaCode": "210106000000",
        "serviceNumber": "2", "department": "和平区公安分局", "handler": "李", "callId": "c-1",
        "passThrough": "p-1", "sendAt": "2026-03-05 12:00:00",
        "expiresAt": "2026-03-06T00:00:00Z", "validHours": 12,
    });
    let fields: Vec<&str> =
        item.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(FIELDS.len(), fields.len());
    assert!(FIELDS.iter().all(|field| fields.contains(field)));
    let some = |text: &str| Some(text.to_owned());
    let read = checked(&item).expect("good");
    let matter = Matter {
        target_type: TargetType::Case,
        project_no: some("P-2"),
        task_code: some("T-1"),
        task_name: some("办理身份证"),
        area_code: some("210106000000"),
        service_step: Some(2),
        department: some("和平区公安分局"),
        handler: some("李"),
        call_id: some("c-1"),
        pass_through: some("p-1"),
    };
    assert_eq!(read.matter, matter);
    assert_eq!(read.service, Some(ServiceNumber("024-8890".to_owned())));
    assert_eq!(read.caller.reveal(), "+442079460000", "by the account's country");
    assert_eq!(read.send_at, "2026-03-05T04:00:00Z".parse().ok());
    assert_eq!(read.valid_for, Some(Duration::from_hours(12)));
}

#[test]
fn the_number_tells_the_campaign_where_none_is_named() {
    let told = |number: &str| {
        let told = json!({"campaign": "", "account": "sms", "senderNumber": number});
        checked(&with(&told)).map(|read| read.campaign)
    };
    assert_eq!(told("889002"), Ok("cases".to_owned()));
    assert!(told("10086").is_err());
}

/// A change of the least, the field at fault and a part of what is told.
type Bad = (Value, &'static str, &'static str);

fn table() -> Vec<Bad> {
    vec![
        (json!({"id": ""}), "id", "is missing"),
        (json!({"id": null}), "id", "is missing"),
        (json!({"id": 1}), "id", "is a number"),
        (json!({"id": "x".repeat(129)}), "id", "is too long"),
        (json!({"id": "a\nb"}), "id", "control character"),
        (json!({"id": " a"}), "id", "blank"),
        (json!({"campaign": "nobody"}), "campaign", "is no campaign"),
        (json!({"campaign": ["cases"]}), "campaign", "is an array"),
        (json!({"campaign": ""}), "campaign", "is missing"),
        (json!({"campaign": "listens", "account": "sms"}), "campaign", "does not invite"),
        (json!({"campaign": "calls", "account": "sms"}), "campaign", "does not invite"),
        (json!({"account": "nobody"}), "account", "is no account"),
        (json!({"account": "NO BODY"}), "account", "is no account"),
        (json!({"account": "hears"}), "account", "does not send"),
        (json!({"campaign": "mute"}), "account", "is missing"),
        (json!({"channel": "ivr"}), "account", "whose calls ask"),
        (json!({"mobile": ""}), "mobile", "is missing"),
        (json!({"mobile": "1394000000x"}), "mobile", "is not a telephone number"),
        (json!({"mobile": 13_940_000_001_u64}), "mobile", "is a number"),
        (json!({"senderNumber": "沈阳"}), "senderNumber", "holds what no number has"),
        (json!({"channel": ""}), "channel", "is missing"),
        (json!({"channel": "SMS"}), "channel", "write sms or ivr"),
        (json!({"targetType": "visit"}), "targetType", "write call or case"),
        (json!({"projectNo": ""}), "projectNo", "is missing"),
        (json!({"projectNo": "x".repeat(65)}), "projectNo", "is too long"),
        (json!({"taskName": "办".repeat(201)}), "taskName", "is too long"),
        (json!({"areaCode": "110101"}), "areaCode", "is no area of Liaoning"),
        (json!({"areaCode": "2101"}), "areaCode", "is no area of Liaoning"),
        (json!({"areaCode": 210_100}), "areaCode", "is a number"),
        (json!({"serviceNumber": "two"}), "serviceNumber", "is no such number"),
        (json!({"serviceNumber": -1}), "serviceNumber", "is no such number"),
        (json!({"serviceNumber": 1.5}), "serviceNumber", "is no such number"),
        (json!({"handler": {"name": "李"}}), "handler", "is an object"),
        (json!({"sendAt": "tomorrow"}), "sendAt", "is not a time"),
        (json!({"sendAt": "2026-03-05"}), "sendAt", "is not a time"),
        (json!({"sendAt": "2026-02-30 10:00:00"}), "sendAt", "is not a time"),
        (json!({"sendAt": "2027-04-05 10:00:00"}), "sendAt", "is more than a year away"),
        (
            json!({"sendAt": "2026-03-06 10:00:00", "expiresAt": "2026-03-06 10:00:00"}),
            "sendAt",
            "is not before",
        ),
        (json!({"expiresAt": "2026-03-05 10:00:00"}), "expiresAt", "is over already"),
        (json!({"validHours": 0}), "validHours", "is no such number"),
        (json!({"Mobile": NUMBER}), "item", "names that are not known here: 1"),
    ]
}

#[test]
fn every_bad_item_is_told_what_is_wrong_where() {
    for (change, field, told) in table() {
        let problems = checked(&with(&change)).expect_err("it is bad");
        let [Problem { field: at, wrong, right }] = &problems[..] else {
            panic!("{change}: {problems:?}");
        };
        assert_eq!(at, field, "{change}");
        assert!(format!("{wrong}; {right}").contains(told), "{change}: {wrong}; {right}");
    }
}

#[test]
fn all_problems_of_an_item_are_told_at_once() {
    let bad =
        json!({"id": "i", "mobile": "x", "channel": "fax", "areaCode": "1", "sendAt": "soon"});
    let problems = checked(&bad).expect_err("it is bad");
    let fields: Vec<&str> = problems.iter().map(|problem| &*problem.field).collect();
    assert_eq!(fields, ["channel", "campaign", "mobile", "areaCode", "sendAt"]);
}

proptest! {
    #[test]
    fn nothing_makes_the_reader_panic_and_no_value_is_repeated(
        field in prop::sample::select(FIELDS.to_vec()),
        value in "\\PC{0,40}",
    ) {
        drop(checked(&with(&json!({field: value}))));
        let number = "13940000001@";
        for problem in checked(&with(&json!({field: number}))).err().into_iter().flatten() {
            let told = format!("{problem:?}");
            prop_assert!(!told.contains(number) && !told.contains(NUMBER), "{}", told);
        }
    }
}
