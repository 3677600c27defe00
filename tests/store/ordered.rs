//! The order within a lane, whatever the schedule: a plain model says what may be leased.

use crate::bench::{Bench, lane, record_mut};
use crate::ground::{PART, SHARED};
use bridge8890::model::{
    ComplaintKind, Deadlines, Level, Matter, Meaning, RecordId, RecordSeq, Revision, TargetType,
};
use bridge8890::store::{DeadClass, LaneOptions, Lease, LeaseToken, Settled};
use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::offset;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;

const BEFORE: Duration = Duration::from_hours(24);
const TERM: Duration = Duration::from_secs(60);

/// What a record is about.
#[derive(Debug, Clone, Copy)]
enum About {
    Nothing,
    Matter(u8),
    /// A complaint that the rating with this number opened.
    Rating(usize),
    /// A complaint by itself, to be called back by this day of March.
    Day(i8),
}

#[derive(Debug, Clone)]
enum Step {
    Commit(About),
    Revise(usize),
    Lease(usize),
    Settle { lease: usize, verdicts: Vec<u8> },
    Wait(u8),
    Replay,
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let about = prop_oneof![
        2 => Just(About::Nothing),
        3 => (0..3_u8).prop_map(About::Matter),
        2 => (0..12_usize).prop_map(About::Rating),
        2 => (4..9_i8).prop_map(About::Day),
    ];
    let step = prop_oneof![
        6 => about.prop_map(Step::Commit),
        2 => (0..12_usize).prop_map(Step::Revise),
        4 => (1..5_usize).prop_map(Step::Lease),
        5 => (0..6_usize, prop::collection::vec(0..5_u8, 5))
            .prop_map(|(lease, verdicts)| Step::Settle { lease, verdicts }),
        2 => (1..100_u8).prop_map(Step::Wait),
        1 => Just(Step::Replay),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..60)
}

/// Where a record is, as the model has it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Waiting { due: Timestamp },
    Leased { token: LeaseToken, until: Timestamp },
    Delivered,
    Dead,
    Superseded,
}

#[derive(Debug, Clone)]
struct Row {
    id: RecordId,
    revision: u32,
    about: About,
    case: Option<String>,
    /// Ratings 0, complaints 1, near ones above by how near their day is.
    rank: i64,
    day: Option<i8>,
    queued_at: Timestamp,
    place: Place,
}

impl Row {
    fn is_pending(&self) -> bool {
        matches!(self.place, Place::Waiting { .. } | Place::Leased { .. })
    }
}

/// The queue in plain vectors: row 0 is the record with seq 1.
#[derive(Default)]
struct Model(Vec<Row>);

impl Model {
    fn of_case(&self, case: &Option<String>) -> Vec<usize> {
        let same =
            |at: &usize| case.is_some() && self.0[*at].case == *case && self.0[*at].is_pending();
        (0..self.0.len()).filter(same).collect()
    }

    fn is_first(&self, at: usize) -> bool {
        self.of_case(&self.0[at].case).first().is_none_or(|first| *first >= at)
    }

    fn can_be_leased(&self, at: usize, now: Timestamp) -> bool {
        match self.0[at].place {
            Place::Waiting { due } => due <= now && self.is_first(at),
            // Records that were on their way apart may have become one case since: nobody can call them back.
            Place::Leased { until, .. } => until <= now && self.is_first(at),
            _ => false,
        }
    }

    /// Those before a record of its case are as urgent as it is.
    fn lend_rank(&mut self, at: usize) {
        for earlier in self.of_case(&self.0[at].case) {
            if earlier < at {
                self.0[earlier].rank = self.0[earlier].rank.max(self.0[at].rank);
            }
        }
    }

    /// One that comes to a case late is as urgent as those behind it.
    fn borrow_rank(&mut self, at: usize) {
        let of_case = self.of_case(&self.0[at].case);
        let behind = of_case.into_iter().filter(|it| *it >= at).map(|it| self.0[it].rank);
        self.0[at].rank = behind.max().unwrap_or(self.0[at].rank);
        self.lend_rank(at);
    }

