//! Which campaign an answer belongs to.

use crate::config::{Account, Campaign};
use crate::model::{AreaCode, ServiceNumber};
use std::sync::Arc;

/// The campaign that claims this service number most precisely: the number itself, else the
/// longest prefix, else the account's default. `None`: nobody asked, so the answer stays unmatched.
#[must_use]
pub fn choose_campaign<'a>(
    campaigns: &'a [Arc<Campaign>],
    account: &Account,
    service: Option<&ServiceNumber>,
) -> Option<&'a Arc<Campaign>> {
    let by_number = service.and_then(|service| claiming(campaigns, &service.0));
    by_number.or_else(|| {
        let default = account.default_campaign.as_deref()?;
        campaigns.iter().find(|campaign| campaign.name == default)
    })
}

/// The district that the extension of a service number names in a campaign: what follows the
/// longest of its prefixes. `None` for a number that it claims whole or not at all, and for an
/// extension that it does not list.
#[must_use]
pub fn area<'a>(campaign: &'a Campaign, service: &ServiceNumber) -> Option<&'a AreaCode> {
    let patterns = campaign.service_numbers.iter();
    let claims = patterns.filter_map(|pattern| precision(pattern, &service.0));
    campaign.extensions.get(service.0.get(claims.max()?..)?)
}

fn claiming<'a>(campaigns: &'a [Arc<Campaign>], service: &str) -> Option<&'a Arc<Campaign>> {
    let claims = campaigns.iter().flat_map(|campaign| {
        let patterns = campaign.service_numbers.iter();
        patterns.filter_map(move |pattern| Some((precision(pattern, service)?, campaign)))
    });
    claims.max_by_key(|(precision, _)| *precision).map(|(_, campaign)| campaign)
}

/// How precisely a pattern, `8890` or `8890*`, claims a number; `None` when it does not.
fn precision(pattern: &str, service: &str) -> Option<usize> {
    match pattern.strip_suffix('*') {
        Some(prefix) => service.starts_with(prefix).then_some(prefix.len()),
        None => (pattern == service).then_some(usize::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialogue::interpret::tests::{account, campaign};

    #[test]
    fn an_extension_names_its_district() {
        let codes = [("01", "210100"), ("1", "210200")];
        let extensions = codes
            .map(|(extension, code)| (extension.to_owned(), AreaCode::new(code).expect("a code")));
        let service_numbers = ["8890*", "88900*", "889001"].map(str::to_owned).to_vec();
        let campaign = Campaign { service_numbers, extensions: extensions.into(), ..campaign() };
        for (service, expected) in [
            ("8890", None),
            // Behind the longest prefix, 88900.
            ("8890011", None),
            ("88900", None),
            ("889001", None),
            ("889002", None),
            ("88901", Some("210200")),
            ("889001", None),
            ("8890001", Some("210100")),
            ("12345", None),
            ("1234501", None),
            ("8890辽", None),
        ] {
            let service = ServiceNumber(service.to_owned());
            let found = area(&campaign, &service).map(AreaCode::as_str);
            assert_eq!(found, expected, "{service}");
        }
    }

    #[test]
    fn the_most_precise_claim_wins() {
        let asked = |name: &str, numbers: &[&str]| {
            let service_numbers = numbers.iter().map(ToString::to_string).collect();
            Arc::new(Campaign { name: name.to_owned(), service_numbers, ..campaign() })
        };
        let campaigns = [
            asked("any", &["8890*"]),
            asked("exact", &["12345", "889001"]),
            asked("long", &["88900*"]),
        ];
        let chosen = |service: Option<&str>, default: Option<&str>| {
            let mut account = account();
            account.default_campaign = default.map(str::to_owned);
            let service = service.map(|number| ServiceNumber(number.to_owned()));
            choose_campaign(&campaigns, &account, service.as_ref()).map(|found| found.name.clone())
        };
        for (service, expected) in [
            ("8890", Some("any")),
            ("88901", Some("any")),
            ("88900", Some("long")),
            ("889002", Some("long")),
            ("889001", Some("exact")),
            ("12345", Some("exact")),
            ("123456", None),
            ("", None),
        ] {
            assert_eq!(chosen(Some(service), None).as_deref(), expected, "{service}");
        }
        assert_eq!(chosen(None, None), None);
        assert_eq!(chosen(None, Some("any")).as_deref(), Some("any"));
        assert_eq!(chosen(Some("12345"), Some("any")).as_deref(), Some("exact"));
        assert_eq!(chosen(Some("10086"), Some("any")).as_deref(), Some("any"));
        assert_eq!(chosen(Some("10086"), Some("gone")), None);
    }
}
