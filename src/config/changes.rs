//! What differs between two configurations, key by key, and what of it may change while serving.

use super::national::Sign;
use super::raw::Document;
use super::{Config, Destination, National, Profile};
use crate::sm2::SigningKey;
use std::collections::{BTreeMap, BTreeSet};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// The values of the files that a configuration was read from, by their keys in full. There are
/// no secrets among them, only where those are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Written(BTreeMap<String, String>);

/// The keys that two configurations do not have in common, in alphabetical order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// A gateway takes them over while it serves: campaigns, complaints and the log's filter.
    pub live: Vec<String>,
    /// They hold from the next start on.
    pub restart: Vec<String>,
}

impl Config {
    /// What a newer configuration says otherwise.
    #[must_use]
    pub fn changes(&self, newer: &Config) -> Changes {
        let (old, new) = (&self.written.0, &newer.written.0);
        let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let mut changed: BTreeSet<String> =
            keys.into_iter().filter(|key| old.get(*key) != new.get(*key)).cloned().collect();
        // What stands in other files than the configuration itself.
        if self.complaints.calendar != newer.complaints.calendar {
            changed.insert("complaints.calendars".to_owned());
        }
        for (name, account) in &self.accounts {
            if newer.accounts.get(name).is_some_and(|newer| newer.secrets != account.secrets) {
                changed.insert(format!("accounts.{name}.secrets"));
            }
        }
        let said = |key: &'static str| format!("destination.{key}");
        changed.extend(secrets_changed(&self.destination, &newer.destination).map(said));
        for other in &self.others {
            let newer = newer.others.iter().find(|newer| newer.name == other.name);
            let keys = newer.into_iter().flat_map(|newer| secrets_changed(other, newer));
            changed.extend(keys.map(|key| format!("destinations.{}.{key}", other.name)));
        }
        let (live, restart) = changed.into_iter().partition(|key| is_live(key));
        Changes { live, restart }
    }
}

/// The keys of a destination whose secrets are others than they were.
fn secrets_changed<'d>(
    old: &'d Destination,
    new: &'d Destination,
) -> impl Iterator<Item = &'static str> {
    let of_proxy = |it: &Destination| it.way.proxy.clone().and_then(|proxy| proxy.credentials);
    let secret = (old.secret != new.secret).then_some("secret");
    let proxy_secret = (of_proxy(old) != of_proxy(new)).then_some("proxy_secret");
    let (word, key) = match (&old.profile, &new.profile) {
        (Profile::National(old), Profile::National(new)) => {
            (old.app_word != new.app_word, signing_key(old) != signing_key(new))
        }
        _ => (false, false),
    };
    let national = [word.then_some("national.app_word"), key.then_some("national.private_key")];
    [secret, proxy_secret].into_iter().chain(national).flatten()
}

fn signing_key(national: &National) -> Option<&SigningKey> {
    match &national.sign {
        Sign::Signed { key, .. } => key.as_ref(),
        Sign::Encrypted => None,
    }
}

fn is_live(key: &str) -> bool {
    key == "log.filter" || key.starts_with("campaigns.") || key.starts_with("complaints.")
}

impl Written {
    /// The values of these documents, of which earlier ones win.
    pub(super) fn of(documents: &[Document<'_>]) -> Written {
        let mut values = BTreeMap::new();
        for document in documents.iter().rev() {
            flatten("", document.tree(), &mut values);
        }
        Written(values)
    }
}

fn flatten(path: &str, table: &DeTable<'_>, values: &mut BTreeMap<String, String>) {
    for (name, value) in table {
        let key = super::raw::full(path, name.get_ref());
        match value.get_ref() {
            DeValue::Table(inner) if !inner.is_empty() => flatten(&key, inner, values),
            other => drop(values.insert(key, written(other))),
        }
    }
}

/// A value without its place, so that moving it changes nothing.
fn written(value: &DeValue<'_>) -> String {
    let entry = |(name, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| {
        format!("{:?} = {}", name.get_ref(), written(value.get_ref()))
    };
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => format!("{}:{}", number.radix(), number.as_str()),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| written(item.get_ref())).collect();
            format!("[{}]", items.join(", "))
        }
        DeValue::Table(table) => {
            let entries: Vec<String> = table.iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Environment, parse};
    use super::*;
    use std::path::Path;

    const CAMPAIGN: &str =
        "[campaigns.c]\nservice_numbers = [\"8890*\"]\ntarget = \"call\"\nscheme = \"asc\"\n";

    fn config(text: &str) -> Config {
        parse(text, "f", &Environment::given(Path::new(""), &[])).expect("it is right")
    }

    fn changes(old: &str, new: &str) -> (Vec<String>, Vec<String>) {
        let Changes { live, restart } = config(old).changes(&config(new));
        (live, restart)
    }

    #[test]
    fn campaigns_complaints_and_the_filter_may_change_while_serving() {
        let with = |more: &str| format!("{CAMPAIGN}{more}");
        for (old, new, live) in [
            (with(""), with(""), &[][..]),
            (with(""), format!("# moved\n\n{CAMPAIGN}"), &[]),
            (with(""), with("levels = 3"), &["campaigns.c.levels"]),
            (
                with(""),
                with("extensions = { \"01\" = \"210100\" }"),
                &["campaigns.c.extensions.01"],
            ),
            (with("[log]\nfilter = \"info\""), with(""), &[]),
            (with(""), with("[log]\nfilter = \"debug\""), &["log.filter"]),
            (with(""), with("[complaints]\nrepair_days = 10"), &["complaints.repair_days"]),
            (
                with(""),
                String::new(),
                &["campaigns.c.scheme", "campaigns.c.service_numbers", "campaigns.c.target"],
            ),
        ] {
            let live: Vec<String> = live.iter().map(ToString::to_string).collect();
            assert_eq!(changes(&old, &new), (live, Vec::new()), "{old} → {new}");
        }
    }

    #[test]
    fn everything_else_wants_a_restart() {
        for (text, key) in [
            ("[http]\nlimits.max_body = \"2 MiB\"", "http.limits.max_body"),
            ("[log]\njson = true", "log.json"),
            ("[http]\ntrusted_proxies = [\"10.0.0.0/8\"]", "http.trusted_proxies"),
            ("[accounts.a]\ncarrier = \"aliyun-sms\"\nallow_http = true", "accounts.a.allow_http"),
        ] {
            let (live, restart) = changes("", text);
            assert_eq!(live, [""; 0], "{text}");
            assert!(restart.iter().any(|it| it == key), "{text}: {restart:?}");
        }
    }

    #[test]
    fn a_secret_that_changed_where_it_is_kept_is_noticed() {
        let text = "[destination]\nsecret = \"env:S\"";
        let read = |secret: &str| {
            let environment = Environment::given(Path::new(""), &[("S", secret)]);
            parse(text, "f", &environment).expect("it is right")
        };
        assert_eq!(read("a").changes(&read("b")).restart, ["destination.secret"]);
        assert_eq!(read("a").changes(&read("a")), Changes::default());
    }
}
