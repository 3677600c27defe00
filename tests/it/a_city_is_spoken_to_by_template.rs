//! A city that takes forms and answers XML, always with 200, is spoken to by configuration alone.

use crate::support::{ALIYUN_SMS, Door, Gateway, Platform, answer, until};
use bridge8890::lifecycle::Tasks;
use http::{StatusCode, header};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A city's own interface.
struct City {
    address: SocketAddr,
    book: Arc<Mutex<Book>>,
}

#[derive(Default)]
struct Book {
    mood: Mood,
    /// What was asked: the path, and the fields of the form.
    asked: Vec<(String, BTreeMap<String, String>)>,
    /// How often each serial number had an effect.
    effects: BTreeMap<String, usize>,
}

#[derive(Default, Clone, Copy)]
enum Mood {
    /// Takes what is new, and knows what it has.
    #[default]
    Well,
    /// Takes it, and answers with something else.
    Mumbling,
    /// Takes nothing, and says this.
    Saying(&'static str),
}

impl City {
    async fn start() -> City {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let book: Arc<Mutex<Book>> = Arc::default();
        let (shared, tasks) = (Arc::clone(&book), Tasks::new());
        let connections = tasks.clone();
        drop(tasks.spawn("city", async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that leaves early is no failure of the city.
                drop(connections.spawn("connection", serve(stream, Arc::clone(&shared))));
            }
        }));
        City { address, book }
    }

    fn is(&self, mood: Mood) {
        self.book.lock().expect("a book").mood = mood;
    }

    fn asked(&self) -> Vec<(String, BTreeMap<String, String>)> {
        self.book.lock().expect("a book").asked.clone()
    }

    fn effects(&self) -> Vec<usize> {
        self.book.lock().expect("a book").effects.values().copied().collect()
    }

    /// The gateway's words for it; `answer` are further keys of how its answers are read.
    fn spoken_to(&self, case_no: &str, answer: &str) -> String {
        format!(
            r#"
            [destination]
            url = 'http://{}/hcp/'
            profile = 'template'
            only = {{ kinds = ['rating', 'complaint'] }}
            breaker = {{ failures = 2, open_for = '100ms' }}
            [destination.template]
            path = '/accept.do'
            codes.satisfaction = {{ 5 = 'A', 4 = 'B', 3 = 'C', 2 = 'D', 1 = 'E' }}
            [destination.template.rating]
            form = {{ serial = '${{key}}', level = '${{level|satisfaction}}', caseNo = '{case_no}' }}
            [destination.template.complaint]
            path = '/complain.do'
            form = {{ serial = '${{key}}', words = '${{comment}}' }}
            [destination.template.answer]
            format = 'xml'
            code = 'code'
            message = 'msg'
            success = ['0']
            duplicate = ['*重复*']
            {answer}"#,
            self.address
        )
    }
}

async fn serve(mut stream: TcpStream, book: Arc<Mutex<Book>>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let length = header("content-length").and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or_default()];
    stream.read_exact(&mut body).await?;
    let fields: BTreeMap<String, String> = url_fields(&body);
    let answer = {
        let mut book = book.lock().expect("a book");
        let serial = fields["serial"].clone();
        book.asked.push((path, fields));
        let is_known = book.effects.contains_key(&serial);
        match book.mood {
            Mood::Saying(answer) => answer,
            Mood::Well if is_known => "<r><code>9</code><msg>记录重复提交</msg></r>",
            mood => {
                *book.effects.entry(serial).or_default() += 1;
                match mood {
                    Mood::Mumbling => "<html><p>welcome",
                    _ => "<r><code>0</code></r>",
                }
            }
        }
    };
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
        answer.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

fn url_fields(body: &[u8]) -> BTreeMap<String, String> {
    let decoded = |text: &str| {
        let bytes = percent_encoding::percent_decode_str(text);
        bytes.decode_utf8().expect("UTF-8").into_owned()
    };
    let body = std::str::from_utf8(body).expect("ASCII");
    let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}

