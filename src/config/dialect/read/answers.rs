//! What is answered: four words of ours, in the carrier's.

use super::super::{AnswerCase, AnswerForm, Answers, Template};
use super::events::conditions;
use super::places::{Ground, Use};
use super::values::{flag, named, wrong_shape};
use crate::config::problem::Fault;
use crate::config::raw::{Node, Section};
use http::{HeaderName, HeaderValue, StatusCode};

/// What an answer must never be taken for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// We have it.
    Taken,
    /// We have it not.
    NotTaken,
    /// We have it not, which the carrier takes from the body whatever the status.
    NotTakenByBody,
}

/// Headers that the gateway writes itself.
const OURS: [&str; 5] =
    ["content-length", "transfer-encoding", "connection", "date", "retry-after"];

/// Reads `answers`. A repeat is answered as the first, and what lacks a proof as what has a wrong
/// one, key by key where nothing else is said.
pub(super) fn answers(section: &mut Section<'_>, ground: &Ground) -> Option<Answers> {
    section.table("answers", |section| {
        let not_taken = match flag(section, "body_decides") {
            true => Meaning::NotTakenByBody,
            false => Meaning::NotTaken,
        };
        let taken =
            |section: &mut Section<'_>| form(section, ground, StatusCode::OK, Meaning::Taken);
        let busy = |section: &mut Section<'_>| {
            form(section, ground, StatusCode::SERVICE_UNAVAILABLE, not_taken)
        };
        let refused =
            |section: &mut Section<'_>| form(section, ground, StatusCode::FORBIDDEN, not_taken);
        let accepted = section.table("accepted", taken);
        let duplicate = section.table_else("duplicate", "accepted", taken);
        let busy = section.table("busy", busy);
        let denied = section.table("refused", refused);
        let unsigned = section.table_else("unsigned", "refused", refused);
        let cases = cases(section, ground);
        let answers = Answers {
            accepted: accepted?,
            duplicate: duplicate?,
            busy: busy?,
            refused: denied?,
            unsigned: unsigned?,
            cases: cases?,
        };
        if not_taken == Meaning::NotTakenByBody {
            reject_alike(section, &answers);
        }
        Some(answers)
    })
}

/// Reads `cases`: what is answered to some requests only.
fn cases(section: &mut Section<'_>, ground: &Ground) -> Option<Vec<AnswerCase>> {
    let Some(node) = section.node("cases") else { return Some(Vec::new()) };
    let right = "write [[answers.cases]] with `when` and what is answered then";
    let Some(items) = node.items() else {
        wrong_shape(&node, "an array of tables", right);
        return None;
    };
    let case = |item: Node<'_>| {
        let read = item.section(|section| {
            section.demand("when", "write when = { type = \"verify\" }");
            let when = conditions(section, ground);
            let form = form(section, ground, StatusCode::OK, Meaning::Taken);
            Some(AnswerCase { when: when?, form: form? })
        });
        if read.is_none() {
            wrong_shape(&item, "a table", right);
        }
        read.flatten()
    };
    let cases: Vec<Option<AnswerCase>> = items.map(case).collect();
    cases.into_iter().collect()
}

/// Reports an answer with a status of success that says the same as one that means it.
fn reject_alike(section: &mut Section<'_>, answers: &Answers) {
    let taken = || {
        let always = [&answers.accepted, &answers.duplicate];
        always.into_iter().chain(answers.cases.iter().map(|case| &case.form))
    };
    for (key, form) in
        [("busy", &answers.busy), ("refused", &answers.refused), ("unsigned", &answers.unsigned)]
    {
        if form.status.is_success() && taken().any(|it| it.body == form.body) {
            let wrong = "says the same as success, and the carrier would not come again";
            let right = "give it a `body` of its own, or a status such as 503";
            section.refuse(key, || Fault::new(wrong, right));
        }
    }
}

fn form(
    section: &mut Section<'_>,
    ground: &Ground,
    usual: StatusCode,
    meaning: Meaning,
) -> Option<AnswerForm> {
    let status = status(section, usual, meaning);
    let content_type = section.text("content_type", "\"application/json\"", content_type);
    let headers = headers(section);
    let body = section.text("body", "\"OK\"", |text| ground.template(text, Use::Answer));
    if let Some(body) = &body
        && !body.value.pieces.is_empty()
        && matches!(status, Some(StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED))
    {
        let wrong = "cannot be sent: an answer with this status has no body";
        section.reject(body, Fault::new(wrong, "make the status 200, or the body empty"));
    }
    Some(AnswerForm {
        status: status?,
        content_type: content_type.map(|it| it.value),
        headers: headers?,
        body: body.map_or_else(Template::default, |body| body.value),
    })
}

fn status(section: &mut Section<'_>, usual: StatusCode, meaning: Meaning) -> Option<StatusCode> {
    let Some(number) = section.count("status", 200_u16..=599) else {
        return (!section.has("status")).then_some(usual);
    };
    let status = StatusCode::from_u16(number.value).ok()?;
    match meaning {
        Meaning::NotTaken if status.is_success() => {
            let wrong = format!("{status} would tell the carrier that we have it");
            let right = format!(
                "write for example {}; if the carrier looks at the body only, add \
                 answers.body_decides = true",
                usual.as_u16()
            );
            section.reject(&number, Fault::new(wrong, right));
        }
        Meaning::Taken if status.is_redirection() => {
            let wrong = format!("{status} is a success to few carriers");
            section.warn(&number, Fault::new(wrong, "write 200, unless this one documents it"));
        }
        Meaning::Taken if !status.is_success() => {
            let wrong = format!("{status} would have the carrier send it again");
            section.reject(&number, Fault::new(wrong, "write 200, or another from 200 to 299"));
        }
        _ => {}
    }
    Some(status)
}

pub(super) fn content_type(text: &str) -> Result<HeaderValue, Fault> {
    let whole =
        text.split_once('/').is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty());
    match HeaderValue::from_str(text) {
        Ok(value) if whole && text.is_ascii() => Ok(value),
        _ => Err(Fault::new(
            format!("{text:?} is not a content type"),
            "write for example \"application/json\" or \"text/plain; charset=utf-8\"",
        )),
    }
}

fn headers(section: &mut Section<'_>) -> Option<Vec<(HeaderName, HeaderValue)>> {
    if !section.has("headers") {
        section.node("headers");
        return Some(Vec::new());
    }
    let headers = named(section, "headers", "{ \"X-Result\" = \"0\" }", header)?;
    Some(headers.into_iter().map(|(_, header)| header).collect())
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Fault> {
    let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
        Fault::new(format!("{name:?} is not a header's name"), "write for example \"X-Result\"")
    })?;
    if known == http::header::CONTENT_TYPE {
        let right = "write content_type = \"…\" beside `headers`";
        return Err(Fault::new("the content type has its own key", right));
    }
    if OURS.contains(&known.as_str()) {
        return Err(Fault::new(format!("the gateway writes `{known}` itself"), "remove it"));
    }
    match HeaderValue::from_str(value) {
        Ok(value) if value.to_str().is_ok() => Ok((known, value)),
        _ => Err(Fault::new("is not what a header can carry", "write visible ASCII characters")),
    }
}
