//! Which keys are known: the recent ones in memory, older ones in sealed-off runs behind a filter.
//!
//! A unique index over random keys dirties a page of its own for each record, which costs half the
//! rate and all of the latency once the index is large. Here the newest keys stand in a map that
//! answers exactly; when it is full it is filed as a run, a few buckets with each commit group, in
//! order of arrival, so that filing only ever appends. A Bloom filter over the runs proves most
//! keys new; what it does not prove is looked up. The log table holds whatever is not yet filed,
//! so a crash loses nothing.

use super::seal::Fingerprint;
use fastbloom::BloomFilter;
use std::collections::{HashMap, VecDeque};

/// Keys in memory before they are filed as a run.
pub(super) const RUN_LEN: usize = 65_536;
/// Runs that share one filter.
pub(super) const RUNS_PER_FILTER: i64 = 16;
const BUCKET_BITS: u32 = 12;
const BUCKETS: usize = 1 << BUCKET_BITS;
/// 15 bits and 10 hashes a key: one key in a thousand is looked up in vain.
const FILTER_BITS: usize = RUN_LEN * 16 * 15;
const FILTER_HASHES: u32 = 10;
/// Length of an entry of a bucket in bytes.
pub(super) const ENTRY_LEN: usize = Fingerprint::LEN + 8;

/// What a key leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum KeyKind {
    /// A dedupe key, or another by which callbacks are judged, to the newest of its callbacks.
    Dedupe = 0,
    /// A caller, to the record.
    Caller = 1,
}

/// A key and the place it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyEntry {
    pub(super) kind: KeyKind,
    pub(super) print: Fingerprint,
    pub(super) seq: i64,
}

/// What is known of a dedupe key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Never seen within the window.
    New,
    /// Seen, and for the last time in this callback.
    Seen(i64),
    /// Perhaps in one of these buckets.
    Perhaps(Vec<i64>),
}

/// A bucket on its way into the store.
#[derive(Debug)]
pub(super) struct BucketRow {
    pub(super) id: i64,
    pub(super) entries: Vec<u8>,
}

impl BucketRow {
    fn prints(&self) -> impl Iterator<Item = Fingerprint> {
        decode_bucket(&self.entries).map(|(print, _)| print)
    }
}

/// The keys since the last run was filed.
#[derive(Debug, Default)]
struct Tail {
    dedupe: HashMap<Fingerprint, i64>,
    callers: Vec<(Fingerprint, i64)>,
    span: Span,
}

/// What a run covers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Span {
    /// The newest row of the key log.
    pub(super) last_log: i64,
    /// The arrival of the newest callback, in milliseconds.
    pub(super) received_at: i64,
}

/// A run while it is being filed: still answered from memory.
#[derive(Debug)]
struct Filing {
    run: i64,
    dedupe: HashMap<Fingerprint, i64>,
    rows: VecDeque<BucketRow>,
    span: Span,
}

/// What the next commit group files.
#[derive(Debug)]
pub(super) struct FilingStep {
    pub(super) rows: Vec<BucketRow>,
    /// The run that these rows complete, if they do.
    pub(super) completes: Option<CompletedRun>,
}

/// A run whose last bucket is being filed.
#[derive(Debug)]
pub(super) struct CompletedRun {
    pub(super) run: i64,
    pub(super) span: Span,
    /// The filter that covers it, by its first run.
    pub(super) filter: Option<(i64, Vec<u8>)>,
}

#[derive(Debug)]
struct Filter {
    first_run: i64,
    bits: BloomFilter,
}

impl Filter {
    fn covers(&self, run: i64) -> bool {
        (self.first_run..self.first_run + RUNS_PER_FILTER).contains(&run)
    }
}

/// The keys, as far as memory knows them.
#[derive(Debug)]
pub(super) struct KeyIndex {
    tail: Tail,
    filing: Option<Filing>,
    filters: Vec<Filter>,
    next_run: i64,
    /// The first run that may still hold keys within the window.
    oldest_run: i64,
    run_len: usize,
}

impl KeyIndex {
    /// With the runs `oldest_run..next_run` on disk and nothing in memory yet.
    pub(super) fn new(oldest_run: i64, next_run: i64, run_len: usize) -> KeyIndex {
        KeyIndex {
            tail: Tail::default(),
            filing: None,
            filters: Vec::new(),
            next_run,
            oldest_run,
            run_len,
        }
    }