    fn queue(&mut self, mut row: Row, links: &[RecordId]) {
        let linked = |wanted: fn(&Row) -> bool| {
            let mut found = Vec::new();
            for id in links {
                let of = |at: &usize| self.0[*at].id == *id && wanted(&self.0[*at]);
                found.extend((0..self.0.len()).filter(of));
            }
            found
        };
        let linked = [linked(Row::is_pending), linked(|row| row.place == Place::Dead)].concat();
        let known = linked.iter().find_map(|at| self.0[*at].case.clone());
        row.case = known.or(row.case);
        for at in linked {
            if self.0[at].case.is_none() {
                self.0[at].case = row.case.clone();
            }
            self.borrow_rank(at);
        }
        let (id, at) = (row.id, self.0.len());
        self.0.push(row);
        self.lend_rank(at);
        for earlier in 0..at {
            if self.0[earlier].id == id && matches!(self.0[earlier].place, Place::Waiting { .. }) {
                self.leave(earlier, Place::Superseded);
            }
        }
    }

    /// Takes a record out of the queue; what was behind it is due since it came.
    fn leave(&mut self, at: usize, to: Place) {
        self.0[at].place = to;
    }

    /// A record that has another before it is due since it came, once it is its turn.
    fn park(&mut self) {
        for at in 0..self.0.len() {
            if matches!(self.0[at].place, Place::Waiting { .. }) && !self.is_first(at) {
                self.0[at].place = Place::Waiting { due: self.0[at].queued_at };
            }
        }
    }

    /// What is unsent again is not tried again, if a later revision waits.
    fn supersede_overtaken(&mut self, back: &[usize]) {
        let is_overtaken = |at: &usize| {
            let later = |row: &Row| row.id == self.0[*at].id && row.revision > self.0[*at].revision;
            self.0.iter().any(|row| later(row) && row.is_pending())
        };
        let overtaken: Vec<usize> = back.iter().copied().filter(is_overtaken).collect();
        for at in overtaken {
            self.leave(at, Place::Superseded);
        }
    }

    fn promote(&mut self, now: Timestamp) {
        for at in 0..self.0.len() {
            let Some(day) = self.0[at].day.filter(|_| self.0[at].is_pending()) else { continue };
            let over =
                offset(8).to_timestamp(date(2026, 3, day + 1).at(0, 0, 0, 0)).expect("a day");
            if over <= now + BEFORE {
                self.0[at].day = None;
                self.0[at].rank = self.0[at].rank.max(100 - i64::from(day));
                self.lend_rank(at);
            }
        }
    }

    /// A later revision goes out or has gone.
    fn is_overtaken(&self, at: usize, put: &[usize]) -> bool {
        let later =
            |it: usize| self.0[it].id == self.0[at].id && self.0[it].revision > self.0[at].revision;
        let goes = |it: usize| {
            self.0[it].is_pending() || self.0[it].place == Place::Delivered || put.contains(&it)
        };
        (0..self.0.len()).any(|it| later(it) && goes(it))
    }

    fn replay(&mut self, now: Timestamp) {
        let put: Vec<usize> =
            (0..self.0.len()).filter(|at| self.0[*at].place == Place::Dead).collect();
        let (ended, queued): (Vec<usize>, Vec<usize>) =
            put.iter().partition(|at| self.is_overtaken(**at, &put));
        let overtaken_on_its_way = |model: &Model, at: usize| {
            let later = model.of_case(&model.0[at].case);
            later.into_iter().any(|it| it > at && matches!(model.0[it].place, Place::Leased { .. }))
        };
        let without: BTreeSet<usize> =
            queued.iter().copied().filter(|at| overtaken_on_its_way(self, *at)).collect();
        for at in ended {
            self.0[at].place = Place::Superseded;
        }
        for at in &queued {
            let row = &mut self.0[*at];
            (row.place, row.queued_at, row.rank, row.day) =
                (Place::Waiting { due: now }, now, 0, None);
            if without.contains(at) {
                row.case = None;
            }
        }
        for at in &queued {
            self.borrow_rank(*at);
        }
        self.park();
        for at in queued {
            let (id, revision) = (self.0[at].id, self.0[at].revision);
            for earlier in 0..self.0.len() {
                let row = &self.0[earlier];
                if row.id == id
                    && row.revision < revision
                    && matches!(row.place, Place::Waiting { .. })
                {
                    self.leave(earlier, Place::Superseded);
                }
            }
        }
    }
}

