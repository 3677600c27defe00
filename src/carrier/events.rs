//! What was said, by the rules of the route.

use super::dedupe::Key;
use super::document::{Found, Opened, Trail};
use super::field::{Reader, TOO_MUCH};
use super::scope::Scope;
use super::{Call, Decoded, Garbled, inflate, step};
use crate::config::Account;
use crate::config::dialect::{
    DedupePart, Each, EventRule, Field, PartFields, RuleKind, Segment, StateField,
};
use crate::model::{
    CallStatus, DeliveryStatus, Event, EventBody, MessageId, ServiceNumber, TextPart,
};
use jiff::Timestamp;
use std::borrow::Cow;
use std::cell::Cell;
use std::time::Duration;

/// So many unreadable items are listed one by one; more than an operator reads are counted.
const MOST_LISTED: usize = 100;

/// What a request said. It never fails: what cannot be read is reported beside what can.
#[must_use]
pub fn decode(call: &Call<'_>, account: &Account) -> Decoded {
    Decoded { turn: step::turn(call), ..said(call, account) }
}

fn said(call: &Call<'_>, account: &Account) -> Decoded {
    let body = match inflate::inflate(call) {
        Ok(body) => body,
        Err(garbled) => return nothing_but(garbled),
    };
    let scope = Scope::uncompressed(call, &body);
    match scope.opened() {
        Ok(opened) => {
            // An item's fields are read a few times each; what all items share is read for each
            // of them.
            let budget = Cell::new(16 * (call.body.len() + call.target.len() + (64 << 10)));
            Reading::new(&scope, opened, account, &budget).all()
        }
        Err(garbled) => nothing_but(garbled.clone()),
    }
}

fn nothing_but(garbled: Garbled) -> Decoded {
    Decoded { garbled: vec![garbled], ..Decoded::default() }
}

/// A document being read item by item.
struct Reading<'s, 'a> {
    scope: &'s Scope<'a>,
    opened: &'s Opened<'a>,
    account: &'s Account,
    rules: &'s [EventRule],
    items: usize,
    budget: &'s Cell<usize>,
    decoded: Decoded,
    unlisted: usize,
}

impl<'s, 'a> Reading<'s, 'a> {
    fn new(
        scope: &'s Scope<'a>,
        opened: &'s Opened<'a>,
        account: &'s Account,
        budget: &'s Cell<usize>,
    ) -> Self {
        Reading {
            scope,
            opened,
            account,
            rules: &scope.call().route.events,
            items: 0,
            budget,
            decoded: Decoded::default(),
            unlisted: 0,
        }
    }

    /// Reads all items of all rules: those with a place of their own first, and the document itself
    /// only where none of these places is there.
    fn all(mut self) -> Decoded {
        let mut seen: Vec<&[Segment]> = Vec::new();
        let mut there = false;
        for rule in self.rules.iter().filter(|rule| !rule.items.is_empty()) {
            if !seen.contains(&rule.items.as_slice()) {
                seen.push(&rule.items);
                there |= self.place(&rule.items);
            }
        }
        if !there && self.rules.iter().any(|rule| rule.items.is_empty()) {
            there = self.place(&[]);
        }
        let most = self.scope.call().route.max_items;
        let root = self.opened.root;
        if self.items > most {
            return nothing_but(Garbled::new(root, format!("more than {most} items")));
        }
        if !there {
            return nothing_but(Garbled::new(root, "holds nothing that a rule reads"));
        }
        if self.unlisted > 0 {
            let problem = format!("{} more items cannot be read", self.unlisted);
            self.decoded.garbled.push(Garbled::new(root, problem));
        }
        self.decoded
    }

    /// Reads the items of one place; `false` if there is no such place.
    fn place(&mut self, path: &'s [Segment]) -> bool {
        let opened = self.opened;
        opened.document.each(path, opened.root, &mut |trail, found| self.item(path, trail, found))
    }

    fn item(&mut self, path: &[Segment], trail: &Trail<'_>, found: Found<'s>) {
        self.items += 1;
        if self.items > self.scope.call().route.max_items {
            return;
        }
        match self.rule(path, trail, found) {
            Ok((rule, reader)) => match &rule.each {
                Some(each) => self.pieces(rule, &reader, each),
                None => self.take(event(rule, &reader)),
            },
            Err(garbled) => self.take(Err(garbled)),
        }
    }

    /// Reads an item once for each piece of it.
    fn pieces(&mut self, rule: &EventRule, reader: &Reader<'_, '_>, each: &Each) {
        let pieces = match reader.pieces(each) {
            Ok(pieces) => pieces,
            Err(garbled) => return self.take(Err(garbled)),
        };
        self.items += pieces.len() - 1;
        if self.items > self.scope.call().route.max_items {
            return;
        }
        for piece in &pieces {
            let reader = Reader { piece: Some((&each.of, piece)), ..*reader };
            self.take(event(rule, &reader));
        }
    }

    fn take(&mut self, read: Result<Option<Event>, Garbled>) {
        match read {
            Ok(event) => self.decoded.events.extend(event),
            Err(garbled) if self.decoded.garbled.len() < MOST_LISTED => {
                self.decoded.garbled.push(garbled);
            }
            Err(_) => self.unlisted += 1,
        }
    }

