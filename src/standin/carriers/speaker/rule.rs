//! An event by its rule: every part at its place, and every condition fulfilled.

use super::layout::Layout;
use super::{Said, Unspoken};
use crate::carrier::time;
use crate::config::Account;
use crate::config::dialect::{
    CallerField, DedupePart, EventRule, Field, Origin, Piece, Place, RuleKind, Segment, Source,
    StateField, Template, Test, TimeField,
};
use crate::model::Msisdn;
use jiff::Timestamp;

/// What a condition finds that wants something, and does not say what.
const SOMETHING: &str = "1";

/// Lays out what is said by the rule of the layout's way.
pub(super) fn lay(
    layout: &mut Layout<'_>,
    account: &Account,
    said: &Said<'_>,
) -> Result<(), Unspoken> {
    let rule = layout.way.rule;
    let mut item = Item { layout, account, path: &rule.items };
    item.content(&rule.kind, said.content)?;
    let parts = [
        (&rule.id, said.id),
        (&rule.call, said.call),
        (&rule.service, said.service),
        (&rule.pass_through, said.pass_through),
    ];
    let parts = parts.iter().filter_map(|(field, value)| Some((field.as_ref()?, *value)));
    // Templates take what the places that they share with others leave over.
    let (templates, places): (Vec<_>, Vec<_>) =
        parts.partition(|(field, _)| matches!(field.from, Origin::Template(_)));
    places.into_iter().try_for_each(|(field, value)| item.part(field, value))?;
    if let Some(caller) = &rule.caller {
        item.caller(caller, said.caller)?;
    }
    templates.into_iter().try_for_each(|(field, value)| item.part(field, value))?;
    if let Some(time) = &rule.time {
        item.time(time, said.at)?;
    }
    item.conditions(rule)?;
    item.raw(&rule.kind, said.content);
    item.tell_apart(rule, said.id);
    let shadowed = is_shadowed(item.layout);
    if shadowed { Err(Unspoken::Shadowed) } else { Ok(()) }
}

/// Puts bytes that nothing decodes where the content stands.
pub(super) fn break_content(layout: &mut Layout<'_>) -> Result<(), Unspoken> {
    let rule = layout.way.rule;
    let Some(field) = content_field(&rule.kind) else { return Err(Unspoken::Undecodable) };
    let places = places(&field.from);
    let source = places.iter().find(|source| layout.slot(&rule.items, source).is_some());
    let source = source.ok_or(Unspoken::Undecodable)?;
    let decoded = layout.is_decoded() && in_document(source);
    let bytes = layout.undecodable(&rule.items, &field.decoding, decoded);
    layout.put(&rule.items, source, bytes.ok_or(Unspoken::Undecodable)?)
}

/// The field that holds text, keys, the address of a recording or the word for a state.
fn content_field(kind: &RuleKind) -> Option<&Field> {
    match kind {
        RuleKind::SmsReply { text: field }
        | RuleKind::Keypad { digits: field }
        | RuleKind::Recording { url: field } => Some(field),
        RuleKind::CallStatus { state, .. } => Some(&state.code),
        RuleKind::DeliveryReport { state } => Some(&state.code),
        RuleKind::OptOut | RuleKind::Ignored => None,
    }
}

/// The words for states that a rule reads.
pub(super) fn words(rule: &EventRule) -> Vec<&str> {
    let (code, words): (&Field, Vec<&str>) = match &rule.kind {
        RuleKind::CallStatus { state, .. } => (&state.code, keys(state)),
        RuleKind::DeliveryReport { state } => (&state.code, keys(state)),
        _ => return Vec::new(),
    };
    // A code that the rule's own conditions look at can only be one that they want.
    let places = match &code.from {
        Origin::Places(places) => places.as_slice(),
        Origin::Template(_) | Origin::Constant(_) => &[],
    };
    let wanted = |word: &str| {
        let mut on_code = rule.when.iter().filter(|it| places.first() == Some(&it.source));
        on_code.all(|condition| match &condition.test {
            Test::OneOf(values) => values.iter().any(|value| value == word),
            Test::Present(wanted) => *wanted,
        })
    };
    words.into_iter().filter(|word| wanted(word)).collect()
}

