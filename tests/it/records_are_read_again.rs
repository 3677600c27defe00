//! Rules change, and what was understood by the old ones is read again: shown first, then recorded as the next
//! revision under the same id; beside a gateway that serves and without one, and twice is nothing.

use crate::citizens_are_answered::{carrier, found, says, told};
use crate::support::{Gateway, Platform, until};
use serde_json::Value;

const SINCE: &str = "records replay --since 2026-01-01T00:00:00Z";

/// The highest digit is the best.
const TURNED: &str = "campaigns.asked.scheme = 'desc'";

/// An account without a campaign of its own.
const OTHER: &str = "
    [accounts.other]
    carrier = 'aliyun-sms'
    allow_http = true";

/// A campaign that claims a number.
const ADDED: &str = "
    [campaigns.added]
    service_numbers = ['12345']
    scheme = 'desc'
    target = 'call'
    sms_channel_code = 6";

/// Has citizens answer, in one callback.
async fn answers(gateway: &Gateway, account: &str, id: u32, texts: &[&str], service: &str) {
    let answer = |(text, id): (&&str, u32)| {
        format!(
            r#"{{"phone_number":"13940000001","send_time":"2026-03-05 10:20:30","content":"{text}",
                "dest_code":"{service}","sequence_id":{id}}}"#
        )
    };
    let items: Vec<String> = texts.iter().zip(id..).map(answer).collect();
    let body = format!("[{}]", items.join(","));
    let answer = gateway.post(&format!("/callback/{account}/up"), body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// The lines of a replay as JSON, the total apart.
async fn replay(gateway: &Gateway, more: &str) -> (Option<i32>, Vec<Value>, Value) {
    let done = gateway.site.run(&format!("{SINCE} --json {more}")).await;
    assert!(!done.stdout.contains("13940000001"), "{}", done.stdout);
    let mut lines = done.lines();
    let total = lines.iter().position(|line| !line["total"].is_null()).expect("a total");
    let after = lines.split_off(total);
    (done.code, lines, after.first().expect("a total")["total"].clone())
}

/// The revisions of ratings that the platform took: how many of each number.
fn revisions(platform: &Platform, kind: &str) -> Vec<u32> {
    let taken = platform.taken();
    let of_kind = taken.iter().filter(|taken| taken.kind == kind);
    let mut revisions: Vec<u32> = of_kind.map(|taken| taken.key.revision.0).collect();
    revisions.sort_unstable();
    revisions
}

#[tokio::test]
async fn a_scheme_is_turned_beside_a_gateway_that_serves() {
    let platform = Platform::start().await;
    let gateway = Gateway::start(&platform).await;
    answers(&gateway, "aliyun-sms", 1, &["1", "5", "嗯", "满意"], "8890").await;
    gateway.drained().await;
    assert_eq!(replay(&gateway, "").await.0, Some(1), "by the same rules nothing differs");
    gateway.site.configure(&platform, TURNED);

    let (code, lines, total) = replay(&gateway, "").await;
    assert_eq!(code, Some(0));
    assert_eq!((&total["revised"], &total["made"]), (&3.into(), &1.into()), "{total}");
    assert_eq!((&total["fields"]["level"], &total["fields"]["scheme"]), (&2.into(), &3.into()));
    assert_eq!(total["would_be_withdrawn"], 1, "the complaint of what was a 1");
    let level = &lines[0]["fields"]["level"];
    assert_eq!((&level["old"], &level["new"]), (&"5".into(), &"1".into()), "{lines:?}");
    let text = gateway.site.run(SINCE).await.stdout;
    assert!(text.contains("level          5 → 1"), "{text}");
    assert!(text.contains("the platform knows no withdrawal"), "{text}");
    assert_eq!(platform.taken().len(), 4, "it was only shown");

    // The gateway still has the old rules: it does not record what it does not read itself.
    let refused = gateway.site.run(&format!("{SINCE} --apply --yes")).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stdout.contains("0 of 3 answers are revised"), "{refused:?}");
    gateway.reload().await;
    assert_eq!(gateway.site.run(&format!("{SINCE} --apply")).await.code, Some(2), "nobody to ask");
    let chosen = format!("{SINCE} --where campaign=asked,level=1,channel=sms --apply --yes");
    let applied = gateway.site.run(&chosen).await;
    assert_eq!(applied.code, Some(0), "{applied:?}");
    assert!(applied.stdout.contains("2 of 2 answers are revised"), "{}", applied.stdout);
    assert!(applied.stdout.contains("a gateway serves"), "{}", applied.stdout);
    let (code, _, total) = replay(&gateway, "--apply --yes").await;
    assert_eq!((code, &total["revised"]), (Some(0), &1.into()), "the rest");
    gateway.drained().await;
    assert_eq!(revisions(&platform, "rating"), [1, 1, 1, 2, 2, 2]);
    assert_eq!(revisions(&platform, "complaint"), [1, 1]);

    let (code, _, total) = replay(&gateway, "--apply --yes").await;
    assert_eq!((code, &total["revised"], &total["made"]), (Some(1), &0.into(), &0.into()));
    gateway.drained().await;
    assert_eq!(platform.taken().len(), 8);
    let rating = lines[0]["record"].as_str().expect("an id");
    let history = gateway.site.run(&format!("records show {rating}")).await.stdout;
    assert!(history.contains("Replayed  callback 1 was read again for an operator"), "{history}");
    gateway.finish().await;
}

