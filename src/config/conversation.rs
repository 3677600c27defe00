//! How a campaign talks with those it asks: `[campaigns.NAME.conversation]`.

use crate::model::{AccountName, MessageKind, Msisdn};
use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::Offset;
use std::time::Duration;

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
    /// The account that sends; `None`: the one that brought the answer, if it was a text.
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
