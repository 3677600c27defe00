//! How a campaign asks in a call: `[campaigns.NAME.call]`.

use super::problem::Fault;
use super::raw::{Node, Section};
use super::values::{self, kind};
use crate::model::{Level, OptionCode, Scheme};
use std::collections::BTreeMap;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

const SAID: &str = "\"非常满意请按1，满意请按2\"";

/// What is asked in a call, in up to three questions, and what is said around them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallFlow {
    /// Said once, before the first question.
    pub greeting: Option<Prompt>,
    /// The first question: how it went.
    pub rating: Prompt,
    /// The second, after a bad rating: what was wrong.
    pub reason: Option<ReasonMenu>,
    /// The third, after a bad rating: whether the citizen wants to leave a message.
    pub message: Option<MessageOffer>,
    /// Said before a question that is put again after a key that says nothing.
    pub wrong_key: Option<Prompt>,
    /// Said before a question that is put again after silence.
    pub silence: Option<Prompt>,
    /// Said before a question that is put again because its answer could not be stored in time.
    pub busy: Option<Prompt>,
    /// Said at the end to somebody who rated.
    pub thanks: Option<Prompt>,
    /// Said at the end to somebody who did not.
    pub goodbye: Option<Prompt>,
    /// How long a key is awaited.
    pub wait: Duration,
    /// How often a question is put again.
    pub repeats: u8,
    /// When a call whose end nobody told is over, from its beginning on.
    pub longest: Duration,
}

/// Something that a citizen hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    /// Words for the carrier's voice.
    Say(String),
    /// A recording, by an address that the carrier can play.
    Play(String),
}

/// Keys that name a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReasonMenu {
    /// The question.
    pub ask: Prompt,
    /// What each key stands for: a code for each level that has one.
    pub keys: BTreeMap<u8, Vec<OptionCode>>,
}

impl ReasonMenu {
    /// What a key stands for after this rating.
    #[must_use]
    pub fn reason(&self, key: u8, level: Level) -> Option<OptionCode> {
        self.keys.get(&key)?.iter().copied().find(|code| code.level() == level)
    }
}

/// The offer to leave a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageOffer {
    /// The question.
    pub ask: Prompt,
    /// The key that accepts.
    pub key: u8,
    /// Said before the tone.
    pub record: Prompt,
    /// How long a message may be.
    pub longest: Duration,
}

/// Reads the table `call` of a campaign, if it is there; `Some(None)` if it is not.
pub(super) fn call(campaign: &mut Section<'_>, scheme: Option<Scheme>) -> Option<Option<CallFlow>> {
    let Some(node) = campaign.node("call") else { return Some(None) };
    match node.section(|table| of_table(table, scheme)) {
        Some(read) => read.map(Some),
        None => {
            let wrong = format!("is {}, not a table", kind(node.value));
            node.reject(Fault::new(wrong, "write [campaigns.NAME.call] and its keys below it"));
            None
        }
    }
}

fn of_table(table: &mut Section<'_>, scheme: Option<Scheme>) -> Option<CallFlow> {
    table.demand("rating", "write the question, rating = \"非常满意请按1，满意请按2\"");
    let rating = prompt(table, "rating");
    let mut said = |key| prompt(table, key);
    let (greeting, wrong_key, silence) = (said("greeting"), said("wrong_key"), said("silence"));
    let (busy, thanks, goodbye) = (said("busy"), said("thanks"), said("goodbye"));
    let reason = menu(table, scheme);
    let message = offer(table);
    let wait = table.duration("wait", SECOND..=MINUTE);
    let repeats = table.count("repeats", 0..=5);
    let longest = table.duration("longest", MINUTE..=60 * MINUTE);
    Some(CallFlow {
        greeting: greeting?,
        rating: rating??,
        reason: reason?,
        message: message?,
        wrong_key: wrong_key?,
        silence: silence?,
        busy: busy?,
        thanks: thanks?,
        goodbye: goodbye?,
        wait: wait.map_or(6 * SECOND, |wait| wait.value),
        repeats: repeats.map_or(2, |repeats| repeats.value),
        longest: longest.map_or(10 * MINUTE, |longest| longest.value),
    })
}

