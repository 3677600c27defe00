//! What is said: the rules of a route, each a kind of item and where its parts stand.

use super::super::{
    Condition, DedupePart, EventRule, Field, Origin, PartFields, RuleKind, Segment, Source, Test,
    TimeField, read_path,
};
use super::fields::{Need, caller, field, state};
use super::places::{Ground, Use};
use super::times::time;
use super::values::{texts, texts_of, wrong_shape};
use crate::config::problem::{Fault, one_of};
use crate::config::raw::{At, Node, Section};
use crate::model::{CallStatus, DeliveryStatus};
use std::ops::RangeInclusive;
use std::time::Duration;

const CALL_STATES: [(&str, CallStatus); 8] = [
    ("initiated", CallStatus::Initiated),
    ("ringing", CallStatus::Ringing),
    ("answered", CallStatus::Answered),
    ("no_answer", CallStatus::NoAnswer),
    ("busy", CallStatus::Busy),
    ("failed", CallStatus::Failed),
    ("completed", CallStatus::Completed),
    ("unknown", CallStatus::Unknown),
];

const DELIVERY_STATES: [(&str, DeliveryStatus); 4] = [
    ("delivered", DeliveryStatus::Delivered),
    ("failed", DeliveryStatus::Failed),
    ("pending", DeliveryStatus::Pending),
    ("unknown", DeliveryStatus::Unknown),
];

/// The keys that only some kinds have, and those kinds.
const OWN: [(&str, &[&str]); 6] = [
    ("part", &["sms_reply"]),
    ("text", &["sms_reply"]),
    ("digits", &["ivr_keypad", "call_status"]),
    ("state", &["call_status", "delivery_report"]),
    ("raw", &["call_status", "delivery_report"]),
    ("url", &["recording"]),
];

/// The keys that say nothing of what is ignored.
const UNREAD: [&str; 9] = [
    "id",
    "call",
    "caller",
    "service",
    "time",
    "pass_through",
    "dedupe",
    "time_resolution",
    "resend_window",
];

/// The kinds that are an answer of a citizen.
const HEARD: [&str; 3] = ["sms_reply", "ivr_keypad", "opt_out"];

const SPAN: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24);

/// Reads `events`.
pub(super) fn events(section: &mut Section<'_>, ground: &Ground) -> Option<Vec<EventRule>> {
    let right = "write [[events]] with a kind and where its parts stand";
    section.demand("events", right);
    let node = section.node("events")?;
    let Some(items) = node.items() else {
        wrong_shape(&node, "an array of tables", right);
        return None;
    };
    let mut rules = Vec::new();
    let mut whole = true;
    for item in items {
        let rule = item.section(|section| rule(section, ground));
        if rule.is_none() {
            wrong_shape(&item, "a table", right);
        }
        match rule.flatten() {
            Some(each) => rules.extend(each.into_iter().map(|rule| item.at(rule))),
            None => whole = false,
        }
    }
    if whole && rules.is_empty() {
        node.reject(Fault::new("is empty", right));
    }
    unreached(section, &rules);
    (whole && !rules.is_empty()).then(|| rules.into_iter().map(|rule| rule.value).collect())
}

/// Reports rules behind one that takes everything.
fn unreached(section: &Section<'_>, rules: &[At<EventRule>]) {
    for (place, rule) in rules.iter().enumerate() {
        let takes_all = |earlier: &&At<EventRule>| {
            earlier.value.items == rule.value.items && earlier.value.when.is_empty()
        };
        if let Some(earlier) = rules.iter().take(place).find(takes_all) {
            let wrong = format!("is never reached: {} takes every such item", earlier.key);
            section
                .reject(rule, Fault::new(wrong, "give the earlier one a `when`, or put it last"));
        }
    }
}

