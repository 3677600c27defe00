//! Where the citizen of a campaign is heard: the accounts and numbers by which texts and keys come to it. Pure.

use crate::config::dialect::RuleKind;
use crate::config::{Account, Campaign, Config};
use crate::dialogue::choose_campaign;
use crate::model::{AccountName, ServiceNumber};
use std::fmt;
use std::sync::Arc;

/// An account and the service number at which it hears citizens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The account.
    pub(super) account: AccountName,
    /// The number; `None`: the account leads to the campaign where none is known.
    pub(super) service: Option<ServiceNumber>,
}

/// The lines of a campaign; `None`: nothing of the kind can come to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lines {
    /// Of texts.
    pub(super) texts: Option<Line>,
    /// Of keys and calls.
    pub(super) calls: Option<Line>,
}

impl Lines {
    /// The lines of a campaign, at the account of this name if one is given.
    pub(super) fn of(campaign: &Campaign, config: &Config, only: Option<&AccountName>) -> Lines {
        let line = |hears: fn(&RuleKind) -> bool| {
            let hearing = |account: &&Arc<Account>| {
                let mut routes = account.dialect.routes.iter();
                routes.any(|route| route.events.iter().any(|rule| hears(&rule.kind)))
            };
            let named = |account: &&Arc<Account>| only.is_none_or(|only| *only == account.name);
            let mut accounts: Vec<&Arc<Account>> =
                config.accounts.values().filter(named).filter(hearing).collect();
            accounts.sort_by_key(|account| closeness(account, campaign));
            accounts.into_iter().find_map(|account| line_at(account, campaign, config))
        };
        Lines {
            texts: line(|kind| matches!(kind, RuleKind::SmsReply { .. })),
            calls: line(|kind| matches!(kind, RuleKind::Keypad { .. })),
        }
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = [("texts", &self.texts), ("keys", &self.calls)].map(|(what, line)| match line {
            Some(Line { account, service: Some(ServiceNumber(number)) }) => {
                format!("{what} to {number} come by {account}")
            }
            Some(Line { account, service: None }) => format!("{what} come by {account}"),
            None => format!("nobody brings {what}"),
        });
        f.write_str(&said.join(", "))
    }
}

/// First the account that also sends, then those that lead to the campaign by themselves.
fn closeness(account: &Account, campaign: &Campaign) -> u8 {
    let sender = campaign.conversation.as_ref().and_then(|it| it.sender.as_ref());
    if sender == Some(&account.name) {
        0
    } else if account.default_campaign.as_ref() == Some(&campaign.name) {
        1
    } else {
        2
    }
}

/// A number at which what this account hears comes to the campaign.
fn line_at(account: &Account, campaign: &Campaign, config: &Config) -> Option<Line> {
    let numbers = campaign.service_numbers.iter();
    let numbers = numbers.map(|pattern| ServiceNumber(pattern.trim_end_matches('*').to_owned()));
    let leads = |service: &Option<ServiceNumber>| {
        let chosen = choose_campaign(&config.campaigns, account, service.as_ref());
        chosen.is_some_and(|chosen| chosen.name == campaign.name)
    };
    let service = numbers.map(Some).chain([None]).find(leads)?;
    Some(Line { account: account.name.clone(), service })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, parse};
    use std::path::Path;

    const CONFIG: &str = r#"
        [accounts.a-voice]
        carrier = "tencent-vms"
        allow_http = true
        [accounts.b-sms]
        carrier = "yunpian"
        allow_http = true
        secrets = ["env:NOT_THERE"]
        [accounts.c-sms]
        carrier = "jasmin"
        allow_http = true
        default_campaign = "bare"
        [accounts.c-sms.send]
        url = "https://jasmin.example"
        user = "u"
        secret = "env:NOT_THERE"
        values = { report_url = "https://gateway.example/callback/c-sms" }
        [campaigns.talk]
        service_numbers = ["10690", "1069*"]
        scheme = "asc"
        target = "case"
        [campaigns.talk.conversation]
        sender = "c-sms"
        thank_you = "感谢"
        [campaigns.exact]
        service_numbers = ["1069", "106"]
        scheme = "asc"
        target = "call"
        [campaigns.bare]
        service_numbers = ["106*"]
        scheme = "asc"
        target = "call"
    "#;

    fn lines(campaign: &str, only: Option<&str>) -> (Option<String>, Option<String>) {
        let config = parse(CONFIG, "f", &Environment::without_secrets(Path::new("")));
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        let found = config.campaigns.iter().find(|it| it.name == campaign).expect("it is there");
        let only = only.map(|name| AccountName::new(name).expect("a name"));
        let Lines { texts, calls } = Lines::of(found, &config, only.as_ref());
        let shown = |line: Option<Line>| {
            let Line { account, service } = line?;
            Some(format!("{account} {}", service.map(|it| it.0).unwrap_or_default()))
        };
        (shown(texts), shown(calls))
    }

    #[test]
    fn texts_come_to_the_one_who_sends_and_keys_to_a_voice_account() {
        let found = (Some("c-sms 10690".to_owned()), Some("a-voice 10690".to_owned()));
        assert_eq!(lines("talk", None), found);
        assert_eq!(lines("talk", Some("b-sms")), (Some("b-sms 10690".to_owned()), None));
        assert_eq!(lines("exact", None).0, Some("b-sms 1069".to_owned()));
    }

    #[test]
    fn where_others_claim_the_numbers_an_account_leads_to_the_campaign() {
        assert_eq!(lines("bare", None), (Some("c-sms ".to_owned()), None));
        assert_eq!(lines("bare", Some("b-sms")), (None, None));
    }
}
