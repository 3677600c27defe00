//! How a campaign talks with those it asks: `[campaigns.NAME.conversation]`.

use super::problem::{Fault, listed, one_of};
use super::raw::{At, Section};
use super::values::{kind, text};
use crate::model::{AccountName, MessageKind, Msisdn};
use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::Offset;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);
const YEAR: Duration = Duration::from_hours(365 * 24);

/// Hours are told by the province's clock.
const CHINA: Offset = Offset::constant(8);

/// What can be said, each under its name.
const KINDS: [MessageKind; 5] = [
    MessageKind::Invite,
    MessageKind::ThankYou,
    MessageKind::AskReason,
    MessageKind::RePrompt,
    MessageKind::OptOutConfirmed,
];

const SECONDS: [(&str, Second); 3] = [
    ("first_stands", Second::FirstStands),
    ("last_stands", Second::LastStands),
    ("follow_up", Second::FollowUp),
];

/// How long the missing parts of a text are awaited, unless the campaign says otherwise.
pub const PARTS_TIMEOUT: Duration = Duration::from_mins(5);

/// What `${NAME}` in a wording may stand for.
pub const PLACEHOLDERS: [&str; 5] = ["project_no", "task_name", "department", "handler", "call_id"];

/// What a campaign does beyond reading answers. Whatever is `None`, empty or `false` is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Only invited citizens are asked: an answer that fits no invitation stays unmatched.
    pub invited_only: bool,
    /// How long an answer counts, from the attempt at asking.
    pub validity: Duration,
    /// How long after that a late answer is still taken, and marked.
    pub late_window: Duration,
    /// What a second rating does within the validity.
    pub second: Second,
    /// How long the answer to the question for a reason is awaited.
    pub reason_window: Duration,
    /// How long the missing parts of a text are awaited.
    pub parts_timeout: Duration,
    /// How long key presses wait for the number of their call.
    pub call_wait: Option<Duration>,
    /// The account that sends; `None`: the one that brought the answer, if it was a text and it
    /// can.
    pub sender: Option<AccountName>,
    /// What is said when.
    pub wordings: Vec<(MessageKind, Wording)>,
    /// When nothing is sent.
    pub quiet_hours: Option<QuietHours>,
    /// One invitation to a caller in so long.
    pub invite_every: Option<Duration>,
    /// The most messages to a caller in a day.
    pub messages_per_day: Option<u32>,
    /// An answer sooner than this after the question is marked.
    pub fastest_answer: Option<Duration>,
    /// So many cases rated by one phone in so long are marked.
    pub many_cases: Option<ManyCases>,
    /// Lines of staff, whose ratings are marked.
    pub staff_numbers: Vec<Msisdn>,
}

/// What a second rating of the same subject does; further ones are kept and not forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Second {
    /// Nothing: the first stands.
    FirstStands,
    /// It is the next revision of the first.
    LastStands,
    /// It is a record of its own (追评), linked to the first. A call, rated once, has none.
    FollowUp,
}

/// What a message says, with `${…}` for what is known of the matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wording {
    /// A text.
    Text(String),
    /// A template registered with the carrier.
    Template {
        /// The carrier's code of it.
        code: String,
        /// Names and values, in the template's order.
        parameters: Vec<(String, String)>,
    },
}

/// Hours of the day in which nothing is sent; they may go past midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    /// The first moment.
    pub from: Time,
    /// The first moment after.
    pub to: Time,
    /// The clock they are told by.
    pub offset: Offset,
}

/// How many cases of one phone, within how long, are conspicuous.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManyCases {
    /// So many
    pub count: u8,
    /// within this.
    pub window: Duration,
}

impl Default for Conversation {
    fn default() -> Conversation {
        Conversation {
            invited_only: false,
            validity: Duration::from_hours(72),
            late_window: Duration::ZERO,
            second: Second::LastStands,
            reason_window: Duration::from_hours(24),
            parts_timeout: PARTS_TIMEOUT,
            call_wait: None,
            sender: None,
            wordings: Vec::new(),
            quiet_hours: None,
            invite_every: None,
            messages_per_day: None,
            fastest_answer: None,
            many_cases: None,
            staff_numbers: Vec::new(),
        }
    }
}

impl Conversation {
    /// What a message of this kind says; `None`: it is not sent.
    #[must_use]
    pub fn wording(&self, kind: MessageKind) -> Option<&Wording> {
        self.wordings.iter().find(|(of, _)| *of == kind).map(|(_, wording)| wording)
    }
}

impl QuietHours {
    /// The first moment from `at` on when something may be sent.
    #[must_use]
    pub fn after(&self, at: Timestamp) -> Timestamp {
        let local = self.offset.to_datetime(at);
        let (time, day) = (local.time(), local.date());
        let end = if self.from <= self.to {
            (self.from <= time && time < self.to).then_some(day)
        } else if time >= self.from {
            Some(day.tomorrow().unwrap_or(day))
        } else {
            (time < self.to).then_some(day)
        };
        let end = end.and_then(|day| self.offset.to_timestamp(day.to_datetime(self.to)).ok());
        end.unwrap_or(at)
    }
}