/// One rule, for each place where its items may stand.
fn rule(section: &mut Section<'_>, ground: &Ground) -> Option<Vec<EventRule>> {
    let kinds = RuleKind::NAMES.map(|name| (name, name));
    section.demand("kind", "write kind = \"sms_reply\", or another of the kinds");
    let kind =
        section.text("kind", "\"sms_reply\"", |kind| one_of(kind, "a kind of event", &kinds));
    let name = section.text("name", "\"reply\"", name);
    let items = items(section, ground);
    let when = when(section, ground);
    let Some(kind) = kind else {
        // Which of the others belong to it cannot be told.
        for key in OWN.map(|(key, _)| key).into_iter().chain(UNREAD) {
            section.node(key);
        }
        return None;
    };
    refuse_strange(section, kind.value);
    let id = field(section, "id", ground, Need::Required);
    let call = field(section, "call", ground, Need::Optional);
    let caller = caller(section, ground);
    let service = field(section, "service", ground, Need::Optional);
    let time = time(section, ground, Need::Optional);
    let pass_through = field(section, "pass_through", ground, Need::Optional);
    let part = match kind.value {
        "sms_reply" => part(section, ground),
        _ => Some(None),
    };
    let parts = parts(section, ground, kind.value);
    let resend_window = section.duration("resend_window", SPAN).map(|window| window.value);
    demand_person(section, kind.value);
    let dedupe = dedupe(section, ground, kind.value, id.as_ref(), time.as_ref());
    let rule = EventRule {
        name: name.map_or_else(|| kind.value.to_owned(), |name| name.value),
        when: when?,
        items: Vec::new(),
        id,
        call,
        caller,
        service,
        time,
        pass_through,
        part: part?,
        kind: parts?,
        dedupe: dedupe?,
        resend_window,
    };
    Some(items?.into_iter().map(|items| EventRule { items, ..rule.clone() }).collect())
}

/// A name that starts dedupe keys.
fn name(text: &str) -> Result<String, Fault> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=32).contains(&text.len()) && text.bytes().all(fits) {
        return Ok(text.to_owned());
    }
    let wrong = format!("{text:?} cannot start a dedupe key");
    Err(Fault::new(wrong, "write 1 to 32 letters, digits, `-` and `_`"))
}

/// The places where items of a rule stand, at least one; the empty way is the document itself.
fn items(section: &mut Section<'_>, ground: &Ground) -> Option<Vec<Vec<Segment>>> {
    if !section.has("items") {
        return Some(vec![Vec::new()]);
    }
    if !ground.columns.is_empty() {
        let right = "remove it; each record is an item";
        section.refuse("items", || Fault::new("has nothing to find in records", right));
        return None;
    }
    let node = section.node("items")?;
    texts_of(&node, "\"data.messages\"", |path| match path.strip_prefix('/').unwrap_or(path) {
        "" if path == "/" => Ok(Vec::new()),
        path => read_path(path).map_err(|_| {
            let wrong = format!("{path:?} is not a way through a document");
            let right = "write names with single dots between them, \"data.messages\", or \"/\" \
                         for the document itself";
            Fault::new(wrong, right)
        }),
    })
}

fn when(section: &mut Section<'_>, ground: &Ground) -> Option<Vec<Condition>> {
    let Some(node) = section.node("when") else { return Some(Vec::new()) };
    let right = "write when = { type = \"mo\" }, or [\"mo\", \"up\"], or true for: is there";
    let Some(entries) = node.entries() else {
        wrong_shape(&node, "a table", right);
        return None;
    };
    let conditions: Vec<Option<Condition>> =
        entries.map(|(place, value)| condition(place, &value, right, ground)).collect();
    conditions.into_iter().collect()
}

fn condition(place: &str, value: &Node<'_>, right: &str, ground: &Ground) -> Option<Condition> {
    let source = ground.source(place, Use::Event).map_err(|fault| value.reject(fault)).ok()?;
    let test = match value.value.as_bool() {
        Some(present) => Test::Present(present),
        None if value.value.as_str().is_some() || value.value.as_array().is_some() => {
            Test::OneOf(texts_of(value, "\"mo\"", |text| Ok(text.to_owned()))?)
        }
        None => {
            wrong_shape(value, "a text in quotes", right);
            return None;
        }
    };
    Some(Condition { source, test })
}

/// Reports the keys that this kind has no use for.
fn refuse_strange(section: &mut Section<'_>, kind: &'static str) {
    for (key, kinds) in OWN.iter().filter(|(_, kinds)| !kinds.contains(&kind)) {
        let right = format!("remove it, or make the kind \"{}\"", kinds.join("\" or \""));
        section.refuse(key, || Fault::new(format!("`{kind}` has no such part"), right));
    }
    if kind == "ignored" {
        for key in UNREAD {
            section.refuse(key, || Fault::new("is not read of what is ignored", "remove it"));
        }
    } else if !HEARD.contains(&kind) {
        let right = "remove it; only what citizens say is counted once";
        section.refuse("resend_window", || {
            Fault::new(format!("`{kind}` is never taken for an answer sent again"), right)
        });
    }
}

/// Where a text belongs in a longer one; the inner `None` if nothing is said of that.
fn part(section: &mut Section<'_>, ground: &Ground) -> Option<Option<PartFields>> {
    let Some(node) = section.node("part") else { return Some(None) };
    let right = "write part = { reference = \"ref\", total = \"parts\", number = \"part\" }";
    let read = node.section(|part| {
        for key in ["reference", "total", "number"] {
            part.demand(key, right);
        }
        let mut place = |key| field(part, key, ground, Need::Optional);
        let (reference, total, number) = (place("reference"), place("total"), place("number"));
        Some(PartFields { reference: reference?, total: total?, number: number? })
    });
    if read.is_none() {
        wrong_shape(&node, "a table", right);
    }
    read.flatten().map(Some)
}

