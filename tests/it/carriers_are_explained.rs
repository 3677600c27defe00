//! What a carrier's engineers ask the program: which carriers there are, how one speaks, and what
//! would be made of a request.

use crate::exchange::{self, Exchange};
use crate::support::{Done, Platform, Site, shipped};
use serde_json::Value;

async fn site() -> (Site, Platform) {
    let platform = Platform::start().await;
    (Site::new(&platform, exchange::ACCOUNTS), platform)
}

/// Runs a command without a configuration.
async fn run(site: &Site, arguments: &[&str]) -> Done {
    Done::of(site.command(arguments.iter().copied())).await
}

#[tokio::test]
async fn every_carrier_is_listed_and_shown() {
    let (site, _platform) = site().await;
    let listed = run(&site, &["carrier", "list", "--json"]).await;
    let lines = listed.lines();
    assert!(lines.len() >= 27, "{}", lines.len());
    for line in lines {
        let key = line["key"].as_str().expect("a key");
        let shown = run(&site, &["carrier", "show", key, "--json"]).await.json();
        assert_eq!(shown["title"], line["title"]);
        for route in shown["routes"].as_array().expect("routes") {
            let answers = route["answers"].as_array().expect("answers");
            let of = |to: &str| answers.iter().find(|answer| answer["to"] == to);
            assert_eq!(of("accepted").expect("there")["status"], 200, "{key}");
            assert_eq!(of("busy").expect("there")["status"], 503, "{key}");
        }
        let text = run(&site, &["carrier", "show", key]).await;
        assert_eq!(text.code, Some(0));
        assert!(text.stdout.contains("accepted   200"), "{}", text.stdout);
        let sends = line["sends"].as_array().expect("what it takes");
        assert_eq!(text.stdout.contains("\nsends "), !sends.is_empty(), "{}", text.stdout);
    }
    let sends = run(&site, &["carrier", "show", "jasmin", "--json"]).await.json()["sends"].take();
    assert_eq!(sends["takes"], serde_json::json!(["texts"]));
    let brought = ["url", "user", "secret", "values.report_url"];
    assert_eq!(sends["brings"], serde_json::json!(brought));
    assert!(sends["fields"].as_array().expect("fields").contains(&"dlr-url".into()), "{sends}");
    let unknown = run(&site, &["carrier", "show", "twillio"]).await;
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("carrier list"), "{}", unknown.stderr);
}

#[tokio::test]
async fn a_built_in_dialect_is_a_start_for_ones_own() {
    let (site, platform) = site().await;
    let toml = run(&site, &["carrier", "show", "montnets", "--toml"]).await;
    assert_eq!(
        toml.stdout.as_bytes(),
        std::fs::read(shipped("config/carriers/montnets.toml")).expect("it")
    );
    let own = "[accounts.own]\ncarrier = \"generic\"\nuser = \"J8890\"\n\
               secrets = [\"file:carrier.secret\"]\nallow_http = true\n";
    let mut own: toml::Table = own.parse().expect("TOML");
    let dialect: toml::Table = toml.stdout.parse().expect("TOML");
    let account = own["accounts"]["own"].as_table_mut().expect("a table");
    account.insert("dialect".to_owned(), toml::Value::Table(dialect));
    site.configure(&platform, &own.to_string());
    let check = site.run("check").await;
    assert_eq!(check.code, Some(0), "{}", check.stdout);
}

/// What `carrier decode` says of a recorded exchange at the time it was recorded.
async fn decoded(site: &Site, exchange: &Exchange) -> Done {
    let (carrier, file) = exchange.name.split_once('/').expect("carrier and file");
    let path = ["http", "ndjson"]
        .map(|kind| shipped(&format!("tests/fixtures/carriers/{carrier}/{file}.{kind}")))
        .into_iter()
        .find(|path| path.exists())
        .expect("a file");
    let path = path.to_str().expect("UTF-8");
    let at = exchange::CLOCK.to_string();
    let arguments = ["carrier", "decode", path, "--account", carrier, "--config", "gateway.toml"];
    run(site, &[&arguments[..], &["--at", &at, "--json"]].concat()).await
}

