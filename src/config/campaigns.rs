//! From the file as written to the checked types: campaigns.

use super::calls::call;
use super::conversation::conversation;
use super::problem::{Fault, listed, nearest, one_of};
use super::raw::{At, Node, Section};
use super::values::{self, kind, text};
use super::{Campaign, Complaints};
use crate::model::{
    AccountName, AreaCode, Brand, Direction, Level, NotAScheme, Scheme, TargetType,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use toml::de::DeValue;

/// The campaigns of a file.
#[derive(Default)]
pub(super) struct Campaigns {
    /// The good ones.
    pub(super) good: Vec<Arc<Campaign>>,
    /// All names, so that a mistake in a campaign is not reported again by its accounts.
    names: Vec<String>,
    /// What they need of accounts.
    pub(super) needs: Needs,
}

/// What campaigns need of accounts.
#[derive(Default)]
pub(super) struct Needs {
    /// Those that are to send.
    pub(super) senders: Vec<At<AccountName>>,
    /// Who asks in calls, and so needs a carrier that asks for their steps.
    pub(super) callers: Vec<At<()>>,
}

impl Campaigns {
    /// Whether there is one of this name.
    ///
    /// # Errors
    /// That there is none.
    pub(super) fn known(&self, name: &str) -> Result<(), Fault> {
        let names = || self.names.iter().map(String::as_str);
        if names().any(|known| known == name) {
            return Ok(());
        }
        let right = match nearest(name, names()) {
            Some(known) => format!("did you mean \"{known}\"?"),
            None if self.names.is_empty() => format!("write a [campaigns.{name}]"),
            None => format!("write a [campaigns.{name}], or name one of {}", listed(names())),
        };
        Err(Fault::new(format!("there is no campaign {name:?}"), right))
    }
}

/// Reads `[campaigns]`; without `complaints`, which were reported, none is good.
pub(super) fn campaigns(root: &mut Section<'_>, complaints: Option<&Arc<Complaints>>) -> Campaigns {
    let (mut names, mut needs) = (Vec::new(), Needs::default());
    // Every service number so far and the key under which it stands.
    let mut taken = BTreeMap::new();
    let good = root.each("campaigns", |name, section| {
        names.push(name.value.to_owned());
        campaign(name.value, section, complaints, &mut taken, &mut needs)
    });
    Campaigns { good, names, needs }
}

fn campaign(
    name: &str,
    section: &mut Section<'_>,
    complaints: Option<&Arc<Complaints>>,
    taken: &mut BTreeMap<String, String>,
    needs: &mut Needs,
) -> Option<Arc<Campaign>> {
    let service_numbers = service_numbers(section, taken);
    let right = "write service_numbers = [\"10690088\", \"8890*\"]";
    section.demand("service_numbers", right);
    section.demand_items("service_numbers", right);
    let extensions = extensions(section, &service_numbers);
    let brand = section.text("brand", "\"8890\"", |brand| {
        one_of(brand, "a brand", &Brand::ALL.map(|brand| (brand.name(), brand)))
    });
    let scheme = scheme(section);
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
    let conversation = conversation(section, &mut needs.senders);
    let call = call(section, scheme);
    needs.callers.extend(matches!(call, Some(Some(_))).then(|| section.here()));
    Some(Arc::new(Campaign {
        name: name.to_owned(),
        service_numbers,
        extensions,
        brand: brand.map_or_else(Brand::default, |brand| brand.value),
        scheme: scheme?,
        target: target?.value,
        sms_channel_code: sms_channel_code.map(|code| code.value),
        ivr_channel_code: ivr_channel_code.map(|code| code.value),
        complaints: Arc::clone(complaints?),
        conversation,
        call: call?,
    }))
}

/// Reads `scheme`, `levels` and `zero`.
fn scheme(section: &mut Section<'_>) -> Option<Scheme> {
    let direction = section.text("scheme", "\"asc\"", |scheme| match scheme {
        "asc" => Ok(Direction::Asc),
        "desc" => Ok(Direction::Desc),
        _ => Err(Fault::new(
            format!("{scheme:?} is not a scheme"),
            "write \"asc\" if 1 is 非常满意, \"desc\" if 5 is",
        )),
    });
    section.demand("scheme", "write scheme = \"asc\" if 1 is 非常满意, \"desc\" if 5 is");
    let levels = section.node("levels");
    let zero =
        section.text("zero", "\"decline\"", |zero| one_of(zero, "what 0 does", &[("decline", ())]));
    let direction = direction?.value;
    let scheme = match levels {
        None => Scheme::usual(direction, 5)?,
        Some(node) => match levels_of(&node, direction) {
            Ok(scheme) => scheme,
            Err(fault) => {
                node.reject(fault);
                return None;
            }
        },
    };
    Some(scheme.with_zero_declining(zero.is_some()))
}

/// The scheme of so many levels, or of each digit's own.
fn levels_of(node: &Node<'_>, direction: Direction) -> Result<Scheme, Fault> {
    const RIGHT: &str = "write 3, 4, 5 or 10, or the level (5 非常满意 to 1) of every digit from 1 \
                         on, levels = { \"1\" = 5, \"2\" = 3, \"3\" = 2 }";
    let Some(entries) = node.entries() else {
        let number = number(node.value)
            .ok_or_else(|| Fault::new(format!("is {}", kind(node.value)), RIGHT))?;
        let usual = Scheme::usual(direction, number);
        return usual.ok_or_else(|| Fault::new(format!("{number} is not usual"), RIGHT));
    };
    let mut levels = BTreeMap::new();
    for (digit, node) in entries {
        let place = digit.parse::<u8>().ok().filter(|number| number.to_string() == digit);
        let level = number(node.value).and_then(Level::from_number);
        match (place, level) {
            (Some(place), Some(level)) => drop(levels.insert(place, level)),
            _ => return Err(Fault::new(format!("says nothing at {digit:?}"), RIGHT)),
        }
    }
    if !levels.keys().copied().eq(1..=u8::try_from(levels.len()).unwrap_or(u8::MAX)) {
        return Err(Fault::new("leaves a digit out", RIGHT));
    }
    let levels: Vec<Level> = levels.into_values().collect();
    Scheme::new(direction, &levels).map_err(|fault| match fault {
        NotAScheme::Digits(_) => Fault::new(fault.to_string(), RIGHT),
        NotAScheme::Crooked => Fault::new(
            fault.to_string(),
            "in \"asc\" no later digit is better than an earlier one, in \"desc\" none is worse, and the \
             first and the last differ",
        ),
    })
}

fn number(value: &DeValue<'_>) -> Option<u8> {
    let DeValue::Integer(integer) = value else { return None };
    u8::from_str_radix(integer.as_str(), integer.radix()).ok()
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

/// Reads `extensions`: which district each names that may follow a prefix.
fn extensions(section: &mut Section<'_>, service_numbers: &[String]) -> BTreeMap<String, AreaCode> {
    const EXAMPLE: &str = "{ \"01\" = \"210100\" }";
    let mut good = BTreeMap::new();
    let Some(node) = section.node("extensions") else { return good };
    let Some(entries) = node.entries() else {
        node.reject(values::wrong_kind(node.value, "a table", EXAMPLE));
        return good;
    };
    for (extension, node) in entries {
        match area(extension, node.value) {
            Ok(area) => drop(good.insert(extension.to_owned(), area)),
            Err(fault) => node.reject(fault),
        }
    }
    if !service_numbers.is_empty() && !service_numbers.iter().any(|number| number.ends_with('*')) {
        let right = "write the service number that they follow as a prefix, \"8890*\"";
        node.reject(Fault::new("follow nothing: no service number is a prefix", right));
    }
    good
}

fn area(extension: &str, value: &DeValue<'_>) -> Result<AreaCode, Fault> {
    if extension.is_empty() || !extension.bytes().all(|byte| byte.is_ascii_graphic()) {
        let right = "write what follows the prefix, exactly as the carrier delivers it";
        return Err(Fault::new(format!("{extension:?} follows no service number"), right));
    }
    AreaCode::new(text(value, "\"210100\"")?).map_err(|bad| {
        let right = "write the six digits of GB/T 2260, for example \"210100\"";
        Fault::new(format!("{:?} is not an area code", bad.0), right)
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Environment, Problems, parse};
    use super::*;
    use std::path::Path;

    const HEAD: &str = "[campaigns.c]\nservice_numbers = [\"8890*\"]\ntarget = \"call\"\n";

    fn read(keys: &str) -> Result<Config, Problems> {
        parse(&format!("{HEAD}{keys}"), "f", &Environment::given(Path::new(""), &[]))
    }

    fn campaign(keys: &str) -> Arc<Campaign> {
        let config = read(keys).unwrap_or_else(|problems| panic!("{problems}"));
        Arc::clone(&config.campaigns[0])
    }

    #[test]
    fn a_scheme_alone_has_five_levels() {
        assert_eq!(campaign("scheme = \"asc\"").scheme, Scheme::ASC);
        assert_eq!(campaign("scheme = \"desc\"\nlevels = 5").scheme, Scheme::DESC);
        let three = campaign("scheme = \"asc\"\nlevels = 3\nzero = \"decline\"").scheme;
        assert_eq!((three.highest(), three.zero_declines()), (3, true));
        let own = campaign("scheme = \"asc\"\nlevels = { 1 = 5, 2 = 3, \"3\" = 2 }").scheme;
        assert_eq!(own.levels().map(Level::number).collect::<Vec<_>>(), [5, 3, 2]);
        assert!(!own.zero_declines());
    }

    #[test]
    fn extensions_name_districts_and_a_brand_may_be_the_other() {
        let keys = "scheme = \"asc\"\nbrand = \"12345\"\nextensions = { \"01\" = \"210100\" }";
        let campaign = campaign(keys);
        assert_eq!(campaign.brand, Brand::Hotline12345);
        assert_eq!(campaign.extensions["01"].as_str(), "210100");
    }

    #[test]
    fn what_is_no_scheme_is_said_at_its_line() {
        for (keys, expected) in [
            ("levels = 6", "f:5: campaigns.c.levels: 6 is not usual; write 3, 4, 5 or 10"),
            ("levels = \"3\"", "campaigns.c.levels: is a text"),
            ("levels = { 1 = 5, 3 = 2 }", "leaves a digit out"),
            ("levels = { 1 = 5, 2 = 6 }", "says nothing at \"2\""),
            ("levels = { 1 = 5, 02 = 3 }", "says nothing at \"02\""),
            ("levels = { 0 = 5, 1 = 3 }", "leaves a digit out"),
            ("levels = { 1 = 5 }", "a scheme has 2 to 10 digits, and this has 1"),
            ("levels = {}", "and this has 0"),
            ("levels = { 1 = 2, 2 = 5 }", "do not run from one end to the other"),
            ("levels = { 1 = 5, 2 = 5 }", "do not run from one end to the other"),
            ("zero = \"declines\"", "did you mean \"decline\"?"),
            ("brand = \"8889\"", "did you mean \"8890\"?"),
            ("extensions = [\"01\"]", "campaigns.c.extensions: is an array, not a table"),
            ("extensions = { \"01\" = \"沈阳\" }", "\"沈阳\" is not an area code"),
            ("extensions = { \"01\" = 210100 }", "is a number, not a text"),
            ("extensions = { \"0 1\" = \"210100\" }", "follows no service number"),
            ("quiet_hours = \"22:00\"", "there is no such key"),
        ] {
            let problems = read(&format!("scheme = \"asc\"\n{keys}")).expect_err(keys).to_string();
            assert!(problems.contains(expected), "{keys}\n{problems}");
        }
        let exact = "[campaigns.c]\nservice_numbers = [\"8890\"]\ntarget = \"call\"\n\
                     scheme = \"asc\"\nextensions = { \"01\" = \"210100\" }";
        let problems = parse(exact, "f", &Environment::given(Path::new(""), &[]));
        let problems = problems.expect_err("nothing follows").to_string();
        assert!(problems.contains("no service number is a prefix"), "{problems}");
    }
}
