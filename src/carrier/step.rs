//! Writes the next step of a call as its carrier reads it, and finds the step that was answered.

use super::answer::escape_for;
use super::document::Pairs;
use super::scope::{Scope, Values};
use super::template::{Special, percent, render_escaped};
use super::{Call, Reply, Turn};
use crate::config::Prompt;
use crate::config::dialect::{
    Place, STEP, SortedOf, Source, Steps, Template, is_value, step_source,
};
use crate::dialogue::flow::Next;
use crate::model::Step;
use bytes::Bytes;
use http::StatusCode;
use std::borrow::Cow;

/// Whether it is our turn in a call, and after which question. An address that is none we gave
/// counts as the beginning.
#[must_use]
pub fn turn(call: &Call<'_>) -> Option<Turn> {
    call.route.steps.as_ref()?;
    let scope = Scope::of(call);
    let value = scope.value(&step_source());
    let step = value.and_then(|value| std::str::from_utf8(&value).ok()?.parse().ok());
    Some(Turn { step })
}

/// The next step in the carrier's words; `None` where the route has none for it.
///
/// What it echoes of the request is escaped as in [`answer()`](super::answer()).
#[must_use]
pub fn tell(call: &Call<'_>, next: &Next<'_>) -> Option<Reply> {
    let steps = call.route.steps.as_ref()?;
    let scope = Scope::of(call);
    let writing = Writing { steps, scope: &scope, barge_in: matches!(next, Next::Ask { .. }) };
    let body = match next {
        Next::Ask { step, say, digits, wait } => {
            let wait = steps.longest_wait.map_or(*wait, |longest| longest.min(*wait));
            let values = [
                ("prompts", writing.prompts(say).join(&steps.between)),
                ("next", writing.address(*step)),
                ("query", writing.query(*step)),
                ("digits", digits.to_string()),
                ("wait", wait.as_secs().to_string()),
                ("wait_ms", wait.as_millis().to_string()),
            ];
            writing.write(&steps.ask, &values)
        }
        Next::Record { step, say, longest, after } => {
            let after = writing.prompts(after).into_iter();
            let values = [
                ("prompts", writing.prompts(say).join(&steps.between)),
                ("next", writing.address(*step)),
                ("query", writing.query(*step)),
                ("longest", longest.as_secs().to_string()),
                ("after", after.map(|prompt| steps.between.clone() + &prompt).collect()),
            ];
            writing.write(&steps.record, &values)
        }
        Next::End { say, .. } => {
            let prompts = writing.prompts(say).join(&steps.between);
            writing.write(&steps.end, &[("prompts", prompts)])
        }
    };
    Some(Reply {
        status: StatusCode::OK,
        content_type: Some(steps.content_type.clone()),
        headers: Vec::new(),
        body: Bytes::from(body),
    })
}

/// A step being written.
struct Writing<'w, 'a> {
    steps: &'w Steps,
    scope: &'w Scope<'a>,
    /// Whether a key ends what is said.
    barge_in: bool,
}

impl Writing<'_, '_> {
    /// Where the carrier goes with the answer: here, with the step.
    fn address(&self, step: Step) -> String {
        let url = self.scope.call().url;
        let (base, _) = url.split_once('?').unwrap_or((url, ""));
        format!("{base}?{}", self.query(step))
    }

    /// The step, what proves the carrier there, and what the dialect keeps.
    fn query(&self, step: Step) -> String {
        let proof = self.scope.call().route.auth.in_query().filter_map(|source| {
            let (name, value) = (source.path.first()?, self.scope.value(source)?);
            Some((name, value))
        });
        let kept = self.steps.keep.iter().filter_map(|(name, places)| {
            let mut values = places.iter().filter_map(|place| self.scope.value(place));
            Some((name, values.find(|value| !value.is_empty())?))
        });
        let fields = proof.chain(kept);
        let written = fields
            .map(|(name, value)| format!("&{}={}", percent(name.as_bytes()), percent(&value)));
        format!("{STEP}={step}{}", written.collect::<String>())
    }

    fn prompts(&self, prompts: &[&Prompt]) -> Vec<String> {
        let barge_in = ("barge_in", self.barge_in.to_string());
        let write = |prompt: &&Prompt| match prompt {
            Prompt::Say(words) => {
                self.write(&self.steps.say, &[("say", words.clone()), barge_in.clone()])
            }
            Prompt::Play(address) => {
                self.write(&self.steps.play, &[("play", address.clone()), barge_in.clone()])
            }
        };
        prompts.iter().map(write).collect()
    }

    fn write(&self, template: &Template, values: &[(&str, String)]) -> String {
        let escape = escape_for(Some(&self.steps.content_type));
        let step = StepValues { values, scope: self.scope };
        let echo = |source: &Source, value: Vec<u8>| match Steps::WRITTEN
            .iter()
            .any(|name| is_value(source, name))
        {
            true => value,
            false => escape(&String::from_utf8_lossy(&value)).into_bytes(),
        };
        let written = render_escaped(template, &step, &Special::default(), echo);
        String::from_utf8_lossy(&written).into_owned()
    }
}

/// The values of a step, and around them those of the request.
struct StepValues<'v, 'a> {
    values: &'v [(&'v str, String)],
    scope: &'v Scope<'a>,
}

impl Values for StepValues<'_, '_> {
    fn value(&self, source: &Source) -> Option<Cow<'_, [u8]>> {
        if source.place != Place::Item {
            return self.scope.value(source);
        }
        let value = self.values.iter().find(|(name, _)| is_value(source, name));
        value.map(|(_, value)| Cow::Borrowed(value.as_bytes()))
    }

    fn fields(&self, _: SortedOf) -> Option<Pairs<'_>> {
        None
    }
}