#[tokio::test]
async fn every_recorded_exchange_is_explained_as_it_would_be_taken() {
    let (site, _platform) = site().await;
    for exchange in exchange::all() {
        let (name, expected) = (&exchange.name, &exchange.expected);
        let done = decoded(&site, &exchange).await;
        let verdicts = done.lines();
        let good = expected.denied.is_none() && expected.garbled.is_empty();
        assert_eq!(done.code, Some(i32::from(!good)), "{name}: {done:?}");
        let all = |key: &str| -> Vec<Value> {
            let lists = verdicts.iter().filter_map(|verdict| verdict[key].as_array());
            lists.flatten().cloned().collect()
        };
        if let Some(denied) = &expected.denied {
            assert_eq!(&verdicts[0]["refused"]["rule"], denied, "{name}");
            continue;
        }
        let places: Vec<Value> = all("garbled").iter().map(|it| it["place"].clone()).collect();
        assert_eq!(places, expected.garbled, "{name}");
        let events = all("events");
        assert_eq!(events.len(), expected.events.len(), "{name}: {events:?}");
        for (event, wanted) in events.iter().zip(&expected.events) {
            for key in ["message_id", "from_e164", "text", "digits", "status", "received_at"] {
                let wanted = wanted.get(key).unwrap_or(&Value::Null);
                assert!(wanted.is_null() || &event[key] == wanted, "{name}: {key}: {event}");
            }
            assert_eq!(event["kind"], expected.kind.as_str(), "{name}");
            assert!(event["dedupe"].as_str().is_some_and(|key| key.contains('|')), "{name}");
        }
        if let Some(status) = expected.ack.status {
            assert_eq!(verdicts[0]["answers"]["now"]["status"], status, "{name}");
        }
    }
}

#[tokio::test]
async fn what_would_refuse_a_request_is_named() {
    let (site, _platform) = site().await;
    let decode = async |file: &str, raw: &str, account: &str| {
        site.write(file, raw);
        let done = run(
            &site,
            &[
                "carrier",
                "decode",
                file,
                "--account",
                account,
                "--config",
                "gateway.toml",
                "--json",
            ],
        )
        .await;
        (done.code, done.lines().pop().unwrap_or_default())
    };
    let (code, verdict) =
        decode("a.http", "GET /callback/aliyun-sms/up HTTP/1.1\r\nHost: x\r\n\r\n", "aliyun-sms")
            .await;
    assert_eq!((code, &verdict["refused"]["rule"]), (Some(1), &"method".into()));
    let (_, verdict) =
        decode("b.http", "POST /callback/yunpian/reply HTTP/1.1\n\n", "aliyun-sms").await;
    assert_eq!(verdict["refused"]["rule"], "path");
    let why = verdict["refused"]["why"].as_str().expect("a reason");
    assert!(why.contains("account `yunpian`") && why.contains("/callback/aliyun-sms/up"), "{why}");
    let stale = std::fs::read_to_string(shipped("tests/fixtures/carriers/telnyx/sms_reply.http"));
    let (_, verdict) = decode("c.http", &stale.expect("it"), "telnyx").await;
    assert_eq!(verdict["refused"]["rule"], "stale", "it was signed long ago");
    assert_eq!(verdict["events"][0]["from_e164"], "+8613940000001", "and says this all the same");
    let (code, _) = decode("d.http", "hello", "telnyx").await;
    assert_eq!(code, Some(2));
}

#[tokio::test]
async fn a_request_within_a_call_is_shown_with_its_step_and_the_next() {
    let platform = Platform::start().await;
    let call = "[campaigns.asked.call]\nrating = \"满意请按1\"\nsilence = \"没有听到\"\n";
    let site = Site::new(&platform, &format!("{}{call}", exchange::ACCOUNTS));
    site.write("a.http", "GET /callback/voicexml/call?callid=c&step=rating-0 HTTP/1.1\n\n");
    let arguments = ["carrier", "decode", "a.http", "--account", "voicexml"];
    let arguments = [&arguments[..], &["--config", "gateway.toml"]].concat();
    let done = run(&site, &arguments).await;
    assert!(done.stdout.contains("step         rating-0 was answered"), "{}", done.stdout);
    let verdict = run(&site, &[&arguments[..], &["--json"]].concat()).await.json();
    assert_eq!(
        (&verdict["step"], &verdict["events"][0]["digits"]),
        (&"rating-0".into(), &"".into())
    );
    let next = verdict["answers"]["now"]["body"].as_str().expect("a body");
    assert!(next.contains("<p>没有听到</p><p>满意请按1</p>"), "{next}");
    assert!(next.contains("/callback/voicexml/call?step=rating-1"), "{next}");
    let shown = run(&site, &["carrier", "show", "voicexml"]).await;
    assert!(shown.stdout.contains("asks for   the next step of a call"), "{}", shown.stdout);
}
