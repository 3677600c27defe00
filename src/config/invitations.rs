//! From the file as written to the checked types: who may ask us to invite, and how that is proven.

use super::accounts;
use super::check::KEEPING;
use super::problem::Fault;
use super::raw::{At, Section};
use super::{Access, Account, Http, access};
use crate::model::{AccountName, Secret};
use crate::signature::TOLERANCE;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// How the platform asks us to invite citizens.
#[derive(Debug, Clone)]
pub struct Invitations {
    /// From where and how it may call, at [`Invitations::PATH`].
    pub access: Access,
    /// Under which id it signs; `None`: any.
    pub key_id: Option<String>,
    /// The live keys, any of which may have signed.
    pub secrets: Vec<Secret>,
    /// How far its clock may be from ours.
    pub tolerance: Duration,
}

impl Invitations {
    /// Where invitations are taken.
    pub const PATH: &str = "/v1/invitations";
    /// Where dialling systems ask what to dial, and, followed by a call's key, take one.
    pub const CALLS_PATH: &str = "/v1/calls";
    /// The beginning of the latter.
    pub const CALL_PATH: &str = "/v1/calls/";

    /// The name under which calls of the platform are kept and counted, as those of an account are.
    #[must_use]
    #[expect(clippy::expect_used, reason = "it is a name")]
    pub fn account() -> &'static AccountName {
        static NAME: LazyLock<AccountName> =
            LazyLock::new(|| AccountName::new("invitations").expect("a name"));
        &NAME
    }
}

/// Reads the table, if it is there.
pub(super) fn invitations(
    section: &mut Section<'_>,
    remembered: Option<Duration>,
) -> Option<At<Invitations>> {
    let written = section.is_written();
    let key_id = section.text("key_id", "\"platform\"", accounts::key_id);
    let (_, secrets) = accounts::secrets(section);
    let right = "write secrets = [\"env:BRIDGE8890_INVITATIONS_SECRET\"]";
    section.demand("secrets", right);
    section.demand_items("secrets", right);
    let tolerance = section.duration("tolerance", Duration::from_secs(1)..=*KEEPING.end());
    if let (Some(tolerance), Some(remembered)) = (&tolerance, remembered)
        && tolerance.value > remembered
    {
        let wrong = "a request that is repeated so late is not known any more";
        let right = "make it no longer than store.dedupe_window";
        section.reject(tolerance, Fault::new(wrong, right));
    }
    let access = access::platform(section, Invitations::PATH);
    let secrets = secrets.into_iter().map(|secret| secret.value).collect();
    written.then(|| {
        section.here().with(Invitations {
            access,
            key_id: key_id.map(|id| id.value),
            secrets,
            tolerance: tolerance.map_or(TOLERANCE, |tolerance| tolerance.value),
        })
    })
}

/// What stands against taking invitations beside these accounts, on this listener.
pub(super) fn clashes(
    invitations: &At<Invitations>,
    http: &Http,
    accounts: &[&Arc<Account>],
) -> Vec<(At<()>, Fault)> {
    let mut found = Vec::new();
    let account_at = |account: &Account| At {
        value: (),
        key: format!("accounts.{}", account.name),
        origin: account.origin.clone(),
    };
    for account in accounts {
        if account.name == *Invitations::account() {
            let fault = Fault::new("is the name of the [invitations]", "give it another name");
            found.push((account_at(account), fault));
        }
        for path in [Invitations::PATH, Invitations::CALLS_PATH] {
            if account.access.connect.is_none() && account.route_at(path).is_some() {
                let wrong = format!("{path} is already answered by [invitations]");
                found.push((account_at(account), Fault::new(wrong, "give it another `path`")));
            }
        }
    }
    let encrypted = http.tls.is_some() || !http.proxies.trusted.is_empty();
    if !encrypted && !invitations.value.access.allow_http {
        found.push((invitations.with(()), access::over_plain_http()));
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::config::{self, Config, Environment, Problems};
    use std::path::Path;
    use std::time::Duration;

    fn parse(text: &str) -> Result<Config, Problems> {
        let environment = Environment::given(Path::new(""), &[("KEY", "the platform's")]);
        config::parse(text, "gateway.toml", &environment)
    }

    #[test]
    fn without_the_table_nobody_may_ask() {
        assert!(Config::builtin().invitations.is_none());
    }

    #[test]
    fn a_key_is_enough_where_the_way_is_encrypted() {
        let text = "http.trusted_proxies = [\"10.0.0.1\"]\n[invitations]\nsecrets = [\"env:KEY\"]";
        let taken = parse(text).expect("right").invitations.expect("there");
        assert_eq!(taken.secrets[0].reveal(), b"the platform's");
        assert_eq!((taken.tolerance, taken.key_id.as_deref()), (Duration::from_mins(5), None));
        assert_eq!(taken.access.path, "/v1/invitations");
        assert!(!taken.access.allow_http && taken.access.sources.is_empty());
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let open = "[invitations]\nallow_http = true\nsecrets = [\"env:KEY\"]\n";
        let with = |more: &str| format!("{open}{more}");
        let cases = [
            ("[invitations]\nallow_http = true".to_owned(), "1: invitations: `secrets` is missing"),
            (
                "[invitations]\nallow_http = true\nsecrets = []".to_owned(),
                "3: invitations.secrets: is empty",
            ),
            (
                "[invitations]\nsecrets = [\"env:KEY\"]".to_owned(),
                "1: invitations: is called over plain HTTP",
            ),
            (with("sources = []"), "4: invitations.sources: is empty"),
            (with("key_id = \"a b\""), "4: invitations.key_id: is not what a header can carry"),
            (with("tolerance = \"4d\""), "4: invitations.tolerance: a request that is repeated"),
            (with("path = \"/x\""), "4: invitations.path: there is no such key"),
            (
                with("[accounts.invitations]\ncarrier = \"aliyun-sms\"\nallow_http = true"),
                "4: accounts.invitations: is the name of the [invitations]",
            ),
            (
                with(
                    "[accounts.a]\ncarrier = \"tencent-vms\"\nallow_http = true\npath = \
                     \"/v1/invitations\"",
                ),
                "4: accounts.a: /v1/invitations is already answered by [invitations]",
            ),
        ];
        for (text, expected) in cases {
            let problems = parse(&text).expect_err("wrong").to_string();
            assert!(problems.contains(&format!("gateway.toml:{expected}")), "{text}\n{problems}");
        }
    }
}
