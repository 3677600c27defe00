//! From the file as written to the checked types: where records go.

use super::accounts;
use super::check::{KEEPING, WAIT};
use super::identity::{self, Identity};
use super::problem::{Fault, one_of};
use super::profile;
use super::queueing::queueing;
use super::raw::{At, Section};
use super::units::show_duration;
use super::values::text;
use super::way;
use super::{Backoff, Breaker, Destination};
use crate::model::{
    AreaCode, Channel, LaneName, Level, MOST_DESTINATIONS, RecordKind, Secret, Selection,
};
use http::Uri;
use std::time::Duration;
use toml::de::DeValue;

/// What a lease lasts beyond the deadline of its request: the time to settle the answer.
const LEASE_MARGIN: Duration = Duration::from_secs(5);

/// Reads `[destination]`.
pub(super) fn destination(section: &mut Section<'_>) -> Option<Destination> {
    let name = section.text("name", "\"platform\"", lane_name)?;
    of_name(name.value, section)
}

/// Reads `[destinations]`: those beside the first, each over the first's defaults.
pub(super) fn others(root: &mut Section<'_>, first: Option<&Destination>) -> Vec<Destination> {
    let mut places = 1;
    root.each_over("destinations", "destination", |key, section| {
        places += 1;
        if places > MOST_DESTINATIONS {
            let wrong = format!("there are more than {MOST_DESTINATIONS} destinations");
            section.reject(&key, Fault::new(wrong, "send some of them through one that passes on"));
        }
        if let Some(name) = section.text("name", "\"platform\"", lane_name)
            && !name.is_built_in()
        {
            let right = "name it by its table, [destinations.NAME]";
            section.reject(&name, Fault::new("would be a second name", right));
        }
        let name = lane_name(key.value).map_err(|fault| section.reject(&key, fault)).ok()?;
        if first.is_some_and(|first| first.name == name) {
            let wrong = format!("\"{name}\" is the name of [destination] already");
            section.reject(&key, Fault::new(wrong, "give one of them another name"));
        }
        of_name(name, section)
    })
}

fn lane_name(name: &str) -> Result<LaneName, Fault> {
    LaneName::new(name).map_err(|_| {
        let wrong = format!("{name:?} is not a name");
        Fault::new(wrong, "use 1 to 64 of a-z, 0-9 and inner `-`, for example \"platform\"")
    })
}

fn of_name(name: LaneName, section: &mut Section<'_>) -> Option<Destination> {
    let url = url(section)?;
    let identity = section.table("identity", |it| identity::identity(it, &url))?;
    let secret = secret(section, &identity);
    let key_id = section.text("key_id", "\"bridge8890\"", accounts::key_id)?;
    identity::fits(section, &identity, (&key_id, &secret));
    let way = way::way(section)?;
    let ca = section.path("ca").map(|path| path.value);
    let (request_timeout, lease) = lease(section)?;
    let (concurrency_min, concurrency) = concurrency(section)?;
    let only = section.table("only", selection)?;
    let profile = profile::profile(section, &only);
    let final_statuses = profile::final_statuses(section, profile.as_ref());
    Some(Destination {
        name,
        only,
        url,
        ca,
        key_id: key_id.value,
        secret,
        identity,
        way,
        final_statuses,
        queueing: queueing(section)?,
        concurrency,
        concurrency_min,
        rate: section.count("rate", 1..=10_000).map(|rate| rate.value),
        request_timeout,
        lease,
        backoff: section.table("backoff", backoff)?,
        breaker: section.table("breaker", breaker)?,
        // Last, so that what is wrong with it does not make strangers of the keys beside it.
        profile: profile?,
    })
}

