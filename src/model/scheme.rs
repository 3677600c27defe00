//! How a campaign's digits are read: which way they run, how many there are, what each stands for.

use super::Level;
use serde::{Deserialize, Serialize};

/// Which end of the digits is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// 1 is the best.
    Asc,
    /// The highest digit is the best.
    Desc,
}

/// The most digits that a scheme may have.
const MOST: usize = 10;

/// What the digits of a campaign stand for.
///
/// It runs one way: no digit is better than one nearer to the best end. Its first and its last
/// digit differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "Kept", try_from = "Kept")]
pub struct Scheme {
    direction: Direction,
    /// The levels of the digits 1, 2, 3 …; `None` behind the last.
    levels: [Option<Level>; MOST],
    zero_declines: bool,
}

/// A scheme as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    direction: Direction,
    levels: Vec<Level>,
    zero_declines: bool,
}

/// Levels that are no scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAScheme {
    /// Too few or too many.
    #[error("a scheme has 2 to 10 digits, and this has {0}")]
    Digits(usize),
    /// Against the direction, or the same from end to end.
    #[error("the levels of the digits do not run from one end to the other")]
    Crooked,
}

impl Scheme {
    /// Five levels; 1 is 非常满意.
    pub const ASC: Scheme = Scheme::five(Direction::Asc);
    /// Five levels; 5 is 非常满意.
    pub const DESC: Scheme = Scheme::five(Direction::Desc);
    /// How many digits the schemes have that [`Scheme::usual`] knows.
    pub const USUAL: [u8; 4] = [3, 4, 5, 10];

    const fn five(direction: Direction) -> Scheme {
        use Level::{Dissatisfied, Fair, Satisfied, VeryDissatisfied, VerySatisfied};
        let mut levels = [None; MOST];
        let from_best = [VerySatisfied, Satisfied, Fair, Dissatisfied, VeryDissatisfied];
        let mut at = 0;
        while at < from_best.len() {
            let place = match direction {
                Direction::Asc => at,
                Direction::Desc => from_best.len() - 1 - at,
            };
            levels[place] = Some(from_best[at]);
            at += 1;
        }
        Scheme { direction, levels, zero_declines: false }
    }

    /// The scheme that invitations with so many digits mean; `None` for a number that is not
    /// usual.
    ///
    /// Three digits are 满意, 基本满意, 不满意; four begin with 非常满意. Of ten points 9 and 10 are
    /// 非常满意, 7 and 8 满意, 3 to 6 不满意, 1 and 2 非常不满意: whoever asks for points holds anything
    /// up to 6 to be dissatisfied.
    #[must_use]
    pub fn usual(direction: Direction, digits: u8) -> Option<Scheme> {
        let from_best: &[u8] = match digits {
            3 => &[4, 3, 2],
            4 => &[5, 4, 3, 2],
            5 => &[5, 4, 3, 2, 1],
            10 => &[5, 5, 4, 4, 2, 2, 2, 2, 1, 1],
            _ => return None,
        };
        let mut levels: Vec<Level> =
            from_best.iter().filter_map(|number| Level::from_number(*number)).collect();
        if direction == Direction::Desc {
            levels.reverse();
        }
        Scheme::new(direction, &levels).ok()
    }

    /// The scheme whose digits 1, 2, 3 … stand for these levels.
    ///
    /// # Errors
    /// [`NotAScheme`].
    pub fn new(direction: Direction, levels: &[Level]) -> Result<Scheme, NotAScheme> {
        if !(2..=MOST).contains(&levels.len()) {
            return Err(NotAScheme::Digits(levels.len()));
        }
        let runs = match direction {
            Direction::Asc => levels.is_sorted_by(|a, b| a >= b),
            Direction::Desc => levels.is_sorted(),
        };
        if !runs || levels.first() == levels.last() {
            return Err(NotAScheme::Crooked);
        }
        let mut all = [None; MOST];
        for (place, level) in all.iter_mut().zip(levels) {
            *place = Some(*level);
        }
        Ok(Scheme { direction, levels: all, zero_declines: false })
    }

    /// The same, with a 0 that declines to rate, or without.
    #[must_use]
    pub fn with_zero_declining(self, zero_declines: bool) -> Scheme {
        Scheme { zero_declines, ..self }
    }

