//! How a rehearsal is shown: in aligned lines of text, or as one JSON object for each thing that happened.

use super::stage::{Recorded, Scene, Stage, What};
use crate::cli::shown::{beijing, time};
use crate::config::Prompt;
use crate::dialogue::Because;
use crate::egress::native;
use crate::model::{Comment, Content, Level, Meaning, Message, Outcome, Record, segments};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

/// What of a forwarded record is shown in short, in this order.
const SHORT: [&str; 13] = [
    "kind",
    "revision",
    "level",
    "score",
    "target",
    "complaint",
    "not_rated",
    "invitation",
    "assess_number",
    "follows",
    "marks",
    "comment",
    "area",
];

/// What differs between two revisions by nature.
const ALWAYS_NEW: [&str; 2] = ["key", "revision"];

/// Writes a scene as text; records in short unless `whole`.
pub(super) fn text(
    scene: &Scene,
    stage: &Stage<'_>,
    whole: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let (label, first) = match &scene.what {
        What::Heard => ("heard", outcomes(scene)),
        What::Invited if scene.outcomes.is_empty() => {
            ("invited", "the invitation is taken".to_owned())
        }
        What::Invited => ("invited", outcomes(scene)),
        What::Due => ("due", outcomes(scene)),
        What::Sent(message) => ("sent", told(message)),
        What::Dropped(message, why) => ("not sent", format!("{}: {why}", told(message))),
        What::Asks(prompts) => ("asks", spoken(prompts)),
        What::Says(prompts) => ("says", spoken(prompts)),
    };
    let silent = |because: &&Because| matches!(because, Because::Silent { .. });
    let reasons = scene.because.iter().filter(|because| !silent(because)).map(reason);
    column(label, [first].into_iter().chain(reasons), out)?;
    column("silent", scene.because.iter().filter(silent).map(reason), out)?;
    column("recorded", scene.records.iter().map(|recorded| recording(recorded, stage)), out)?;
    column("forwarded", scene.records.iter().map(|it| forwarded(&it.record, whole)), out)?;
    let later = scene.messages.iter().filter(|message| message.not_before > scene.at);
    column(
        "waits",
        later.map(|it| format!("{}, not before {}", told(it), time(it.not_before))),
        out,
    )
}

/// Writes lines under a label.
fn column(
    label: &str,
    lines: impl Iterator<Item = String>,
    out: &mut impl Write,
) -> io::Result<()> {
    for (place, line) in lines.enumerate() {
        writeln!(out, "  {:<10} {line}", if place == 0 { label } else { "" })?;
    }
    Ok(())
}

fn outcomes(scene: &Scene) -> String {
    if scene.outcomes.is_empty() {
        return "held".to_owned();
    }
    let names: Vec<&str> = scene.outcomes.iter().map(|outcome| outcome.name()).collect();
    names.join(", then ")
}

/// A rule that was applied, with the citizen's words where they were read, and the invitation that is
/// answered.
fn reason(because: &Because) -> String {
    match because {
        Because::Read { comment: Comment(comment), .. } if !comment.is_empty() => {
            format!("{because}, comment {comment:?}")
        }
        Because::Matched { invitation, .. } => format!("{because}: {invitation}"),
        _ => because.to_string(),
    }
}

