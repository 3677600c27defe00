//! One account's carrier in each of the scenarios.

use super::Stage;
use super::line::{Heard, Line};
use super::report::Row;
use super::scenario::Scenario;
use bridge8890::carrier::{self, Answer, Denied};
use bridge8890::clock::Clock;
use bridge8890::config::Account;
use bridge8890::config::dialect::RuleKind;
use bridge8890::standin::carriers::Success;
use bridge8890::standin::carriers::speaker::{Said, Speaker, Spoken, Unspoken, Way};
use jiff::Timestamp;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The number that citizens answer.
const SERVICE: &str = "8890";
/// Connections of a burst.
const BURST: usize = 64;
/// How often the same bytes come.
const REPEATS: usize = 3;
/// Further off than the tolerance by this much.
const BEYOND: Duration = Duration::from_mins(10);
/// Pushes of one account, at most.
const MOST: u64 = 100_000;

/// One account's carrier at work.
pub(super) struct Part<'a> {
    pub(super) account: &'a Account,
    pub(super) stage: &'a Stage,
    pub(super) row: Row,
    url: String,
    line: Line,
    clock: Clock,
    messages: u64,
    /// It went through its whole schedule in vain once; it need not be shown again.
    gave_up: bool,
}

/// How a message is to be said.
#[derive(Debug, Clone, Copy)]
pub(super) enum Manner {
    /// As it should be.
    Right,
    /// With content that nothing decodes.
    Undecodable,
    /// Signed at another time.
    At(Timestamp),
}