const EXAMPLE: &str = "\"8890 感谢您的评价\"";

/// Reads the table `conversation` of a campaign, if it is there, and adds the account it names to
/// `senders`.
pub(super) fn conversation(
    campaign: &mut Section<'_>,
    senders: &mut Vec<At<AccountName>>,
) -> Option<Conversation> {
    let node = campaign.node("conversation")?;
    let read = node.section(|table| of_table(table, senders));
    if read.is_none() {
        let wrong = format!("is {}, not a table", kind(node.value));
        node.reject(Fault::new(wrong, "write [campaigns.NAME.conversation] and its keys below it"));
    }
    read
}

fn of_table(table: &mut Section<'_>, senders: &mut Vec<At<AccountName>>) -> Conversation {
    let none = Conversation::default();
    let mut lasting = |key, bounds| table.duration(key, bounds).map(|lasting| lasting.value);
    let validity = lasting("validity", MINUTE..=YEAR);
    let late_window = lasting("late_window", Duration::ZERO..=YEAR);
    let reason_window = lasting("reason_window", MINUTE..=YEAR);
    let parts_timeout = lasting("parts_timeout", SECOND..=DAY);
    let call_wait = lasting("call_wait", SECOND..=DAY);
    let invite_every = lasting("invite_every", MINUTE..=YEAR);
    let fastest_answer = lasting("fastest_answer", SECOND..=DAY);
    let invited_only = table.flag("invited_only");
    let second = table.text("second", "\"last_stands\"", |word| one_of(word, "a rule", &SECONDS));
    let sender = table.text("sender", "\"aliyun-sms\"", |name| {
        AccountName::new(name).map_err(|bad| Fault::new(bad.to_string(), "name an account"))
    });
    senders.extend(sender.clone());
    let messages_per_day = table.count("messages_per_day", 1..=100);
    let quiet_hours = table.text("quiet_hours", "\"22:00-07:00\"", quiet_hours);
    let staff = table.list("staff_numbers", "[\"024-12345678\"]", |item| {
        Msisdn::read(text(item, "\"024-12345678\"")?, "86")
            .map_err(|fault| Fault::new(fault.to_string(), "write it with its area code"))
    });
    let staff = staff.map(|list| list.value).unwrap_or_default();
    Conversation {
        invited_only: invited_only.is_some_and(|flag| flag.value),
        validity: validity.unwrap_or(none.validity),
        late_window: late_window.unwrap_or(none.late_window),
        second: second.map_or(none.second, |second| second.value),
        reason_window: reason_window.unwrap_or(none.reason_window),
        parts_timeout: parts_timeout.unwrap_or(none.parts_timeout),
        call_wait,
        sender: sender.map(|sender| sender.value),
        wordings: KINDS
            .iter()
            .filter_map(|kind| Some((*kind, wording(table, kind.name())?)))
            .collect(),
        quiet_hours: quiet_hours.map(|hours| hours.value),
        invite_every,
        messages_per_day: messages_per_day.map(|most| most.value),
        fastest_answer,
        many_cases: many_cases(table),
        staff_numbers: staff.into_iter().map(|number| number.value).collect(),
    }
}

/// Reads `HH:MM-HH:MM`, told by the province's clock.
fn quiet_hours(text: &str) -> Result<QuietHours, Fault> {
    let clock = |text: &str| {
        let (hours, minutes) = text.trim().split_once(':')?;
        let plain =
            |digits: &str| digits.len() == 2 && digits.bytes().all(|it| it.is_ascii_digit());
        (plain(hours) && plain(minutes)).then_some(())?;
        Time::new(hours.parse().ok()?, minutes.parse().ok()?, 0, 0).ok()
    };
    let hours = || {
        let (from, to) = text.split_once('-')?;
        let (from, to) = (clock(from)?, clock(to)?);
        (from != to).then_some(QuietHours { from, to, offset: CHINA })
    };
    hours().ok_or_else(|| {
        let wrong = format!("{text:?} does not say from when to when");
        Fault::new(wrong, "write for example \"22:00-07:00\"")
    })
}

/// A text, or a template of the carrier's.
fn wording(table: &mut Section<'_>, key: &'static str) -> Option<Wording> {
    let node = table.node(key)?;
    if node.value.as_str().is_some() {
        return table.text(key, EXAMPLE, sayable).map(|text| Wording::Text(text.value));
    }
    let read = node.section(|template| {
        template.demand("template", "write the carrier's code, template = \"SMS_123\"");
        let code = template.text("template", "\"SMS_123\"", |code| Ok(code.to_owned()));
        let pairs = template.list("parameters", "[\"no=${project_no}\"]", |item| {
            let pair = text(item, "\"no=${project_no}\"")?;
            let (name, value) = pair.split_once('=').ok_or_else(|| {
                Fault::new(format!("{pair:?} has no `=`"), "write \"NAME=VALUE\"")
            })?;
            Ok((name.to_owned(), sayable(value)?))
        });
        let pairs = pairs.map(|list| list.value).unwrap_or_default();
        let parameters = pairs.into_iter().map(|pair| pair.value).collect();
        Some(Wording::Template { code: code?.value, parameters })
    });
    if read.is_none() {
        let right = format!("write {EXAMPLE}, or {{ template = \"SMS_123\", parameters = [] }}");
        node.reject(Fault::new(format!("is {}, not a wording", kind(node.value)), right));
    }
    read.flatten()
}