    /// Takes a stored filter back; a damaged one is left out, and its runs are then looked up.
    pub(super) fn add_filter(&mut self, first_run: i64, bits: &[u8]) {
        let words: Vec<u64> = bits
            .chunks_exact(8)
            .map(|word| u64::from_le_bytes(word.try_into().unwrap_or_default()))
            .collect();
        if words.len() * 64 == blank_filter().num_bits() {
            let bits = BloomFilter::from_vec(words).seed(&0).hashes(FILTER_HASHES);
            self.filters.push(Filter { first_run, bits });
        }
    }

    /// Records keys of a commit group whose log row is `log`.
    pub(super) fn add(&mut self, log: i64, received_at: i64, entries: &[KeyEntry]) {
        for entry in entries {
            match entry.kind {
                KeyKind::Dedupe => {
                    self.tail.dedupe.insert(entry.print, entry.seq);
                }
                KeyKind::Caller => self.tail.callers.push((entry.print, entry.seq)),
            }
        }
        self.tail.span =
            Span { last_log: log, received_at: received_at.max(self.tail.span.received_at) };
    }

    /// What is known of a dedupe key.
    pub(super) fn look_up(&self, print: Fingerprint) -> Known {
        let recent = self.tail.dedupe.get(&print);
        let filing = || self.filing.as_ref().and_then(|filing| filing.dedupe.get(&print));
        if let Some(seq) = recent.or_else(filing) {
            return Known::Seen(*seq);
        }
        let mut buckets = Vec::new();
        let mut first = self.oldest_run;
        while first < self.next_run {
            let filter_first = first - first.rem_euclid(RUNS_PER_FILTER);
            let last = (filter_first + RUNS_PER_FILTER).min(self.next_run);
            let filter = self.filters.iter().find(|filter| filter.first_run == filter_first);
            if filter.is_none_or(|filter| filter.bits.contains_hash(print.leading())) {
                buckets.extend((first..last).map(|run| bucket_id(run, KeyKind::Dedupe, print)));
            }
            first = last;
        }
        if buckets.is_empty() { Known::New } else { Known::Perhaps(buckets) }
    }

    /// The next buckets to file, at most `most`; `None` when there is nothing to do.
    pub(super) fn file(&mut self, most: usize) -> Option<FilingStep> {
        if self.filing.is_none() && self.tail.dedupe.len() >= self.run_len {
            let run = self.next_run;
            let tail = std::mem::take(&mut self.tail);
            // Without its first run a group of runs has no filter: still correct, only slower.
            if run % RUNS_PER_FILTER == 0 {
                self.filters.push(Filter { first_run: run, bits: blank_filter() });
            }
            self.filing = Some(Filing {
                run,
                rows: bucket_rows(run, &tail).into(),
                dedupe: tail.dedupe,
                span: tail.span,
            });
        }
        let filing = self.filing.as_mut()?;
        let rows: Vec<BucketRow> = filing.rows.drain(..most.min(filing.rows.len())).collect();
        if let Some(filter) = self.filters.last_mut().filter(|filter| filter.covers(filing.run)) {
            let callers = first_bucket(filing.run, KeyKind::Caller);
            for row in rows.iter().take_while(|row| row.id < callers) {
                row.prints().for_each(|print| {
                    filter.bits.insert_hash(print.leading());
                });
            }
        }
        let completes = filing.rows.is_empty().then(|| self.complete()).flatten();
        Some(FilingStep { rows, completes })
    }

    fn complete(&mut self) -> Option<CompletedRun> {
        let Filing { run, span, .. } = self.filing.take()?;
        self.next_run = run + 1;
        let filter = self.filters.last().filter(|filter| filter.covers(run)).map(|filter| {
            let mut bytes = Vec::with_capacity(FILTER_BITS / 8);
            for word in filter.bits.as_slice() {
                bytes.extend_from_slice(&word.to_le_bytes());
            }
            (filter.first_run, bytes)
        });
        Some(CompletedRun { run, span, filter })
    }

    /// Forgets the runs before `oldest_run`, whose keys have left the window.
    pub(super) fn forget_before(&mut self, oldest_run: i64) {
        self.oldest_run = self.oldest_run.max(oldest_run);
        let oldest = self.oldest_run;
        self.filters.retain(|filter| filter.first_run + RUNS_PER_FILTER > oldest);
    }
}

fn blank_filter() -> BloomFilter {
    BloomFilter::with_num_bits(FILTER_BITS).seed(&0).hashes(FILTER_HASHES)
}

