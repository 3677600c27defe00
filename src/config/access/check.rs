//! What holds between accounts, and between them and the listener.

use super::super::dialect::{Check, Dialect, Place};
use super::super::problem::Fault;
use super::super::raw::At;
use super::super::{Account, Http};
use std::collections::BTreeMap;

/// Accounts of which two answer at one path: each but the first in the file.
pub(in crate::config) fn clashes(accounts: &[&Account]) -> Vec<(At<()>, Fault)> {
    let mut called: Vec<&Account> = accounts.iter().copied().filter(|it| is_called(it)).collect();
    called.sort_by_key(|account| account.origin.line);
    let mut taken: BTreeMap<String, &Account> = BTreeMap::new();
    let mut found = Vec::new();
    for account in called {
        for path in account.dialect.routes.iter().map(|route| account.access.path_of(route)) {
            match taken.get(&path) {
                Some(first) => {
                    found.push((place(account), clash(&path, first)));
                    break;
                }
                None => drop(taken.insert(path, account)),
            }
        }
    }
    found
}

fn clash(path: &str, first: &Account) -> Fault {
    let path = if path.is_empty() { "/" } else { path };
    let wrong = format!("{path} is already answered by accounts.{} ({})", first.name, first.origin);
    Fault::new(wrong, "give one of them another `path`")
}

/// Accounts that would refuse everything, since all comes over plain HTTP.
pub(in crate::config) fn unreachable(http: &Http, accounts: &[&Account]) -> Vec<(At<()>, Fault)> {
    if http.tls.is_some() || !http.proxies.trusted.is_empty() {
        return Vec::new();
    }
    let refusing = |account: &&&Account| is_called(account) && !account.access.allow_http;
    accounts.iter().filter(refusing).map(|it| (place(it), over_plain_http())).collect()
}

/// What is wrong with being called where nothing is encrypted.
pub(in crate::config) fn over_plain_http() -> Fault {
    Fault::new(
        "is called over plain HTTP, which shows personal data and passwords to everyone on the way",
        "serve HTTPS with [http.tls], or name the proxy that does in http.trusted_proxies; or write \
         allow_http = true here",
    )
}

/// Accounts that want a client certificate which nobody is asked for.
pub(in crate::config) fn uncertified(http: &Http, accounts: &[&Account]) -> Vec<(At<()>, Fault)> {
    if http.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some()) {
        return Vec::new();
    }
    let wanting = |account: &&&Account| !account.access.client_certificates.is_empty();
    let wrong = "names `client_certificates`, but carriers are not asked for any";
    let right = "name the roots that vouch for them in http.tls.client_ca";
    accounts.iter().filter(wanting).map(|it| (place(it), Fault::new(wrong, right))).collect()
}

/// Accounts whose carrier signs the URL, when nobody says how it knows the URL.
pub(in crate::config) fn signed_without_url(
    http: &Http,
    accounts: &[&Account],
) -> Vec<(At<()>, Fault)> {
    let guessing = |account: &&&Account| {
        let told = http.external_url.is_some() || account.access.external_url.is_some();
        !told && is_called(account) && signs_url(&account.dialect)
    };
    let wrong = "the carrier signs the URL it calls, which is guessed from the Host header";
    let right = "write external_url = \"https://…\" under [http], or here the URL that the \
                 carrier's console has";
    accounts.iter().filter(guessing).map(|it| (place(it), Fault::new(wrong, right))).collect()
}

fn is_called(account: &Account) -> bool {
    account.access.connect.is_none() && !account.dialect.routes.is_empty()
}

fn signs_url(dialect: &Dialect) -> bool {
    let mut schemes = dialect.routes.iter().flat_map(|route| &route.auth.schemes);
    schemes.any(|scheme| match &scheme.check {
        Check::Twilio | Check::PlivoV2 | Check::PlivoV3 => true,
        Check::Digest(digest) => digest.signed().any(|source| source.place == Place::Url),
        Check::Jwt { url_hash, .. } => url_hash.is_some(),
        Check::Basic | Check::Token { .. } | Check::SdkHmacSha256 => false,
    })
}

fn place(account: &Account) -> At<()> {
    let key = format!("accounts.{}", account.name);
    At { value: (), key, origin: account.origin.clone() }
}