    /// Which end is the best.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// The levels of the digits 1, 2, 3 …
    pub fn levels(&self) -> impl Iterator<Item = Level> {
        self.levels.into_iter().flatten()
    }

    /// The highest digit: how many there are.
    #[must_use]
    pub fn highest(&self) -> u8 {
        self.levels.iter().flatten().fold(0, |count, _| count + 1)
    }

    /// The level that a digit stands for, `None` for a number that is none of its digits.
    #[must_use]
    pub fn level(&self, digit: u8) -> Option<Level> {
        *self.levels.get(usize::from(digit).checked_sub(1)?)?
    }

    /// Whether a 0 declines to rate; otherwise it says nothing.
    #[must_use]
    pub fn zero_declines(&self) -> bool {
        self.zero_declines
    }

    /// Whether N stars can only mean level N: it asks for five, like every shop does.
    #[must_use]
    pub fn has_stars(&self) -> bool {
        self.highest() == 5
    }

    /// Whether its digits are stars: 5 is the best of five, and each digit its own level.
    #[must_use]
    pub fn counts_stars(&self) -> bool {
        self.levels == Scheme::DESC.levels
    }
}

impl From<Scheme> for Kept {
    fn from(scheme: Scheme) -> Kept {
        let Scheme { direction, zero_declines, .. } = scheme;
        Kept { direction, levels: scheme.levels().collect(), zero_declines }
    }
}

impl TryFrom<Kept> for Scheme {
    type Error = NotAScheme;

    fn try_from(kept: Kept) -> Result<Scheme, NotAScheme> {
        let scheme = Scheme::new(kept.direction, &kept.levels)?;
        Ok(scheme.with_zero_declining(kept.zero_declines))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(scheme: Scheme) -> Vec<u8> {
        scheme.levels().map(Level::number).collect()
    }

    #[test]
    fn a_digit_means_opposite_things_in_the_two_directions() {
        assert_eq!(Scheme::ASC.level(1), Some(Level::VerySatisfied));
        assert_eq!(Scheme::DESC.level(1), Some(Level::VeryDissatisfied));
        assert_eq!(Scheme::ASC.level(3), Scheme::DESC.level(3));
        for digit in [0, 6, 7, 255] {
            assert_eq!(Scheme::ASC.level(digit), None);
            assert_eq!(Scheme::DESC.level(digit), None);
        }
    }

    #[test]
    fn usual_schemes_are_those_of_real_invitations() {
        let usual = |direction, digits| Scheme::usual(direction, digits).map(numbers);
        for (digits, from_best) in [
            (3, &[4, 3, 2][..]),
            (4, &[5, 4, 3, 2]),
            (5, &[5, 4, 3, 2, 1]),
            (10, &[5, 5, 4, 4, 2, 2, 2, 2, 1, 1]),
        ] {
            assert_eq!(usual(Direction::Asc, digits), Some(from_best.to_vec()));
            let from_worst = from_best.iter().rev().copied().collect();
            assert_eq!(usual(Direction::Desc, digits), Some(from_worst));
        }
        assert_eq!(usual(Direction::Asc, 6), None);
        assert_eq!(Scheme::usual(Direction::Asc, 5), Some(Scheme::ASC));
        assert_eq!(Scheme::usual(Direction::Desc, 5), Some(Scheme::DESC));
    }

    #[test]
    fn levels_run_one_way() {
        use Level::{Dissatisfied, Fair, Satisfied, VerySatisfied};
        let made = |direction, levels: &[Level]| Scheme::new(direction, levels).map(numbers);
        let given = [VerySatisfied, Fair, Dissatisfied];
        assert_eq!(made(Direction::Asc, &given), Ok(vec![5, 3, 2]));
        assert_eq!(made(Direction::Desc, &given), Err(NotAScheme::Crooked));
        assert_eq!(made(Direction::Asc, &[Satisfied, Satisfied]), Err(NotAScheme::Crooked));
        assert_eq!(made(Direction::Asc, &[Satisfied]), Err(NotAScheme::Digits(1)));
        assert_eq!(made(Direction::Asc, &[Satisfied; 11]), Err(NotAScheme::Digits(11)));
    }
}
