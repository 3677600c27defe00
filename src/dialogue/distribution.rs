//! Whether the ratings of a campaign look as if its digits were read the wrong way round. Pure.
//!
//! The rule, in words: of the last 200 ratings more than half are bad, few of those say a word about what
//! was wrong, and as a whole they are more like the mirror image of what was usual than like that itself.
//! What was usual is the series' own past; where that is short or bad itself, the other campaigns; where
//! there are none, [`USUAL`]. It never alters a rating.

use crate::model::{AccountName, Level, Meaning, Record, Revision};
use std::collections::{BTreeMap, VecDeque};

/// The ratings that are looked at.
const WINDOW: usize = 200;

/// Fewer say nothing; nor do they say what was usual.
const LEAST: u32 = 100;

/// A series is looked at once in so many ratings.
const LOOK: u32 = 10;

/// From this share of bad ratings on they may be upside down, and until this share they stay so.
const BEGINS: f64 = 0.6;
const ENDS: f64 = 0.5;

/// By so much the good must outweigh the bad in what was usual, or its mirror image is no other.
const LOPSIDED: f64 = 0.3;

/// By so much closer the mirror image must be, of 1.
const CLOSER: f64 = 0.15;

/// Who means a bad rating says why: from this share of the bad on they are meant.
const WORDY: f64 = 0.2;

/// Beyond this many the past is halved, so that it follows the years.
const PAST: u32 = 10_000;

/// What is usual where nothing is known: most citizens who answer are satisfied.
pub const USUAL: Levels = Levels([3, 5, 12, 30, 50]);

/// How many ratings there are of each level, from 非常不满意 to 非常满意.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Levels([u32; 5]);

impl Levels {
    /// One more.
    pub fn add(&mut self, level: Level) {
        self.change(level, |count| count.saturating_add(1));
    }

    fn remove(&mut self, level: Level) {
        self.change(level, |count| count.saturating_sub(1));
    }

    fn change(&mut self, level: Level, change: impl Fn(u32) -> u32) {
        if let Some(count) = self.0.get_mut(usize::from(level.number()) - 1) {
            *count = change(*count);
        }
    }

    /// How many there are.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The same read the other way round.
    #[must_use]
    pub fn mirrored(&self) -> Levels {
        let mut levels = self.0;
        levels.reverse();
        Levels(levels)
    }

    /// How far two distributions are apart: the share that would have to change, from 0 to 1.
    #[must_use]
    pub fn distance(&self, other: &Levels) -> f64 {
        let shares = self
            .0
            .iter()
            .zip(&other.0)
            .map(|(one, two)| (share(*one, self.total()) - share(*two, other.total())).abs());
        shares.sum::<f64>() / 2.0
    }

    fn bad(&self) -> f64 {
        share(self.0[0] + self.0[1], self.total())
    }

    fn good(&self) -> f64 {
        share(self.0[3] + self.0[4], self.total())
    }

    /// Whether these can say what is usual.
    fn is_usual(&self) -> bool {
        self.total() >= LEAST && self.good() - self.bad() >= LOPSIDED
    }

    fn plus(mut self, other: &Levels) -> Levels {
        for (count, more) in self.0.iter_mut().zip(&other.0) {
            *count = count.saturating_add(*more);
        }
        self
    }
}

fn share(part: u32, whole: u32) -> f64 {
    if whole == 0 { 0.0 } else { f64::from(part) / f64::from(whole) }
}

/// Whether ratings are upside down, compared with what was usual. `wordless` are the bad ones
/// without a word; `before`: they were so when they were looked at last.
#[must_use]
pub fn is_upside_down(recent: &Levels, wordless: u32, usual: &Levels, before: bool) -> bool {
    let bad = recent.0[0] + recent.0[1];
    let (least_share, closer) = if before { (ENDS, 0.0) } else { (BEGINS, CLOSER) };
    recent.total() >= LEAST
        && recent.bad() >= least_share
        && share(wordless, bad) > 1.0 - WORDY
        && recent.distance(&usual.mirrored()) + closer < recent.distance(usual)
}

/// The ratings of a campaign, or of those that one account brought.
#[derive(Debug, Clone, Default)]
struct Series {
    /// The newest, oldest first, with whether each has words.
    recent: VecDeque<(Level, bool)>,
    levels: Levels,
    wordless: u32,
    /// Those that were before, unless they were upside down.
    past: Levels,
    seen: u32,
    upside_down: bool,
}