/// Has a citizen say something.
async fn says(gateway: &Gateway, id: u32, words: &str) {
    let body = format!(
        r#"[{{"phone_number":"13940000001","send_time":"2026-03-05 10:20:30","content":"{words}",
            "dest_code":"8890","sequence_id":{id}}}]"#
    );
    assert_eq!(gateway.post(ALIYUN_SMS, body).await.status, 200);
}

async fn requests(gateway: &Gateway, result: &str) -> f64 {
    let labels = format!("{{lane=\"platform\",result=\"{result}\"}}");
    gateway.metric(&format!("bridge8890_egress_requests_total{labels}")).await
}

/// The one dead letter.
async fn letter(gateway: &Gateway) -> Value {
    let letters = gateway.site.run("dead list --json").await.lines();
    assert_eq!(letters.len(), 1, "{letters:?}");
    letters[0].clone()
}

#[tokio::test]
async fn it_is_told_in_its_own_words_and_a_lost_answer_has_no_second_effect() {
    let (city, unused) = (City::start().await, Platform::start().await);
    let gateway = Gateway::with(&unused, &city.spoken_to("${project_no:-}", "")).await;
    says(&gateway, 1, "1").await;
    says(&gateway, 2, "三天了没人管 & <没人> 来").await;
    gateway.drained().await;
    let asked = city.asked();
    let told = |path: &str| {
        let found = asked.iter().find(|(asked, _)| asked == path);
        found.map(|(_, fields)| fields.clone()).unwrap_or_else(|| panic!("{path}: {asked:?}"))
    };
    let rating = told("/hcp/accept.do");
    assert_eq!((rating["level"].as_str(), rating["caseNo"].as_str()), ("A", ""));
    assert_eq!(told("/hcp/complain.do")["words"], "三天了没人管 & <没人> 来");

    city.is(Mood::Mumbling);
    says(&gateway, 3, "2").await;
    until("it was tried again", async || city.asked().len() >= 4).await;
    assert_eq!(gateway.site.lane().await.pending, 1, "an answer that says nothing settles nothing");
    city.is(Mood::Well);
    gateway.drained().await;
    let lane = gateway.site.lane().await;
    assert_eq!((lane.delivered, lane.dead), (3, 0));
    let asked = city.asked();
    let serials: Vec<&String> = asked[2..].iter().map(|(_, fields)| &fields["serial"]).collect();
    assert!(serials.windows(2).all(|pair| pair[0] == pair[1]), "{serials:?}");
    assert!(requests(&gateway, "unknown").await > 0.0);
    gateway.finish().await;
}

#[tokio::test]
async fn refused_in_200_is_told_apart_and_dies_only_when_it_is_listed() {
    let (city, unused) = (City::start().await, Platform::start().await);
    // Only the first refusal of a record fails the lane.
    let at_once = city.spoken_to("${project_no:-}", "").replace("failures = 2", "failures = 1");
    let mut gateway = Gateway::with(&unused, &at_once).await;
    city.is(Mood::Saying("<r><code>71</code><msg>no such case</msg></r>"));
    says(&gateway, 1, "1").await;
    let said = "refused in 200: code 71, no such case";
    until("lane status says so", async || {
        gateway.site.run("lane status").await.stdout.contains(said)
    })
    .await;
    let lane = gateway.site.lane().await;
    assert_eq!((lane.pending, lane.dead), (1, 0), "nobody said that it is final");
    until("it is tried again", async || requests(&gateway, "refused_in_200").await >= 2.0).await;
    assert_eq!(requests(&gateway, "refused").await, 0.0);

    gateway.stop().await;
    let listed = city.spoken_to("${project_no:-}", "final = ['7*']");
    gateway.site.configure(&unused, &listed);
    gateway.restart().await;
    until("it is dead", async || gateway.site.lane().await.dead == 1).await;
    let dead = letter(&gateway).await;
    assert_eq!((&dead["bin"], &dead["class"]), (&"theirs".into(), &"refused_in_200".into()));
    assert_eq!(dead["reason"], said);
    let series =
        "bridge8890_egress_records_total{lane=\"platform\",result=\"dead_refused_in_200\"}";
    assert_eq!(gateway.metric(series).await, 1.0);

    city.is(Mood::Well);
    let replay = "dead replay --where class=refused_in_200 --apply --yes --json";
    assert_eq!(gateway.site.run(replay).await.json()["replayed"], 1);
    gateway.drained().await;
    let lane = gateway.site.lane().await;
    assert_eq!((lane.delivered, lane.dead, city.effects()), (1, 0, vec![1]));
    gateway.finish().await;
}

