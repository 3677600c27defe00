//! Providers that are no built-in carriers, each spoken with by configuration alone: what they
//! publish of their callbacks, or what callbacks like theirs look like.
//!
//! `tests/fixtures/strangers/<provider>/account.toml` is the account, `*.http` what it is sent, and
//! the `.expect.json` beside it what comes of that.

#![expect(clippy::expect_used, clippy::panic, reason = "a broken fixture must stop the test")]

#[path = "support/request.rs"]
mod request;
#[path = "support/told.rs"]
mod told;

use bridge8890::carrier::{self, Answer, Call};
use bridge8890::config::dialect::SecretUse;
use bridge8890::config::{self, Config, Environment};
use request::Request;
use serde::Deserialize;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The moment at which every signature is fresh: 2026-03-05T02:20:30Z.
const CLOCK: jiff::Timestamp = jiff::Timestamp::constant(1_772_677_230, 0);

/// Where the carriers think that they call.
const EXTERNAL: &str = "https://gateway.8890.example";

/// What is to come of a request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// The events, in the words of the dialect.
    #[serde(default)]
    events: Vec<Value>,
    /// The places of what cannot be read.
    #[serde(default)]
    garbled: Vec<String>,
    /// Why it is not to be believed.
    denied: Option<String>,
    /// What is answered.
    answer: Value,
    /// What would be answered if the gateway were busy.
    busy: Option<Value>,
}

/// One provider, and what it sends.
struct Stranger {
    name: String,
    directory: PathBuf,
}

impl Stranger {
    fn all() -> Vec<Stranger> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/strangers");
        let stranger = |directory: PathBuf| {
            let name = directory.file_name().expect("a name").to_string_lossy().into_owned();
            Stranger { name, directory }
        };
        entries(&root).into_iter().map(stranger).collect()
    }

    /// The account, with this secret; the public key of one that has a pair stands beside it.
    fn config(&self, secret: &str) -> Config {
        let account = fs::read_to_string(self.directory.join("account.toml")).expect("an account");
        let account = format!(
            "{account}\n[http]\nexternal_url = \"{EXTERNAL}\"\ntrusted_proxies = [\"127.0.0.1\"]"
        );
        let key = fs::read_to_string(self.directory.join("public.pem")).unwrap_or_default();
        let variables = [("STRANGER_SECRET", secret), ("STRANGER_KEY", &key)];
        let environment = Environment::given(&self.directory, &variables);
        let config = config::parse(&account, &self.name, &environment);
        let config = config.unwrap_or_else(|problems| panic!("{}: {problems}", self.name));
        assert!(config.warnings.is_empty(), "{}: {}", self.name, config.warnings);
        config
    }

    fn exchanges(&self) -> impl Iterator<Item = (String, Request, Expected)> {
        let files = entries(&self.directory).into_iter();
        let sent = files.filter(|file| file.extension().is_some_and(|it| it == "http"));
        sent.map(|file| {
            let name = format!("{}/{}", self.name, file.file_stem().expect("a name").display());
            let request = Request::parse(&fs::read(&file).expect("a request"));
            let expected = fs::read(file.with_extension("expect.json")).expect("an expectation");
            let expected = serde_json::from_slice(&expected);
            (name.clone(), request, expected.unwrap_or_else(|error| panic!("{name}: {error}")))
        })
    }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let listing = fs::read_dir(directory).expect("a directory of fixtures");
    let mut paths: Vec<PathBuf> = listing.map(|it| it.expect("an entry").path()).collect();
    paths.sort();
    paths
}

/// Calls the endpoint that a request is for.
fn with_call<T>(
    config: &Config,
    request: &Request,
    then: impl FnOnce(&Call<'_>, &config::Account) -> T,
) -> T {
    let (account, route) = config.endpoint(request.path()).expect("somebody answers there");
    let Request { method, target, headers, body } = request;
    assert!(route.methods.contains(method), "{method} {target}");
    let (url, query) = (format!("{EXTERNAL}{target}"), request.query());
    then(&Call { method, route, target, query, url: &url, headers, body }, account)
}

/// An answer as it is expected; no content type and no body need not be said.
fn completed(mut answer: Value) -> Value {
    let fields = answer.as_object_mut().expect("an object");
    fields.entry("content_type").or_insert(Value::Null);
    fields.entry("body").or_insert_with(|| json!(""));
    answer
}

#[test]
fn every_stranger_is_understood_and_answered_in_its_own_words() {
    let mut wrong = Vec::new();
    for stranger in Stranger::all() {
        let config = stranger.config("test-secret");
        for (name, request, expected) in stranger.exchanges() {
            with_call(&config, &request, |call, account| {
                let denied = carrier::verify(call, account, CLOCK).err();
                let (decoded, answer) = match denied {
                    None => (carrier::decode(call, account), Answer::Accepted),
                    Some(denied) => (carrier::Decoded::default(), Answer::Refused(denied)),
                };
                let (events, garbled) = told::events(&decoded);
                let found = json!({
                    "events": events,
                    "garbled": garbled,
                    "denied": denied.map(|denied| denied.name()),
                    "answer": told::answer(&carrier::answer(call, &answer)),
                });
                let wanted = json!({
                    "events": expected.events,
                    "garbled": expected.garbled,
                    "denied": expected.denied,
                    "answer": completed(expected.answer),
                });
                if found != wanted {
                    wrong.push(format!("{name}:\n{found:#}\n{:#?}", decoded.garbled));
                }
                if let Some(busy) = expected.busy {
                    let later = Answer::Busy(Duration::from_secs(1));
                    let found = told::answer(&carrier::answer(call, &later));
                    assert_eq!(found, completed(busy), "{name}: busy");
                }
            });
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn none_that_proves_anything_is_believed_under_another_secret() {
    for stranger in Stranger::all() {
        let config = stranger.config("another");
        for (name, request, _) in stranger.exchanges() {
            with_call(&config, &request, |call, account| {
                // A public key stands in a file, whatever the secret.
                let is_given = stranger.directory.join("public.pem").exists();
                let proves = account.dialect.secrets() != SecretUse::Never && !is_given;
                let believed = carrier::verify(call, account, CLOCK).is_ok();
                assert!(!proves || !believed, "{name}");
            });
        }
    }
}

#[test]
fn no_two_events_of_a_stranger_have_the_same_key() {
    for stranger in Stranger::all() {
        let config = stranger.config("test-secret");
        for (name, request, _) in stranger.exchanges() {
            with_call(&config, &request, |call, account| {
                let events = carrier::decode(call, account).events;
                let mut keys: Vec<String> = events.into_iter().map(|event| event.dedupe).collect();
                let count = keys.len();
                keys.sort();
                keys.dedup();
                assert_eq!(keys.len(), count, "{name}");
            });
        }
    }
}
