//! A rating in the fields of the national interface. What a record does not say is not made up:
//! the field is left out, and where it must be there the record cannot be written.

use super::CHINA;
use crate::config::National;
use crate::config::national::Field;
use crate::egress::profile::Unwritable;
use crate::model::{
    Caller, Channel, Level, Matter, Meaning, OptionCode, Record, Target, TargetType,
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The characters of a unified social credit code (GB 32100-2015).
const CREDIT_CODE: usize = 18;

/// The characters of a handling item's code, which begins with its matter's.
const HANDLE_ITEM: usize = 33;

/// The characters of a matter's code.
const TASK: usize = 31;

/// The fields of one rating by their names.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Fields<'a>(BTreeMap<&'a str, Value>);

impl<'a> Fields<'a> {
    /// The fields of a record.
    ///
    /// # Errors
    /// [`Unwritable`] with the first field that it lacks and must have.
    pub(super) fn of(record: &'a Record, national: &'a National) -> Result<Fields<'a>, Unwritable> {
        let Meaning::Rating { level, target, .. } = &record.meaning else {
            return Err(missing(Field::Satisfaction.name()));
        };
        let mut fields = Fields(BTreeMap::new());
        fields.rating(record, *level, national);
        fields.subject(record, target, national);
        for field in &national.leave_out {
            fields.0.remove(field.name());
        }
        if level.is_bad() && !fields.gives_a_reason() {
            return Err(missing("evalDetail or writingEvaluation"));
        }
        for (name, value) in &national.constants {
            fields.0.entry(name).or_insert_with(|| value.as_str().into());
        }
        match national.required.iter().find(|field| !fields.0.contains_key(field.name())) {
            Some(field) => Err(missing(field.name())),
            None => Ok(fields),
        }
    }

    /// What was said, how and when.
    fn rating(&mut self, record: &Record, level: Level, national: &National) {
        let of_lane = match record.channel {
            Channel::Sms => Some(national.pf_sms),
            Channel::Ivr => national.pf_ivr,
        };
        let channel = record.channel_code.or(of_lane);
        self.put(Field::Pf, channel.map(|code| code.to_string()));
        self.put(Field::Satisfaction, Some(level.number().to_string()));
        let words = cut(&record.comment.0, national.max_comment);
        self.put(Field::EvalDetail, reasons(record, level, national));
        self.put(Field::WritingEvaluation, Some(words).filter(|words| !words.is_empty()));
        let rated_at = record.occurred_at.unwrap_or(record.received_at);
        self.put(Field::AssessTime, Some(written(rated_at)));
        let times = Some(record.context.assess_number).filter(|times| *times > 0);
        self.put(Field::AssessNumber, times);
        self.put(Field::Mobile, record.caller.as_ref().and_then(mobile));
        self.0.insert("dataSource", national.data_source.as_str().into());
    }

    /// What was rated, as far as it is known.
    fn subject(&mut self, record: &Record, target: &Target, national: &National) {
        let matter = record.context.matter.as_ref();
        let told = |field: fn(&Matter) -> Option<&String>| matter.and_then(field).cloned();
        let case = Some(target).filter(|target| target.target_type == TargetType::Case);
        let number = told(|matter| matter.project_no.as_ref())
            .or_else(|| case.and_then(|target| target.reference.clone()));
        let prefix = &national.project_no_prefix;
        self.put(Field::ProjectNo, number.map(|number| format!("{prefix}{number}")));
        let area = told(|matter| matter.area_code.as_ref());
        let area = area.or_else(|| record.area.as_ref().map(|area| area.as_str().to_owned()));
        self.put(Field::AreaCode, area.and_then(|area| twelve_digits(&area)));
        let (task, item) = task(told(|matter| matter.task_code.as_ref()));
        self.put(Field::TaskCode, task);
        self.put(Field::TaskHandleItem, item);
        self.put(Field::TaskName, told(|matter| matter.task_name.as_ref()));
        self.put(Field::ServiceNumber, matter.and_then(|matter| matter.service_step));
        let department = told(|matter| matter.department.as_ref());
        let (code, name): (Option<String>, Option<String>) =
            department.map_or((None, None), |it| match is_credit_code(&it) {
                true => (Some(it), None),
                false => (None, Some(it)),
            });
        self.put(Field::DeptCode, code);
        self.put(Field::ProDepart, name);
        self.put(Field::ProManager, told(|matter| matter.handler.as_ref()));
    }

    fn put(&mut self, field: Field, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.0.insert(field.name(), value.into());
        }
    }

    fn gives_a_reason(&self) -> bool {
        let reasons = [Field::EvalDetail, Field::WritingEvaluation];
        reasons.iter().any(|field| self.0.contains_key(field.name()))
    }
}

fn missing(field: &str) -> Unwritable {
    Unwritable::Missing(field.to_owned())
}

/// The reason that the citizen chose. Where they gave none at all, those that are configured for
/// the level: beside words of their own they would say what the citizen did not.
fn reasons(record: &Record, level: Level, national: &National) -> Option<String> {
    if let Some(chosen) = record.chosen() {
        return Some(chosen.to_string());
    }
    let codes = national.eval_detail.iter().filter(|code| code.level() == level);
    let codes: Vec<String> = codes.map(OptionCode::to_string).collect();
    (record.comment.0.is_empty() && !codes.is_empty()).then(|| codes.join(","))
}

/// The first characters of a text.
fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

fn written(time: Timestamp) -> String {
    CHINA.to_datetime(time).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// An area of 12 digits; one of 6 is padded.
fn twelve_digits(area: &str) -> Option<String> {
    let digits = area.bytes().all(|byte| byte.is_ascii_digit());
    match area.len() {
        6 if digits => Some(format!("{area}000000")),
        12 if digits => Some(area.to_owned()),
        _ => None,
    }
}

/// The matter's code and that of its handling item.
fn task(code: Option<String>) -> (Option<String>, Option<String>) {
    match code {
        Some(item) if item.len() == HANDLE_ITEM && item.is_ascii() => {
            (Some(item[..TASK].to_owned()), Some(item))
        }
        code => (code, None),
    }
}

fn is_credit_code(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
    text.len() == CREDIT_CODE && text.bytes().all(fits)
}

/// A number as it is dialled in the country; others as they are.
fn mobile(caller: &Caller) -> Option<String> {
    let Caller::Number(number) = caller else { return None };
    let number = number.reveal();
    Some(match number.strip_prefix("+86") {
        Some(mobile) if mobile.len() == 11 && mobile.starts_with('1') => mobile.to_owned(),
        Some(landline) => format!("0{landline}"),
        None => number.to_owned(),
    })
}

#[cfg(test)]
mod tests;