impl<'a> Part<'a> {
    pub(super) fn new(account: &'a Account, stage: &'a Stage, row: Row) -> Part<'a> {
        let (url, line) = (stage.url(), Line::to(stage.target));
        Part { account, stage, row, url, line, clock: Clock::system(), messages: 0, gave_up: false }
    }

    /// What came of it.
    pub(super) fn row(self) -> Row {
        self.row
    }

    /// All that this carrier can say; none if it cannot prove who it is, which is noted.
    pub(super) fn ways(&mut self) -> Vec<Way<'a>> {
        let speaker =
            Speaker { account: self.account, external_url: "", keys: Some(&self.stage.keys) };
        let ways = speaker.ways();
        if ways.is_empty() {
            self.row.skipped = Some("its dialect yields no events".to_owned());
        }
        ways
    }

    /// Plays one scenario.
    pub(super) async fn play(&mut self, scenario: Scenario) {
        let ways = self.ways();
        match scenario {
            Scenario::Push => self.push(&ways).await,
            Scenario::Burst => {
                if let Some(way) = ways.first() {
                    self.burst(way).await;
                }
            }
            each => {
                for way in &ways {
                    match each {
                        Scenario::Repeat => self.repeat(way).await,
                        Scenario::Retry => self.retry(way).await,
                        Scenario::WrongClock => self.wrong_clock(way).await,
                        _ => self.bad_charset(way).await,
                    }
                }
            }
        }
    }

    async fn push(&mut self, ways: &[Way<'_>]) {
        let until = Instant::now() + self.stage.pushes;
        let mut pushed = 0;
        loop {
            for way in ways {
                if let Some(spoken) = self.message(way, Manner::Right) {
                    self.deliver(way, &spoken).await;
                }
                pushed += 1;
            }
            if Instant::now() >= until || pushed >= MOST || self.row.skipped.is_some() {
                return;
            }
        }
    }

    /// Sends until it is acknowledged, as often as documented.
    async fn deliver(&mut self, way: &Way<'_>, spoken: &Spoken) {
        let accepted = spoken.accepted(way.route).into();
        let first = self.ask(spoken).await;
        let heard = self.try_again(spoken, first, &[&accepted]).await;
        self.acknowledged(way, "push", &accepted, &heard);
    }

    /// Tries again what was not answered by any of these, as often and as late as documented; what
    /// was heard last.
    async fn try_again(&mut self, spoken: &Spoken, first: Heard, good: &[&Success]) -> Heard {
        let is_good = |heard: &Heard| good.iter().any(|wanted| heard.is(wanted));
        let mut heard = first;
        if self.gave_up || is_good(&heard) {
            return heard;
        }
        for pause in &self.account.dialect.retries {
            tokio::time::sleep(*pause / self.stage.speed).await;
            self.row.retried += 1;
            heard = self.ask(spoken).await;
            if is_good(&heard) {
                return heard;
            }
        }
        self.gave_up = true;
        heard
    }

    async fn repeat(&mut self, way: &Way<'_>) {
        let Some(spoken) = self.message(way, Manner::Right) else { return };
        let accepted = spoken.accepted(way.route).into();
        let duplicate = carrier::answer(&spoken.call(way.route), &Answer::Duplicate).into();
        let heard = self.ask(&spoken).await;
        if !self.acknowledged(way, "repeat", &accepted, &heard) {
            return;
        }
        for _ in 1..REPEATS {
            let heard = self.ask(&spoken).await;
            if heard.is(&duplicate) {
                self.row.repeated_alike += 1;
            } else {
                self.row.surprise(way, "repeat", &heard);
            }
        }
    }

    /// Nobody hears the first answer; what the carrier documents must bring the message in.
    async fn retry(&mut self, way: &Way<'_>) {
        if self.account.dialect.retries.is_empty() || self.gave_up {
            return;
        }
        let Some(spoken) = self.message(way, Manner::Right) else { return };
        let duplicate: Success =
            carrier::answer(&spoken.call(way.route), &Answer::Duplicate).into();
        let accepted = spoken.accepted(way.route).into();
        self.ask(&spoken).await;
        let lost = Heard::Nothing("its first answer was lost");
        let heard = self.try_again(&spoken, lost, &[&accepted, &duplicate]).await;
        let expected = if heard.is(&duplicate) { &duplicate } else { &accepted };
        self.acknowledged(way, "retry", expected, &heard);
    }

    async fn wrong_clock(&mut self, way: &Way<'_>) {
        let tolerance = self.speaker().tolerance(way.route);
        let off = tolerance.unwrap_or_default() + BEYOND;
        let now = self.clock.now();
        for at in [now - off, now + off] {
            let Some(spoken) = self.message(way, Manner::At(at)) else { return };
            let heard = self.ask(&spoken).await;
            if tolerance.is_none() {
                let accepted = spoken.accepted(way.route).into();
                self.acknowledged(way, "wrong-clock", &accepted, &heard);
                continue;
            }
            let stale = Answer::Refused(Denied::Stale);
            let refused = carrier::answer(&spoken.call(way.route), &stale).into();
            if heard.is(&refused) {
                self.row.refused_as_expected += 1;
            } else {
                self.row.surprise(way, "wrong-clock", &heard);
            }
        }
    }

    async fn bad_charset(&mut self, way: &Way<'_>) {
        let Some(spoken) = self.message(way, Manner::Undecodable) else { return };
        let accepted = spoken.accepted(way.route).into();
        let heard = self.ask(&spoken).await;
        self.acknowledged(way, "bad-charset", &accepted, &heard);
    }

    async fn burst(&mut self, way: &Way<'_>) {
        let Some(spoken) = self.message(way, Manner::Right) else { return };
        let accepted = spoken.accepted(way.route).into();
        let duplicate = carrier::answer(&spoken.call(way.route), &Answer::Duplicate).into();
        let mut calls = JoinSet::new();
        for _ in 0..BURST {
            let (spoken, mut line) = (spoken.clone(), Line::to(self.stage.target));
            calls.spawn(async move { line.ask(&spoken).await });
        }
        for heard in calls.join_all().await {
            self.row.sent += 1;
            let expected = if heard.is(&duplicate) { &duplicate } else { &accepted };
            self.acknowledged(way, "burst", expected, &heard);
        }
    }

    /// Counts an answer that should be an acknowledgement; whether it is.
    fn acknowledged(
        &mut self,
        way: &Way<'_>,
        scenario: &'static str,
        wanted: &Success,
        heard: &Heard,
    ) -> bool {
        let good = heard.is(wanted);
        if good {
            self.row.acknowledged += 1;
        } else {
            self.row.surprise(way, scenario, heard);
        }
        good
    }

    async fn ask(&mut self, spoken: &Spoken) -> Heard {
        self.stage.turns.next().await;
        self.row.sent += 1;
        self.line.ask(spoken).await
    }

    fn speaker(&self) -> Speaker<'_> {
        Speaker { account: self.account, external_url: &self.url, keys: Some(&self.stage.keys) }
    }

    /// A message that nobody sent before; `None` if it cannot be said, which is noted where it
    /// should be possible.
    pub(super) fn message(&mut self, way: &Way<'_>, manner: Manner) -> Option<Spoken> {
        self.messages += 1;
        let id = format!("{}{:08x}", self.stage.run, self.messages);
        let caller = format!("1390000{:04}", self.messages % 10_000);
        let now = self.clock.now();
        let said = Said {
            caller: &caller,
            service: SERVICE,
            id: &id,
            call: &id,
            at: now,
            pass_through: "",
            content: content(way, self.messages),
        };
        let speaker = self.speaker();
        let spoken = match manner {
            Manner::Right => speaker.say(way, &said, now),
            Manner::At(at) => speaker.say(way, &Said { at, ..said }, at),
            Manner::Undecodable => speaker.say_undecodable(way, &said, now),
        };
        match spoken {
            Ok(spoken) => Some(spoken),
            Err(unspoken) => {
                self.unspoken(&unspoken, manner);
                None
            }
        }
    }

    fn unspoken(&mut self, unspoken: &Unspoken, manner: Manner) {
        // Not every field can hold what is undecodable.
        if !matches!(manner, Manner::Undecodable) {
            self.row.skipped = Some(unspoken.to_string());
        }
    }
}

