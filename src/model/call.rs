//! A call in which we ask: which question stands, and the reasons that a key can name.

use super::Level;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A question of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Question {
    /// How it went.
    Rating,
    /// What was wrong, after a bad rating.
    Reason,
    /// Whether the citizen wants to leave a message.
    Offer,
    /// The message itself.
    Message,
}

/// Where a call stands: the question that was put, and how often it was put before.
///
/// It travels in the address that the carrier calls next, so that whichever node is called knows
/// the next step without asking the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Step {
    /// The question.
    pub question: Question,
    /// How often it was put before.
    pub repeats: u8,
}

impl Question {
    const NAMES: [(&'static str, Question); 4] = [
        ("rating", Question::Rating),
        ("reason", Question::Reason),
        ("offer", Question::Offer),
        ("message", Question::Message),
    ];

    /// The name, as it stands in addresses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Question::Rating => "rating",
            Question::Reason => "reason",
            Question::Offer => "offer",
            Question::Message => "message",
        }
    }
}

impl Step {
    /// The question put for the first time.
    #[must_use]
    pub fn first(question: Question) -> Step {
        Step { question, repeats: 0 }
    }

    /// The same question once more.
    #[must_use]
    pub fn again(self) -> Step {
        Step { repeats: self.repeats.saturating_add(1), ..self }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.question.name(), self.repeats)
    }
}

/// A text that is no step of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no step of a call; one is written for example rating-0")]
pub struct NotAStep;

impl FromStr for Step {
    type Err = NotAStep;

    fn from_str(text: &str) -> Result<Step, NotAStep> {
        let (name, repeats) = text.split_once('-').ok_or(NotAStep)?;
        let known = Question::NAMES.iter().find(|(known, _)| *known == name);
        let step = Step {
            question: known.ok_or(NotAStep)?.1,
            repeats: repeats.parse().map_err(|_| NotAStep)?,
        };
        // One step has one text, since it is part of what a repeat is recognised by.
        if step.to_string() == text { Ok(step) } else { Err(NotAStep) }
    }
}

/// A reason for a level (`evalDetail`): three digits, the first of which is the level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OptionCode {
    level: Level,
    number: u8,
}

impl OptionCode {
    /// Reads a code; `None` if it is none.
    #[must_use]
    pub fn read(text: &str) -> Option<OptionCode> {
        let [level, number @ ..] = text.as_bytes() else { return None };
        let digit = |byte: &u8| byte.checked_sub(b'0').filter(|digit| *digit <= 9);
        let [tens, ones] = number else { return None };
        Some(OptionCode {
            level: Level::from_number(digit(level)?)?,
            number: 10 * digit(tens)? + digit(ones)?,
        })
    }

    /// The level that it is a reason for.
    #[must_use]
    pub fn level(self) -> Level {
        self.level
    }
}

impl fmt::Display for OptionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:02}", self.level.number(), self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_one_text() {
        for (_, question) in Question::NAMES {
            let step = Step::first(question).again();
            assert_eq!(step.to_string().parse(), Ok(step));
        }
        for odd in
            ["", "rating", "rating-", "rating-00", "rating-+1", "rating-256", "Rating-0", "x-1"]
        {
            assert_eq!(odd.parse::<Step>(), Err(NotAStep), "{odd}");
        }
    }

    #[test]
    fn a_code_names_its_level() {
        assert_eq!(OptionCode::read("214").map(OptionCode::level), Level::from_number(2));
        assert_eq!(OptionCode::read("115").map(|code| code.to_string()), Some("115".to_owned()));
        for odd in ["", "14", "0115", "614", "014", "+14", "2１4"] {
            assert_eq!(OptionCode::read(odd), None, "{odd}");
        }
    }
}
