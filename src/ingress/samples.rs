//! Accounts for the tests of this module.

use crate::config::dialect::{
    AnswerForm, Answers, Auth, Charset, Dialect, Format, Route, Template, Transport,
};
use crate::config::{Access, Account, Origin};
use crate::model::AccountName;
use http::{Method, StatusCode};
use jiff::tz::Offset;
use std::sync::Arc;

/// An account at this path, with these routes.
pub(super) fn account(name: &str, path: &str, routes: &[&str]) -> Arc<Account> {
    let dialect = Dialect {
        retries: Vec::new(),
        carrier: "generic".to_owned(),
        title: String::new(),
        reference: String::new(),
        patience: String::new(),
        transport: Transport::Http,
        routes: routes.iter().map(|name| route(name)).collect(),
    };
    Arc::new(Account {
        name: AccountName::new(name).expect("a name"),
        access: Access { path: path.to_owned(), ..Access::default() },
        dialect: Arc::new(dialect),
        user: None,
        secrets: Vec::new(),
        tolerance: None,
        offset: Offset::UTC,
        country: "86".to_owned(),
        default_campaign: None,
        origin: Origin { file: "test".to_owned(), line: 1 },
    })
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
        },
    }
}
