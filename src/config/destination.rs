//! From the file as written to the checked types: where records go.

use super::accounts;
use super::check::{KEEPING, WAIT};
use super::problem::Fault;
use super::raw::{At, Section};
use super::units::show_duration;
use super::{Backoff, Breaker, Destination};
use crate::model::{LaneName, Secret};
use http::Uri;
use std::time::Duration;

/// What a lease lasts beyond the deadline of its request: the time to settle the answer.
const LEASE_MARGIN: Duration = Duration::from_secs(5);

pub(super) fn destination(section: &mut Section<'_>) -> Option<Destination> {
    let name = section.text("name", "\"platform\"", |name| {
        LaneName::new(name).map_err(|_| {
            let wrong = format!("{name:?} is not a name");
            Fault::new(wrong, "use 1 to 64 of a-z, 0-9 and inner `-`, for example \"platform\"")
        })
    })?;
    let url = url(section)?;
    let secret = secret(section);
    let key_id = section.text("key_id", "\"bridge8890\"", accounts::key_id)?;
    let ca = section.path("ca").map(|path| path.value);
    let (request_timeout, lease) = lease(section)?;
    Some(Destination {
        name: name.value,
        url,
        ca,
        key_id: key_id.value,
        secret,
        max_batch: section.count("max_batch", 1..=10_000)?.value,
        concurrency: section.count("concurrency", 1..=1_000)?.value,
        request_timeout,
        lease,
        backoff: section.table("backoff", backoff)?,
        breaker: section.table("breaker", breaker)?,
    })
}

fn url(section: &mut Section<'_>) -> Option<Uri> {
    let allow_http = section.flag("allow_http")?.value;
    let url = section.text("url", EXAMPLE_URL, |text| base_url(text, allow_http))?;
    if url.is_built_in() {
        let right = format!(
            "write url = {EXAMPLE_URL}, your platform's address, under [destination] of your file"
        );
        section.leave_open(&url, Fault::new("is still the example", right));
    }
    Some(url.value)
}

const EXAMPLE_URL: &str = "\"https://platform.ln.example/api/\"";

/// Reads a base URL. It is not repeated in errors, since userinfo may hold a password.
fn base_url(text: &str, allow_http: bool) -> Result<Uri, Fault> {
    let right = format!("write for example {EXAMPLE_URL}");
    let fault = |wrong: &str| Err(Fault::new(wrong, right.as_str()));
    let Ok(uri) = text.parse::<Uri>() else { return fault("is not a URL") };
    let host = uri.host().unwrap_or_default();
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if allow_http => {}
        Some("http") => {
            return Err(Fault::new(
                "sends personal data in the clear over http://",
                "write https://, or set destination.allow_http = true for a trial on one machine",
            ));
        }
        _ => return fault("is not an https:// URL"),
    }
    if host.is_empty() {
        return fault("names no host");
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return fault("holds a user or password; requests are signed with destination.secret");
    }
    if text.contains(['?', '#']) {
        return fault("holds a query or fragment, which a base URL cannot have");
    }
    Ok(uri)
}

/// The signing key, or nothing: only a gateway that serves needs one.
fn secret(section: &mut Section<'_>) -> Secret {
    let unset = Secret::new(Vec::new());
    let Some(reference) = section.reference("secret") else {
        if !section.has("secret") {
            let fault = Fault::new(
                "`secret` is missing, so that nothing can be signed",
                "write secret = \"env:BRIDGE8890_PLATFORM_SECRET\" under [destination] of your file, \
                 and set that variable to the HMAC key agreed with the platform",
            );
            section.leave_open(&section.here(), fault);
        }
        return unset;
    };
    section.secret(&reference).unwrap_or_else(|fault| {
        section.leave_open(&reference, fault);
        unset
    })
}

fn lease(section: &mut Section<'_>) -> Option<(Duration, Duration)> {
    let request_timeout = section.duration("request_timeout", WAIT)?;
    let lease = section.duration("lease", *WAIT.start()..=Duration::from_hours(24))?;
    let least = request_timeout.value.saturating_add(LEASE_MARGIN);
    if lease.value < least {
        too_long_for(section, &lease, &request_timeout, least);
    }
    Some((request_timeout.value, lease.value))
}

fn too_long_for(
    section: &Section<'_>,
    lease: &At<Duration>,
    timeout: &At<Duration>,
    least: Duration,
) {
    let wrong = format!(
        "a lease of {} can end before a request of up to {} is settled, and its records be sent twice",
        show_duration(lease.value),
        show_duration(timeout.value)
    );
    let right = format!("make destination.lease at least \"{}\"", show_duration(least));
    section.conflict(lease, timeout, Fault::new(wrong, right));
}

/// Reads a breaker that is written whole, the built-in defaults included.
pub(super) fn breaker(section: &mut Section<'_>) -> Option<Breaker> {
    Some(Breaker {
        failures: section.count("failures", 1..=1_000_000)?.value,
        open_for: section.duration("open_for", WAIT)?.value,
    })
}

/// Reads a back-off that is written whole, the built-in defaults included.
pub(super) fn backoff(section: &mut Section<'_>) -> Option<Backoff> {
    let name = section.here().key;
    let base = section.duration("base", WAIT)?;
    let cap = section.duration("cap", *WAIT.start()..=Duration::from_hours(24))?;
    let max_age = section.duration("max_age", KEEPING)?;
    if base.value > cap.value {
        let wrong = format!(
            "the first delay ({}) is above the ceiling of every delay ({})",
            show_duration(base.value),
            show_duration(cap.value)
        );
        let right = format!("make {name}.base at most {name}.cap");
        section.conflict(&base, &cap, Fault::new(wrong, right));
    }
    if cap.value > max_age.value {
        let wrong = format!(
            "a record is given up ({}) before one delay ({}) is over",
            show_duration(max_age.value),
            show_duration(cap.value)
        );
        let right = format!("make {name}.max_age longer than {name}.cap");
        section.conflict(&max_age, &cap, Fault::new(wrong, right));
    }
    Some(Backoff {
        base: base.value,
        cap: cap.value,
        max_attempts: section.count("max_attempts", 1..=1_000_000)?.value,
        max_age: max_age.value,
    })
}
