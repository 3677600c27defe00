//! Records and a destination for the tests of this folder.

use crate::config::identity::Identity;
use crate::config::way::Way;
use crate::config::{self, Backoff, Breaker, Destination, Queueing};
use crate::model::{
    AccountName, AreaCode, Brand, Caller, Channel, Comment, ComplaintKind, Context, LaneName,
    Level, Meaning, MessageId, Record, RecordId, RecordSeq, Revision, Rule, Scheme, Secret,
    Selection, ServiceNumber, Target, TargetType,
};
use crate::store::Leased;
use jiff::Timestamp;
use std::time::Duration;
use uuid::Uuid;

pub(super) fn now() -> Timestamp {
    "2026-03-05T02:20:40Z".parse().expect("a time")
}

/// Ten seconds old, on its first attempt; the number makes it unique.
pub(super) fn leased(number: u32) -> Leased {
    let record = rating(number);
    Leased { seq: RecordSeq(number.into()), attempt: 1, queued_at: record.received_at, record }
}

pub(super) fn batch(size: u32) -> Vec<Leased> {
    (0..size).map(leased).collect()
}

pub(super) fn rating(number: u32) -> Record {
    Record {
        id: RecordId(Uuid::from_u128(u128::from(number) + 1)),
        revision: Revision::FIRST,
        meaning: Meaning::Rating {
            level: Level::Dissatisfied,
            target: Target {
                target_type: TargetType::Case,
                reference: Some("210100-2026-000123".to_owned()),
            },
            scheme: Scheme::ASC,
        },
        account: AccountName::new("aliyun-sms").expect("a name"),
        channel: Channel::Sms,
        campaign: "default".to_owned(),
        brand: Brand::Hotline12345,
        channel_code: Some(5),
        area: AreaCode::new("210100").ok(),
        caller: Some(Caller::read("13940000001", "86")),
        service: Some(ServiceNumber("106900008890".to_owned())),
        message_id: Some(MessageId("000024\"".to_owned())),
        occurred_at: "2026-03-05T02:20:28Z".parse().ok(),
        received_at: "2026-03-05T02:20:30.125Z".parse().expect("a time"),
        comment: Comment("等了\n两个小时".to_owned()),
        rule: Rule("C1".into()),
        context: Context::default(),
    }
}

/// With everything left out that may be.
pub(super) fn bare_complaint() -> Record {
    Record {
        meaning: Meaning::Complaint {
            kind: ComplaintKind::Grievance,
            rating: None,
            deadlines: None,
            tags: Vec::new(),
            recordings: Vec::new(),
        },
        brand: Brand::Hotline8890,
        area: None,
        channel: Channel::Ivr,
        channel_code: None,
        caller: None,
        service: None,
        message_id: None,
        occurred_at: None,
        comment: Comment::default(),
        ..rating(7)
    }
}

pub(super) fn destination() -> Destination {
    Destination {
        name: LaneName::new("province").expect("a name"),
        only: Selection::default(),
        url: http::Uri::from_static("http://127.0.0.1:9"),
        ca: None,
        key_id: "k1".to_owned(),
        secret: Secret::new(b"platform-secret".to_vec()),
        identity: Identity::default(),
        way: Way::default(),
        queueing: Queueing {
            max_batch: 100,
            max_bytes: 1 << 20,
            max_delay: Duration::ZERO,
            urgent_before: Duration::ZERO,
        },
        profile: config::Profile::Native,
        final_statuses: vec![http::StatusCode::BAD_REQUEST, http::StatusCode::UNPROCESSABLE_ENTITY],
        concurrency: 4,
        concurrency_min: 1,
        rate: None,
        request_timeout: Duration::from_secs(5),
        lease: Duration::from_secs(30),
        backoff: Backoff {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(60),
            max_attempts: 5,
            max_age: Duration::from_secs(3600),
        },
        breaker: Breaker { failures: 3, open_for: Duration::from_secs(10) },
    }
}