/// The parts that only this kind has.
fn parts(section: &mut Section<'_>, ground: &Ground, kind: &str) -> Option<RuleKind> {
    let raw = |section: &mut Section<'_>| field(section, "raw", ground, Need::Optional);
    match kind {
        "sms_reply" => {
            section.demand("text", "say where the text stands, text = \"content\"");
            let text = field(section, "text", ground, Need::Required)?;
            Some(RuleKind::SmsReply { text })
        }
        "ivr_keypad" => {
            section.demand("digits", "say where the keys stand, digits = \"dtmf\"");
            let digits = field(section, "digits", ground, Need::Required)?;
            Some(RuleKind::Keypad { digits })
        }
        "call_status" => {
            let right = "write state = { from = \"status\", map = { \"0\" = \"answered\" } }";
            section.demand("state", right);
            let raw = raw(section);
            let digits = field(section, "digits", ground, Need::Optional).map(Box::new);
            let state = Box::new(state(section, ground, &CALL_STATES, raw)?);
            Some(RuleKind::CallStatus { state, digits })
        }
        "delivery_report" => {
            let right = "write state = { from = \"status\", map = { \"0\" = \"delivered\" } }";
            section.demand("state", right);
            let raw = raw(section);
            let state = Box::new(state(section, ground, &DELIVERY_STATES, raw)?);
            Some(RuleKind::DeliveryReport { state })
        }
        "recording" => {
            section.demand("url", "say where the address stands, url = \"recording_url\"");
            let url = field(section, "url", ground, Need::Required)?;
            Some(RuleKind::Recording { url })
        }
        "opt_out" => Some(RuleKind::OptOut),
        _ => Some(RuleKind::Ignored),
    }
}

/// An answer is somebody's.
fn demand_person(section: &Section<'_>, kind: &str) {
    let told = |keys: &[&str]| keys.iter().any(|key| section.has(key));
    let who = "say where the citizen's number stands, caller = \"mobile\"";
    if !HEARD.contains(&kind) {
        return;
    }
    if kind == "opt_out" {
        section.demand("caller", who);
    } else if !told(&["caller", "id", "call", "pass_through"]) {
        let wrong = "tells neither a caller nor a call, so nobody would have answered";
        section.reject(&section.here(), Fault::new(wrong, who));
    } else if section.has("resend_window") && !section.has("caller") {
        let wrong = "has a `resend_window` and no `caller` to know an answer again by";
        section.reject(&section.here(), Fault::new(wrong, who));
    }
}

/// Reads what identifies a repeat.
fn dedupe(
    section: &mut Section<'_>,
    ground: &Ground,
    kind: &str,
    id: Option<&Field>,
    time: Option<&TimeField>,
) -> Option<Vec<DedupePart>> {
    if kind == "ignored" {
        return Some(Vec::new());
    }
    let example = "[\"mobile\", \"content\", \"time\"]";
    let written = texts(section, "dedupe", example, |text| ground.source(text, Use::Event));
    let resolution = section.duration("time_resolution", SPAN);
    let sources = match written {
        Some(sources) => sources.value,
        None if section.has("dedupe") => return None,
        None => id.map(places_of).unwrap_or_default(),
    };
    if sources.is_empty() {
        if !section.has("id") || id.is_some() {
            let wrong = "has no id, and no `dedupe` tells a repeat from another answer";
            let right = format!("write for example dedupe = {example}");
            section.reject(&section.here(), Fault::new(wrong, right));
        }
        return None;
    }
    let times = time.map(|time| places_of(&time.field)).unwrap_or_default();
    if let Some(resolution) = &resolution
        && !sources.iter().any(|source| times.contains(source))
    {
        let wrong = "cuts a time that is not among `dedupe`";
        let right = "put the place of `time` into `dedupe`, or remove this";
        section.reject(resolution, Fault::new(wrong, right));
    }
    let part = |source: Source| match &resolution {
        Some(resolution) if times.contains(&source) => DedupePart::Time(resolution.value),
        _ => DedupePart::Value(source),
    };
    Some(sources.into_iter().map(part).collect())
}

/// All places that a field may take its value from.
pub(super) fn places_of(field: &Field) -> Vec<Source> {
    match &field.from {
        Origin::Places(places) => places.clone(),
        Origin::Template(template) => template.sources().cloned().collect(),
        Origin::Constant(_) => Vec::new(),
    }
}
