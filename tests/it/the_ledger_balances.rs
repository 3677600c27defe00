//! Of each account and hour the ledger says what came and what became of it, through refusals and a kill; what is lost is
//! found.

use crate::support::{ALIYUN_SMS, Caller, Gateway, Platform, Site, TENCENT_VMS, YUNPIAN, until};
use bridge8890::clock::Clock;
use bridge8890::standin::faults::Faults;
use jiff::civil::Date;
use jiff::tz::offset;
use serde_json::Value;
use sqlx::Connection;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;

/// The ledger of the days on which the test runs: sums by account, and by lane.
#[derive(Debug, Default)]
struct Sums {
    accounts: BTreeMap<String, BTreeMap<String, i64>>,
    lanes: BTreeMap<String, BTreeMap<String, i64>>,
    unfolded: i64,
}

fn today() -> Date {
    offset(8).to_datetime(Clock::system().now()).date()
}

async fn sums(site: &Site, began: Date) -> Sums {
    let mut sums = Sums::default();
    for day in BTreeSet::from([began, today()]) {
        let ledger = site.run(&format!("ledger --json --day {day}")).await;
        assert_eq!(ledger.code, Some(0), "{ledger:?}");
        let ledger = ledger.json();
        sums.unfolded = ledger["unfolded"].as_i64().expect("a number");
        for row in ledger["rows"].as_array().expect("rows") {
            let account = row["account"].as_str().expect("a name").to_owned();
            let account = sums.accounts.entry(account).or_default();
            add(account, row);
            add(account, &row["refused"]);
            for lane in row["lanes"].as_array().expect("lanes") {
                let name = lane["lane"].as_str().expect("a name").to_owned();
                add(sums.lanes.entry(name).or_default(), lane);
            }
        }
    }
    sums
}

/// Adds up whatever is a number.
fn add(sums: &mut BTreeMap<String, i64>, row: &Value) {
    for (name, value) in row.as_object().into_iter().flatten() {
        if let Some(value) = value.as_i64().filter(|value| *value != 0) {
            *sums.entry(name.clone()).or_default() += value;
        }
    }
}

fn figures<const N: usize>(of: [(&str, i64); N]) -> BTreeMap<String, i64> {
    of.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

async fn send_what_is_refused(gateway: &Gateway) {
    let unsigned = r#"{"id":"1","mobile":"13940000001","text":"1"}"#;
    let wrong = r#"{"id":"1","mobile":"13940000001","text":"1","_sign":"00000000000000000000000000000000"}"#;
    for reply in [unsigned, wrong, wrong] {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let form = form.append_pair("sms_reply", reply).finish();
        assert_eq!(gateway.post(YUNPIAN, form).await.status, 403);
    }
    assert_eq!(gateway.post(ALIYUN_SMS, vec![b'1'; 70_000]).await.status, 413);
}

#[tokio::test]
async fn through_refusals_and_a_kill_and_what_is_lost_behind_its_back_is_found() {
    let rejecting = Faults { reject_every: NonZeroU64::new(1), ..Faults::default() };
    let (platform, archive) = (Platform::start().await, Platform::with(rejecting).await);
    let own = format!(
        "http.limits.max_body = '64 KiB'\n\
         [destinations.archive]\nurl = '{}'\nallow_http = true\nsecret = 'file:platform.key'\n",
        archive.url()
    );
    let began = today();
    let mut gateway = Gateway::with(&platform, &own).await;
    let mut caller = Caller::new(1);
    let first = caller.take(12);
    gateway.take(&first).await;
    gateway.take(&first[..2]).await;
    let pressed = r#"{"voicekey_callback":{"callid":"1","mobile":"13940000001","call_from":"8890",
        "nationcode":"86","keypress":"1"}}"#;
    for body in [pressed, "what nobody can read"] {
        assert_eq!(gateway.post(TENCENT_VMS, body).await.status, 200);
    }
    send_what_is_refused(&gateway).await;
    until("the refusals are written down", async || {
        let sums = sums(&gateway.site, began).await;
        sums.accounts.get("yunpian").is_some_and(|it| it.get("received") == Some(&3))
    })
    .await;
    gateway.kill9().await;
    gateway.restart().await;
    let second = caller.take(6);
    gateway.take(&second).await;
    gateway.drained().await;
    until("the ledger has all of it", async || {
        let sums = sums(&gateway.site, began).await;
        sums.unfolded == 0 && sums.lanes.values().all(|lane| !lane.contains_key("pending"))
    })
    .await;

    let sums = sums(&gateway.site, began).await;
    let texts =
        [("received", 21), ("stored", 20), ("too_large", 1), ("repeats", 2), ("records", 18)];
    let keys = [("received", 2), ("stored", 2), ("other_events", 1), ("records", 1)];
    let refused = [("received", 3), ("unsigned", 1), ("bad_signature", 2)];
    assert_eq!(sums.accounts["aliyun-sms"], figures(texts));
    assert_eq!(sums.accounts["tencent-vms"], figures(keys));
    assert_eq!(sums.accounts["yunpian"], figures(refused));
    assert_eq!(sums.lanes["platform"], figures([("records", 19), ("delivered", 19)]));
    assert_eq!(sums.lanes["archive"], figures([("records", 19), ("dead", 19)]));

    let found = gateway.site.run("reconcile --ask-platform --json").await;
    assert_eq!(found.code, Some(0), "{found:?}");
    let found = found.json();
    assert_eq!((&found["equal"], &found["differences"]), (&true.into(), &Value::Array(vec![])));
    let day = &found["platforms"][0];
    assert_eq!((&day["lane"], &day["finding"]), (&"platform".into(), &"equal".into()), "{found}");
    let series = "bridge8890_ledger_difference_records{account=\"aliyun-sms\"}";
    until("the gateway has looked itself", async || {
        gateway.look("/metrics").await.text().contains(&format!("{series} 0\n"))
    })
    .await;

    gateway.stop().await;
    let mut database = gateway.site.open_database().await;
    sqlx::raw_sql(
        "DELETE FROM attempt WHERE outcome = 1 AND seq = (SELECT min(seq) FROM record WHERE account = 'aliyun-sms')",
    )
    .execute(&mut database)
    .await
    .expect("it deletes");
    database.close().await.expect("closed");
    let found = gateway.site.run("reconcile --json").await;
    assert_eq!(found.code, Some(1), "{found:?}");
    let differences = &found.json()["differences"];
    for (place, figure, ledger, counted) in [(0, "delivered", 0, -1), (1, "in_no_place", 0, 1)] {
        let it = &differences[place];
        assert_eq!((&it["figure"], &it["lane"]), (&figure.into(), &"platform".into()));
        assert_eq!(it["account"], "aliyun-sms");
        let difference = |side: &str| it[side].as_i64().expect("a number");
        assert_eq!(difference("counted") - difference("ledger"), counted - ledger);
    }
    let said = gateway.site.run("reconcile").await.stdout;
    assert!(said.contains("next: bridge8890 records find --account aliyun-sms --since"), "{said}");
    gateway.restart().await;
    until("the gateway shows the difference", async || gateway.metric(series).await == 1.0).await;
    assert!(gateway.log().contains("the ledger differs from the store"));
    gateway.stop().await;
}