/// Reads `only`: what it is sent.
fn selection(section: &mut Section<'_>) -> Option<Selection> {
    let kinds = chosen(section, "kinds", "[\"complaint\"]", |item| {
        one_of(text(item, "\"complaint\"")?, "a kind", &RecordKind::NAMES)
    });
    let levels = chosen(section, "levels", "[1, 2]", |item| {
        let level = match item {
            DeValue::Integer(number) => u8::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        level.and_then(Level::from_number).ok_or_else(|| {
            Fault::new("is no level", "write 5 for 非常满意 to 1 for 非常不满意, [1, 2]")
        })
    });
    let areas = chosen(section, "areas", "[\"210100\"]", |item| {
        AreaCode::new(text(item, "\"210100\"")?).map_err(|bad| {
            let right = "write the six digits of GB/T 2260; \"210100\" holds its districts";
            Fault::new(format!("{:?} is not an area code", bad.0), right)
        })
    });
    let campaigns = chosen(section, "campaigns", "[\"hotline-sms\"]", |item| {
        Ok(text(item, "\"hotline-sms\"")?.to_owned())
    });
    let channels = chosen(section, "channels", "[\"sms\"]", |item| {
        let names = [("sms", Channel::Sms), ("ivr", Channel::Ivr)];
        one_of(text(item, "\"sms\"")?, "a channel", &names)
    });
    Some(Selection {
        kinds: kinds?,
        levels: levels?,
        areas: areas?,
        campaigns: campaigns?,
        channels: channels?,
    })
}

/// What a condition allows; `Some` of nothing if it is not there. An empty list would allow nothing.
fn chosen<T>(
    section: &mut Section<'_>,
    key: &'static str,
    example: &str,
    one: impl Fn(&DeValue<'_>) -> Result<T, Fault>,
) -> Option<Vec<T>> {
    if !section.has(key) {
        section.node(key);
        return Some(Vec::new());
    }
    section.demand_items(key, &format!("write for example {key} = {example}, or leave it out"));
    let list = section.list(key, example, one)?;
    Some(list.value.into_iter().map(|item| item.value).collect())
}

fn url(section: &mut Section<'_>) -> Option<Uri> {
    let allow_http = section.flag("allow_http")?.value;
    let url = section.text("url", EXAMPLE_URL, |text| base_url(text, allow_http))?;
    if url.is_built_in() {
        let right = format!(
            "write url = {EXAMPLE_URL}, your platform's address, under [{}] of your file",
            section.here().key
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

/// The secret, or nothing: only a gateway that serves needs one.
fn secret(section: &mut Section<'_>, identity: &Identity) -> Secret {
    let unset = Secret::new(Vec::new());
    if !identity.has_secret() {
        if let Some(reference) = section.reference("secret") {
            let right = "remove it, or name the scheme that it is for in identity.scheme";
            let wrong = "is of no use: with \"none\" nothing proves who we are";
            section.warn(&reference, Fault::new(wrong, right));
        }
        return unset;
    }
    let Some(reference) = section.reference("secret") else {
        if !section.has("secret") {
            let fault = Fault::new(
                "`secret` is missing, so that the platform cannot know who asks",
                "write secret = \"env:BRIDGE8890_PLATFORM_SECRET\" under [destination] of your file, \
                 and set that variable to the key or token agreed with the platform",
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

fn concurrency(section: &mut Section<'_>) -> Option<(usize, usize)> {
    let most = section.count("concurrency", 1..=1_000);
    let least = section.count("concurrency_min", 1..=1_000);
    let (most, least) = (most?, least?);
    if least.value > most.value {
        let wrong = format!(
            "the fewest requests at once ({}) are more than the most ({})",
            least.value, most.value
        );
        let right = "make destination.concurrency_min at most destination.concurrency";
        section.conflict(&least, &most, Fault::new(wrong, right));
    }
    Some((least.value, most.value))
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

#[cfg(test)]
mod tests {
    use super::super::{Config, Environment, Problems, parse};
    use super::*;
    use std::path::Path;

    fn read(text: &str) -> Result<Config, Problems> {
        parse(text, "f", &Environment::given(Path::new(""), &[("S", "secret")]))
    }

    #[test]
    fn others_have_the_defaults_of_the_first_and_nothing_that_was_said_of_it() {
        let config = read(
            "[destination]\nmax_batch = 7\nsecret = \"env:S\"\nurl = \"https://p.example/\"\n\
             [destinations.city]\nurl = \"https://c.example/\"\n\
             only = { kinds = [\"complaint\"], areas = [\"210100\"], levels = [1, 2] }",
        );
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        let [city] = &config.others[..] else { panic!("{:?}", config.others) };
        assert_eq!((city.name.as_str(), city.queueing.max_batch), ("city", 100));
        assert!(city.secret.reveal().is_empty(), "the first's key is not for others");
        let expected = Selection {
            kinds: vec![RecordKind::Complaint],
            areas: vec![AreaCode::new("210100").expect("a code")],
            levels: vec![Level::VeryDissatisfied, Level::Dissatisfied],
            ..Selection::default()
        };
        assert_eq!(city.only, expected);
        assert!(config.destination.only.is_everything());
        let gaps = config.gaps.to_string();
        assert!(gaps.contains("destinations.city: `secret` is missing"), "{gaps}");
    }

    #[test]
    fn what_is_wrong_with_another_is_said_at_its_line() {
        for (text, expected) in [
            ("[destinations.platform]\nurl = \"https://c.example/\"", "name of [destination]"),
            ("[destinations.city]\nname = \"x\"", "f:2: destinations.city.name: would be a second"),
            ("[destinations.Stadt]\nmax_batch = 1", "\"Stadt\" is not a name"),
            ("[destinations.city.only]\nkinds = []", "destinations.city.only.kinds: "),
            ("[destinations.city.only]\nkinds = [\"complaints\"]", "did you mean \"complaint\"?"),
            ("[destinations.city.only]\nlevels = [6]", "is no level"),
            ("[destinations.city.only]\nareas = [\"沈阳\"]", "is not an area code"),
            ("[destinations.city.only]\nchannel = [\"sms\"]", "did you mean `channels`?"),
            ("[destinations.city]\nlease = \"1s\"", "at least \"15s\""),
            ("[destinations.city]\nconcurrency_min = 17", "are more than the most (16)"),
            ("[destinations.city]\nrate = 0", "destinations.city.rate: "),
        ] {
            let problems = read(text).expect_err(text).to_string();
            assert!(problems.contains(expected), "{text}\n{problems}");
        }
        let many: String = (0..MOST_DESTINATIONS)
            .map(|number| format!("[destinations.d{number}]\nurl = \"https://c.example/\"\n"))
            .collect();
        let problems = read(&many).expect_err("too many");
        assert!(problems.len() == 1 && problems.to_string().contains("more than 32"), "{problems}");
    }
}
