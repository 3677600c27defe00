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
    let writing = Writing { steps, scope: &scope };
    let body = match next {
        Next::Ask { step, say, digits, wait } => writing.write(
            &steps.ask,
            &[
                ("prompts", writing.prompts(say)),
                ("next", writing.address(*step)),
                ("digits", digits.to_string()),
                ("wait", wait.as_secs().to_string()),
                ("wait_ms", wait.as_millis().to_string()),
            ],
        ),
        Next::Record { step, say, longest, after } => writing.write(
            &steps.record,
            &[
                ("prompts", writing.prompts(say)),
                ("next", writing.address(*step)),
                ("longest", longest.as_secs().to_string()),
                ("after", writing.prompts(after)),
            ],
        ),
        Next::End { say, .. } => writing.write(&steps.end, &[("prompts", writing.prompts(say))]),
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
}

impl Writing<'_, '_> {
    /// Where the carrier goes with the answer: here, with the step and with what proves it there.
    fn address(&self, step: Step) -> String {
        let call = self.scope.call();
        let (base, _) = call.url.split_once('?').unwrap_or((call.url, ""));
        let kept = call.route.auth.in_query().filter_map(|source| {
            let (name, value) = (source.path.first()?, self.scope.value(source)?);
            Some(format!("&{}={}", percent(name.as_bytes()), percent(&value)))
        });
        format!("{base}?{STEP}={step}{}", kept.collect::<String>())
    }

    fn prompts(&self, prompts: &[&Prompt]) -> String {
        let written = prompts.iter().map(|prompt| match prompt {
            Prompt::Say(words) => self.write(&self.steps.say, &[("say", words.clone())]),
            Prompt::Play(address) => self.write(&self.steps.play, &[("play", address.clone())]),
        });
        written.collect::<Vec<_>>().join(&self.steps.between)
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
