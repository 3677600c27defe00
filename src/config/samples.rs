//! Accounts for tests.

use super::dialect::{
    AnswerForm, Answers, Auth, Charset, Dialect, Format, Route, Template, Transport,
};
use super::{Access, Account, Environment, Origin, Sending, parse};
use crate::model::AccountName;
use http::{Method, StatusCode};
use jiff::tz::Offset;
use std::path::Path;
use std::sync::Arc;

/// An account at this path, with these routes, and nothing that would be asked of callers.
pub(crate) fn account(name: &str, path: &str, routes: &[&str]) -> Account {
    let dialect = Dialect {
        retries: Vec::new(),
        carrier: "generic".to_owned(),
        title: String::new(),
        reference: String::new(),
        patience: String::new(),
        transport: Transport::Http,
        send: None,
        routes: routes.iter().map(|name| route(name)).collect(),
    };
    Account {
        name: AccountName::new(name).expect("a name"),
        access: Access { path: path.to_owned(), ..Access::default() },
        dialect: Arc::new(dialect),
        user: None,
        secrets: Vec::new(),
        tolerance: None,
        offset: Offset::UTC,
        country: "86".to_owned(),
        default_campaign: None,
        send: None,
        recordings: None,
        origin: Origin { file: "gateway.toml".to_owned(), line: 1 },
    }
}

/// How an account of this name sends, through Jasmin.
pub(crate) fn sending(name: &str) -> Arc<Sending> {
    let text = format!(
        "[accounts.{name}]\ncarrier = \"jasmin\"\nallow_http = true\n[accounts.{name}.send]\n\
         url = \"https://jasmin.example\"\nuser = \"u\"\nsecret = \"env:KEY\"\n\
         values.report_url = \"https://gw.example/callback/{name}\"\n"
    );
    let environment = Environment::given(Path::new(""), &[("KEY", "k")]);
    let config = parse(&text, "gateway.toml", &environment).unwrap_or_else(|it| panic!("{it}"));
    config.accounts.values().find_map(|account| account.send.clone()).expect("it sends")
}

/// Of this account recordings are fetched from `media.carrier.example`; it hears of them as from Twilio.
pub(crate) fn with_recordings(account: Account) -> Account {
    let text = "[accounts.x]\ncarrier = \"twilio\"\nallow_http = true\nsecrets = [\"env:KEY\"]\n\
                [accounts.x.recordings]\nhosts = [\"media.carrier.example\"]\n";
    let environment = Environment::given(Path::new(""), &[("KEY", "k")]);
    let config = parse(text, "gateway.toml", &environment).unwrap_or_else(|it| panic!("{it}"));
    let read = config.accounts.values().next().expect("an account");
    let (dialect, recordings) = (Arc::clone(&read.dialect), read.recordings.clone());
    Account { dialect, recordings, ..account }
}

fn route(name: &str) -> Route {
    let form = AnswerForm {
        status: StatusCode::OK,
        content_type: None,
        headers: Vec::new(),
        body: Template::default(),
    };
    Route {
        name: name.to_owned(),
        methods: vec![Method::POST],
        max_body: 1000,
        max_items: 100,
        formats: vec![Format::Text],
        charset: Charset::Utf8,
        inside: None,
        auth: Auth::default(),
        events: Vec::new(),
        answers: Answers {
            accepted: form.clone(),
            duplicate: form.clone(),
            busy: form.clone(),
            refused: form.clone(),
            unsigned: form,
            cases: Vec::new(),
        },
        steps: None,
    }
}