impl Series {
    fn add(&mut self, level: Level, words: bool) {
        if self.recent.len() >= WINDOW
            && let Some((level, words)) = self.recent.pop_front()
        {
            self.levels.remove(level);
            self.wordless -= u32::from(level.is_bad() && !words);
            if !self.upside_down {
                self.past.add(level);
            }
            if self.past.total() > PAST {
                self.past.0.iter_mut().for_each(|count| *count /= 2);
            }
        }
        self.recent.push_back((level, words));
        self.levels.add(level);
        self.wordless += u32::from(level.is_bad() && !words);
        self.seen = self.seen.wrapping_add(1);
    }

    /// What it was like while it was not upside down.
    fn usual(&self) -> Levels {
        if self.upside_down { self.past } else { self.past.plus(&self.levels) }
    }
}

/// A rating, as far as a distribution needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its campaign.
    pub campaign: String,
    /// The account that brought it.
    pub account: AccountName,
    /// Its level.
    pub level: Level,
    /// Whether the citizen said more than the level.
    pub words: bool,
}

impl Seen {
    /// The rating among records, unless it is a later revision of one that was seen.
    #[must_use]
    pub fn of(records: &[Record]) -> Option<Seen> {
        records.iter().find_map(|record| match record.meaning {
            Meaning::Rating { level, .. } if record.revision == Revision::FIRST => Some(Seen {
                campaign: record.campaign.clone(),
                account: record.account.clone(),
                level,
                words: !record.comment.0.is_empty(),
            }),
            _ => None,
        })
    }
}

/// Whose ratings: a campaign's; or, with an account, those of it that the account brought, since a
/// mix-up is often one carrier's prompt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Of {
    /// The campaign.
    pub campaign: String,
    /// The account; `None`: all.
    pub account: Option<AccountName>,
}

/// What a series was found to be, for the first time or otherwise than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whose ratings.
    pub of: Of,
    /// Whether they are upside down.
    pub upside_down: bool,
}

/// The distributions of all campaigns.
#[derive(Debug, Clone, Default)]
pub struct Distributions(BTreeMap<Of, Series>);

impl Distributions {
    /// One more rating. Returns the verdicts that are new.
    pub fn add(&mut self, seen: &Seen) -> Vec<Verdict> {
        let Seen { campaign, account, level, words } = seen;
        [None, Some(account.clone())]
            .into_iter()
            .filter_map(|account| {
                let of = Of { campaign: campaign.clone(), account };
                self.0.entry(of.clone()).or_default().add(*level, *words);
                self.judge(of)
            })
            .collect()
    }

    fn judge(&mut self, of: Of) -> Option<Verdict> {
        let series = self.0.get(&of)?;
        let is_new = series.seen == 1;
        if !is_new && series.seen % LOOK != 0 {
            return None;
        }
        let before = series.upside_down;
        let usual = self.usual(&of, series);
        let series = self.0.get_mut(&of)?;
        let upside_down = is_upside_down(&series.levels, series.wordless, &usual, before);
        series.upside_down = upside_down;
        (is_new || upside_down != before).then_some(Verdict { of, upside_down })
    }

    /// What is usual for a series.
    fn usual(&self, of: &Of, series: &Series) -> Levels {
        if series.past.is_usual() {
            return series.past;
        }
        let others = self
            .0
            .iter()
            .filter(|(other, _)| other.campaign != of.campaign && other.account.is_none());
        let others = others.fold(Levels::default(), |sum, (_, series)| sum.plus(&series.usual()));
        if others.is_usual() { others } else { USUAL }
    }

    /// Whose ratings are upside down.
    pub fn upside_down(&self) -> impl Iterator<Item = &Of> {
        self.0.iter().filter(|(_, series)| series.upside_down).map(|(of, _)| of)
    }

