//! Accounts for playing the built-in carriers: one text for the gateway that is called and for the
//! speakers that call it.

use super::Success;
use super::speaker::KeyPair;
use crate::carrier::{self, Answer, Call};
use crate::config::dialect::{Dialect, Route, SecretUse, Transport, Written};
use crate::config::{self, Account, Environment, Problems};
use bytes::Bytes;
use http::{HeaderMap, Method};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

/// The gateway as the carriers know it.
pub const EXTERNAL_URL: &str = "https://gateway.8890.example";

/// Where the accounts find the secret that their carriers sign with.
pub const SECRET_VARIABLE: &str = "CARRIER_SECRET";
/// Where those that trust public keys find that of [`KeyPair::of`] the secret, in Base64.
pub const PUBLIC_KEY_VARIABLE: &str = "CARRIER_PUBLIC_KEY";

/// The carriers that bring answers of citizens over HTTP.
#[must_use]
pub fn of_citizens() -> Vec<&'static str> {
    let heard = |key: &&str| {
        config::load_built_in(key).is_some_and(|dialect| {
            let mut routes = dialect.routes.iter();
            dialect.transport == Transport::Http && routes.any(|route| route.hears_citizens())
        })
    };
    config::built_in().map(|(key, _)| key).filter(heard).collect()
}

/// An account for each of these carriers under its own name, and a campaign that all of them ask
/// for.
#[must_use]
pub fn configuration(carriers: &[&str]) -> String {
    let mut text = String::from(
        "[campaigns.hotline]\nservice_numbers = [\"8890*\"]\nscheme = \"asc\"\ntarget = \"call\"\n",
    );
    for key in carriers {
        text.push_str(&format!(
            "\n[accounts.{key}]\ncarrier = \"{key}\"\nallow_http = true\n\
             default_campaign = \"hotline\"\n"
        ));
        let dialect = config::load_built_in(key);
        if let Some(variable) = dialect.as_deref().and_then(secret) {
            // Writing to a string does not fail.
            let _written = writeln!(text, "secrets = [\"env:{variable}\"]");
        }
    }
    text
}

/// The variables that the accounts' secrets come from.
#[must_use]
pub fn variables(secret: &str) -> [(&'static str, String); 2] {
    let public = KeyPair::of(secret).public(Written::Base64);
    let public = String::from_utf8_lossy(&public).into_owned();
    [(SECRET_VARIABLE, secret.to_owned()), (PUBLIC_KEY_VARIABLE, public)]
}

/// The accounts themselves, as the gateway reads them.
///
/// # Errors
/// What is wrong with a built-in dialect.
pub fn load(carriers: &[&str], secret: &str) -> Result<Vec<Arc<Account>>, Problems> {
    let variables = variables(secret);
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let environment = Environment::given(Path::new(""), &variables);
    let config = config::parse(&configuration(carriers), "stand-in carriers", &environment)?;
    Ok(config.accounts.into_values().collect())
}

/// What the carrier takes for success at each path of the accounts.
#[must_use]
pub fn successes(accounts: &[Arc<Account>]) -> BTreeMap<String, Success> {
    let routes = accounts.iter().flat_map(|account| {
        account.dialect.routes.iter().map(|route| (account.access.path_of(route), route))
    });
    routes.map(|(path, route)| (path, success(route))).collect()
}

/// What is answered when there is nothing to echo.
fn success(route: &Route) -> Success {
    let (headers, body) = (HeaderMap::new(), Bytes::new());
    let method = &Method::POST;
    let call =
        Call { method, route, target: "", query: "", url: "", headers: &headers, body: &body };
    carrier::answer(&call, &Answer::Accepted).into()
}

fn secret(dialect: &Dialect) -> Option<&'static str> {
    let mut schemes = dialect.routes.iter().flat_map(|route| &route.auth.schemes);
    match dialect.secrets() {
        SecretUse::Never => None,
        _ if schemes.any(super::speaker::is_asymmetric) => Some(PUBLIC_KEY_VARIABLE),
        SecretUse::Optional | SecretUse::Required => Some(SECRET_VARIABLE),
    }
}