#[tokio::test]
async fn a_campaign_is_added_while_no_gateway_serves() {
    let platform = Platform::start().await;
    let mut gateway = Gateway::with(&platform, OTHER).await;
    for _ in 0..2 {
        answers(&gateway, "other", 1, &["1"], "12345").await;
    }
    answers(&gateway, "other", 2, &["5"], "10086").await;
    gateway.stop().await;
    gateway.site.configure(&platform, &format!("{OTHER}{ADDED}"));

    let chosen = "--where account=other,outcome=unmatched";
    let (code, lines, total) = replay(&gateway, chosen).await;
    assert_eq!((code, &total["made"], &total["callbacks"]), (Some(0), &2.into(), &3.into()));
    assert_eq!((&lines[0]["change"], &lines[0]["record"]), (&"new".into(), &Value::Null));
    let caller = &lines[0]["fields"]["caller"];
    assert_eq!((&caller["old"], &caller["new"]), (&Value::Null, &"139****0001".into()));
    let (code, ..) = replay(&gateway, &format!("{chosen} --apply --yes")).await;
    assert_eq!(code, Some(0));
    assert_eq!(replay(&gateway, "--apply --yes").await.0, Some(1), "twice is nothing");
    assert_eq!(replay(&gateway, "--until 2026-01-02T00:00:00Z").await.2["callbacks"], 0);

    gateway.restart().await;
    gateway.drained().await;
    assert_eq!(
        (revisions(&platform, "rating"), revisions(&platform, "complaint")),
        (vec![1], vec![1])
    );
    // The carrier's repeat is still one.
    answers(&gateway, "other", 1, &["1"], "12345").await;
    gateway.drained().await;
    assert_eq!(platform.taken().len(), 2);
    gateway.finish().await;
}

#[tokio::test]
async fn a_conversation_goes_on_from_what_was_read_again_and_nobody_hears_of_it() {
    let platform = Platform::start().await;
    let (carrier, own) = carrier().await;
    let gateway = Gateway::with(&platform, &own).await;
    says(&gateway, "m-1", "5").await;
    told(&carrier, &["请问哪里不满意？"]).await;
    gateway.site.configure(&platform, &own.replace("scheme = \"asc\"", "scheme = \"desc\""));
    gateway.reload().await;
    let (code, _, total) = replay(&gateway, "--apply --yes").await;
    assert_eq!((code, &total["revised"]), (Some(0), &1.into()), "{total}");
    assert!(found(&gateway, "rating").await.contains(&(Some(5), 2, 0)));

    // The reason that comes later is the next revision of that.
    says(&gateway, "m-2", "排队5个小时").await;
    until("the comment is there", async || {
        found(&gateway, "rating").await.contains(&(Some(5), 3, 6))
    })
    .await;
    // And it stays when the answer is read again.
    gateway.site.configure(&platform, &own);
    gateway.reload().await;
    let (code, _, total) = replay(&gateway, "--apply --yes").await;
    assert_eq!((code, &total["revised"], &total["made"]), (Some(0), &1.into(), &0.into()));
    let ratings = [(Some(2), 1, 0), (Some(5), 2, 0), (Some(5), 3, 6), (Some(1), 4, 6)];
    let mut shown = found(&gateway, "rating").await;
    shown.sort_unstable_by_key(|(_, revision, _)| *revision);
    assert_eq!(shown[1..], ratings[1..]);
    assert_eq!(found(&gateway, "bad rating").await.len(), 1);
    gateway.drained().await;
    assert_eq!(carrier.taken().len(), 1, "nothing is sent for it");
    assert_eq!(replay(&gateway, "").await.0, Some(1));
    gateway.finish().await;
}

#[tokio::test]
async fn a_wrong_wish_is_told_before_anything_is_read() {
    let platform = Platform::start().await;
    let gateway = Gateway::start(&platform).await;
    for (arguments, said) in [
        ("records replay", "--since"),
        ("records replay --since 2026-01-01T00:00:00Z --where colour=red", "the keys are account"),
        ("records replay --since 2026-01-01T00:00:00Z --yes", "--apply"),
        ("records replay --quarantine --apply", "--quarantine"),
        ("records replay --since 2026-01-01T00:00:00Z --account city", "--quarantine"),
    ] {
        let done = gateway.site.run(arguments).await;
        assert_eq!(done.code, Some(2), "{done:?}");
        assert!(done.stderr.contains(said), "{}", done.stderr);
    }
    gateway.finish().await;
}
