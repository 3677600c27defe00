//! The five national satisfaction levels, and what they are given to.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A satisfaction level, national numbering: 5 非常满意 … 1 非常不满意.
///
/// Digits that a citizen pressed never travel under this name: a digit becomes a level only
/// through a [`Scheme`](super::Scheme).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
#[repr(u8)]
pub enum Level {
    /// 非常不满意
    VeryDissatisfied = 1,
    /// 不满意
    Dissatisfied = 2,
    /// 基本满意
    Fair = 3,
    /// 满意
    Satisfied = 4,
    /// 非常满意
    VerySatisfied = 5,
}

impl Level {
    /// All levels, worst first.
    pub const ALL: [Level; 5] = [
        Level::VeryDissatisfied,
        Level::Dissatisfied,
        Level::Fair,
        Level::Satisfied,
        Level::VerySatisfied,
    ];

    /// The level with this national number (1 to 5).
    #[must_use]
    pub fn from_number(number: u8) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.number() == number)
    }

    /// The national number, 5 非常满意 … 1 非常不满意.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The score that Liaoning attaches to the level: 10, 8, 6, 3 or 0.
    #[must_use]
    pub fn score(self) -> u8 {
        match self {
            Level::VerySatisfied => 10,
            Level::Satisfied => 8,
            Level::Fair => 6,
            Level::Dissatisfied => 3,
            Level::VeryDissatisfied => 0,
        }
    }

    /// The official wording.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Level::VerySatisfied => "非常满意",
            Level::Satisfied => "满意",
            Level::Fair => "基本满意",
            Level::Dissatisfied => "不满意",
            Level::VeryDissatisfied => "非常不满意",
        }
    }

    /// Whether this is a 差评, which somebody must call back about and put right.
    #[must_use]
    pub fn is_bad(self) -> bool {
        self <= Level::Dissatisfied
    }
}

impl From<Level> for u8 {
    fn from(level: Level) -> u8 {
        level.number()
    }
}

impl TryFrom<u8> for Level {
    type Error = NotALevel;

    fn try_from(number: u8) -> Result<Level, NotALevel> {
        Level::from_number(number).ok_or(NotALevel(number))
    }
}

/// A number outside 1 to 5 where a level was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a satisfaction level; levels are 1 (非常不满意) to 5 (非常满意)")]
pub struct NotALevel(pub u8);

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

/// What is being rated: one call, or one matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetType {
    /// 一次一评: the call itself, once per call.
    Call,
    /// 一事一评: the handling of a case (办件), once per matter.
    Case,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_the_province() {
        let scores: Vec<u8> = Level::ALL.into_iter().map(Level::score).collect();
        assert_eq!(scores, [0, 3, 6, 8, 10]);
        let bad: Vec<Level> = Level::ALL.into_iter().filter(|level| level.is_bad()).collect();
        assert_eq!(bad, [Level::VeryDissatisfied, Level::Dissatisfied]);
    }
}
