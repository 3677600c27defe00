//! Writes the next step of a call as its carrier reads it, and finds the step that was answered.

use super::answer::{cut, escape_for};
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
/// What it echoes of the request is cut and escaped as in [`answer()`](super::answer()).
#[must_use]
pub fn tell(call: &Call<'_>, next: &Next<'_>) -> Option<Reply> {
    let steps = call.route.steps.as_ref()?;
    let scope = Scope::of(call);
    let writing = Writing { steps, scope: &scope, barge_in: matches!(next, Next::Ask { .. }) };
    let body = match next {
        Next::Ask { step, say, digits, wait } => {
            let wait = steps.longest_wait.map_or(*wait, |longest| longest.min(*wait));
            let own = vec![
                ("digits", digits.to_string()),
                ("wait", wait.as_secs().to_string()),
                ("wait_ms", wait.as_millis().to_string()),
            ];
            writing.step(&steps.ask, say, Some(*step), own)
        }
        Next::Record { step, say, longest, after } => {
            let after = writing.prompts(after).into_iter();
            let own = vec![
                ("longest", longest.as_secs().to_string()),
                ("after", after.map(|prompt| steps.between.clone() + &prompt).collect()),
            ];
            writing.step(&steps.record, say, Some(*step), own)
        }
        Next::End { say, .. } => writing.step(&steps.end, say, None, Vec::new()),
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
    /// A step with the values that all have, and its own.
    fn step(
        &self,
        template: &Template,
        say: &[&Prompt],
        step: Option<Step>,
        mut values: Vec<(&str, String)>,
    ) -> String {
        values.push(("prompts", self.prompts(say).join(&self.steps.between)));
        if let Some(step) = step {
            values.push(("next", self.address(step)));
            values.push(("query", self.query(step)));
        }
        self.write(template, &values)
    }

    /// Where the carrier goes with the answer: here, with the step.
    fn address(&self, step: Step) -> String {
        let url = self.scope.call().url;
        let (base, _) = url.split_once('?').unwrap_or((url, ""));
        format!("{base}?{}", self.query(step))
    }

    /// The step, what proves the carrier there, and what the dialect keeps.
    fn query(&self, step: Step) -> String {
        let proof = self
            .scope
            .call()
            .route
            .auth
            .in_query()
            .filter_map(|source| Some((source.path.first()?, self.scope.value(source)?)));
        let kept = self.steps.keep.iter().filter_map(|(name, places)| {
            let mut values = places.iter().filter_map(|place| echoed(self.scope, place));
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

/// What stands at a place of the request, as far as it is said back; an address is whole.
fn echoed<'s>(scope: &'s Scope<'_>, source: &Source) -> Option<Cow<'s, [u8]>> {
    let value = scope.value(source)?;
    Some(match source.place {
        Place::Url => value,
        _ => Cow::Owned(cut(&value).into_bytes()),
    })
}

/// The values of a step, and around them those of the request.
struct StepValues<'v, 'a> {
    values: &'v [(&'v str, String)],
    scope: &'v Scope<'a>,
}

impl Values for StepValues<'_, '_> {
    fn value(&self, source: &Source) -> Option<Cow<'_, [u8]>> {
        if source.place != Place::Item {
            return echoed(self.scope, source);
        }
        let value = self.values.iter().find(|(name, _)| is_value(source, name));
        value.map(|(_, value)| Cow::Borrowed(value.as_bytes()))
    }

    fn fields(&self, _: SortedOf) -> Option<Pairs<'_>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{self, Sample};
    use super::*;
    use crate::config::dialect::{Format, Route};
    use crate::model::Question;
    use http::HeaderValue;
    use std::time::Duration;

    const ASKED: Step = Step { question: Question::Rating, repeats: 1 };

    fn route(change: impl FnOnce(&mut Steps)) -> Route {
        let template = |text| Template::read(text).expect("a template");
        let mut steps = Steps {
            content_type: HeaderValue::from_static("text/xml"),
            say: template("<s k='${barge_in}'>${say}</s>"),
            play: template("<p>${play}</p>"),
            between: ",".to_owned(),
            ask: template("<a n='${next}' d='${digits}' w='${wait}' m='${wait_ms}'>${prompts}</a>"),
            record: template("<r n='${query}' l='${longest}'>${prompts}${after}</r>"),
            end: template("<e>${prompts}</e>"),
            keep: Vec::new(),
            longest_wait: None,
            within: Duration::from_secs(5),
        };
        change(&mut steps);
        Route { steps: Some(steps), ..sample::route(&[Format::Query, Format::Form]) }
    }

    fn ask<'f>(say: &[&'f Prompt], seconds: u64) -> Next<'f> {
        Next::Ask { step: ASKED, say: say.to_vec(), digits: 2, wait: Duration::from_secs(seconds) }
    }

    fn told(route: &Route, sample: &Sample, next: &Next<'_>) -> String {
        let reply = tell(&sample.call(route), next).expect("a step");
        String::from_utf8(reply.body.to_vec()).expect("UTF-8")
    }

    #[test]
    fn a_step_is_told_with_what_stands_around_it() {
        let (words, sound) = (Prompt::Say("满意 & <1>".into()), Prompt::Play("/a'b".into()));
        let (route, sample) = (route(|_| {}), Sample::post("").to("/callback/x?step=rating-0"));
        let told = |next| told(&route, &sample, &next);
        let next = "https://gateway.8890.example/callback/x?step=rating-1";
        assert_eq!(
            told(ask(&[&words, &sound], 6)),
            format!(
                "<a n='{next}' d='2' w='6' m='6000'>\
                 <s k='true'>满意 &amp; &lt;1&gt;</s>,<p>/a&#39;b</p></a>"
            )
        );
        let longest = Duration::from_mins(2);
        let record = |after| Next::Record { step: ASKED, say: vec![&sound], longest, after };
        let begin = "<r n='step=rating-1' l='120'><p>/a&#39;b</p>";
        assert_eq!(told(record(vec![])), format!("{begin}</r>"));
        assert_eq!(told(record(vec![&sound])), format!("{begin},<p>/a&#39;b</p></r>"));
        let end = Next::End { say: vec![&words], unrated: None };
        assert_eq!(told(end), "<e><s k='false'>满意 &amp; &lt;1&gt;</s></e>");
    }

    #[test]
    fn what_only_the_first_request_says_is_kept_to_the_last() {
        let place = |text| Source::read(text).expect("a place");
        let route = route(|steps| {
            steps.keep = vec![("to".to_owned(), vec![place("to"), place("query:to")])];
        });
        let kept = "n='https://gateway.8890.example/callback/x?step=rating-1&amp;to=a%26b'";
        for sample in [
            Sample::post("to=a%26b"),
            Sample::post("digits=1&to=").to("/callback/x?step=rating-0&to=a%26b"),
        ] {
            let told = told(&route, &sample, &ask(&[], 6));
            assert!(told.contains(kept), "{told}");
        }
        let told = told(&route, &Sample::post("digits=1"), &ask(&[], 6));
        assert!(told.contains("?step=rating-1'"), "{told}");
    }

    #[test]
    fn a_wait_is_no_longer_than_the_carrier_waits() {
        let route = route(|steps| steps.longest_wait = Some(Duration::from_secs(10)));
        for (asked, waited) in [(6, "w='6' m='6000'"), (30, "w='10' m='10000'")] {
            let told = told(&route, &Sample::post(""), &ask(&[], asked));
            assert!(told.contains(waited), "{told}");
        }
    }

    #[test]
    fn a_step_says_little_of_what_was_sent_and_cuts_before_it_encodes() {
        let route = route(|steps| {
            steps.end = Template::read("${/id|percent}${prompts}").expect("a template");
            steps.keep = vec![("id".to_owned(), vec![Source::read("/id").expect("a place")])];
        });
        let sample = Sample::post(format!("id={}", "满".repeat(100_000)));
        let end = Next::End { say: Vec::new(), unrated: None };
        assert_eq!(told(&route, &sample, &end), "%E6%BB%A1".repeat(85));
        let told = told(&route, &sample, &ask(&[], 6));
        assert!(told.contains(&format!("id={}'", "%E6%BB%A1".repeat(85))), "{told}");
    }

    #[test]
    fn an_address_that_is_none_of_ours_begins_a_call() {
        let route = route(|_| {});
        let turn = |target| turn(&Sample::post("").to(target).call(&route));
        assert_eq!(turn("/callback/x?step=rating-1"), Some(Turn { step: Some(ASKED) }));
        for target in ["/callback/x", "/callback/x?step=", "/callback/x?step=bill-0"] {
            assert_eq!(turn(target), Some(Turn { step: None }), "{target}");
        }
        let other = sample::route(&[Format::Form]);
        assert_eq!(super::turn(&Sample::post("").call(&other)), None);
    }
}
