//! From the file as written to the checked types: accounts, campaigns, and how they refer to
//! each other.

use super::access;
use super::check::KEEPING;
use super::conversation::conversation;
use super::dialect;
use super::problem::{Fault, listed, nearest};
use super::raw::{At, Section};
use super::values::text;
use super::{Account, Campaign};
use crate::model::{AccountName, Scheme, Secret, TargetType};
use jiff::tz::Offset;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// China has one zone, and most accounts are there.
const OFFSET: &str = "+08:00";
const COUNTRY: &str = "86";

/// The campaigns of a file.
#[derive(Default)]
pub(super) struct Campaigns {
    /// The good ones.
    pub(super) good: Vec<Arc<Campaign>>,
    /// All names, so that a mistake in a campaign is not reported again by its accounts.
    names: Vec<String>,
}

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
        known_campaign(name, campaigns)?;
        Ok(name.to_owned())
    });
    Some(Account {
        name: checked.ok()?,
        access: access?,
        dialect: dialect?,
        user: user.map(|user| user.value),
        secrets: secrets.into_iter().map(|secret| secret.value).collect(),
        tolerance: tolerance.map(|tolerance| tolerance.value),
        offset: offset.map_or_else(|| offset_of(OFFSET), |offset| Some(offset.value))?,
        country: country.map_or_else(|| COUNTRY.to_owned(), |country| country.value),
        default_campaign: default_campaign.map(|name| name.value),
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

fn known_campaign(name: &str, campaigns: &Campaigns) -> Result<(), Fault> {
    let names = || campaigns.names.iter().map(String::as_str);
    if names().any(|known| known == name) {
        return Ok(());
    }
    let right = match nearest(name, names()) {
        Some(known) => format!("did you mean \"{known}\"?"),
        None if campaigns.names.is_empty() => format!("write a [campaigns.{name}]"),
        None => format!("write a [campaigns.{name}], or name one of {}", listed(names())),
    };
    Err(Fault::new(format!("there is no campaign {name:?}"), right))
}

pub(super) fn campaigns(root: &mut Section<'_>) -> Campaigns {
    let mut names = Vec::new();
    // Every service number so far and the key under which it stands.
    let mut taken = BTreeMap::new();
    let good = root.each("campaigns", |name, section| {
        names.push(name.value.to_owned());
        campaign(name.value, section, &mut taken)
    });
    Campaigns { good, names }
}

fn campaign(
    name: &str,
    section: &mut Section<'_>,
    taken: &mut BTreeMap<String, String>,
) -> Option<Arc<Campaign>> {
    let service_numbers = service_numbers(section, taken);
    let right = "write service_numbers = [\"10690088\", \"8890*\"]";
    section.demand("service_numbers", right);
    section.demand_items("service_numbers", right);
    let scheme = section.text("scheme", "\"asc\"", |scheme| match scheme {
        "asc" => Ok(Scheme::Asc),
        "desc" => Ok(Scheme::Desc),
        _ => Err(Fault::new(
            format!("{scheme:?} is not a scheme"),
            "write \"asc\" if 1 is 非常满意, \"desc\" if 5 is",
        )),
    });
    section.demand("scheme", "write scheme = \"asc\" if 1 is 非常满意, \"desc\" if 5 is");
    let target = section.text("target", "\"call\"", |target| match target {
        "call" => Ok(TargetType::Call),
        "case" => Ok(TargetType::Case),
        _ => Err(Fault::new(
            format!("{target:?} cannot be rated"),
            "write \"call\" (一次一评) or \"case\" (一事一评)",
        )),
    });
    section.demand("target", "write target = \"call\" (一次一评) or \"case\" (一事一评)");
    let sms_channel_code = section.count("sms_channel_code", 0..=u8::MAX);
    let ivr_channel_code = section.count("ivr_channel_code", 0..=u8::MAX);
    let conversation = conversation(section);
    Some(Arc::new(Campaign {
        name: name.to_owned(),
        service_numbers,
        scheme: scheme?.value,
        target: target?.value,
        sms_channel_code: sms_channel_code.map(|code| code.value),
        ivr_channel_code: ivr_channel_code.map(|code| code.value),
        conversation,
    }))
}

fn service_numbers(section: &mut Section<'_>, taken: &mut BTreeMap<String, String>) -> Vec<String> {
    let example = "[\"10690088\", \"8890*\"]";
    let Some(numbers) =
        section.list("service_numbers", example, |item| service_number(text(item, example)?))
    else {
        return Vec::new();
    };
    let mut good = Vec::new();
    for number in numbers.value {
        match taken.get(&number.value) {
            Some(other) => {
                let wrong = format!("{:?} already stands in {other}", number.value);
                section.reject(&number, Fault::new(wrong, "give it to one campaign only"));
            }
            None => {
                taken.insert(number.value.clone(), number.key.clone());
                good.push(number.value);
            }
        }
    }
    good
}

fn service_number(text: &str) -> Result<String, Fault> {
    let number = text.strip_suffix('*').unwrap_or(text);
    let fits = (1..=32).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*');
    if fits {
        return Ok(text.to_owned());
    }
    Err(Fault::new(
        format!("{text:?} is not a service number"),
        "write it exactly as the carrier delivers it, or the start of it and `*`; for all other \
         numbers of an account there is its default_campaign",
    ))
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
