//! Numbers and words of citizens: not in the log, not in the metrics, not on the disk, and not in
//! what the commands print.

use crate::exchange;
use crate::support::{ALIYUN_SMS, Gateway, Platform, TENCENT_VMS};
use bridge8890::standin::faults::{Faults, Mishap};
use std::collections::BTreeSet;
use std::num::NonZeroU64;

/// What the recorded citizens are called by and what they wrote.
fn personal() -> BTreeSet<String> {
    let exchanges = exchange::all();
    let events = exchanges.iter().flat_map(|exchange| &exchange.expected.events);
    let mut personal = BTreeSet::new();
    for event in events {
        let number = event.get("from_e164").and_then(|number| number.as_str());
        // Short enough to find a number in any form, and long enough to be one.
        personal.extend(number.map(|number| number.trim_start_matches("+86").to_owned()));
        let text = event.get("text").and_then(|text| text.as_str());
        personal.extend(text.map(str::to_owned).filter(|text| text.chars().count() > 3));
    }
    personal
}

#[tokio::test]
async fn nowhere_but_at_the_platform() {
    let platform = Platform::with(Faults { down: true, ..Faults::default() }).await;
    let own = "log.filter = 'info,bridge8890=trace,hyper=debug,hyper_util=debug,rustls=debug'";
    let mut gateway = Gateway::with(&platform, own).await;
    let personal = personal();
    assert!(personal.contains("13940000001"), "{personal:?}");
    // Those of the accounts that every gateway of these tests has.
    let of_ours = ["aliyun-sms", "tencent-vms", "yunpian"];
    for exchange in exchange::all().iter().filter(|it| of_ours.contains(&it.carrier.as_str())) {
        let target = &exchange.requests[0].target;
        let answer = gateway.post(target, exchange.requests[0].body.clone()).await;
        assert_eq!(Some(answer.status), exchange.expected.ack.status, "{}", exchange.name);
        // The same where it does not belong, and in the address.
        gateway.post(TENCENT_VMS, exchange.requests[0].body.clone()).await;
        gateway.post("/callback/13940000001?mobile=13940000001", "").await;
    }
    // Sent, refused, rejected, dead.
    let refuse = Mishap::Refuse { status: http::StatusCode::BAD_REQUEST, retry_after: None };
    platform.set_faults(Faults { mishap: Some(refuse), ..Faults::default() });
    gateway.drained().await;
    platform.set_faults(Faults { reject_every: NonZeroU64::new(2), ..Faults::default() });
    assert_eq!(gateway.site.run("dead replay --all --apply --yes").await.code, Some(0));
    gateway.drained().await;

    let mut places = vec![("metrics".to_owned(), gateway.look("/metrics").await.body.to_vec())];
    for command in [
        "records find --limit 1000",
        "records find --limit 1000 --json",
        "records find --quarantined",
        "records find --quarantined --json",
        "dead list",
        "dead list --json",
        "dead replay --all",
        "dead replay --all --json",
        "dead replays",
        "lane status",
    ] {
        let done = gateway.site.run(command).await;
        assert_eq!(done.code, Some(0), "{command}: {done:?}");
        places.push((command.to_owned(), (done.stdout + &done.stderr).into_bytes()));
    }
    places.extend(gateway.site.store().into_iter().map(shown));
    gateway.stop().await;
    // Once more, when the log of the database is written back into it.
    places.extend(gateway.site.store().into_iter().map(shown));
    places.push(("log".to_owned(), gateway.log().into_bytes()));
    for (place, bytes) in &places {
        for one in &personal {
            let found = memchr::memmem::find(bytes, one.as_bytes());
            assert_eq!(found, None, "{one:?} stands in {place}");
        }
    }
    gateway.restart().await;
    gateway.finish().await;
}

fn shown((path, bytes): (std::path::PathBuf, Vec<u8>)) -> (String, Vec<u8>) {
    (path.display().to_string(), bytes)
}

/// The search must be able to find something.
#[tokio::test]
async fn an_operator_who_has_the_number_finds_its_records_masked() {
    let platform = Platform::start().await;
    let gateway = Gateway::start(&platform).await;
    let body = r#"[{"phone_number":"13940000001","content":"5，没人管","dest_code":"8890","sequence_id":"1"}]"#;
    assert_eq!(gateway.post(ALIYUN_SMS, body).await.status, 200);
    for number in ["13940000001", "+8613940000001", "008613940000001"] {
        let found = gateway.site.run(&format!("records find --json --caller {number}")).await;
        assert_eq!(found.code, Some(0), "{number}: {found:?}");
        assert!(!found.stdout.contains("13940000001"), "{found:?}");
    }
    assert_eq!(gateway.site.run("records find --caller 13940000002").await.code, Some(1));
    gateway.finish().await;
}