fn keys<T>(state: &StateField<T>) -> Vec<&str> {
    state.map.keys().map(String::as_str).collect()
}

/// Whether the engine would take another rule: an earlier one of this place that fits as well, or,
/// for the document itself, any whose place is there.
fn is_shadowed(layout: &Layout<'_>) -> bool {
    let rule = layout.way.rule;
    let rules = &layout.way.route.events;
    let earlier = rules.iter().take_while(|other| !std::ptr::eq(*other, rule));
    let fits = |other: &EventRule| other.when.iter().all(|it| layout.holds(&rule.items, it));
    let first = earlier.filter(|other| other.items == rule.items).any(fits);
    let placed = |other: &EventRule| !other.items.is_empty() && layout.has_below(&other.items);
    first || rule.items.is_empty() && rules.iter().any(placed)
}

/// One item while its parts are put.
struct Item<'l, 'w> {
    layout: &'l mut Layout<'w>,
    account: &'l Account,
    path: &'l [Segment],
}

impl Item<'_, '_> {
    /// Text, keys or word, unless something else was put there that is none.
    fn content(&mut self, kind: &RuleKind, content: &str) -> Result<(), Unspoken> {
        match content_field(kind) {
            Some(field) if self.layout.values.is_empty() => self.put(field, content),
            _ => Ok(()),
        }
    }

    /// The carrier's own word, where it is another field that nothing else filled.
    fn raw(&mut self, kind: &RuleKind, word: &str) {
        let raw = match kind {
            RuleKind::CallStatus { state, .. } => &state.raw,
            RuleKind::DeliveryReport { state } => &state.raw,
            _ => return,
        };
        if let Some(Origin::Places(places)) = raw.as_ref().map(|raw| &raw.from) {
            places.iter().take(1).for_each(|it| self.layout.put_if_free(self.path, it, word));
        }
    }

    /// A part that may share its place with an earlier one, which then is said, or may be missing.
    fn part(&mut self, field: &Field, value: &str) -> Result<(), Unspoken> {
        match self.put(field, value) {
            Err(Unspoken::Taken(_)) => Ok(()),
            Err(Unspoken::Meaning(_)) if !field.required => Ok(()),
            put => put,
        }
    }

    fn caller(&mut self, field: &CallerField, number: &str) -> Result<(), Unspoken> {
        if let Some(country) = &field.country {
            self.layout.put_if_free(self.path, country, &self.account.country);
        }
        self.put(&field.number, number).or_else(|unspoken| {
            // A template or prefix may want the number whole.
            let whole = Msisdn::read(number, &self.account.country);
            self.put(&field.number, whole.as_ref().map_err(|_| unspoken)?.reveal())
        })
    }

    fn time(&mut self, field: &TimeField, at: Timestamp) -> Result<(), Unspoken> {
        let offset = field.zone.unwrap_or(self.account.offset);
        let text = time::write(at, &field.form, offset);
        self.put(&field.field, &text.ok_or_else(|| meaning(&field.field))?)
    }

    /// Fulfils what the rule wants further.
    fn conditions(&mut self, rule: &EventRule) -> Result<(), Unspoken> {
        for condition in &rule.when {
            match &condition.test {
                Test::OneOf(values) => {
                    let first = values.first().map(String::as_str).unwrap_or_default();
                    self.layout.put_if_free(self.path, &condition.source, first);
                }
                Test::Present(true) if !self.layout.holds(self.path, condition) => {
                    self.layout.put_if_free(self.path, &condition.source, SOMETHING);
                }
                Test::Present(_) => {}
            }
        }
        match rule.when.iter().find(|condition| !self.layout.holds(self.path, condition)) {
            Some(failed) => Err(Unspoken::Condition(failed.source.clone())),
            None => Ok(()),
        }
    }

    /// Whatever makes a repeat known, and says nothing else, is of this message alone.
    fn tell_apart(&mut self, rule: &EventRule, id: &str) {
        let read = alternatives(rule);
        for part in &rule.dedupe {
            match part {
                DedupePart::Value(source) if !read.contains(&source) => {
                    self.layout.put_if_free(self.path, source, id);
                }
                DedupePart::Value(_) | DedupePart::Time(_) => {}
            }
        }
    }