/// A prompt: words, or `{ play = "…" }`. `Some(None)`: there is none.
fn prompt(table: &mut Section<'_>, key: &'static str) -> Option<Option<Prompt>> {
    let Some(node) = table.node(key) else { return Some(None) };
    let filled = |text: &str| match text.trim().is_empty() {
        true => Err(Fault::new("is empty", format!("write what is said, {key} = {SAID}"))),
        false => Ok(text.to_owned()),
    };
    if node.value.as_str().is_some() {
        return table.text(key, SAID, filled).map(|text| Some(Prompt::Say(text.value)));
    }
    let read = node.section(|table| {
        let right = "write where the recording is, play = \"https://ivr.example/rating.wav\"";
        table.demand("play", right);
        table.text("play", "\"https://ivr.example/rating.wav\"", filled)
    });
    if read.is_none() {
        let right = format!("write {SAID}, or {{ play = \"https://ivr.example/rating.wav\" }}");
        node.reject(Fault::new(format!("is {}, not a prompt", kind(node.value)), right));
    }
    Some(Some(Prompt::Play(read??.value)))
}

fn menu(table: &mut Section<'_>, scheme: Option<Scheme>) -> Option<Option<ReasonMenu>> {
    if !table.has("reason") {
        table.node("reason");
        return Some(None);
    }
    table.table("reason", |table| {
        table.demand("ask", "write the question, ask = \"服务态度请按1，办理效率请按2\"");
        let ask = prompt(table, "ask");
        table.demand("keys", "write what each key stands for, keys = { 1 = [\"214\", \"115\"] }");
        let keys = reasons(table, scheme);
        Some(Some(ReasonMenu { ask: ask??, keys: keys? }))
    })
}

fn reasons(
    table: &mut Section<'_>,
    scheme: Option<Scheme>,
) -> Option<BTreeMap<u8, Vec<OptionCode>>> {
    const EXAMPLE: &str = "{ 1 = [\"214\", \"115\"], 2 = [] }";
    let node = table.node("keys")?;
    let Some(entries) = node.entries() else {
        node.reject(values::wrong_kind(node.value, "a table", EXAMPLE));
        return None;
    };
    let read = entries.map(|(key, node)| match codes(key, &node, scheme) {
        Ok(reason) => Some(reason),
        Err(fault) => {
            node.reject(fault);
            None
        }
    });
    let read: Vec<_> = read.collect();
    read.into_iter().collect()
}

/// What a key stands for: nothing that has a code, or one code for each bad level.
fn codes(
    key: &str,
    node: &Node<'_>,
    scheme: Option<Scheme>,
) -> Result<(u8, Vec<OptionCode>), Fault> {
    let right = "write the codes of the option table, one for each bad level, [\"214\", \"115\"], \
                 or [] for a reason that has none";
    let key = match key.as_bytes() {
        [digit @ b'0'..=b'9'] => digit - b'0',
        _ => return Err(Fault::new(format!("{key:?} is no key"), "write a digit, 0 to 9")),
    };
    let items = node.items().ok_or_else(|| Fault::new("is not an array", right))?;
    let code = |item: Node<'_>| {
        let text = values::text(item.value, "\"214\"")?;
        OptionCode::read(text).ok_or_else(|| Fault::new(format!("{text:?} is no code"), right))
    };
    let codes: Vec<OptionCode> = items.map(code).collect::<Result<_, _>>()?;
    let bad: Vec<Level> = scheme
        .into_iter()
        .flat_map(|it| it.levels().collect::<Vec<_>>())
        .filter(|it| it.is_bad())
        .collect();
    let of = |level: Level| codes.iter().filter(|code| code.level() == level).count();
    if let Some(code) = codes.iter().find(|code| !bad.contains(&code.level()) && scheme.is_some()) {
        let wrong = format!("{code} is no reason for a bad rating of this scheme");
        return Err(Fault::new(wrong, right));
    }
    let whole = codes.is_empty() || bad.iter().all(|level| of(*level) == 1);
    match whole {
        true => Ok((key, codes)),
        false => Err(Fault::new("has not one code for each bad level of the scheme", right)),
    }
}

