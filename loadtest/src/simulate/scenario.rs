//! What carriers do, by name.

use clap::ValueEnum;

/// What carriers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Scenario {
    /// Every kind in every form, over and over; what is not acknowledged is tried again.
    Push,
    /// The same bytes three times: answered alike.
    Repeat,
    /// The first answer is lost, and the carrier tries again as it documents.
    Retry,
    /// Signed at the wrong time: refused where the signature tells the time, else taken.
    WrongClock,
    /// Content that nothing decodes: taken, and put into quarantine.
    BadCharset,
    /// The same callback over 64 connections at once: all are told the same.
    Burst,
    /// All of them.
    All,
}

impl Scenario {
    /// The scenarios that this stands for.
    pub(super) fn each(self) -> Vec<Scenario> {
        let single = |scenario: &Scenario| *scenario != Scenario::All;
        match self {
            Scenario::All => Scenario::value_variants().iter().copied().filter(single).collect(),
            one => vec![one],
        }
    }

    /// As on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Scenario::Push => "push",
            Scenario::Repeat => "repeat",
            Scenario::Retry => "retry",
            Scenario::WrongClock => "wrong-clock",
            Scenario::BadCharset => "bad-charset",
            Scenario::Burst => "burst",
            Scenario::All => "all",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_command_line() {
        for scenario in Scenario::value_variants() {
            let value = scenario.to_possible_value().expect("none is hidden");
            assert_eq!(value.get_name(), scenario.name());
        }
        assert_eq!(Scenario::All.each().len(), 6);
    }
}