#[tokio::test]
async fn a_record_that_lacks_a_field_waits_for_whoever_mends_the_configuration() {
    let (city, unused) = (City::start().await, Platform::start().await);
    let mut gateway = Gateway::with(&unused, &city.spoken_to("${project_no}", "")).await;
    says(&gateway, 1, "1").await;
    says(&gateway, 2, "三天了没人管").await;
    until("one is dead", async || gateway.site.lane().await.dead == 1).await;
    gateway.drained().await;
    let dead = letter(&gateway).await;
    assert_eq!((&dead["bin"], &dead["class"]), (&"ours".into(), &"unwritable".into()));
    assert_eq!(dead["reason"], "`project_no` is missing");
    let asked = city.asked();
    assert!(
        asked.iter().all(|(path, _)| path == "/hcp/complain.do"),
        "the other one went: {asked:?}"
    );
    assert_eq!(gateway.site.lane().await.delivered, 1);

    gateway.stop().await;
    gateway.site.configure(&unused, &city.spoken_to("${project_no:-无}", ""));
    gateway.restart().await;
    let replay = "dead replay --where bin=ours,class=unwritable --apply --yes --json";
    assert_eq!(gateway.site.run(replay).await.json()["replayed"], 1);
    gateway.drained().await;
    let asked = city.asked();
    assert_eq!(asked.last().map(|(_, fields)| fields["caseNo"].as_str()), Some("无"));
    assert_eq!(gateway.site.lane().await.delivered, 2);
    gateway.finish().await;
}

#[tokio::test]
async fn a_token_whose_end_is_told_in_a_200_is_fetched_anew_and_holds_nothing() {
    let (fetched, asked) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
    let own = Arc::clone(&fetched);
    let door = Door::open(None, move |came| {
        let body = if came.request.uri().path() == "/token" {
            let number = own.fetch_add(1, Ordering::SeqCst);
            json!({ "access_token": format!("t-{number}"), "token_type": "Bearer", "expires_in": 3600 })
        } else {
            // After the first request only the second token is good.
            let good = ["Bearer t-0", "Bearer t-1"][asked.fetch_add(1, Ordering::SeqCst).min(1)];
            let is_good = came.request.headers()[header::AUTHORIZATION] == good;
            json!({ "code": if is_good { "0" } else { "token expired" } })
        };
        (Duration::ZERO, answer(StatusCode::OK, &body))
    })
    .await;
    let unused = Platform::start().await;
    let own = format!(
        r#"
        [destination]
        url = 'http://{0}/'
        key_id = 'us'
        identity = {{ scheme = 'client-credentials', token_url = 'http://{0}/token' }}
        profile = 'template'
        only = {{ kinds = ['rating'] }}
        [destination.template.rating]
        path = '/accept'
        form = {{ serial = '${{key}}' }}
        [destination.template.answer]
        format = 'json'
        code = 'code'
        success = ['0']
        identity = ['token*']"#,
        door.address
    );
    let gateway = Gateway::with(&unused, &own).await;
    for number in 1..=2 {
        says(&gateway, number, "5").await;
        gateway.drained().await;
    }
    let lane = gateway.site.lane().await;
    assert_eq!((lane.delivered, lane.dead, fetched.load(Ordering::SeqCst)), (2, 0, 2));
    assert_eq!(requests(&gateway, "fault").await, 0.0);
    gateway.finish().await;
}

#[tokio::test]
async fn check_says_what_a_template_lacks() {
    let unused = Platform::start().await;
    let city = City::start().await;
    let wrong = city
        .spoken_to("${projectno}", "")
        .replace("'rating', 'complaint'", "'rating', 'not_rated'");
    let said = Gateway::refuses(&unused, &wrong).await;
    assert!(said.contains("did you mean `${project_no}`?"), "{said}");
    assert!(said.contains("says nothing of the kind `not_rated`"), "{said}");
}
