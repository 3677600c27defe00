//! Which account and route a path belongs to.

use crate::config::Account;
use crate::config::dialect::Route;
use std::collections::HashMap;
use std::sync::Arc;

/// Every path that is answered.
#[derive(Debug)]
pub(super) struct Routing {
    accounts: Vec<Arc<Account>>,
    /// The places of account and route, by path without a slash at its end.
    paths: HashMap<String, (usize, usize)>,
}

impl Routing {
    /// Of accounts that are called. Where two would answer at one path, which `check` refuses, it is
    /// the first.
    pub(super) fn new(accounts: Vec<Arc<Account>>) -> Routing {
        let mut paths = HashMap::new();
        for (place, account) in accounts.iter().enumerate() {
            for (number, route) in account.dialect.routes.iter().enumerate() {
                paths.entry(account.access.path_of(route)).or_insert((place, number));
            }
        }
        Routing { accounts, paths }
    }

    /// The account's place and the route of a path; a slash at its end says nothing.
    pub(super) fn find(&self, path: &str) -> Option<(usize, &Route)> {
        let (place, number) = *self.paths.get(path.strip_suffix('/').unwrap_or(path))?;
        Some((place, self.accounts.get(place)?.dialect.routes.get(number)?))
    }

    /// Whether a path that is not answered looks like an account's all the same.
    pub(super) fn nearly(&self, path: &str) -> bool {
        let below = |account: &Arc<Account>| {
            let access = &account.access;
            !access.path.is_empty() && access.below(path).is_some()
        };
        path.starts_with("/callback/") || self.accounts.iter().any(below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::samples;

    fn account(name: &str, path: &str, routes: &[&str]) -> Arc<Account> {
        Arc::new(samples::account(name, path, routes))
    }

    #[test]
    fn a_path_is_an_accounts_and_its_routes() {
        let shop = account("shop", "/callback/shop", &["", "report", "a/b"]);
        let huawei = account("huawei", "", &["common/sms/notifySmsMessage"]);
        let routing = Routing::new(vec![shop, huawei]);
        let found = |path| routing.find(path).map(|(place, route)| (place, route.name.as_str()));
        assert_eq!(found("/callback/shop"), Some((0, "")));
        assert_eq!(found("/callback/shop/"), Some((0, "")));
        assert_eq!(found("/callback/shop/report"), Some((0, "report")));
        assert_eq!(found("/callback/shop/a/b/"), Some((0, "a/b")));
        assert_eq!(found("/common/sms/notifySmsMessage"), Some((1, "common/sms/notifySmsMessage")));
        for path in ["/callback", "/callback/shop//", "/callback/shop/a", "/callback/Shop", "/", ""]
        {
            assert_eq!(found(path), None, "{path}");
        }
    }

    #[test]
    fn a_wrong_route_is_told_from_a_stranger() {
        let routing = Routing::new(vec![
            account("shop", "/hooks/shop", &[""]),
            account("huawei", "", &["common/sms"]),
        ]);
        assert!(routing.nearly("/hooks/shop/report"));
        assert!(routing.nearly("/callback/nobody"));
        assert!(!routing.nearly("/hooks"));
        assert!(!routing.nearly("/common"));
    }

    #[test]
    fn the_root_itself_may_be_an_accounts() {
        let routing = Routing::new(vec![account("root", "", &[""])]);
        assert_eq!(routing.find("/").map(|(place, _)| place), Some(0));
        assert!(routing.find("/x").is_none());
    }
}
