//! From the file as written to the checked types: accounts.

use super::Account;
use super::access;
use super::campaigns::Campaigns;
use super::check::KEEPING;
use super::dialect;
use super::problem::Fault;
use super::raw::{At, Section};
use super::recordings::recordings;
use super::sending::{Sender, sending};
use crate::model::{AccountName, Secret};
use jiff::tz::Offset;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// China has one zone, and most accounts are there.
const OFFSET: &str = "+08:00";
const COUNTRY: &str = "86";

pub(super) fn accounts(
    root: &mut Section<'_>,
    campaigns: &Campaigns,
    remembered: Option<Duration>,
) -> BTreeMap<AccountName, Arc<Account>> {
    let accounts =
        root.each("accounts", |name, section| account(&name, section, campaigns, remembered));
    accounts.into_iter().map(|account| (account.name.clone(), Arc::new(account))).collect()
}

fn account(
    name: &At<&str>,
    section: &mut Section<'_>,
    campaigns: &Campaigns,
    remembered: Option<Duration>,
) -> Option<Account> {
    let checked = AccountName::new(name.value).map_err(|_| {
        let wrong = format!("{:?} cannot stand in a URL", name.value);
        let right = "name accounts with 1 to 64 of a-z, 0-9 and inner `-`";
        section.reject(name, Fault::new(wrong, right));
    });
    let carrier = section.text("carrier", "\"aliyun-sms\"", |key| Ok(key.to_owned()));
    section.demand("carrier", "write the key of its carrier, for example carrier = \"yunpian\"");
    let dialect = carrier.as_ref().and_then(|carrier| dialect::read(carrier, section));
    let user = section.text("user", "\"J8890\"", |user| Ok(user.to_owned()));
    let (has_secrets, secrets) = secrets(section);
    let access = access::access(name.value, section, dialect.as_deref());
    let tolerance = section.duration("tolerance", KEEPING);
    if let Some(dialect) = &dialect {
        let (user, tolerance) = (user.as_ref(), tolerance.as_ref());
        let secrets = &secrets;
        let given = dialect::Given { name, user, tolerance, has_secrets, secrets, remembered };
        dialect::check_account(section, dialect, &given);
    }
    let offset = section.text("offset", "\"+08:00\"", offset);
    let country = section.text("country", "\"86\"", country);
    let default_campaign = section.text("default_campaign", "\"hotline\"", |name| {
        campaigns.known(name)?;
        Ok(name.to_owned())
    });
    let checked = checked.ok();
    let offset = offset.map_or_else(|| offset_of(OFFSET), |offset| Some(offset.value));
    let country = country.map_or_else(|| COUNTRY.to_owned(), |country| country.value);
    let send = match (&dialect, offset) {
        (Some(dialect), Some(offset)) => {
            let account = checked.clone();
            sending(section, &Sender { account, dialect, offset, country: &country })
        }
        _ => {
            section.node("send");
            None
        }
    };
    let recordings = recordings(section, checked.as_ref());
    Some(Account {
        name: checked?,
        access: access?,
        dialect: dialect?,
        user: user.map(|user| user.value),
        secrets: secrets.into_iter().map(|secret| secret.value).collect(),
        tolerance: tolerance.map(|tolerance| tolerance.value),
        offset: offset?,
        country,
        default_campaign: default_campaign.map(|name| name.value),
        send: send?.map(Arc::new),
        recordings: recordings?.map(Arc::new),
        origin: name.origin.clone(),
    })
}

/// Whether any are named, and those that are there.
pub(super) fn secrets(section: &mut Section<'_>) -> (bool, Vec<At<Secret>>) {
    let named = section.references("secrets").map(|list| list.value);
    // A reference that is none was reported and is still an attempt to name one.
    let written = section.node("secrets").and_then(|node| Some(node.items()?.count()));
    let mut secrets = Vec::new();
    for reference in named.unwrap_or_default() {
        match section.secret(&reference) {
            Ok(secret) => secrets.push(reference.with(secret)),
            Err(fault) => section.reject(&reference, fault),
        }
    }
    (written.is_some_and(|written| written > 0), secrets)
}

pub(super) fn offset(text: &str) -> Result<Offset, Fault> {
    offset_of(text).ok_or_else(|| {
        let wrong = format!("{text:?} is not an offset from UTC");
        Fault::new(wrong, "write for example \"+08:00\" or \"-03:30\"")
    })
}

/// An id of a key, as it goes into a header.
pub(super) fn key_id(id: &str) -> Result<String, Fault> {
    match id.len() {
        1..=64 if id.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(id.to_owned()),
        _ => Err(Fault::new(
            "is not what a header can carry",
            "write 1 to 64 ASCII letters, digits and signs, without spaces",
        )),
    }
}

/// Reads `±HH:MM`.
fn offset_of(text: &str) -> Option<Offset> {
    let (sign, clock) = match text.split_at_checked(1)? {
        ("+", clock) => (1, clock),
        ("-", clock) => (-1, clock),
        _ => return None,
    };
    let (hours, minutes) = clock.split_once(':')?;
    let number = |digits: &str| match digits.len() {
        2 if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse::<i32>().ok(),
        _ => None,
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let fits = hours <= 14 && minutes <= 59;
    fits.then(|| Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok())?
}

fn country(text: &str) -> Result<String, Fault> {
    let fits = (1..=3).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && !text.starts_with('0');
    if fits {
        return Ok(text.to_owned());
    }
    let wrong = format!("{text:?} is not a calling code");
    Err(Fault::new(wrong, "write 1 to 3 digits without `+` or zeros in front, for example \"86\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_as_clocks_write_them() {
        assert_eq!(offset_of(OFFSET).map(Offset::seconds), Some(8 * 3600));
        assert_eq!(offset_of("-03:30").map(Offset::seconds), Some(-(3 * 3600 + 30 * 60)));
        for bad in ["", "+", "8", "+8:00", "+15:00", "+08:60", "+0800", "08:00", "＋08:00"] {
            assert_eq!(offset_of(bad), None, "{bad}");
        }
    }
}