/// What the citizen hears.
fn spoken(prompts: &[Prompt]) -> String {
    let words = prompts.iter().map(|prompt| match prompt {
        Prompt::Say(words) => words.clone(),
        Prompt::Play(address) => format!("<{address}>"),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// To whom and what.
fn told(message: &Message) -> String {
    let Message { kind, to, from, account, content, .. } = message;
    let from = from.as_ref().map(|from| format!(" from {}", from.0)).unwrap_or_default();
    let said = match content {
        Content::Text(text) => format!("{} SMS: {text}", segments(text)),
        Content::Template { code, parameters } => {
            let parameters: Vec<String> =
                parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("template {code}: {}", parameters.join(", "))
        }
    };
    format!("{} to {to}{from} by {account}, {said}", kind.name())
}

/// A first revision in words, or what a later one changes.
fn recording(recorded: &Recorded, stage: &Stage<'_>) -> String {
    let Recorded { record, number, former } = recorded;
    let said = match former {
        None => meaning(record, stage),
        Some(former) => {
            let changes = changes(former, record).into_iter();
            let changes =
                changes.map(|(name, from, to)| format!("{name} {} → {}", value(&from), value(&to)));
            changes.collect::<Vec<_>>().join(", ")
        }
    };
    let kind = match record.meaning {
        Meaning::Rating { .. } => "rating",
        Meaning::Complaint { .. } => "complaint",
        Meaning::NotRated { .. } => "not rated",
    };
    format!("{kind} #{number}, revision {}: {said}", record.revision)
}

fn meaning(record: &Record, stage: &Stage<'_>) -> String {
    let mut said = match &record.meaning {
        Meaning::Rating { level, target, .. } => {
            let of = target.reference.as_deref().map(|of| format!(" of {of}")).unwrap_or_default();
            format!("{} {level}{of}", level.number())
        }
        Meaning::Complaint { rating, deadlines, tags, .. } => {
            let mut said = match rating.and_then(|rating| stage.number(rating)) {
                Some(number) => format!("bad rating #{number}"),
                None => "grievance".to_owned(),
            };
            if let Some(deadlines) = deadlines {
                let (call_back, repair) = (deadlines.call_back_by, deadlines.repair_by);
                said.push_str(&format!(", call back by {call_back}, repair by {repair}"));
            }
            for tag in tags {
                said.push_str(&format!(" [{tag}]"));
            }
            said
        }
        Meaning::NotRated { why, target } => {
            let of = target.reference.as_deref().map(|of| format!(" of {of}")).unwrap_or_default();
            format!("{}{of}", why.name())
        }
    };
    let Comment(comment) = &record.comment;
    if !comment.is_empty() {
        said.push_str(&format!(", comment {comment:?}"));
    }
    said
}

/// The fields that a revision changes, as the platform sees them: name, former and new value.
fn changes(former: &Record, record: &Record) -> Vec<(String, Field, Field)> {
    let (former, record) = (as_sent(former), as_sent(record));
    let names: BTreeSet<&String> = former.keys().chain(record.keys()).collect();
    let names = names.into_iter().filter(|name| !ALWAYS_NEW.contains(&name.as_str()));
    let pair = |name: &String| (name.clone(), former.get(name).cloned(), record.get(name).cloned());
    let same = |(_, from, to): &(String, Field, Field)| value(from) == value(to);
    names.map(pair).filter(|pair| !same(pair)).collect()
}

/// The value of a field as it travels; `None`: it is left out.
type Field = Option<Box<RawValue>>;

fn value(field: &Field) -> &str {
    field.as_ref().map_or("nothing", |value| value.get())
}

fn as_sent(record: &Record) -> BTreeMap<String, Box<RawValue>> {
    serde_json::from_str(&native::write_one(record)).unwrap_or_default()
}

fn forwarded(record: &Record, whole: bool) -> String {
    if whole {
        return native::write_one(record);
    }
    let record = as_sent(record);
    let fields = SHORT.iter().filter_map(|name| Some((name, record.get(*name)?)));
    let fields: Vec<String> = fields.map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}, …}}", fields.join(","))
}

/// A scene as `--json` shows it.
#[derive(Serialize)]
struct Shown<'s> {
    /// The line of the script, and what it says.
    line: usize,
    input: &'s str,
    at: String,
    what: &'static str,
    outcomes: Vec<&'static str>,
    readings: Vec<ShownReading<'s>>,
    because: Vec<String>,
    records: Vec<ShownRecord>,
    /// What was sent or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<ShownMessage<'s>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why_not: Option<String>,
    /// What is said in a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    spoken: Option<String>,
    /// What is to be sent.
    messages: Vec<ShownMessage<'s>>,
}

