//! `fill`: a store with a long history and, if wished, a backlog, made through the store's own
//! verbs so that it is what a gateway would have left behind.

use crate::output;
use anyhow::Context;
use bridge8890::clock::{Clock, Entropy};
use bridge8890::lifecycle::Tasks;
use bridge8890::model::{
    AccountName, Brand, Caller, Channel, Comment, LaneName, Level, Meaning, MessageId, Outcome,
    Record, Revision, Rule, Scheme, ServiceNumber, Target, TargetType,
};
use bridge8890::standin::carriers::{Mix, Request, Synthetic};
use bridge8890::store::{
    Callback, Entry, KeyRing, LaneOptions, Options, Place, RawRequest, SendReport, Settled,
    Settlement, Share, Store, StoreError, data_key,
};
use bridge8890::telemetry::{Metrics, Progress};
use bytes::Bytes;
use clap::Args;
use http::{HeaderName, HeaderValue};
use indicatif::ProgressBar;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task::JoinSet;

/// How much, and where.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  loadtest fill --records 10000000 --directory /var/tmp/filled
  loadtest bench --scenarios filled,restart --data /var/tmp/filled --stored 10000000")]
pub(crate) struct Fill {
    /// Records to store as delivered.
    #[arg(long)]
    records: u64,
    /// Records to store beside them that wait for the platform.
    #[arg(long, default_value_t = 0)]
    pending: u64,
    /// The directory that `bench --data` is given.
    #[arg(long)]
    directory: PathBuf,
}

impl Fill {
    /// Fills, with a progress bar.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let Fill { records, pending, directory } = self;
        let bar = output::bar(records + pending)?;
        Filling { directory, records, pending }.run(&bar).await?;
        bar.finish();
        Ok(())
    }
}

/// One filling.
#[derive(Debug)]
pub(crate) struct Filling {
    /// As of `bench --data`: the store is in a directory of it.
    pub(crate) directory: PathBuf,
    /// Delivered records.
    pub(crate) records: u64,
    /// Records that wait.
    pub(crate) pending: u64,
}

/// Committed before they are settled, so that the queue stays as short as in real life.
const SLICE: u64 = 20_000;
/// Commits that wait for the writer at once: enough for large groups.
const IN_FLIGHT: usize = 512;
/// Records of one settlement.
const BATCH: usize = 500;
/// How long the store may take to close.
const CLOSING: Duration = Duration::from_secs(30);
/// The lane of the configuration under test.
const LANE: &str = "platform";

impl Filling {
    /// Fills, and counts on the bar.
    pub(crate) async fn run(&self, bar: &ProgressBar) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.directory)?;
        let tasks = Tasks::new();
        let mut filler = Filler {
            store: open_store(&self.directory.join("store"), &tasks).await?,
            carrier: Synthetic::new(Mix::Benchmark, output::fresh_seed()),
            clock: Clock::system(),
            entropy: Entropy::system(),
            account: AccountName::new("aliyun-sms")?,
            lane: LaneName::new(LANE)?,
        };
        let mut left = self.records;
        while left > 0 {
            let slice = left.min(SLICE);
            filler.commit(slice, bar).await?;
            filler.deliver(slice).await?;
            left -= slice;
        }
        filler.commit(self.pending, bar).await?;
        drop(filler);
        let left = tasks.shut_down(CLOSING, |_| ()).await;
        anyhow::ensure!(left.is_empty(), "the store did not close: {left}");
        Ok(())
    }
}

/// Opens a store of its own, with the key file that the gateway will find.
async fn open_store(directory: &Path, tasks: &Tasks) -> anyhow::Result<Store> {
    let entropy = Entropy::system();
    let key = data_key::load_or_create(&Place::Directory(directory.to_owned()), None, &entropy)?;
    let options = Options {
        place: Place::Directory(directory.to_owned()),
        lanes: vec![LaneOptions::of_everything(LaneName::new(LANE)?)],
        queue: 2 * IN_FLIGHT,
        max_group: IN_FLIGHT,
        progress: Progress::new("store writer"),
    };
    let ring = KeyRing::new(&key.secret, &[])?;
    Ok(Store::open(&options, ring, Clock::system(), entropy, &Metrics::new()?, tasks).await?)
}

