//! Dialects as written: what they mean, what is said of bad ones, and the examples of the reference
//! page.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod accounts;
mod any;
mod doubts;
mod examples;
mod meaning;
mod mistakes;
mod steps;
#[path = "../support/told.rs"]
mod told;

use bridge8890::config::{self, Config, Environment, Problems};
use std::path::Path;

fn parse(text: &str) -> Result<Config, Problems> {
    let variables =
        [("KEY", "a secret"), ("PUBLIC", "0kOb+Q50mToOOBSNePM3ocoK0wF3tzkyNfZuYeobvFE=")];
    let behind_a_proxy = format!("{text}\n[http]\ntrusted_proxies = [\"127.0.0.1\"]");
    let environment = Environment::given(Path::new(""), &variables);
    config::parse(&behind_a_proxy, "gateway.toml", &environment)
}

/// The file of one generic account with this dialect and, if its `auth` wants one, a secret. What
/// every dialect needs is added where it is missing.
fn account(dialect: &str) -> String {
    let formats = if dialect.contains("formats") { "" } else { "formats = [\"json\"]" };
    let events = if dialect.contains("events") { "" } else { EVENTS };
    around("generic", dialect.contains("scheme"), &format!("{formats}\n{events}\n{dialect}"))
}

/// The file of one account of a carrier with this dialect over it.
fn around(carrier: &str, signed: bool, dialect: &str) -> String {
    let secrets = if signed { "secrets = [\"env:KEY\"]" } else { "" };
    let below = |line: &str| match (line.strip_prefix("[["), line.strip_prefix('[')) {
        (Some(rest), _) => format!("[[accounts.a.dialect.{rest}\n"),
        (_, Some(rest)) => format!("[accounts.a.dialect.{rest}\n"),
        _ => format!("{line}\n"),
    };
    let dialect: String = dialect.lines().map(below).collect();
    format!("[accounts.a]\ncarrier = \"{carrier}\"\n{secrets}\n[accounts.a.dialect]\n{dialect}")
}

const EVENTS: &str =
    r#"events = [{ kind = "sms_reply", id = "id", caller = "from", text = "text" }]"#;
