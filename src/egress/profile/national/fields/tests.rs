//! Records become fields, or lack one; nothing is made up.

use super::*;
use crate::config::national::Field;
use crate::egress::profile::national::tests::{counted, national};
use crate::egress::samples::bare_complaint;
use crate::model::{Comment, Mark, Scheme};
use proptest::prelude::*;
use serde_json::json;

fn written(record: &Record, national: &National) -> Result<Value, Unwritable> {
    Fields::of(record, national).map(|fields| serde_json::to_value(&fields).expect("JSON"))
}

fn rating(level: Level) -> Record {
    let mut record = counted(0).record;
    let Meaning::Rating { target, .. } = record.meaning else { panic!("a rating") };
    record.meaning = Meaning::Rating { level, target, scheme: Scheme::ASC };
    record
}

fn missing(field: &str) -> Result<Value, Unwritable> {
    Err(super::missing(field))
}

#[test]
fn a_matter_is_told_in_the_words_of_the_interface() {
    let task = "21010000000000000000000000000000001";
    let mut record = rating(Level::VerySatisfied);
    record.context.matter = Some(Matter {
        project_no: Some("P-1".to_owned()),
        task_code: Some(task[..33].to_owned()),
        task_name: Some("身份证换领".to_owned()),
        area_code: Some("210102000000".to_owned()),
        service_step: Some(2),
        department: Some("11210000001234567X".to_owned()),
        handler: Some("8001".to_owned()),
        ..Matter::bare(TargetType::Case)
    });
    let national = National {
        project_no_prefix: "21".to_owned(),
        constants: [("proStatus", "3"), ("deptCode", "another")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        leave_out: vec![Field::Mobile],
        ..national()
    };
    assert_eq!(
        written(&record, &national),
        Ok(json!({
            "areaCode": "210102000000", "assessNumber": 1, "assessTime": "2026-03-05 10:20:28",
            "dataSource": "121", "deptCode": "11210000001234567X", "pf": "5", "proManager": "8001",
            "proStatus": "3", "projectNo": "21P-1", "satisfaction": "5", "serviceNumber": 2,
            "taskCode": task[..31], "taskHandleItem": task[..33], "taskName": "身份证换领",
            "writingEvaluation": "等了\n两个小时",
        }))
    );
    record
        .context
        .matter
        .iter_mut()
        .for_each(|it| it.department = Some("市政务服务中心".to_owned()));
    let fields = written(&record, &national).expect("it can be written");
    assert_eq!(
        (&fields["proDepart"], &fields["deptCode"]),
        (&json!("市政务服务中心"), &json!("another"))
    );
}

#[test]
fn the_channel_is_the_campaigns_or_the_lanes_and_never_guessed() {
    let pf = |channel, of_campaign, pf_ivr| {
        let mut record = rating(Level::Satisfied);
        (record.channel, record.channel_code) = (channel, of_campaign);
        let written = written(&record, &National { pf_ivr, ..national() });
        written.map(|fields| fields["pf"].as_str().expect("a text").to_owned())
    };
    assert_eq!(pf(Channel::Sms, None, None), Ok("6".to_owned()));
    assert_eq!(pf(Channel::Ivr, None, Some(8)), Ok("8".to_owned()));
    assert_eq!(pf(Channel::Ivr, Some(2), Some(8)), Ok("2".to_owned()));
    assert_eq!(pf(Channel::Ivr, None, None), Err(super::missing("pf")));
}

#[test]
fn a_bad_rating_has_a_reason_of_the_citizen_or_one_that_is_written_in_the_configuration() {
    let standing_in = National {
        eval_detail: ["214", "115", "108"].map(|code| OptionCode::read(code).expect("one")).into(),
        ..national()
    };
    let reason = |record: &Record, national: &National| {
        written(record, national).map(|fields| fields["evalDetail"].clone())
    };
    let mut silent = rating(Level::VeryDissatisfied);
    silent.comment = Comment::default();
    assert_eq!(written(&silent, &national()), missing("evalDetail or writingEvaluation"));
    assert_eq!(reason(&silent, &standing_in), Ok(json!("115,108")));
    let mut chose = silent.clone();
    chose.context.marks = vec![Mark::Chose(OptionCode::read("110").expect("a code"))];
    assert_eq!(reason(&chose, &standing_in), Ok(json!("110")));
    let speaks = rating(Level::VeryDissatisfied);
    assert_eq!(reason(&speaks, &standing_in), Ok(Value::Null), "the citizen said another thing");
    let mute = National { leave_out: vec![Field::WritingEvaluation], ..national() };
    assert_eq!(written(&speaks, &mute), missing("evalDetail or writingEvaluation"));
    silent.meaning = rating(Level::Fair).meaning;
    assert_eq!(reason(&silent, &national()), Ok(Value::Null));
}

#[test]
fn what_is_of_another_shape_is_left_out() {
    for (area, expected) in [
        ("210100", Some("210100000000")),
        ("210100000001", Some("210100000001")),
        ("2101", None),
        ("沈阳", None),
        ("21010a", None),
    ] {
        assert_eq!(twelve_digits(area).as_deref(), expected, "{area}");
    }
    let number = |raw| mobile(&Caller::read(raw, "86"));
    assert_eq!(number("13940000001").as_deref(), Some("13940000001"));
    assert_eq!(number("02488908890").as_deref(), Some("02488908890"));
    assert_eq!(number("+14155550100").as_deref(), Some("+14155550100"));
    assert_eq!(number("anonymous"), None);
    assert_eq!(task(Some("短".repeat(11))), (Some("短".repeat(11)), None));
}

#[test]
fn words_are_cut_on_a_character() {
    let mut record = rating(Level::Satisfied);
    record.comment = Comment("好".repeat(200));
    let fields = written(&record, &national()).expect("it can be written");
    assert_eq!(fields["writingEvaluation"], "好".repeat(150));
}

#[test]
fn what_is_no_rating_is_not_made_one() {
    let mut complaint = bare_complaint();
    complaint.context.assess_number = 1;
    let careless = National { required: Vec::new(), ..national() };
    assert_eq!(written(&complaint, &careless), missing("satisfaction"));
}

proptest! {
    #[test]
    fn a_record_is_written_with_all_that_is_required_or_not_at_all(
        level in 1_u8..=5,
        times in 0_u8..3,
        is_case in any::<bool>(),
        is_sms in any::<bool>(),
        pf_ivr in prop::option::of(any::<u8>()),
        channel_code in prop::option::of(any::<u8>()),
        comment in prop_oneof![Just(String::new()), "\\PC{1,200}"],
        caller in prop::option::of("1[0-9]{10}|\\PC{0,12}"),
        area in prop::option::of("[0-9]{6}|[0-9]{12}|\\PC{0,9}"),
        required in prop::sample::subsequence(Field::NAMES, 0..Field::NAMES.len()),
    ) {
        let mut record = rating(Level::from_number(level).expect("a level"));
        if let Meaning::Rating { target, .. } = &mut record.meaning {
            target.target_type = if is_case { TargetType::Case } else { TargetType::Call };
        }
        record.context.assess_number = times;
        record.channel = if is_sms { Channel::Sms } else { Channel::Ivr };
        record.channel_code = channel_code;
        record.comment = Comment(comment.clone());
        record.caller = caller.map(|raw| Caller::read(&raw, "86"));
        record.context.matter =
            area.map(|area| Matter { area_code: Some(area), ..Matter::bare(TargetType::Case) });
        let required: Vec<Field> = required.into_iter().map(|(_, field)| field).collect();
        let national = National { pf_ivr, required, ..national() };
        match written(&record, &national) {
            Ok(fields) => {
                for field in &national.required {
                    prop_assert!(fields.get(field.name()).is_some(), "{}", field.name());
                }
                let is = |name: &str, value: Option<Value>| fields.get(name).cloned() == value;
                prop_assert!(is("satisfaction", Some(json!(level.to_string()))));
                prop_assert!(is("assessNumber", Some(times).filter(|times| *times > 0).map(Value::from)));
                let project_no = is_case.then(|| json!("210100-2026-000123"));
                prop_assert!(is("projectNo", project_no));
                let of_lane = if is_sms { Some(6) } else { pf_ivr };
                prop_assert!(is("pf", channel_code.or(of_lane).map(|code| json!(code.to_string()))));
                let words: String = comment.chars().take(150).collect();
                prop_assert!(is("writingEvaluation", (!words.is_empty()).then(|| json!(words))));
                prop_assert!(is("evalDetail", None));
            }
            Err(Unwritable::Missing(field)) => {
                let is_required = national.required.iter().any(|it| it.name() == field);
                let no_reason = field == "evalDetail or writingEvaluation"
                    && level < 3
                    && comment.is_empty();
                prop_assert!(is_required || no_reason, "{}", field);
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}
