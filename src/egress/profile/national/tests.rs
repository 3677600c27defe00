//! What leaves for the province, opened again with its key; and a province for the tests beside.

use super::*;
use crate::config::national::Field;
use crate::egress::samples::{bare_complaint, batch, leased, now};
use crate::model::{RecordSeq, Secret};
use crate::sm2::{
    self, DecryptionKey, Encoding, EncryptionKey, Layout, Signature, SignatureForm, SigningKey,
    VerifyingKey,
};
use serde_json::{Value, json};

/// Keys of the examples of GM/T 0003.5-2012, and one made by OpenSSL (`sm2::tests`).
const THEIRS: &str = "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8";
const OURS: &str = "86d5d7fc4d73120161ec21e64b0660f7cb49874737c652ff97c018f02e8c05d7";
const OURS_PUBLIC: &str = "041a4158cd5b14afea6aaabbefd5eafaf638c2c4e633fab5bfc72df3665d934929adb3f3\
                           e4eb8cd1118717c9e0b2268331a75ac25ff2fdf79fbbb90f83f83e09ff";

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

fn their_key() -> DecryptionKey {
    DecryptionKey::read(&secret(THEIRS)).expect("a key")
}

fn their_public_key() -> EncryptionKey {
    their_key().encryption_key()
}

/// A province with everything that must be told, and nothing else.
pub(super) fn national() -> National {
    National {
        path: "/evaluate/submit".parse().expect("a path"),
        app_mark: "8890".to_owned(),
        app_word: secret("word"),
        sign: Sign::Encrypted,
        sealing: Sealing {
            key: their_public_key(),
            layout: Layout::C1C3C2 { prefix: true },
            encoding: Encoding::Hex,
        },
        entry: Entry::List,
        data_source: "121".to_owned(),
        pf_sms: 6,
        pf_ivr: None,
        project_no_prefix: String::new(),
        eval_detail: Vec::new(),
        max_comment: 150,
        required: vec![Field::ProjectNo, Field::Pf, Field::Satisfaction, Field::AssessNumber],
        leave_out: Vec::new(),
        constants: std::collections::BTreeMap::new(),
        duplicates: vec!["评价数据不可重复".to_owned()],
        permanent: vec!["没有对应的服务数据".to_owned()],
    }
}

/// A rating that can be written.
pub(super) fn counted(number: u32) -> Leased {
    let mut leased = leased(number);
    leased.record.context.assess_number = 1;
    leased
}

fn opened(written: &Written, national: &National) -> (Value, Vec<Value>, Vec<u8>) {
    let request = written.request.as_ref().expect("something to send");
    let body: Value = serde_json::from_slice(request.body()).expect("JSON");
    let open = |text: &Value| {
        let bytes = national.sealing.encoding.read(text.as_str().expect("text")).expect("bytes");
        their_key().decrypt(&bytes, national.sealing.layout).expect("for them").to_vec()
    };
    let entries = body["txnBodyCom"]["params"]["evaluate"].as_array().expect("entries");
    let entries = entries.iter().map(|it| serde_json::from_slice(&open(it)).expect("JSON"));
    let sign = match national.sign {
        Sign::Encrypted => open(&body["txnBodyCom"]["sign"]),
        Sign::Signed { .. } => Vec::new(),
    };
    (body.clone(), entries.collect(), sign)
}

fn seeds() -> impl FnMut() -> Seed {
    let mut next = 0;
    move || {
        next += 1;
        [next; 32]
    }
}

#[test]
fn a_rating_leaves_as_shandong_takes_it() {
    let national = national();
    let written =
        Province::new(national.clone().into(), Vec::new()).write(&[counted(0)], now(), seeds());
    let (body, entries, sign) = opened(&written, &national);
    assert_eq!(sign, b"202603051020408890word");
    let asked = &body["txnBodyCom"];
    assert_eq!((&asked["appMark"], &asked["time"]), (&json!("8890"), &json!("20260305102040")));
    assert_eq!(asked.as_object().map(serde_json::Map::len), Some(4));
    assert_eq!(body["txnCommCom"], json!({}));
    assert_eq!(
        entries,
        [json!([{
            "areaCode": "210100000000", "assessNumber": 1, "assessTime": "2026-03-05 10:20:28",
            "dataSource": "121", "mobile": "13940000001", "pf": "5",
            "projectNo": "210100-2026-000123", "satisfaction": "2",
            "writingEvaluation": "等了\n两个小时",
        }])]
    );
    let request = written.request.expect("it is there");
    assert_eq!((request.method(), request.uri().path()), (&Method::POST, "/evaluate/submit"));
    let text = String::from_utf8(request.into_body().to_vec()).expect("text");
    assert!(!text.contains("word") && !text.contains("1394"), "{text}");
}

#[test]
fn every_agreed_form_is_written_and_opened() {
    let key = SigningKey::read(&secret(OURS), sm2::DEFAULT_ID).expect("a key");
    let verifying = VerifyingKey::read(OURS_PUBLIC, sm2::DEFAULT_ID).expect("a key");
    let layouts = [Layout::C1C3C2 { prefix: false }, Layout::C1C2C3 { prefix: true }, Layout::Der];
    for layout in layouts {
        for encoding in [Encoding::Hex, Encoding::Base64] {
            for form in [SignatureForm::Der, SignatureForm::Raw] {
                let national = National {
                    sign: Sign::Signed { key: Some(key.clone()), form },
                    sealing: Sealing { key: their_public_key(), layout, encoding },
                    entry: Entry::Record,
                    ..national()
                };
                let province = Province::new(national.clone().into(), Vec::new());
                let written = province.write(&[counted(0)], now(), seeds());
                let (body, entries, _) = opened(&written, &national);
                assert_eq!(entries[0]["satisfaction"], "2");
                let sign = body["txnBodyCom"]["sign"].as_str().and_then(|it| encoding.read(it));
                let sign = Signature::read(&sign.expect("bytes"), form).expect("a signature");
                assert!(verifying.verify(b"202603051020408890word", &sign));
            }
        }
    }
}

#[test]
fn no_randomness_is_used_twice() {
    let national = national();
    let province = Province::new(national.clone().into(), Vec::new());
    let written = province.write(&[counted(0), counted(0)], now(), seeds());
    let (body, entries, _) = opened(&written, &national);
    assert_eq!(entries[0], entries[1]);
    let sealed = &body["txnBodyCom"]["params"]["evaluate"];
    assert_ne!(sealed[0], sealed[1]);
    let begins = |text: &Value| text.as_str().map(|text| text[..130].to_owned());
    assert_ne!(begins(&sealed[0]), begins(&body["txnBodyCom"]["sign"]));
}

#[test]
fn what_cannot_be_written_is_left_out_and_named() {
    let mut batch = batch(3);
    batch[0].record.context.assess_number = 2;
    batch[2].record = bare_complaint();
    let written = Province::new(national().into(), Vec::new()).write(&batch, now(), seeds());
    let missing = |field: &str| Unwritable::Missing(field.to_owned());
    let expected =
        [(RecordSeq(1), missing("assessNumber")), (RecordSeq(2), missing("satisfaction"))];
    assert_eq!(written.unwritable, expected);
    assert_eq!(opened(&written, &national()).1.len(), 1);
    let none = Province::new(national().into(), Vec::new()).write(&batch[1..], now(), seeds());
    assert!(none.request.is_none() && none.unwritable.len() == 2);
}