/// What is said: words that the rule reads, or an answer that every charset carries.
fn content<'w>(way: &'w Way<'_>, number: u64) -> &'w str {
    let words = way.words();
    let turn = |length: usize| usize::try_from(number).unwrap_or_default() % length.max(1);
    match way.rule.kind {
        RuleKind::SmsReply { .. } => ["1", "2", "3", "4", "5"][turn(5)],
        RuleKind::Recording { .. } => "https://example.com/recording.wav",
        _ => words.get(turn(words.len())).copied().unwrap_or("1"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::Turns;
    use super::*;
    use crate::{limit, secrets};
    use bridge8890::lifecycle::Tasks;
    use bridge8890::standin::carriers::accounts;
    use bridge8890::standin::carriers::speaker::KeyPair;
    use std::net::SocketAddr;
    use tokio::net::TcpListener;

    fn stage(target: SocketAddr) -> Stage {
        Stage {
            target,
            external_url: None,
            keys: KeyPair::of(secrets::CARRIER),
            turns: Turns::new(10_000),
            pushes: Duration::ZERO,
            speed: 100_000,
            run: "test".to_owned(),
        }
    }

    async fn played(target: SocketAddr, scenarios: &[Scenario]) -> Vec<Row> {
        let accounts = accounts::load(&accounts::of_citizens(), secrets::CARRIER);
        let stage = stage(target);
        let mut rows = Vec::new();
        for account in accounts.expect("right accounts") {
            let mut part = Part::new(&account, &stage, Row::of(&account));
            for scenario in scenarios {
                part.play(*scenario).await;
            }
            rows.push(part.row());
        }
        rows
    }

    #[tokio::test]
    async fn who_answers_everything_with_success_is_found_out_by_the_clock_alone() {
        let tasks = Tasks::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let target = listener.local_addr().expect("bound");
        tasks.spawn("limit", limit::serve(listener, tasks.clone()));
        let harmless = [
            Scenario::Push,
            Scenario::Repeat,
            Scenario::Retry,
            Scenario::BadCharset,
            Scenario::Burst,
        ];
        for row in played(target, &harmless).await {
            assert_eq!(row.surprises(), 0, "{row:?}");
            assert!(row.acknowledged > 64 && row.repeated_alike > 0, "{row:?}");
        }
        let surprised = played(target, &[Scenario::WrongClock]).await;
        assert!(surprised.iter().any(|row| row.surprises() > 0));
        tasks.abort();
    }

    #[tokio::test]
    async fn nobody_there_is_a_surprise_and_carriers_give_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let target = listener.local_addr().expect("bound");
        drop(listener);
        for row in played(target, &[Scenario::Push]).await {
            assert_eq!(row.acknowledged, 0, "{row:?}");
            assert!(row.surprises() > 0, "{row:?}");
        }
    }
}