/// A text whose every `${NAME}` is one of ours.
fn sayable(text: &str) -> Result<String, Fault> {
    let known = || format!("write one of {}", listed(PLACEHOLDERS));
    for part in text.split("${").skip(1) {
        match part.split_once('}') {
            Some((name, _)) if PLACEHOLDERS.contains(&name) => {}
            Some((name, _)) => {
                return Err(Fault::new(format!("nothing is called {name:?}"), known()));
            }
            None => return Err(Fault::new("has a `${` without its `}`", known())),
        }
    }
    if text.trim().is_empty() {
        return Err(Fault::new("is empty", "write what is to be said, or remove it"));
    }
    Ok(text.to_owned())
}

fn many_cases(table: &mut Section<'_>) -> Option<ManyCases> {
    let node = table.node("many_cases")?;
    let read = node.section(|many| {
        many.demand("count", "write count = 5");
        many.demand("within", "write within = \"1d\"");
        let count = many.count("count", 2..=32);
        let window = many.duration("within", MINUTE..=YEAR);
        Some(ManyCases { count: count?.value, window: window?.value })
    });
    if read.is_none() {
        let wrong = format!("is {}, not a table", kind(node.value));
        node.reject(Fault::new(wrong, "write { count = 5, within = \"1d\" }"));
    }
    read.flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn quiet_hours_go_past_midnight() {
        let night = quiet_hours("22:00-07:00").expect("hours");
        for (at, free) in [
            ("2026-03-05T21:59:59+08:00", "2026-03-05T21:59:59+08:00"),
            ("2026-03-05T22:00:00+08:00", "2026-03-06T07:00:00+08:00"),
            ("2026-03-06T00:30:00+08:00", "2026-03-06T07:00:00+08:00"),
            ("2026-03-06T07:00:00+08:00", "2026-03-06T07:00:00+08:00"),
        ] {
            assert_eq!(night.after(moment(at)), moment(free), "{at}");
        }
        let noon = quiet_hours("12:00-13:30").expect("hours");
        let free = noon.after(moment("2026-12-31T12:10:00+08:00"));
        assert_eq!(free, moment("2026-12-31T13:30:00+08:00"));
        for bad in ["", "22:00", "22-7", "22:00-22:00", "24:00-07:00", "2:00-07:00"] {
            assert!(quiet_hours(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn wordings_name_only_what_is_known() {
        assert!(sayable("办件${project_no}已办结").is_ok());
        for bad in ["", " ", "${", "${project_no", "${caller}"] {
            assert!(sayable(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_table_says_what_is_done_and_the_rest_is_not() {
        let file = r#"
            [campaigns.hotline]
            service_numbers = ["8890"]
            scheme = "asc"
            target = "case"
            [campaigns.hotline.conversation]
            invited_only = true
            second = "follow_up"
            quiet_hours = "22:00-07:00"
            thank_you = "谢谢"
            ask_reason = { template = "SMS_1", parameters = ["no=${project_no}"] }
            many_cases = { count = 5, within = "1d" }
            staff_numbers = ["02412345678"]
        "#;
        let environment = crate::config::Environment::given(std::path::Path::new(""), &[]);
        let config = crate::config::parse(file, "gateway.toml", &environment).expect("right");
        let read = config.campaigns[0].conversation.clone().expect("a conversation");
        let parameters = vec![("no".to_owned(), "${project_no}".to_owned())];
        let expected = Conversation {
            invited_only: true,
            second: Second::FollowUp,
            quiet_hours: quiet_hours("22:00-07:00").ok(),
            wordings: vec![
                (MessageKind::ThankYou, Wording::Text("谢谢".to_owned())),
                (
                    MessageKind::AskReason,
                    Wording::Template { code: "SMS_1".to_owned(), parameters },
                ),
            ],
            many_cases: Some(ManyCases { count: 5, window: DAY }),
            staff_numbers: vec![Msisdn::read("02412345678", "86").expect("a number")],
            ..Conversation::default()
        };
        assert_eq!(read, expected);
        let wrong = file.replace("thank_you = \"谢谢\"", "thank_you = 1\ninvite = \"${who}\"");
        let problems = crate::config::parse(&wrong, "gateway.toml", &environment);
        assert_eq!(problems.expect_err("wrong").len(), 2);
    }
}