struct World {
    bench: Bench,
    model: Model,
    leases: Vec<Lease>,
}

impl World {
    async fn new() -> World {
        let mut bench = Bench::new().await;
        bench.lanes =
            vec![LaneOptions { urgent_before: BEFORE, ..LaneOptions::of_everything(lane()) }];
        bench.reopen().await;
        World { bench, model: Model::default(), leases: Vec::new() }
    }

    /// Commits a record; a revision is of the record of this number.
    async fn commit(&mut self, about: About, revises: Option<usize>) {
        let seq = self.model.0.len();
        let mut callback = self.bench.rating(&seq.to_string(), Level::Fair);
        let opened_by = match about {
            About::Rating(number) => self.model.0.get(number).map(|row| row.id),
            _ => None,
        };
        let record = record_mut(&mut callback.entries[0]);
        let day = if let About::Day(day) = about { Some(day) } else { None };
        if opened_by.is_some() || day.is_some() {
            let deadline = |day| date(2026, 3, day);
            record.meaning = Meaning::Complaint {
                kind: ComplaintKind::BadRating,
                rating: opened_by,
                deadlines: day
                    .map(deadline)
                    .map(|by| Deadlines { call_back_by: by, repair_by: by }),
                tags: Vec::new(),
                recordings: Vec::new(),
            };
        }
        let mut case = opened_by.map(|id| format!("{id}"));
        if let About::Matter(number) = about {
            let project_no = Some(number.to_string());
            record.context.matter = Some(Matter { project_no, ..Matter::bare(TargetType::Case) });
            case = Some(format!("matter {number}"));
        }
        let mut links = Vec::new();
        let mut revision = 1;
        if let Some(earlier) = revises {
            record.id = self.model.0[earlier].id;
            let latest =
                self.model.0.iter().filter(|row| row.id == record.id).map(|row| row.revision);
            revision = latest.max().unwrap_or(0) + 1;
            record.revision = Revision(revision);
            links.push(record.id);
            case = case.or(Some(format!("{}", record.id)));
        }
        links.extend(opened_by);
        let id = record.id;
        let rank = i64::from(opened_by.is_some() || day.is_some());
        let queued_at = self.bench.clock.now();
        let place = Place::Waiting { due: queued_at };
        self.model.queue(Row { id, revision, about, case, rank, day, queued_at, place }, &links);
        self.model.park();
        self.bench.commit(callback).await;
    }

    async fn lease(&mut self, max: usize) {
        let now = self.bench.clock.now();
        self.model.promote(now);
        let lease = self.bench.lease(max).await;
        let mut may: Vec<(i64, usize)> = (0..self.model.0.len())
            .filter(|at| self.model.can_be_leased(*at, now))
            .map(|at| (self.model.0[at].rank, at))
            .collect();
        let got: Vec<usize> = lease
            .items
            .iter()
            .map(|item| usize::try_from(item.seq.0).expect("small") - 1)
            .collect();
        for at in &got {
            assert!(may.iter().any(|(_, it)| it == at), "{at} out of its turn: {:?}", self.model.0);
        }
        assert_eq!(got.len(), may.len().min(max), "somebody is held up: {got:?} of {may:?}");
        may.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
        let ranks: Vec<i64> = got.iter().map(|at| self.model.0[*at].rank).collect();
        let expected: Vec<i64> = may.iter().take(max).map(|(rank, _)| *rank).collect();
        assert_eq!(ranks, expected, "by rank");
        for at in got {
            self.model.0[at].place = Place::Leased { token: lease.token, until: now + TERM };
        }
        self.leases.push(lease);
    }