struct Filler {
    store: Store,
    carrier: Synthetic,
    clock: Clock,
    entropy: Entropy,
    account: AccountName,
    lane: LaneName,
}

impl Filler {
    async fn commit(&mut self, count: u64, bar: &ProgressBar) -> anyhow::Result<()> {
        let mut commits = JoinSet::new();
        for _ in 0..count {
            if commits.len() >= IN_FLIGHT {
                let committed: Option<Result<Result<(), StoreError>, _>> =
                    commits.join_next().await;
                committed.transpose()?.transpose()?;
                bar.inc(1);
            }
            let callback = self.callback()?;
            commits.spawn(patient_commit(self.store.clone(), callback));
        }
        while let Some(committed) = commits.join_next().await {
            committed??;
            bar.inc(1);
        }
        Ok(())
    }

    /// Settles so many records as delivered.
    async fn deliver(&self, count: u64) -> anyhow::Result<()> {
        let mut left = usize::try_from(count)?;
        while left > 0 {
            let now = self.clock.now();
            let until = now + Duration::from_secs(60);
            let lease = self.store.lease(&self.lane, left.min(BATCH), until).await?;
            anyhow::ensure!(!lease.items.is_empty(), "{left} records were not there to be leased");
            left -= lease.items.len();
            let report = SendReport {
                started_at: now,
                took: Duration::from_millis(1),
                status: Some(200),
                answer: String::new(),
            };
            let items = lease.items.iter().map(|item| (item.seq, Settled::Delivered)).collect();
            self.store
                .settle(Settlement { lane: self.lane.clone(), token: lease.token, report, items })
                .await?;
        }
        Ok(())
    }

    fn callback(&mut self) -> anyhow::Result<Callback> {
        let now = self.clock.now();
        let Request { head, body, message_id } = self.carrier.next(now);
        let record = self.record(&message_id).context("an invented record")?;
        Ok(Callback {
            account: self.account.clone(),
            received_at: now,
            raw: RawRequest {
                method: head.method.to_string(),
                target: head.target.clone(),
                headers: head.headers.iter().map(stored).collect(),
                body,
            },
            nonce: None,
            entries: vec![Entry {
                dedupe: message_id.0,
                resend: None,
                share: Share::Decided { outcome: Outcome::Rated, records: vec![record] },
            }],
            garbled: Vec::new(),
        })
    }

    fn record(&self, message_id: &MessageId) -> anyhow::Result<Record> {
        let now = self.clock.now();
        let tail = message_id.0.get(message_id.0.len().saturating_sub(4)..).context("an id")?;
        let target = Target { target_type: TargetType::Call, reference: None };
        Ok(Record {
            id: self.entropy.record_id(now),
            revision: Revision::FIRST,
            meaning: Meaning::Rating { level: Level::VerySatisfied, target, scheme: Scheme::ASC },
            account: self.account.clone(),
            channel: Channel::Sms,
            campaign: "hotline".to_owned(),
            brand: Brand::Hotline8890,
            area: None,
            channel_code: None,
            caller: Some(Caller::read(&format!("1390000{tail}"), "86")),
            service: Some(ServiceNumber("8890".to_owned())),
            message_id: Some(message_id.clone()),
            occurred_at: Some(now),
            received_at: now,
            comment: Comment("接线员语气温和，把流程一步一步说给我听，第二天就有人上门".to_owned()),
            rule: Rule("C2".into()),
            context: bridge8890::model::Context::default(),
        })
    }
}

fn stored((name, value): (&HeaderName, &HeaderValue)) -> (String, Bytes) {
    (name.to_string(), Bytes::copy_from_slice(value.as_bytes()))
}

/// Commits, and comes back when the writer is behind.
async fn patient_commit(store: Store, callback: Callback) -> Result<(), StoreError> {
    loop {
        match store.commit(callback.clone()).await {
            Err(StoreError::Full) => tokio::time::sleep(Duration::from_millis(5)).await,
            done => return done.map(drop),
        }
    }
}
