//! The native profile's words, against their documentation.

use super::*;
use crate::egress::openapi::{self, problems};
use crate::egress::samples::{bare_complaint, batch, leased, rating};
use crate::model::{
    Audio, AudioFormat, Caller, ComplaintKind, InvitationId, Level, OptionCode, RecordingAddress,
    Target, Unrated,
};
use jiff::civil::date;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn api() -> Value {
    openapi::document(include_str!("../../../../../docs/platform-api.yaml"))
}

fn written(record: &Record) -> Value {
    let batch = [Leased { record: record.clone(), ..leased(0) }];
    let mut body: Value = serde_json::from_slice(&write(&batch)).expect("JSON");
    body["records"][0].take()
}

fn whole_context() -> Context {
    let word = || Some("x".to_owned());
    Context {
        invitation: Some(InvitationId("i-1".to_owned())),
        matter: Some(Matter {
            project_no: word(),
            task_code: word(),
            task_name: word(),
            area_code: word(),
            service_step: Some(1),
            department: word(),
            handler: word(),
            call_id: word(),
            pass_through: word(),
            ..Matter::bare(TargetType::Case)
        }),
        assess_number: 2,
        follows: Some(rating(1).id),
        marks: vec![
            Mark::Late,
            Mark::Ambiguous(2),
            Mark::Partial,
            Mark::NoCaller,
            Mark::TooFast,
            Mark::ManyCases(5),
            Mark::StaffLine,
            Mark::Chose(OptionCode::read("214").expect("a code")),
        ],
    }
}

#[test]
fn a_reason_is_told_while_it_is_one_for_the_level() {
    let chosen = Record { context: whole_context(), ..rating(1) };
    assert_eq!(written(&chosen)["options"], json!(["214"]));
    let marks = written(&chosen)["marks"].clone();
    assert!(!marks.to_string().contains("214"), "{marks}");
    let mut better = chosen;
    if let Meaning::Rating { level, .. } = &mut better.meaning {
        *level = Level::Satisfied;
    }
    assert!(written(&better)["options"].is_null());
}

#[test]
fn what_is_written_is_as_documented() {
    let api = api();
    let audio = Audio { format: AudioFormat::Wav, length: 5, sha256: [7; 32] };
    let recording = |state| Recording {
        id: RecordingId(Uuid::nil()),
        address: RecordingAddress("https://carrier.example/r".to_owned()),
        state,
    };
    let bad_rating = Meaning::Complaint {
        kind: ComplaintKind::BadRating,
        rating: Some(rating(1).id),
        deadlines: Some(Deadlines { call_back_by: date(2026, 3, 6), repair_by: date(2026, 3, 26) }),
        tags: vec![Tag("推诿".into())],
        recordings: vec![
            recording(RecordingState::Kept(audio)),
            recording(RecordingState::Waiting),
        ],
    };
    let anonymous = Some(Caller::read("anonymous", "86"));
    let target = Target { target_type: TargetType::Case, reference: None };
    let not_rated = Meaning::NotRated { why: Unrated::Expired, target };
    let records = [
        rating(1),
        bare_complaint(),
        Record { meaning: bad_rating, caller: anonymous, ..rating(2) },
        Record { meaning: not_rated, context: whole_context(), ..rating(3) },
        Record { context: whole_context(), ..rating(4) },
    ];
    let batch: Vec<Leased> =
        records.iter().map(|record| Leased { record: record.clone(), ..leased(0) }).collect();
    let body = serde_json::from_slice(&write(&batch)).expect("JSON");
    let schema = &api["components"]["schemas"]["Batch"];
    assert_eq!(problems(&api, schema, &body, "batch"), [""; 0]);
    // And nothing is documented that is never written.
    let names = |value: &Value| -> BTreeSet<String> {
        value.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
    };
    let written = records.iter().flat_map(|record| names(&super::tests::written(record)));
    let documented = names(&api["components"]["schemas"]["Record"]["properties"]);
    assert_eq!(written.collect::<BTreeSet<_>>(), documented);
}

#[test]
fn the_examples_are_as_documented_and_can_be_read() {
    let api = api();
    let post = &api["paths"]["/v1/records"]["post"];
    let request = &post["requestBody"]["content"]["application/json"];
    for (name, example) in request["examples"].as_object().expect("examples") {
        assert_eq!(problems(&api, &request["schema"], &example["value"], name), [""; 0]);
    }
    let answer = &post["responses"]["200"]["content"]["application/json"];
    let example = &answer["examples"]["mixed"]["value"];
    assert_eq!(problems(&api, &answer["schema"], example, "answer"), [""; 0]);
    let body = serde_json::to_vec(example).expect("JSON");
    let statuses: Vec<ItemStatus> =
        read(&body).expect("an answer").iter().map(|result| result.status).collect();
    assert_eq!(statuses, [ItemStatus::Accepted, ItemStatus::Retry]);
}

#[test]
fn a_rating_and_a_complaint_as_they_travel() {
    let id = "00000000-0000-0000-0000-000000000002";
    assert_eq!(
        written(&rating(1)),
        json!({
            "key": format!("{id}:1"), "id": id, "revision": 1, "kind": "rating",
            "level": 2, "level_title": "不满意", "score": 3, "scheme": "asc", "scheme_levels": 5,
            "brand": "12345", "area": "210100", "target": {"type": "case", "reference": "210100-2026-000123"},
            "comment": "等了\n两个小时", "channel": "sms", "channel_code": 5,
            "campaign": "default", "account": "aliyun-sms", "service_number": "106900008890",
            "caller": "+8613940000001", "caller_readable": true, "message_id": "000024\"",
            "occurred_at": "2026-03-05T10:20:28+08:00",
            "received_at": "2026-03-05T10:20:30.125+08:00", "rule": "C1",
        })
    );
    let id = "00000000-0000-0000-0000-000000000008";
    assert_eq!(
        written(&bare_complaint()),
        json!({
            "key": format!("{id}:1"), "id": id, "revision": 1, "kind": "complaint",
            "complaint": {"kind": "grievance"}, "comment": "", "channel": "ivr",
            "campaign": "default", "brand": "8890", "account": "aliyun-sms",
            "received_at": "2026-03-05T10:20:30.125+08:00", "rule": "C1",
        })
    );
}

#[test]
fn keys_are_those_of_the_records_and_survive_the_journey() {
    for leased in batch(3) {
        let key = Key::of(&leased.record);
        assert_eq!(key.to_string(), leased.record.idempotency_key());
        assert_eq!(Key::read(&key.to_string()), Some(key));
    }
    for odd in ["", ":", "x:1", "00000000-0000-0000-0000-000000000002", "1:1:1"] {
        assert_eq!(Key::read(odd), None);
    }
}