    /// The rule that an item is read by, and its reader.
    fn rule<'t>(
        &self,
        path: &[Segment],
        trail: &'t Trail<'t>,
        found: Found<'s>,
    ) -> Result<(&'s EventRule, Reader<'t, 'a>), Garbled>
    where
        's: 't,
    {
        let garbled = |problem: &'static str| Garbled::new(trail.to_string(), problem);
        let item = found.map_err(garbled)?;
        if self.budget.get() == 0 {
            return Err(garbled(TOO_MUCH));
        }
        let reader = Reader {
            scope: self.scope,
            document: &self.opened.document,
            root: self.opened.root,
            item,
            trail,
            account: self.account,
            piece: None,
            budget: self.budget,
        };
        let mut rules = self.rules.iter().filter(|rule| rule.items == path);
        let fits = |rule: &&EventRule| rule.when.iter().all(|condition| reader.holds(condition));
        let rule = rules.find(fits).ok_or_else(|| garbled("no rule fits this kind of item"))?;
        Ok((rule, reader))
    }
}

/// What an item says by its rule.
fn event<'s>(rule: &'s EventRule, reader: &Reader<'s, '_>) -> Result<Option<Event>, Garbled> {
    if matches!(rule.kind, RuleKind::Ignored) {
        return Ok(None);
    }
    let filled = |field: &'s Option<Field>| match field {
        Some(field) => reader.filled(field),
        None => Ok(None),
    };
    let message_id = filled(&rule.id)?;
    let Some(body) = body(&rule.kind, reader)? else { return Ok(None) };
    let caller = match &rule.caller {
        Some(field) => reader.caller(field)?,
        None => None,
    };
    let call = filled(&rule.call)?;
    let service = filled(&rule.service)?;
    let occurred_at = match &rule.time {
        Some(field) => reader.time(field)?,
        None => None,
    };
    let pass_through = filled(&rule.pass_through)?;
    let part = match &rule.part {
        Some(fields) => part(fields, reader)?,
        None => None,
    };
    Ok(Some(Event {
        message_id: message_id.map(|id| MessageId(id.into_owned())),
        call: call.map(|id| MessageId(id.into_owned())),
        caller,
        service: service.map(|number| ServiceNumber(number.into_owned())),
        occurred_at,
        dedupe: dedupe(rule, reader, occurred_at)?,
        resend_window: rule.resend_window,
        pass_through: pass_through.map(Cow::into_owned),
        part,
        body,
    }))
}

/// The place of a text in a longer one; what is no such place makes it a text of its own.
fn part<'s>(fields: &'s PartFields, reader: &Reader<'s, '_>) -> Result<Option<TextPart>, Garbled> {
    let count = |field: &'s Field| -> Result<Option<u8>, Garbled> {
        Ok(reader.filled(field)?.and_then(|count| count.trim().parse().ok()))
    };
    let reference = reader.filled(&fields.reference)?;
    let (total, number) = (count(&fields.total)?, count(&fields.number)?);
    let place = reference.zip(total).zip(number);
    Ok(place.map(|((reference, total), number)| TextPart {
        reference: reference.into_owned(),
        total,
        number,
    }))
}

fn body<'s>(kind: &'s RuleKind, reader: &Reader<'s, '_>) -> Result<Option<EventBody>, Garbled> {
    let whole = |field| Ok(reader.whole(field)?.unwrap_or_default().into_owned());
    Ok(Some(match kind {
        RuleKind::SmsReply { text } => EventBody::SmsReply { text: whole(text)? },
        RuleKind::Keypad { digits } => EventBody::Keypad { digits: whole(digits)? },
        RuleKind::CallStatus { state: field, digits } => {
            let (status, raw) = state(field, CallStatus::Unknown, reader)?;
            let digits = match digits {
                Some(digits) => reader.filled(digits)?.map(Cow::into_owned),
                None => None,
            };
            EventBody::CallStatus { status, raw, digits }
        }
        RuleKind::DeliveryReport { state: field } => {
            let (status, raw) = state(field, DeliveryStatus::Unknown, reader)?;
            EventBody::DeliveryReport { status, raw }
        }
        RuleKind::Recording { url } => {
            EventBody::Recording { url: reader.filled(url)?.unwrap_or_default().into_owned() }
        }
        RuleKind::OptOut => EventBody::OptOut,
        RuleKind::Ignored => return Ok(None),
    }))
}

/// What a state means, and the carrier's own word for it.
fn state<'s, T: Copy>(
    field: &'s StateField<T>,
    unknown: T,
    reader: &Reader<'s, '_>,
) -> Result<(T, String), Garbled> {
    let code = reader.filled(&field.code)?.unwrap_or_default();
    let meant = field.map.get(&*code).copied().or(field.other).unwrap_or(unknown);
    let raw = match &field.raw {
        Some(raw) => reader.filled(raw)?.unwrap_or_default(),
        None => code,
    };
    Ok((meant, raw.into_owned()))
}

/// What a repeat is recognised by. Where all of it is missing every event would be a repeat of the
/// first, and be answered and lost.
fn dedupe(
    rule: &EventRule,
    reader: &Reader<'_, '_>,
    occurred_at: Option<Timestamp>,
) -> Result<String, Garbled> {
    let mut key = Key::new(&rule.name);
    let mut told = false;
    for part in &rule.dedupe {
        let value = match part {
            DedupePart::Value(source) => reader.sent(source),
            DedupePart::Time(resolution) => {
                let cut = occurred_at.map(|moment| cut(moment, *resolution)).unwrap_or_default();
                Cow::Owned(cut.into_bytes())
            }
        };
        told |= !value.is_empty();
        key.push(&value);
    }
    match told {
        true => Ok(key.finish()),
        false => Err(Garbled::new(reader.trail.to_string(), "has nothing of its rule's `dedupe`")),
    }
}

/// A time in milliseconds since 1970, cut down to a multiple of the resolution.
fn cut(moment: Timestamp, resolution: Duration) -> String {
    let resolution = i64::try_from(resolution.as_millis()).unwrap_or(i64::MAX).max(1);
    let moment = moment.as_millisecond();
    (moment - moment.rem_euclid(resolution)).to_string()
}

#[cfg(test)]
mod tests;