#[derive(Serialize)]
struct ShownReading<'s> {
    kind: &'static str,
    level: Option<Level>,
    comment: &'s str,
    rule: &'s str,
}

#[derive(Serialize)]
struct ShownRecord {
    forwarded: Box<RawValue>,
    /// Former and new value of each field that this revision changes.
    changed: BTreeMap<String, [Field; 2]>,
}

#[derive(Serialize)]
struct ShownMessage<'s> {
    kind: &'static str,
    to: String,
    from: Option<&'s str>,
    account: &'s str,
    #[serde(flatten)]
    content: ShownContent<'s>,
    /// How many SMS; only its carrier knows that of a template.
    segments: Option<usize>,
    not_before: String,
    expires: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ShownContent<'s> {
    Text { text: &'s str },
    Template { template: &'s str, parameters: &'s [(String, String)] },
}

impl ShownContent<'_> {
    fn of(content: &Content) -> ShownContent<'_> {
        match content {
            Content::Text(text) => ShownContent::Text { text },
            Content::Template { code, parameters } => {
                ShownContent::Template { template: code, parameters }
            }
        }
    }
}

/// Writes a scene as one JSON object, for the line that had it happen.
pub(super) fn json(
    scene: &Scene,
    (line, input): (usize, &str),
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let (what, message, why_not) = match &scene.what {
        What::Heard => ("heard", None, None),
        What::Invited => ("invited", None, None),
        What::Due => ("due", None, None),
        What::Sent(message) => ("sent", Some(message), None),
        What::Dropped(message, why) => ("not_sent", Some(message), Some(why.to_string())),
        What::Asks(_) => ("asks", None, None),
        What::Says(_) => ("says", None, None),
    };
    let spoken = match &scene.what {
        What::Asks(prompts) | What::Says(prompts) => Some(spoken(prompts)),
        _ => None,
    };
    let records: Result<Vec<ShownRecord>, serde_json::Error> =
        scene.records.iter().map(ShownRecord::of).collect();
    let shown = Shown {
        line,
        input,
        at: beijing(scene.at),
        what,
        outcomes: scene.outcomes.iter().copied().map(Outcome::name).collect(),
        readings: scene.because.iter().filter_map(ShownReading::of).collect(),
        because: scene.because.iter().map(ToString::to_string).collect(),
        records: records?,
        message: message.map(ShownMessage::of),
        why_not,
        spoken,
        messages: scene.messages.iter().map(ShownMessage::of).collect(),
    };
    serde_json::to_writer(&mut *out, &shown)?;
    writeln!(out)?;
    Ok(())
}

impl ShownReading<'_> {
    fn of(because: &Because) -> Option<ShownReading<'_>> {
        let Because::Read { kind, level, comment: Comment(comment), rule } = because else {
            return None;
        };
        Some(ShownReading { kind: kind.name(), level: *level, comment, rule: &rule.0 })
    }
}

impl ShownRecord {
    fn of(Recorded { record, former, .. }: &Recorded) -> Result<ShownRecord, serde_json::Error> {
        let changes = former.as_ref().map(|former| changes(former, record)).unwrap_or_default();
        let pair = |(name, from, to)| (name, [from, to]);
        Ok(ShownRecord {
            forwarded: RawValue::from_string(native::write_one(record))?,
            changed: changes.into_iter().map(pair).collect(),
        })
    }
}

impl ShownMessage<'_> {
    fn of(message: &Message) -> ShownMessage<'_> {
        ShownMessage {
            kind: message.kind.name(),
            to: message.to.masked(),
            from: message.from.as_ref().map(|from| from.0.as_str()),
            account: message.account.as_str(),
            content: ShownContent::of(&message.content),
            segments: match &message.content {
                Content::Text(text) => Some(segments(text)),
                Content::Template { .. } => None,
            },
            not_before: beijing(message.not_before),
            expires: beijing(message.expires),
        }
    }
}
