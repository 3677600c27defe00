//! One line of a rehearsal: what the citizen texts, or a command. Pure.

use crate::model::DeliveryStatus;
use serde_json::{Map, Value};
use std::time::Duration;

/// What can be typed, as `/help` shows it.
pub(super) const HELP: &str = "\
TEXT                      the citizen sends this text; /text TEXT if it begins with / or #
/part N/M TEXT            the citizen's phone sends part N of M of a long text
/invite [FIELD=VALUE …]   the platform invites the citizen; fields as in docs/invitations.md,
                          for example channel=ivr taskName=身份证换领
/call                     a call reaches the citizen, who answers; it puts the newest question
                          that is to be put in a call
/keys [KEYS]              the citizen presses keys in the call, for example 5#; none: silence
/speak                    the citizen says something aloud, where a call asks for a message
/hangup                   the call is over
/report delivered|failed  the carrier reports on the last text to the citizen
/wait DURATION            time passes, for example 90s, 2h or 3d, and what is due happens
/from NUMBER|withheld     from here on it is another citizen, or one whose number is not told
/to [NUMBER]              from here on another service number, such as one with an extension
/json                     show records whole or in short
/new                      forget everything and begin again
/help, /quit              this; the end
# …                       nothing, in a script";

/// What a line asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Typed {
    /// Nothing: it is empty or a remark.
    Nothing,
    /// That something happens.
    Cue(Cue),
    /// Records whole or in short.
    Json,
    /// What can be typed.
    Help,
    /// The end.
    Quit,
}

/// What happens next, or who speaks to whom from here on.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cue {
    /// The citizen sends a text.
    Text(String),
    /// The citizen's phone sends a part of one.
    Part {
        /// Which, from 1.
        number: u8,
        /// Of how many.
        total: u8,
        /// What it says.
        text: String,
    },
    /// The platform invites, with these fields of an item.
    Invite(Map<String, Value>),
    /// A call reaches the citizen.
    Call,
    /// Keys in the call.
    Keys(String),
    /// Something said aloud in the call.
    Speak,
    /// The call is over.
    HangUp,
    /// A delivery report.
    Report(DeliveryStatus),
    /// Time passes.
    Wait(Duration),
    /// Another citizen; `None`: one who is not named.
    From(Option<String>),
    /// Another service number; `None`: the campaign's own again.
    To(Option<String>),
    /// All over again.
    New,
}

