//! From the file as written to the checked types: how an account sends messages.

use super::check::WAIT;
use super::destination;
use super::dialect::{Dialect, Piece, Place, Submission, Template, send_url};
use super::problem::{Fault, listed};
use super::raw::{BUILT_IN, Document, Section};
use super::values::text;
use super::{Backoff, Breaker};
use crate::model::{AccountName, Secret, ServiceNumber};
use jiff::tz::Offset;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// What holds where an account says nothing else.
pub const SENDING_DEFAULTS: &str = include_str!("../../config/sending.toml");

#[expect(clippy::expect_used, reason = "a test parses the file, which is compiled in")]
static DEFAULTS: LazyLock<Document<'static>> =
    LazyLock::new(|| Document::parse(BUILT_IN, SENDING_DEFAULTS).expect("it is TOML"));

/// How an account sends messages.
#[derive(Debug, Clone)]
pub struct Sending {
    /// The account.
    pub account: AccountName,
    /// How its carrier is told to.
    pub submission: Arc<Submission>,
    /// Where.
    pub url: Template,
    /// The user or key id.
    pub user: Option<String>,
    /// The password or key.
    pub secret: Option<Secret>,
    /// The number that messages without one are sent from; `None`: the carrier's choice.
    pub from: Option<ServiceNumber>,
    /// What else its carrier's templates want, by name.
    pub values: BTreeMap<String, String>,
    /// The zone of local times.
    pub offset: Offset,
    /// The calling code of national numbers.
    pub country: String,
    /// Extra trusted roots, PEM; `None`: the system's.
    pub ca: Option<PathBuf>,
    /// The most messages a second.
    pub rate: u32,
    /// Requests under way at once.
    pub concurrency: usize,
    /// Deadline of one request.
    pub request_timeout: Duration,
    /// When a failed message is tried again.
    pub backoff: Backoff,
    /// When the lane stops trying for a while.
    pub breaker: Breaker,
}

/// What an account has settled before.
pub(super) struct Sender<'s> {
    /// Its name, if it is one.
    pub(super) account: Option<AccountName>,
    /// How its carrier speaks.
    pub(super) dialect: &'s Dialect,
    /// The zone of local times.
    pub(super) offset: Offset,
    /// The calling code of national numbers.
    pub(super) country: &'s str,
}

/// Reads `send`. `Some(None)`: the account does not send.
pub(super) fn sending(section: &mut Section<'_>, sender: &Sender<'_>) -> Option<Option<Sending>> {
    if !section.has("send") {
        section.node("send");
        return Some(None);
    }
    let Some(submission) = sender.dialect.send.clone() else {
        let node = section.node("send")?;
        let wrong = format!("nobody has written down how `{}` sends", sender.dialect.carrier);
        let right = "remove it, or say how in the account's dialect.send, see docs/dialects.md";
        node.reject(Fault::new(wrong, right));
        return None;
    };
    let sending =
        section.table_over("send", Some(&DEFAULTS), |section| read(section, sender, submission));
    sending.map(Some)
}

fn read(
    section: &mut Section<'_>,
    sender: &Sender<'_>,
    submission: Arc<Submission>,
) -> Option<Sending> {
    let url = url(section, &submission);
    let user = section.text("user", "\"LTAI8890\"", |user| Ok(user.to_owned()));
    let secret = secret(section);
    let from = section.text("from", "\"1069008890\"", |from| Ok(ServiceNumber(from.to_owned())));
    let values = values(section, &submission);
    demand(section, &submission, user.is_some(), section.has("secret"));
    let ca = section.path("ca");
    let rate = section.count("rate", 1..=100_000_u32);
    let concurrency = section.count("concurrency", 1..=1_000_usize);
    let request_timeout = section.duration("request_timeout", WAIT);
    let backoff = section.table("backoff", destination::backoff);
    let breaker = section.table("breaker", destination::breaker);
    Some(Sending {
        account: sender.account.clone()?,
        submission,
        url: url?,
        user: user.map(|user| user.value),
        secret,
        from: from.map(|from| from.value),
        values,
        offset: sender.offset,
        country: sender.country.to_owned(),
        ca: ca.map(|path| path.value),
        rate: rate?.value,
        concurrency: concurrency?.value,
        request_timeout: request_timeout?.value,
        backoff: backoff?,
        breaker: breaker?,
    })
}

/// The account's URL, else the carrier's.
fn url(section: &mut Section<'_>, submission: &Submission) -> Option<Template> {
    let allow_http = section.flag("allow_http")?.value;
    let secure = |template: &Template| match template.pieces.first() {
        Some(Piece::Literal(literal)) => allow_http || literal.starts_with("https://"),
        _ => false,
    };
    let fault = || {
        Fault::new(
            "sends personal data in the clear over http://",
            "write https://, or allow_http = true beside it for a carrier on the same network",
        )
    };
    let own = section.text("url", "\"https://sms.carrier.example/send\"", |text| {
        send_url(text).and_then(|url| if secure(&url) { Ok(url) } else { Err(fault()) })
    });
    let has_own = section.has("url");
    match (own, &submission.url) {
        (Some(own), _) => Some(own.value),
        (None, _) if has_own => None,
        (None, Some(url)) if secure(url) => Some(url.clone()),
        (None, Some(_)) => {
            section.reject(&section.here(), fault());
            None
        }
        (None, None) => {
            let right = "write url = \"https://sms.carrier.example/send\", the carrier's address";
            section.reject(&section.here(), Fault::new("`url` is missing", right));
            None
        }
    }
}

