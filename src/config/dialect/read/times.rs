//! Times: where they stand, how they are written, and in which zone.

use super::super::{Field, TimeField, TimeForm};
use super::fields::{Need, shaped};
use super::places::Ground;
use super::values::map;
use crate::config::accounts;
use crate::config::problem::{Fault, one_of};
use crate::config::raw::{At, Section};
use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::{Offset, TimeZone};

/// Reads `time`.
pub(super) fn time(section: &mut Section<'_>, ground: &Ground, need: Need) -> Option<TimeField> {
    let (field, rest) = shaped(section, "time", ground, need, |table| {
        let form = table.text("form", "\"epoch_ms\"", form);
        let zone = zone(table, form.as_ref());
        (map(table, "map"), form.map(|form| form.value), zone)
    })?;
    let (map, form, zone) = rest.unwrap_or_default();
    Some(TimeField { field: Field { map, ..field }, form: form.unwrap_or(TimeForm::Local), zone })
}

fn zone(table: &mut Section<'_>, form: Option<&At<TimeForm>>) -> Option<Offset> {
    let tells =
        |form: &&At<TimeForm>| !matches!(form.value, TimeForm::Local | TimeForm::Pattern(_));
    if form.filter(tells).is_some() {
        let right = "remove it; only local times and patterns need one";
        table.refuse("zone", || Fault::new("is not needed: this form tells the moment", right));
        return None;
    }
    table.text("zone", "\"+08:00\"", accounts::offset).map(|zone| zone.value)
}

fn form(text: &str) -> Result<TimeForm, Fault> {
    if text.contains('%') {
        return pattern(text);
    }
    let named: Vec<(&str, usize)> =
        TimeForm::NAMES.iter().enumerate().map(|(at, (name, _))| (*name, at)).collect();
    let at = one_of(text, "a form of times", &named).map_err(|Fault { wrong, right }| {
        Fault::new(wrong, format!("{right}; or a pattern such as \"%Y/%m/%d %H:%M\""))
    })?;
    Ok(TimeForm::NAMES[at].1.clone())
}

/// The form of a time that we write, whose pattern need not be readable.
pub(super) fn written_form(text: &str) -> Result<TimeForm, Fault> {
    if !text.contains('%') {
        return form(text);
    }
    let moment = Timestamp::UNIX_EPOCH.to_zoned_datetime(TimeZone::UTC);
    match strtime::format(text, &moment) {
        Ok(_) => Ok(TimeForm::Pattern(text.to_owned())),
        Err(error) => Err(Fault::new(
            format!("{text:?} is not a pattern ({error})"),
            "write for example \"%Y%m%d%H%M%S\" or \"%m%d%H%M%S\"",
        )),
    }
}

/// A pattern that reads what it writes.
fn pattern(text: &str) -> Result<TimeForm, Fault> {
    let fault = |wrong: String| {
        let right = "write for example \"%Y%m%d%H%M\" or \"%d/%m/%Y %H:%M:%S\", with date and hour";
        Fault::new(wrong, right)
    };
    let moment = Timestamp::UNIX_EPOCH.to_zoned_datetime(TimeZone::UTC);
    let written = strtime::format(text, &moment)
        .map_err(|error| fault(format!("{text:?} is not a pattern ({error})")))?;
    let parsed = strtime::parse(text, &written)
        .map_err(|error| fault(format!("{text:?} cannot read what it writes ({error})")))?;
    match (parsed.to_datetime(), parsed.hour()) {
        (Ok(_), Some(_)) => Ok(TimeForm::Pattern(text.to_owned())),
        (Ok(_), None) => Err(fault(format!("{text:?} has no hour"))),
        (Err(error), _) => Err(fault(format!("{text:?} does not make a time ({error})"))),
    }
}