fn offer(table: &mut Section<'_>) -> Option<Option<MessageOffer>> {
    if !table.has("message") {
        table.node("message");
        return Some(None);
    }
    table.table("message", |table| {
        table.demand("ask", "write the question, ask = \"需要留言请按1\"");
        table.demand("record", "write what is said before the tone, record = \"请在提示音后留言\"");
        let ask = prompt(table, "ask");
        let key = table.count("key", 0..=9);
        let record = prompt(table, "record");
        let longest = table.duration("longest", SECOND..=10 * MINUTE);
        Some(Some(MessageOffer {
            ask: ask??,
            key: key.map_or(1, |key| key.value),
            record: record??,
            longest: longest.map_or(2 * MINUTE, |longest| longest.value),
        }))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Environment, Problems, parse};
    use super::*;
    use std::path::Path;

    const HEAD: &str = "[campaigns.c]\nservice_numbers = [\"8890\"]\nscheme = \"asc\"\n\
                        target = \"call\"\n[campaigns.c.call]\n";

    fn read(keys: &str) -> Result<Config, Problems> {
        parse(&format!("{HEAD}{keys}"), "f", &Environment::given(Path::new(""), &[]))
    }

    #[test]
    fn a_call_has_up_to_three_questions() {
        let keys = r#"
            rating = "请评价"
            greeting = { play = "https://ivr.example/hello.wav" }
            reason = { ask = "原因", keys = { 1 = ["214", "115"], "2" = [] } }
            message = { ask = "留言请按9", key = 9, record = "请留言", longest = "30s" }
            repeats = 0
            wait = "4s"
        "#;
        let config = read(keys).unwrap_or_else(|problems| panic!("{problems}"));
        let flow = config.campaigns[0].call.clone().expect("a call");
        let say = |words: &str| Prompt::Say(words.to_owned());
        let code = |code| OptionCode::read(code).expect("a code");
        let expected = CallFlow {
            greeting: Some(Prompt::Play("https://ivr.example/hello.wav".to_owned())),
            rating: say("请评价"),
            reason: Some(ReasonMenu {
                ask: say("原因"),
                keys: BTreeMap::from([(1, vec![code("214"), code("115")]), (2, Vec::new())]),
            }),
            message: Some(MessageOffer {
                ask: say("留言请按9"),
                key: 9,
                record: say("请留言"),
                longest: 30 * SECOND,
            }),
            wrong_key: None,
            silence: None,
            busy: None,
            thanks: None,
            goodbye: None,
            wait: 4 * SECOND,
            repeats: 0,
            longest: 10 * MINUTE,
        };
        assert_eq!(flow, expected);
        let menu = flow.reason.expect("a menu");
        assert_eq!(menu.reason(1, Level::Dissatisfied), OptionCode::read("214"));
        assert_eq!(menu.reason(2, Level::Dissatisfied), None);
        assert!(read("rating = \"请评价\"").is_ok_and(|config| config.campaigns[0].call.is_some()));
    }

    #[test]
    fn whoever_asks_needs_a_carrier_that_does() {
        let config = read("rating = \"请评价\"").expect("it is right");
        let warnings = config.warnings.to_string();
        assert!(warnings.contains("f:1: campaigns.c: asks in calls, and no account"), "{warnings}");
        let twilio = "rating = \"请评价\"\n[accounts.t]\ncarrier = \"twilio\"\nallow_http = true\n\
                      secrets = [\"env:S\"]";
        let environment = Environment::given(Path::new(""), &[("S", "secret")]);
        let config = parse(&format!("{HEAD}{twilio}"), "f", &environment).expect("it is right");
        assert!(!config.warnings.to_string().contains("asks in calls"));
    }

    #[test]
    fn what_cannot_be_asked_is_said_at_its_line() {
        for (keys, expected) in [
            ("", "campaigns.c.call: `rating` is missing"),
            ("rating = \" \"", "f:6: campaigns.c.call.rating: is empty"),
            ("rating = 1", "is a number, not a prompt"),
            ("rating = { say = \"x\" }", "`play` is missing"),
            ("rating = \"x\"\nreason = { ask = \"y\" }", "`keys` is missing"),
            (
                "rating = \"x\"\nreason = { ask = \"y\", keys = { 1 = [\"214\"] } }",
                "one code for each",
            ),
            (
                "rating = \"x\"\nreason = { ask = \"y\", keys = { 1 = [\"514\"] } }",
                "no reason for a bad",
            ),
            ("rating = \"x\"\nreason = { ask = \"y\", keys = { 11 = [] } }", "\"11\" is no key"),
            (
                "rating = \"x\"\nreason = { ask = \"y\", keys = { 1 = [\"x\"] } }",
                "\"x\" is no code",
            ),
            ("rating = \"x\"\nmessage = { ask = \"y\" }", "`record` is missing"),
            ("rating = \"x\"\nrepeats = 6", "repeats: "),
            ("rating = \"x\"\nwait = \"1h\"", "wait: "),
            ("rating = \"x\"\nthank = \"y\"", "did you mean `thanks`?"),
        ] {
            let problems = read(keys).expect_err(keys).to_string();
            assert!(problems.contains(expected), "{keys}\n{problems}");
        }
    }
}