#[cfg(test)]
mod tests {
    use super::super::super::samples;
    use super::super::super::{Config, Connect, Tls};
    use super::super::{CertificateRule, Proxies};
    use super::*;
    use crate::config::dialect::Scheme;
    use std::path::PathBuf;
    use std::sync::Arc;

    fn account(line: usize, name: &str, path: &str, routes: &[&str]) -> Account {
        let mut account = samples::account(name, path, routes);
        account.origin.line = line;
        account
    }

    fn connecting(mut account: Account) -> Account {
        let url = "wss://asterisk.example/ari/events".parse().expect("a URL");
        account.access.connect = Some(Connect { url, ca: None });
        account
    }

    fn shown(found: Vec<(At<()>, Fault)>) -> Vec<String> {
        found.into_iter().map(|(place, fault)| place.problem(fault).to_string()).collect()
    }

    #[test]
    fn two_accounts_at_one_path_are_named_both() {
        let sms = account(3, "sms", "", &["common/sms", "common/voice"]);
        let voice = account(9, "a-voice", "/common", &["voice", "x"]);
        let apart = account(12, "apart", "/common/voice/b", &[""]);
        let [problem] = &shown(clashes(&[&voice, &apart, &sms]))[..] else { panic!("one problem") };
        assert_eq!(
            problem,
            "gateway.toml:9: accounts.a-voice: /common/voice is already answered by accounts.sms \
             (gateway.toml:3); give one of them another `path`"
        );
        let link = connecting(account(9, "link", "", &["common/sms"]));
        assert_eq!(shown(clashes(&[&sms, &link])).len(), 0);
    }

    #[test]
    fn plain_http_is_a_problem_with_three_ways_out() {
        let mut http = Config::builtin().http;
        let mut called = account(3, "a", "/callback/a", &[""]);
        let found = shown(unreachable(&http, &[&called]));
        for part in ["gateway.toml:3: accounts.a", "[http.tls]", "trusted_proxies", "allow_http"] {
            assert!(found.concat().contains(part), "{found:?}");
        }
        let link = connecting(account(3, "a", "/callback/a", &[""]));
        assert_eq!(shown(unreachable(&http, &[&link])).len(), 0);
        http.proxies.trusted = vec!["10.0.0.1/32".parse().expect("a network")];
        assert_eq!(shown(unreachable(&http, &[&called])).len(), 0);
        http.proxies = Proxies::default();
        called.access.allow_http = true;
        assert_eq!(shown(unreachable(&http, &[&called])).len(), 0);
    }

    #[test]
    fn a_certificate_that_nobody_asks_for_is_a_problem() {
        let mut http = Config::builtin().http;
        let mut wanting = account(3, "a", "/callback/a", &[""]);
        assert_eq!(shown(uncertified(&http, &[&wanting])).len(), 0);
        wanting.access.client_certificates = vec![CertificateRule::Fingerprint([0; 32])];
        assert_eq!(shown(uncertified(&http, &[&wanting])).len(), 1);
        let (certificate, key) = (PathBuf::new(), PathBuf::new());
        http.tls = Some(Tls { certificate, key, client_ca: Some(PathBuf::new()) });
        assert_eq!(shown(uncertified(&http, &[&wanting])).len(), 0);
    }

    #[test]
    fn a_signed_url_that_nobody_names_is_a_warning() {
        let mut http = Config::builtin().http;
        let mut signing = account(3, "a", "/callback/a", &[""]);
        assert_eq!(shown(signed_without_url(&http, &[&signing])).len(), 0);
        let twilio = Scheme {
            check: Check::Twilio,
            user: None,
            time: None,
            tolerance: std::time::Duration::ZERO,
            nonce: None,
        };
        Arc::make_mut(&mut signing.dialect).routes[0].auth.schemes = vec![twilio];
        assert_eq!(shown(signed_without_url(&http, &[&signing])).len(), 1);
        signing.access.external_url = Some("https://g.example".into());
        assert_eq!(shown(signed_without_url(&http, &[&signing])).len(), 0);
        signing.access.external_url = None;
        http.external_url = Some("https://g.example".into());
        assert_eq!(shown(signed_without_url(&http, &[&signing])).len(), 0);
    }
}