fn secret(section: &mut Section<'_>) -> Option<Secret> {
    let reference = section.reference("secret")?;
    section.secret(&reference).map_err(|fault| section.reject(&reference, fault)).ok()
}

/// Notes what proof and templates want and the account does not have.
fn demand(section: &Section<'_>, submission: &Submission, has_user: bool, has_secret: bool) {
    if !has_user && (submission.proof.needs_user() || submission.uses(&Place::User)) {
        let right = "write the user or key id of the carrier's console, user = \"LTAI8890\"";
        section.reject(&section.here(), Fault::new("`user` is missing", right));
    }
    if !has_secret && (submission.proof.needs_secret() || submission.uses(&Place::Secret)) {
        let right = "write where the password or key is kept, secret = \"env:NAME\"";
        section.reject(&section.here(), Fault::new("`secret` is missing", right));
    }
}

/// The account's own values: all that the templates want, and no others.
fn values(section: &mut Section<'_>, submission: &Submission) -> BTreeMap<String, String> {
    let example = "{ sign_name = \"沈阳8890\" }";
    let wanted = submission.own_values();
    let mut values = BTreeMap::new();
    let node = section.node("values");
    let entries = node.as_ref().and_then(|node| node.entries());
    if let (Some(node), None) = (&node, &entries) {
        node.reject(super::values::wrong_kind(node.value, "a table", example));
    }
    for (name, node) in entries.into_iter().flatten() {
        match text(node.value, example) {
            Ok(_) if !wanted.contains(name) => {
                let right = match wanted.is_empty() {
                    true => "remove it".to_owned(),
                    false => format!("remove it; wanted are {}", listed(wanted.iter().copied())),
                };
                node.reject(Fault::new("is not used: no template has it", right));
            }
            Ok(value) => {
                values.insert(name.to_owned(), value.to_owned());
            }
            Err(fault) => node.reject(fault),
        }
    }
    let missing = wanted.iter().filter(|name| !values.contains_key(**name));
    for name in missing {
        let wrong = format!("the carrier wants `{name}`, which is no value of a message");
        let right = format!("write it among the values, values = {{ {name} = \"…\" }}");
        section.reject(&section.here(), Fault::new(wrong, right));
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Environment};
    use std::path::Path;

    /// The account `x` of this carrier, with these lines below `[accounts.x.send]`.
    fn read(carrier: &str, lines: &str) -> Result<Sending, String> {
        let text = format!(
            "[accounts.x]\ncarrier = \"{carrier}\"\nallow_http = true\n[accounts.x.send]\n{lines}"
        );
        let environment = Environment::given(Path::new(""), &[("KEY", "s")]);
        let config = config::parse(&text, "gateway.toml", &environment);
        let config = config.map_err(|problems| problems.to_string())?;
        let name = AccountName::new("x").expect("a name");
        Ok(Sending::clone(config.accounts[&name].send.as_deref().expect("it sends")))
    }

    #[test]
    fn an_account_sends_with_little_said() {
        let lines = "user = \"u\"\nsecret = \"env:KEY\"\nvalues = { sign_name = \"沈阳8890\" }";
        let sending = read("aliyun-sms", lines).expect("right");
        assert_eq!((sending.rate, sending.concurrency), (10, 4));
        assert_eq!(sending.values["sign_name"], "沈阳8890");
    }

    #[test]
    fn what_is_missing_or_in_vain_is_said() {
        for (carrier, lines, wrong) in [
            ("aliyun-sms", "user = \"u\"\nvalues.sign_name = \"s\"", "`secret` is missing"),
            ("aliyun-sms", "secret = \"env:KEY\"\nvalues.sign_name = \"s\"", "`user` is missing"),
            ("aliyun-sms", "user = \"u\"\nsecret = \"env:KEY\"", "the carrier wants `sign_name`"),
            ("kannel", "user = \"u\"\nsecret = \"env:KEY\"", "`url` is missing"),
            (
                "kannel",
                "url = \"http://kannel/cgi-bin/sendsms\"\nuser = \"u\"\nsecret = \"env:KEY\"",
                "in the clear over http://",
            ),
            (
                "jasmin",
                "url = \"https://jasmin/send\"\nuser = \"u\"\nsecret = \"env:KEY\"\nvalues.x = \"y\"",
                "is not used: no template has it",
            ),
            ("yunpian", "", "nobody has written down how `yunpian` sends"),
        ] {
            let problems = read(carrier, lines).expect_err(lines);
            assert!(problems.contains(wrong), "{lines}: {problems}");
        }
    }
}