/// A line that asks for nothing that is known.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(super) enum Unplayable {
    #[error("/{0} is no command; /help lists them, and /text sends a text that begins with /")]
    Unknown(String),
    #[error("write for example {0}")]
    Incomplete(&'static str),
    #[error("the duration cannot be read ({0}); write for example /wait 2h")]
    Duration(#[from] humantime::DurationError),
}

impl Typed {
    /// Reads a line.
    ///
    /// # Errors
    /// [`Unplayable`].
    pub(super) fn read(line: &str) -> Result<Typed, Unplayable> {
        if line.trim().is_empty() || line.starts_with('#') {
            return Ok(Typed::Nothing);
        }
        let Some(command) = line.strip_prefix('/') else {
            return Ok(Typed::Cue(Cue::Text(line.to_owned())));
        };
        match command.trim_end() {
            "json" => Ok(Typed::Json),
            "help" => Ok(Typed::Help),
            "quit" => Ok(Typed::Quit),
            _ => Cue::read(command).map(Typed::Cue),
        }
    }
}

impl Cue {
    fn read(command: &str) -> Result<Cue, Unplayable> {
        let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
        let words = rest.trim();
        let incomplete = |example| Err(Unplayable::Incomplete(example));
        match (name, words) {
            ("text", _) => Ok(Cue::Text(rest.to_owned())),
            ("part", _) => part(rest).ok_or(Unplayable::Incomplete("/part 1/2 不满意，")),
            ("invite", _) => fields(words).map(Cue::Invite),
            ("call", "") => Ok(Cue::Call),
            ("keys", keys) => Ok(Cue::Keys(keys.to_owned())),
            ("speak", "") => Ok(Cue::Speak),
            ("hangup", "") => Ok(Cue::HangUp),
            ("report", "delivered") => Ok(Cue::Report(DeliveryStatus::Delivered)),
            ("report", "failed") => Ok(Cue::Report(DeliveryStatus::Failed)),
            ("report", _) => incomplete("/report failed"),
            ("wait", "") => incomplete("/wait 2h"),
            ("wait", duration) => Ok(Cue::Wait(humantime::parse_duration(duration)?)),
            ("from", "") => incomplete("/from 13940000002"),
            ("from", "withheld") => Ok(Cue::From(None)),
            ("from", number) => Ok(Cue::From(Some(number.to_owned()))),
            ("to", "") => Ok(Cue::To(None)),
            ("to", number) => Ok(Cue::To(Some(number.to_owned()))),
            ("new", "") => Ok(Cue::New),
            _ => Err(Unplayable::Unknown(command.to_owned())),
        }
    }
}

/// `N/M TEXT`.
fn part(rest: &str) -> Option<Cue> {
    let (place, text) = rest.trim_start().split_once(' ')?;
    let (number, total) = place.split_once('/')?;
    let (number, total) = (number.parse().ok()?, total.parse().ok()?);
    Some(Cue::Part { number, total, text: text.to_owned() })
}

/// `NAME=VALUE NAME=VALUE`; a word without `=` belongs to the value before it.
fn fields(rest: &str) -> Result<Map<String, Value>, Unplayable> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for word in rest.split_whitespace() {
        match (word.split_once('='), fields.last_mut()) {
            (Some((name, value)), _) => fields.push((name.to_owned(), value.to_owned())),
            (None, Some((_, value))) => {
                value.push(' ');
                value.push_str(word);
            }
            (None, None) => return Err(Unplayable::Incomplete("/invite taskName=身份证换领")),
        }
    }
    Ok(fields.into_iter().map(|(name, value)| (name, Value::String(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(line: &str) -> Cue {
        match Typed::read(line) {
            Ok(Typed::Cue(cue)) => cue,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_plain_line_is_a_text_and_a_slash_begins_a_command() {
        assert_eq!(read("不满意 "), Cue::Text("不满意 ".to_owned()));
        assert_eq!(read("/text /1"), Cue::Text("/1".to_owned()));
        assert_eq!(read("/text"), Cue::Text(String::new()));
        assert_eq!(read("/keys 5#"), Cue::Keys("5#".to_owned()));
        assert_eq!(read("/keys"), Cue::Keys(String::new()));
        assert_eq!(read("/wait 1h 30m"), Cue::Wait(Duration::from_mins(90)));
        assert_eq!(read("/from withheld"), Cue::From(None));
        assert_eq!(read("/to"), Cue::To(None));
        let text = "窗口 关了".to_owned();
        assert_eq!(read("/part 2/3 窗口 关了"), Cue::Part { number: 2, total: 3, text });
        for nothing in ["", " ", "# a remark"] {
            assert_eq!(Typed::read(nothing), Ok(Typed::Nothing));
        }
    }

    #[test]
    fn the_fields_of_an_invitation_may_hold_blanks() {
        let Cue::Invite(fields) = read("/invite channel=ivr taskName=ID card sendAt=") else {
            panic!("an invitation");
        };
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
        assert_eq!(fields, [("channel", "ivr"), ("sendAt", ""), ("taskName", "ID card")]);
    }

    #[test]
    fn what_is_no_command_is_told_with_what_would_be() {
        for (line, expected) in [
            ("/keyz 1", "/help lists them"),
            ("/hangup now", "/help lists them"),
            ("/part 不满意", "/part 1/2"),
            ("/part 300/2 x", "/part 1/2"),
            ("/report lost", "/report failed"),
            ("/wait", "/wait 2h"),
            ("/wait long", "/wait 2h"),
            ("/invite me", "/invite taskName"),
            ("/from", "/from 139"),
        ] {
            let error = Typed::read(line).expect_err(line).to_string();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }

    #[test]
    fn every_command_is_in_the_help() {
        for line in HELP.lines().filter(|line| line.starts_with('/')) {
            let name = line.split([' ', ',']).next().expect("a name");
            let unknown = Typed::read(name).is_err_and(|it| matches!(it, Unplayable::Unknown(_)));
            assert!(!unknown, "{name}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_the_reader_panic(line in "/?(part|wait|invite|keys)?\\PC{0,40}") {
            drop(Typed::read(&line));
        }
    }
}