/// The row in which a key of a run stands, if it stands anywhere in that run.
pub(super) fn bucket_id(run: i64, kind: KeyKind, print: Fingerprint) -> i64 {
    first_bucket(run, kind) | bucket_of(print)
}

/// The first row of a run's kind; the next run's rows follow all of this one's.
pub(super) fn first_bucket(run: i64, kind: KeyKind) -> i64 {
    (run * 2 + i64::from(kind as u8)) << BUCKET_BITS
}

fn bucket_of(print: Fingerprint) -> i64 {
    i64::from(u16::from_be_bytes([print.0[0], print.0[1]]) >> (16 - BUCKET_BITS))
}

fn bucket_rows(run: i64, tail: &Tail) -> Vec<BucketRow> {
    let dedupe = tail.dedupe.iter().map(|(print, seq)| (*print, *seq));
    let mut rows = rows_of(run, KeyKind::Dedupe, dedupe);
    rows.append(&mut rows_of(run, KeyKind::Caller, tail.callers.iter().copied()));
    rows
}

fn rows_of(
    run: i64,
    kind: KeyKind,
    entries: impl Iterator<Item = (Fingerprint, i64)>,
) -> Vec<BucketRow> {
    let mut buckets: Vec<Vec<u8>> = vec![Vec::new(); BUCKETS];
    for (print, seq) in entries {
        let bucket = usize::try_from(bucket_of(print)).unwrap_or_default();
        buckets[bucket].extend_from_slice(&print.0);
        buckets[bucket].extend_from_slice(&seq.to_le_bytes());
    }
    let ids = first_bucket(run, kind)..;
    let rows = ids.zip(buckets).filter(|(_, entries)| !entries.is_empty());
    rows.map(|(id, entries)| BucketRow { id, entries }).collect()
}

/// Where a bucket says that a key leads, oldest first.
pub(super) fn find_in_bucket(entries: &[u8], print: Fingerprint) -> impl Iterator<Item = i64> {
    entries.chunks_exact(ENTRY_LEN).filter_map(move |entry| {
        let (key, seq) = entry.split_at(Fingerprint::LEN);
        (key == print.0).then(|| i64::from_le_bytes(seq.try_into().unwrap_or_default()))
    })
}

/// Reads a bucket back: its keys, and where each leads.
pub(super) fn decode_bucket(entries: &[u8]) -> impl Iterator<Item = (Fingerprint, i64)> {
    entries.chunks_exact(ENTRY_LEN).map(|entry| {
        let (key, seq) = entry.split_at(Fingerprint::LEN);
        let mut print = [0; Fingerprint::LEN];
        print.copy_from_slice(key);
        (Fingerprint(print), i64::from_le_bytes(seq.try_into().unwrap_or_default()))
    })
}

/// Lays out the keys of one commit group for the log.
pub(super) fn encode_log(entries: &[KeyEntry]) -> Vec<u8> {
    let mut log = Vec::with_capacity(entries.len() * (ENTRY_LEN + 1));
    for entry in entries {
        log.push(entry.kind as u8);
        log.extend_from_slice(&entry.print.0);
        log.extend_from_slice(&entry.seq.to_le_bytes());
    }
    log
}