    /// How many campaigns there are.
    #[must_use]
    pub fn campaigns(&self) -> usize {
        self.0.keys().filter(|of| of.account.is_none()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seen(campaign: &str, level: u8, words: bool) -> Seen {
        Seen {
            campaign: campaign.to_owned(),
            account: AccountName::new("a").expect("a name"),
            level: Level::from_number(level).expect("a level"),
            words,
        }
    }

    /// Adds the levels of `pattern` over and over, and returns whether the campaign is upside down
    /// at any time and at the end.
    fn add(all: &mut Distributions, campaign: &str, pattern: &[u8], times: usize) -> (bool, bool) {
        let of = Of { campaign: campaign.to_owned(), account: None };
        let mut ever = false;
        for level in pattern.iter().cycle().take(times) {
            all.add(&seen(campaign, *level, false));
            ever |= all.upside_down().any(|it| *it == of);
        }
        (ever, all.upside_down().any(|it| *it == of))
    }

    const SATISFIED: [u8; 10] = [5, 5, 4, 5, 5, 3, 5, 4, 5, 1];
    const MIRRORED: [u8; 10] = [1, 1, 2, 1, 1, 3, 1, 2, 1, 5];

    #[test]
    fn a_mix_up_is_noticed_and_its_end_too() {
        let mut all = Distributions::default();
        assert_eq!(add(&mut all, "c", &SATISFIED, 1000), (false, false));
        assert_eq!(add(&mut all, "c", &MIRRORED, 1000), (true, true));
        assert_eq!(all.upside_down().count(), 2, "as a whole, and by its account");
        assert_eq!(add(&mut all, "c", &SATISFIED, 300), (true, false));
    }

    #[test]
    fn a_mix_up_from_the_beginning_is_noticed_too() {
        let mut all = Distributions::default();
        assert_eq!(
            add(&mut all, "new", &MIRRORED, 99),
            (false, false),
            "small numbers say nothing"
        );
        assert_eq!(add(&mut all, "new", &MIRRORED, 20), (true, true));
    }

    #[test]
    fn citizens_who_say_why_mean_it() {
        let mut all = Distributions::default();
        add(&mut all, "c", &SATISFIED, 1000);
        for (place, level) in MIRRORED.iter().cycle().take(1000).enumerate() {
            all.add(&seen("c", *level, place % 3 == 0));
        }
        assert_eq!(all.upside_down().count(), 0);
    }

    #[test]
    fn one_carriers_mix_up_is_told_from_the_others() {
        let mut all = Distributions::default();
        let other = AccountName::new("b").expect("a name");
        for (good, bad) in SATISFIED.iter().cycle().zip(MIRRORED.iter().cycle()).take(600) {
            all.add(&seen("c", *good, false));
            all.add(&seen("c", *good, false));
            all.add(&Seen { account: other.clone(), ..seen("c", *bad, false) });
        }
        let of = Of { campaign: "c".to_owned(), account: Some(other) };
        assert_eq!(all.upside_down().collect::<Vec<_>>(), [&of]);
    }

    #[test]
    fn a_bad_month_is_not_upside_down() {
        let mut all = Distributions::default();
        add(&mut all, "c", &SATISFIED, 1000);
        assert_eq!(add(&mut all, "c", &[5, 1, 3, 2, 4], 1000), (false, false));
        assert_eq!(add(&mut all, "c", &[3, 2, 3, 2, 3, 4, 2, 3, 1, 2], 1000), (false, false));
    }

    proptest! {
        #[test]
        fn fewer_than_the_least_are_never_upside_down(levels in prop::collection::vec(1_u8..=5, 0..100)) {
            let mut all = Distributions::default();
            for level in levels {
                all.add(&seen("c", level, false));
            }
            prop_assert_eq!(all.upside_down().count(), 0);
        }

        #[test]
        fn what_is_as_usual_is_never_upside_down(counts: [u16; 5], times in 1_u32..50) {
            let usual = Levels(counts.map(u32::from));
            let same = Levels(counts.map(|count| u32::from(count) * times));
            prop_assert!(!is_upside_down(&same, u32::MAX, &usual, false));
        }

        #[test]
        fn the_mirror_image_of_what_is_usual_always_is(
            best in 60_u32..1000, good in 10_u32..100, fair in 0_u32..10, worst in 0_u32..5
        ) {
            let usual = Levels([worst, 0, fair, good, best]);
            let mirrored = usual.mirrored();
            prop_assume!(mirrored.total() >= LEAST);
            let bad = mirrored.0[0] + mirrored.0[1];
            prop_assert!(is_upside_down(&mirrored, bad, &usual, false));
            prop_assert!(is_upside_down(&mirrored, bad, &usual, true));
        }

        #[test]
        fn a_distance_is_one_of_shares(one: [u16; 5], other: [u16; 5]) {
            let (one, other) = (Levels(one.map(u32::from)), Levels(other.map(u32::from)));
            let distance = one.distance(&other);
            prop_assert!((0.0..=1.000_001).contains(&distance));
            prop_assert!((distance - other.distance(&one)).abs() < 1e-9);
            let turned = one.mirrored().distance(&other.mirrored());
            prop_assert!((distance - turned).abs() < 1e-9);
        }

        #[test]
        fn counts_are_those_of_the_window(levels in prop::collection::vec((1_u8..=5, any::<bool>()), 0..700)) {
            let mut series = Series::default();
            for (level, words) in levels {
                series.add(Level::from_number(level).expect("a level"), words);
            }
            let (mut counted, mut wordless) = (Levels::default(), 0);
            for (level, words) in &series.recent {
                counted.add(*level);
                wordless += u32::from(level.is_bad() && !words);
            }
            prop_assert_eq!((counted, wordless), (series.levels, series.wordless));
            prop_assert!(series.recent.len() <= WINDOW);
        }
    }
}
