//! Measured quantities: rows of the load table, single figures, medians, goals.

use super::round::Round;
use serde::Serialize;

/// A scenario under load: all its rounds.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) scenario: &'static str,
    pub(super) connections: u32,
    pub(super) rounds: Vec<Round>,
}

impl Row {
    /// The median of a quantity over the rounds that have it.
    pub(super) fn median(&self, quantity: impl Fn(&Round) -> Option<f64>) -> Option<f64> {
        median(self.rounds.iter().filter_map(quantity).collect())
    }

    /// The quantity of every round, as a figure.
    pub(super) fn figure(
        &self,
        quantity: &'static str,
        unit: &'static str,
        goal: Option<Goal>,
        value: impl Fn(&Round) -> Option<f64>,
    ) -> Figure {
        let values = self.rounds.iter().filter_map(value).collect();
        Figure { scenario: self.scenario, quantity, unit, values, goal }
    }
}

/// A quantity, measured once in each round.
#[derive(Debug, Serialize)]
pub(super) struct Figure {
    pub(super) scenario: &'static str,
    pub(super) quantity: &'static str,
    pub(super) unit: &'static str,
    pub(super) values: Vec<f64>,
    pub(super) goal: Option<Goal>,
}

/// What a quantity must reach, and what is aimed at.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Goal {
    AtLeast { must: f64, aim: f64 },
    AtMost { must: f64, aim: f64 },
}

/// How a quantity stands to its goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Missed,
    Reached,
    Aimed,
}

impl Goal {
    pub(super) fn standing(self, value: f64) -> Standing {
        let (must, aim) = match self {
            Goal::AtLeast { must, aim } => (value >= must, value >= aim),
            Goal::AtMost { must, aim } => (value <= must, value <= aim),
        };
        match (must, aim) {
            (_, true) => Standing::Aimed,
            (true, false) => Standing::Reached,
            (false, false) => Standing::Missed,
        }
    }
}

impl Figure {
    /// The median over the rounds.
    pub(super) fn median(&self) -> Option<f64> {
        median(self.values.clone())
    }
}

/// The middle value, or the mean of the two middle ones.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) {
        Some(f64::midpoint(*values.get(middle.checked_sub(1)?)?, *values.get(middle)?))
    } else {
        values.get(middle).copied()
    }
}

/// Bytes as MiB.
#[expect(clippy::cast_precision_loss, reason = "exact up to 8 PiB")]
pub(super) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(vec![7.0]), Some(7.0));
        assert_eq!(median(vec![]), None);
    }

    #[test]
    fn goals_are_judged_in_their_own_direction() {
        let rate = Goal::AtLeast { must: 0.15, aim: 0.25 };
        assert_eq!(rate.standing(0.3), Standing::Aimed);
        assert_eq!(rate.standing(0.2), Standing::Reached);
        assert_eq!(rate.standing(0.1), Standing::Missed);
        let latency = Goal::AtMost { must: 15.0, aim: 6.0 };
        assert_eq!(latency.standing(5.0), Standing::Aimed);
        assert_eq!(latency.standing(10.0), Standing::Reached);
        assert_eq!(latency.standing(16.0), Standing::Missed);
    }
}
