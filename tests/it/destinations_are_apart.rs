//! Several destinations: one that hangs takes nothing from the others, and each is sent what it wants.

use crate::support::{Caller, Gateway, Platform, until};
use bridge8890::standin::faults::{Faults, Mishap};
use std::collections::BTreeMap;

#[tokio::test]
async fn a_destination_that_hangs_holds_up_no_other_and_gets_its_own_in_the_end() {
    let province = Platform::start().await;
    let hangs = Faults { mishap: Some(Mishap::Hang), ..Faults::default() };
    let (city, archive) = (Platform::with(hangs).await, Platform::start().await);
    let other = |name: &str, platform: &Platform, more: &str| {
        format!(
            "[destinations.{name}]\nurl = '{}'\nallow_http = true\nsecret = 'file:platform.key'\n\
             request_timeout = '1s'\nlease = '6s'\n{more}\n",
            platform.url()
        )
    };
    let own = other("city", &city, "backoff = { base = '50ms', cap = '200ms' }")
        + &other("archive", &archive, "only = { kinds = ['complaint'] }");
    let mut gateway = Gateway::with(&province, &own).await;
    let ids = gateway.take(&Caller::new(1).take(60)).await;
    until("the province has everything", async || province.effects().len() == ids.len()).await;
    assert!(city.effects().is_empty(), "the city hangs all the while");

    // Neither lane is forgotten by a restart.
    gateway.kill9().await;
    gateway.restart().await;
    city.set_faults(Faults::default());
    gateway.drained().await;
    for platform in [&province, &city] {
        let effects: BTreeMap<String, usize> = platform.effects();
        assert!(effects.keys().eq(&ids) && effects.values().all(|times| *times == 1));
    }
    assert!(archive.taken().iter().all(|taken| taken.kind == "complaint"));
    let kept = province.taken().iter().filter(|taken| taken.kind == "complaint").count();
    assert_eq!(archive.taken().len(), kept);
    let status = gateway.site.run("lane status --json").await.json();
    let lanes = status["by_lane"].as_array().expect("lanes");
    let of = |lane: usize, key: &str| lanes[lane][key].as_i64().expect("a count");
    for lane in 0..3 {
        let places = ["delivered", "pending", "dead", "superseded", "not_for_it"];
        let sum: i64 = places.iter().map(|place| of(lane, place)).sum();
        assert_eq!(sum, of(lane, "records"), "{status}");
    }
    gateway.finish().await;
}