    async fn settle(&mut self, lease: usize, verdicts: &[u8]) {
        let Some(lease) = self.leases.get(lease).cloned() else { return };
        let now = self.bench.clock.now();
        let (mut items, mut back) = (Vec::<(RecordSeq, Settled)>::new(), Vec::new());
        for (item, number) in lease.items.iter().zip(verdicts.iter().cycle()) {
            let at = usize::try_from(item.seq.0).expect("small") - 1;
            let queued_at = self.model.0[at].queued_at;
            let later = now + Duration::from_secs(30);
            let reason = String::new();
            let (settled, place) = match number {
                0 | 1 => (Settled::Delivered, Place::Delivered),
                2 => (Settled::Retry { due: later, reason }, Place::Waiting { due: later }),
                3 => (Settled::Released, Place::Waiting { due: queued_at.min(now) }),
                _ => (Settled::Dead { class: DeadClass::Age, reason }, Place::Dead),
            };
            items.push((item.seq, settled));
            if matches!(self.model.0[at].place, Place::Leased { token, .. } if token == lease.token)
            {
                if matches!(place, Place::Waiting { .. }) {
                    back.push(at);
                }
                self.model.0[at].place = place;
            }
        }
        self.model.supersede_overtaken(&back);
        self.model.park();
        self.bench.settle(&lease, items).await;
    }

    async fn crash(&mut self) {
        self.bench.reopen().await;
        self.leases.clear();
        if SHARED {
            // Another node may live, so that leases run on.
            self.bench.clock.advance(TERM);
            return;
        }
        let now = self.bench.clock.now();
        for row in &mut self.model.0 {
            if matches!(row.place, Place::Leased { .. }) {
                row.place = Place::Waiting { due: row.queued_at.min(now) };
            }
        }
        self.model.park();
    }

    /// Nothing is lost, and all that is left goes out in the end.
    async fn adds_up(&self) {
        let counts = self.bench.store().counts().await.expect("it counts");
        assert!(counts.add_up(), "{counts:?}");
        let pending = self.model.0.iter().filter(|row| row.is_pending()).count();
        assert_eq!(counts.pending, i64::try_from(pending).expect("small"), "{:?}", self.model.0);
    }

    async fn drain(&mut self) {
        self.bench.clock.advance(Duration::from_secs(3600));
        for _ in 0..=self.model.0.len() {
            self.lease(100).await;
            let last = self.leases.len() - 1;
            self.settle(last, &[0]).await;
        }
        assert!(self.model.0.iter().all(|row| !row.is_pending()), "{:?}", self.model.0);
    }
}

async fn run(steps: Vec<Step>) {
    let mut world = World::new().await;
    for step in steps {
        match step {
            Step::Commit(about) => world.commit(about, None).await,
            Step::Revise(number) => {
                let Some(row) = world.model.0.get(number) else { continue };
                world.commit(row.about, Some(number)).await;
            }
            Step::Lease(max) => world.lease(max).await,
            Step::Settle { lease, verdicts } => world.settle(lease, &verdicts).await,
            Step::Wait(seconds) => {
                world.bench.clock.advance(Duration::from_secs(u64::from(seconds)));
            }
            Step::Replay => {
                world.bench.replay(&world.bench.dead(&[]).await).await;
                let now = world.bench.clock.now();
                world.model.replay(now);
            }
            Step::Crash => world.crash().await,
        }
        world.adds_up().await;
    }
    world.drain().await;
    world.adds_up().await;
}

#[tokio::test]
async fn those_behind_a_record_that_comes_to_their_case_late_wait_for_it() {
    let dies = Step::Settle { lease: 0, verdicts: vec![4; 5] };
    let opened = || Step::Commit(About::Rating(0));
    run(vec![
        Step::Commit(About::Nothing),
        Step::Lease(1),
        dies,
        opened(),
        Step::Replay,
        opened(),
        Step::Lease(2),
    ])
    .await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64 / PART, ..ProptestConfig::default() })]

    #[test]
    fn complaints_first_cases_in_order_and_nobody_held_up_by_others(steps in steps()) {
        tokio::runtime::Runtime::new().expect("a runtime").block_on(run(steps));
    }
}
