//! How the steps of a call are written: the table `steps` of a route.

use super::super::{Piece, Place, STEP, Source, Steps, Template, is_value};
use super::answers::content_type;
use super::places::{Ground, Use, written};
use super::values::{any_text, texts_of};
use crate::config::problem::{Fault, listed};
use crate::config::raw::{Node, Section};
use crate::config::values::wrong_kind;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Reads `steps`. `Some(None)`: the carrier asks us for none.
pub(super) fn steps(section: &mut Section<'_>, ground: &Ground) -> Option<Option<Steps>> {
    if !section.has("steps") {
        section.node("steps");
        return Some(None);
    }
    section.table("steps", |section| {
        section.demand("content_type", "write content_type = \"text/xml\"");
        let content_type = section.text("content_type", "\"text/xml\"", content_type);
        let mut template = |key, values: &[&str], needs: &[&str]| {
            section.demand(key, &format!("write {key} = '…${{{}}}…'", needs.join("}…${")));
            let text = section.text(key, "'<Say>${say}</Say>'", |text| {
                step_template(ground, text, values, needs)
            });
            text.map(|text| text.value)
        };
        let say = template("say", &["say", "barge_in"], &["say"]);
        let play = template("play", &["play", "barge_in"], &["play"]);
        let asking = ["prompts", "next", "query", "digits", "wait", "wait_ms"];
        let ask = template("ask", &asking, &["prompts", "next"]);
        let recording = ["prompts", "next", "query", "longest", "after"];
        let record = template("record", &recording, &["prompts", "next"]);
        let end = template("end", &["prompts"], &["prompts"]);
        let between = any_text(section, "between", "\",\"");
        let keep = keep(section, ground);
        let longest_wait = section.duration("longest_wait", SECOND..=60 * SECOND);
        let within = section.duration("within", SECOND..=60 * SECOND);
        Some(Some(Steps {
            content_type: content_type?.value,
            say: say?,
            play: play?,
            between,
            ask: ask?,
            record: record?,
            end: end?,
            keep: keep?,
            longest_wait: longest_wait.map(|longest| longest.value),
            within: within.map_or(5 * SECOND, |within| within.value),
        }))
    })
}

/// What is said again in the address of the next step.
fn keep(section: &mut Section<'_>, ground: &Ground) -> Option<Vec<(String, Vec<Source>)>> {
    const EXAMPLE: &str = "{ to = [\"to\", \"query:to\"] }";
    let Some(node) = section.node("keep") else { return Some(Vec::new()) };
    let Some(entries) = node.entries() else {
        node.reject(wrong_kind(node.value, "a table", EXAMPLE));
        return None;
    };
    let entry = |(name, node): (&str, Node<'_>)| {
        if name == STEP {
            let wrong = format!("`{STEP}` says which question was answered");
            node.reject(Fault::new(wrong, "keep it under another name"));
            return None;
        }
        let places = texts_of(&node, "\"query:to\"", |text| ground.source(text, Use::Step))?;
        Some((name.to_owned(), places))
    };
    let read: Vec<_> = entries.map(entry).collect();
    read.into_iter().collect()
}

/// A template over these values of a step and the request.
fn step_template(
    ground: &Ground,
    text: &str,
    values: &[&str],
    needs: &[&str],
) -> Result<Template, Fault> {
    let right =
        || format!("write ${{{}}}; a field of the request is ${{/name}}", values.join("}, ${"));
    let template = ground.template(text, Use::Step)?;
    let foreign = |source: &&Source| {
        source.place == Place::Item && !values.iter().any(|name| is_value(source, name))
    };
    if let Some(foreign) = template.sources().find(foreign) {
        return Err(Fault::new(format!("`${{{foreign}}}` is no value of this step"), right()));
    }
    let names = |name: &str| template.sources().any(|source| is_value(source, name));
    // A carrier may want the query behind an address of its own.
    let has = |name: &str| names(name) || (name == "next" && names("query"));
    if let Some(missing) = needs.iter().find(|name| !has(name)) {
        let wrong = format!("has no ${{{missing}}}");
        return Err(Fault::new(wrong, format!("it needs {}", listed(needs.iter().copied()))));
    }
    for piece in &template.pieces {
        if let Piece::Value(source, filters) = piece {
            written(source, filters)?;
        }
    }
    Ok(template)
}
