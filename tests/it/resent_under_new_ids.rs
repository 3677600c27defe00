//! A carrier that sends the same answer again with another id is heard once within the window of
//! its account; both callbacks are kept, and the link between them is shown.

use crate::support::{Gateway, Platform};

#[tokio::test]
async fn within_the_window_one_rating_counts() {
    let platform = Platform::start().await;
    let own = "
        [accounts.city]
        carrier = 'generic'
        default_campaign = 'asked'
        allow_http = true
        [accounts.city.dialect]
        formats = ['form']
        [[accounts.city.dialect.events]]
        kind = 'sms_reply'
        id = 'id'
        caller = 'from'
        service = 'to'
        text = 'text'
        resend_window = '1h'";
    let gateway = Gateway::with(&platform, own).await;
    let post = async |body: &str| {
        let answer = gateway.post("/callback/city", body.to_owned()).await;
        assert_eq!(answer.status, 200);
    };
    post("id=1&from=13940000001&to=8890&text=1").await;
    post("id=2&from=13940000001&to=8890&text=1").await;
    // Another caller, another number, another text: three honest answers.
    post("id=3&from=13940000002&to=8890&text=1").await;
    post("id=4&from=13940000001&to=88901&text=1").await;
    post("id=5&from=13940000001&to=8890&text=2").await;
    // The resent one is sent again.
    post("id=2&from=13940000001&to=8890&text=1").await;
    gateway.drained().await;
    let lane = gateway.site.lane().await;
    assert_eq!((lane.callbacks, lane.records, lane.repeats), (6, 4, 2));
    assert_eq!(platform.effects().get("1"), Some(&1));
    assert_eq!(platform.effects().get("2"), None);

    let found = gateway.site.run("records find --caller 13940000001 --json").await.lines();
    let first = found.iter().find(|record| record["message_id"] == "1").expect("the first");
    let id = first["id"].as_str().expect("an id");
    let shown = gateway.site.run(&format!("records show {id}")).await;
    assert_eq!(shown.stdout.matches("repeated by callback").count(), 2, "{}", shown.stdout);
    assert!(shown.stdout.contains("under a new id"), "{}", shown.stdout);
    gateway.finish().await;
}