    /// Puts a value so that the field is read as `meant`.
    fn put(&mut self, field: &Field, meant: &str) -> Result<(), Unspoken> {
        let text = unmapped(field, meant).ok_or_else(|| meaning(field))?;
        let text = [field.strip.first().map_or("", String::as_str), text].concat();
        match &field.from {
            Origin::Constant(_) => Ok(()),
            Origin::Places(places) => {
                let there = |source: &&Source| self.layout.slot(self.path, source).is_some();
                let source = places.iter().find(there).or(places.first());
                let Some(source) = source else { return Ok(()) };
                let decoded = self.layout.is_decoded() && in_document(source);
                let bytes = self.layout.encode(self.path, &field.decoding, decoded, &text);
                let bytes = bytes.ok_or_else(|| Unspoken::Characters(source.clone()))?;
                self.layout.put(self.path, source, bytes)
            }
            Origin::Template(template) => self.template(template, field, &text),
        }
    }

    /// Gives the first place of a template that is free all that the others leave over.
    fn template(&mut self, template: &Template, field: &Field, text: &str) -> Result<(), Unspoken> {
        let decoded = self.layout.is_decoded() && template.sources().all(in_document);
        let bytes = self.layout.encode(self.path, &field.decoding, decoded, text);
        let bytes = bytes.ok_or_else(|| meaning(field))?;
        let (mut free, mut before, mut after) = (None, Vec::new(), Vec::new());
        for piece in &template.pieces {
            let given = match piece {
                Piece::Literal(text) => text.as_bytes(),
                Piece::Value(source, _) => match (self.layout.get(self.path, source), free) {
                    (Some(there), _) => there,
                    (None, None) => {
                        free = Some(source);
                        continue;
                    }
                    (None, Some(_)) => continue,
                },
            };
            if free.is_none() { before.extend(given) } else { after.extend(given) }
        }
        let rest = bytes.strip_prefix(before.as_slice());
        let rest = rest.and_then(|rest| rest.strip_suffix(after.as_slice()));
        match (rest, free) {
            (Some(rest), Some(source)) => self.layout.put(self.path, source, rest.to_vec()),
            (Some([]), None) => Ok(()),
            _ => Err(meaning(field)),
        }
    }
}

/// Puts the time of a proof, which belongs to no item.
pub(super) fn put_time(
    layout: &mut Layout<'_>,
    account: &Account,
    field: &TimeField,
    at: Timestamp,
) -> Result<(), Unspoken> {
    Item { layout, account, path: &[] }.time(field, at)
}

/// What the map reads as `meant`; `None` if nothing is.
fn unmapped<'t>(field: &'t Field, meant: &'t str) -> Option<&'t str> {
    if !field.map.contains_key(meant) {
        return Some(meant);
    }
    field.map.iter().find(|(_, to)| *to == meant).map(|(from, _)| from.as_str())
}

fn in_document(source: &Source) -> bool {
    matches!(source.place, Place::Item | Place::Document)
}

/// All places that the parts of an event may be read from.
fn alternatives(rule: &EventRule) -> Vec<&Source> {
    let fields = [&rule.id, &rule.call, &rule.service, &rule.pass_through];
    let raw = match &rule.kind {
        RuleKind::CallStatus { state, .. } => state.raw.as_ref(),
        RuleKind::DeliveryReport { state } => state.raw.as_ref(),
        _ => None,
    };
    let fields = fields.into_iter().filter_map(Option::as_ref);
    let fields = fields.chain(content_field(&rule.kind)).chain(raw);
    let caller = rule.caller.as_ref().map(|caller| &caller.number);
    let time = rule.time.as_ref().map(|time| &time.field);
    fields.chain(caller).chain(time).flat_map(|field| places(&field.from)).collect()
}

fn places(from: &Origin) -> Vec<&Source> {
    match from {
        Origin::Places(places) => places.iter().collect(),
        Origin::Template(template) => template.sources().collect(),
        Origin::Constant(_) => Vec::new(),
    }
}

/// No value of the field would be read so.
fn meaning(field: &Field) -> Unspoken {
    match places(&field.from).first() {
        Some(source) => Unspoken::Meaning((*source).clone()),
        // A constant is never put.
        None => Unspoken::Shadowed,
    }
}