/// Reads a row of the log back.
pub(super) fn decode_log(log: &[u8]) -> Vec<KeyEntry> {
    log.chunks_exact(ENTRY_LEN + 1)
        .map(|entry| {
            let mut print = [0; Fingerprint::LEN];
            print.copy_from_slice(&entry[1..=Fingerprint::LEN]);
            KeyEntry {
                kind: if entry[0] == 0 { KeyKind::Dedupe } else { KeyKind::Caller },
                print: Fingerprint(print),
                seq: i64::from_le_bytes(
                    entry[Fingerprint::LEN + 1..].try_into().unwrap_or_default(),
                ),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn print(number: u64) -> Fingerprint {
        // Spread like a digest.
        let mixed = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        Fingerprint(mixed.to_be_bytes())
    }

    fn entry(kind: KeyKind, number: u64, seq: i64) -> KeyEntry {
        KeyEntry { kind, print: print(number), seq }
    }

    /// A store in memory: what the SQL side does with the steps.
    #[derive(Default)]
    struct Disk(BTreeMap<i64, Vec<u8>>);

    impl Disk {
        fn take(&mut self, step: FilingStep) {
            for row in step.rows {
                assert!(self.0.insert(row.id, row.entries).is_none(), "a bucket is filed once");
            }
        }

        fn find(&self, buckets: &[i64], print: Fingerprint) -> Option<i64> {
            let found = |id: &i64| find_in_bucket(self.0.get(id)?, print).max();
            buckets.iter().filter_map(found).max()
        }
    }

    proptest! {
        // Each completed run serialises a filter of 2 MB, which is slow without optimisation.
        #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

        #[test]
        fn a_key_is_found_wherever_it_stands(
            count in 1_u64..300,
            run_len in 20_usize..80,
            step in 1_usize..5000,
        ) {
            let mut index = KeyIndex::new(0, 0, run_len);
            let mut disk = Disk::default();
            for number in 0..count {
                let seq = i64::try_from(number).expect("small");
                index.add(seq, seq, &[entry(KeyKind::Dedupe, number, seq)]);
                if let Some(step) = index.file(step) {
                    disk.take(step);
                }
            }
            for number in 0..count {
                let found = match index.look_up(print(number)) {
                    Known::New => None,
                    Known::Seen(seq) => Some(seq),
                    Known::Perhaps(buckets) => disk.find(&buckets, print(number)),
                };
                prop_assert_eq!(found, i64::try_from(number).ok());
            }
            for number in count..count + 100 {
                let found = match index.look_up(print(number)) {
                    Known::New => None,
                    Known::Seen(seq) => Some(seq),
                    Known::Perhaps(buckets) => disk.find(&buckets, print(number)),
                };
                prop_assert_eq!(found, None);
            }
        }

        #[test]
        fn a_key_that_comes_again_leads_to_its_newest_place(
            places in prop::collection::vec(0_u64..40, 1..300),
            run_len in 10_usize..40,
            step in 1_usize..5000,
        ) {
            let mut index = KeyIndex::new(0, 0, run_len);
            let mut disk = Disk::default();
            let mut newest = BTreeMap::new();
            for (number, seq) in places.into_iter().zip(0_i64..) {
                newest.insert(number, seq);
                index.add(seq, seq, &[entry(KeyKind::Dedupe, number, seq)]);
                if let Some(step) = index.file(step) {
                    disk.take(step);
                }
            }
            for (number, seq) in newest {
                let found = match index.look_up(print(number)) {
                    Known::New => None,
                    Known::Seen(seq) => Some(seq),
                    Known::Perhaps(buckets) => disk.find(&buckets, print(number)),
                };
                prop_assert_eq!(found, Some(seq));
            }
        }

        #[test]
        fn the_log_reads_back(numbers in prop::collection::vec((any::<u64>(), any::<i64>()), 0..50)) {
            let entries: Vec<KeyEntry> = numbers
                .iter()
                .map(|(number, seq)| entry(if seq % 2 == 0 { KeyKind::Dedupe } else { KeyKind::Caller }, *number, *seq))
                .collect();
            prop_assert_eq!(decode_log(&encode_log(&entries)), entries);
        }
    }

    #[test]
    fn a_filter_proves_most_keys_new_and_survives_storage() {
        let mut index = KeyIndex::new(0, 0, 1000);
        let mut stored = Vec::new();
        for number in 0..1000 {
            index.add(1, 1, &[entry(KeyKind::Dedupe, number, 1)]);
        }
        while let Some(step) = index.file(4096) {
            stored.extend(step.completes.and_then(|run| run.filter));
        }
        let mut reopened = KeyIndex::new(0, 1, 1000);
        for (first_run, filter) in &stored {
            reopened.add_filter(*first_run, filter);
        }
        for number in 0..1000 {
            assert!(matches!(reopened.look_up(print(number)), Known::Perhaps(_)));
        }
        let in_vain =
            (1000..11_000).filter(|number| reopened.look_up(print(*number)) != Known::New).count();
        assert!(in_vain < 50, "{in_vain} of 10,000 unknown keys were not proved new");

        let mut without = KeyIndex::new(0, 1, 1000);
        without.add_filter(0, &[1, 2, 3]);
        assert!(matches!(without.look_up(print(5000)), Known::Perhaps(_)));
    }

    #[test]
    fn runs_that_left_the_window_are_not_asked() {
        let mut index = KeyIndex::new(0, 20, 10);
        let Known::Perhaps(all) = index.look_up(print(1)) else { panic!("no filters are loaded") };
        assert_eq!(all.len(), 20);
        index.forget_before(9);
        let Known::Perhaps(rest) = index.look_up(print(1)) else { panic!("no filters are loaded") };
        assert_eq!(rest.len(), 11);
    }
}
