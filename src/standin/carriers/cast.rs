//! The carriers of a day: accounts of those that bring answers of citizens, and the ways in which
//! each can say them.

use super::accounts::{self, EXTERNAL_URL};
use super::speaker::{KeyPair, Said, Speaker, Spoken, Unspoken, Way};
use crate::config::dialect::{Format, Route, RuleKind};
use crate::config::{Account, Problems};
use http::Method;
use rand::RngExt;
use rand::rngs::StdRng;
use std::sync::Arc;

/// The carriers of a day.
#[derive(Debug)]
pub struct Cast {
    keys: KeyPair,
    /// By account, so that each carrier has its turn however many ways it has.
    roles: Vec<Vec<Role>>,
}

/// One way of one carrier, kept by number beside its account.
#[derive(Debug)]
pub(super) struct Role {
    account: Arc<Account>,
    route: usize,
    rule: usize,
    method: Method,
    format: Format,
    packing: Option<usize>,
}

impl Cast {
    /// All built-in carriers that bring answers of citizens over HTTP, as accounts of
    /// [`accounts::configuration`] with this secret.
    ///
    /// # Errors
    /// What is wrong with a built-in dialect.
    pub fn built_in(secret: &str) -> Result<Cast, Problems> {
        let keys = KeyPair::of(secret);
        let accounts = accounts::load(&accounts::of_citizens(), secret)?;
        let roles = accounts.iter().map(|account| roles(account, &keys));
        let roles = roles.filter(|roles| !roles.is_empty()).collect();
        Ok(Cast { keys, roles })
    }

    /// One way of one carrier.
    pub(super) fn draw(&self, rng: &mut StdRng) -> &Role {
        let roles = &self.roles[rng.random_range(0..self.roles.len())];
        &roles[rng.random_range(0..roles.len())]
    }

    /// What a role says, signed as of its own time.
    pub(super) fn say(&self, role: &Role, said: &Said<'_>) -> Result<Spoken, Unspoken> {
        role.speaker(&self.keys).say(&role.way(), said, said.at)
    }
}

fn roles(account: &Arc<Account>, keys: &KeyPair) -> Vec<Role> {
    let speaker = Speaker { account, external_url: EXTERNAL_URL, keys: Some(keys) };
    let is_answer = |way: &Way<'_>| {
        matches!(way.rule.kind, RuleKind::SmsReply { .. } | RuleKind::Keypad { .. })
    };
    let role = |way: Way<'_>| {
        let routes = &account.dialect.routes;
        let route = routes.iter().position(|route| std::ptr::eq(route, way.route))?;
        let rule = way.route.events.iter().position(|rule| std::ptr::eq(rule, way.rule))?;
        let Way { method, format, packing, .. } = way;
        Some(Role { account: Arc::clone(account), route, rule, method, format, packing })
    };
    speaker.ways().into_iter().filter(is_answer).filter_map(role).collect()
}

impl Role {
    fn speaker<'r>(&'r self, keys: &'r KeyPair) -> Speaker<'r> {
        Speaker { account: &self.account, external_url: EXTERNAL_URL, keys: Some(keys) }
    }

    fn way(&self) -> Way<'_> {
        let (route, format, packing) = (self.route(), self.format, self.packing);
        let (rule, method) = (&route.events[self.rule], self.method.clone());
        Way { route, rule, method, format, packing }
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    pub(super) fn route(&self) -> &Route {
        &self.account.dialect.routes[self.route]
    }

    /// Whether citizens write here; else they press keys.
    pub(super) fn is_text(&self) -> bool {
        matches!(self.route().events[self.rule].kind, RuleKind::SmsReply { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn every_role_can_say_one() {
        let cast = Cast::built_in("test-secret").expect("right dialects");
        let at = Timestamp::from_second(1_772_677_230).expect("in range");
        let said = Said {
            caller: "13900000001",
            service: "8890",
            id: "7",
            call: "7",
            at,
            pass_through: "",
            content: "1",
        };
        for role in cast.roles.iter().flatten() {
            assert!(cast.say(role, &said).is_ok(), "{role:?}");
        }
        assert_eq!(cast.roles.len(), accounts::of_citizens().len());
    }
}
