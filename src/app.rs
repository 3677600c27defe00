//! The composition root: builds everything in order, and takes it down in reverse.

mod import;
mod reload;

pub use import::Import;
pub use reload::warn;

use crate::clock::{Clock, Entropy};
use crate::config::{self, Config};
use crate::console::Console;
use crate::egress::{self, messages, recordings};
use crate::ingress;
use crate::intake::{Intake, Invitations, Rereader};
use crate::lifecycle::{Tasks, WaitingFor, Watchdog};
use crate::session;
use crate::store::housekeeping::{self, House};
use crate::store::{
    KeyRing, LaneOptions, OpenError, Options, Place, Retention, SpoolOptions, Store, Work, data_key,
};
use crate::telemetry::reload::ReloadMetrics;
use crate::telemetry::{Health, Metrics, Progress};
use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::timeout;

/// A gateway that serves.
#[derive(Debug)]
pub struct Gateway {
    /// The carriers' addresses, in the order of the configuration.
    pub http: Vec<SocketAddr>,
    /// The operators' address.
    pub admin: SocketAddr,
    /// The store.
    pub store: Store,
    /// What holds now.
    config: Config,
    intake: Intake,
    clock: Clock,
    reloads: ReloadMetrics,
    health: Health,
    /// Everything that uses the store.
    tasks: Tasks,
    /// The store's own tasks, which end last.
    store_tasks: Tasks,
    grace: Duration,
}

/// How long the writer may take to finish after everybody who uses it has.
const STORE_GRACE: Duration = Duration::from_secs(10);

/// How long a command waits for work that no node may own.
const OWNER_GRACE: Duration = Duration::from_secs(3);

/// Callbacks that a command reads again at once.
const STEP: u32 = 64;

/// Builds and starts a gateway. The store comes first and the carriers' listener last, so that
/// nothing is accepted before it can be kept and passed on.
///
/// # Errors
/// What cannot be had, with the key of the configuration to change. Whatever had started is
/// stopped again.
pub async fn start(config: &Config, clock: Clock, entropy: Entropy) -> Result<Gateway> {
    let metrics = Metrics::new().context("the metrics registry")?;
    let reloads = ReloadMetrics::new(&metrics, clock.now());
    let after = config.watchdog.after;
    let tasks = Tasks::new().watched_by(Watchdog::new(after, &metrics, entropy.clone()));
    let store_tasks = Tasks::new();
    let opened: Arc<OnceLock<Store>> = Arc::default();
    // Whoever looks from outside sees a worker only when the watchdog does not mend it.
    let health = Health::bearing(after * 2, {
        let opened = Arc::clone(&opened);
        move || match opened.get() {
            Some(store) => store.admits_callbacks().map_err(|unwell| unwell.to_string()),
            None => Err("the store is not open yet".to_owned()),
        }
    });
    let started = async {
        // Operators may watch a start that takes long.
        let console = Console { health: health.clone(), metrics: metrics.clone() };
        let admin = console.start(&config.admin, &tasks, entropy.clone()).await?;
        tasks.spawn("metrics upkeep", {
            let (metrics, tasks) = (metrics.clone(), tasks.clone());
            async move { metrics.upkeep(tasks.stopping()).await }
        });
        health.starting("opening the store");
        let watch = (&metrics, health.worker("store writer"));
        let store = open_store(config, &clock, &entropy, watch, &store_tasks).await?;
        let store = match &config.store.spool {
            Some(spool) => store.with_spool(&options(spool), &metrics, &store_tasks).await?,
            None => store,
        };
        warn_of_stranded(&store, config).await?;
        opened.get_or_init(|| store.clone());
        store.join(&tasks).await?;
        keep_house(config, &store, &tasks);
        store.empty_spool(&health.worker("spool"), &tasks);
        for destination in config.destinations() {
            egress::start(
                destination,
                store.clone(),
                (clock.clone(), entropy.clone()),
                (&metrics, health.worker("lane")),
                &tasks,
            )?;
        }
        let sources = (clock.clone(), entropy.clone());
        let accounts = &config.accounts;
        let intake = Intake::new(store.clone(), accounts, &config.campaigns, sources, &metrics);
        if let Err(error) = intake.look_back().await {
            tracing::warn!(%error, "how ratings were distributed is not known; it is learnt anew");
        }
        let progress = health.worker("dialogue");
        let dialogue = store.keep(Work::Dialogue, &tasks);
        let (worker, stop) = (intake.dialogue_worker(dialogue, progress.clone()), tasks.clone());
        tasks.spawn_watched(&progress, move || worker.clone().run(stop.clone()));
        for sending in config.accounts.values().filter_map(|account| account.send.as_ref()) {
            messages::start(
                sending,
                store.clone(),
                (clock.clone(), entropy.clone()),
                (&metrics, health.worker("messages")),
                &tasks,
            )?;
        }
        for settings in config.accounts.values().filter_map(|account| account.recordings.as_ref()) {
            recordings::start(
                settings,
                store.clone(),
                (clock.clone(), entropy.clone()),
                (&metrics, health.worker("recordings")),
                &tasks,
            )?;
        }
        let progress = health.worker("quarantine reader");
        let rereader = Rereader::new(intake.clone(), config);
        let (winding, stop) = (progress.clone(), tasks.clone());
        let owned = store.keep(Work::Quarantine, &tasks);
        tasks.spawn_watched(&progress, move || {
            rereader.clone().run(owned.clone(), winding.clone(), stop.clone())
        });
        let invitations = config.invitations.as_ref();
        let invitations =
            invitations.map(|settings| Invitations::new(intake.clone(), settings, &metrics));
        let ground =
            session::Ground { intake: intake.clone(), tasks: tasks.clone(), entropy, metrics };
        session::start(config.accounts.values().cloned(), &ground)?;
        let accounts = config.accounts.values().cloned();
        let http = ingress::start(&config.http, accounts, invitations, ground).await?;
        health.started();
        anyhow::Ok((http, admin, store, intake))
    };
    match started.await {
        Ok((http, admin, store, intake)) => {
            let (config, grace) = (config.clone(), config.shutdown.grace);
            Ok(Gateway {
                http,
                admin,
                store,
                config,
                intake,
                clock,
                reloads,
                health,
                tasks,
                store_tasks,
                grace,
            })
        }
        Err(error) => {
            tasks.shut_down(Duration::ZERO, |_| ()).await;
            drop(opened);
            store_tasks.shut_down(Duration::ZERO, |_| ()).await;
            Err(error)
        }
    }
}

impl Gateway {
    /// Waits until something ends without which the gateway is of no use, and names it.
    pub async fn fallen(&self) -> &'static str {
        tokio::select! {
            () = self.tasks.stopping() => {}
            () = self.store_tasks.stopping() => {}
        }
        self.store_tasks.fallen().or(self.tasks.fallen()).unwrap_or("gateway")
    }

    /// The tasks, for whoever runs beside the gateway and must end with it.
    #[must_use]
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Stops: no new work, then what is under way, then the store. Tells `progress` every second
    /// what is still waited for. Returns what had to be cut off; whatever was acknowledged is on
    /// disk all the same.
    pub async fn stop(self, progress: impl Fn(&WaitingFor)) -> WaitingFor {
        self.health.stopping();
        let left = self.tasks.shut_down(self.grace, &progress).await;
        let until = tokio::time::Instant::now() + STORE_GRACE;
        let refusals = tokio::time::timeout_at(until, self.store.write_refusals()).await;
        if !matches!(refusals, Ok(Ok(()))) {
            tracing::warn!("the last refused callbacks are missing in the ledger");
        }
        // What came last is taken in at once, and what there is no time for after the next start.
        let folded = async { while let Ok(true) = self.store.fold_ledger(Duration::ZERO).await {} };
        drop(tokio::time::timeout_at(until, folded).await);
        self.store_tasks.stop();
        drop(self.store);
        drop(self.intake);
        drop(self.health);
        self.store_tasks.shut_down(STORE_GRACE, &progress).await;
        left
    }
}

/// Reads again what operators want of the quarantine, where no gateway serves. Returns how many
/// callbacks that was; `None` when one serves, which then does it itself.
///
/// # Errors
/// Why the store cannot be opened or the callbacks not be read.
pub async fn read_quarantine(
    config: &Config,
    clock: Clock,
    entropy: Entropy,
) -> Result<Option<usize>> {
    let metrics = Metrics::new().context("the metrics registry")?;
    let Some((intake, tasks)) = open_alone(config, clock, entropy, &metrics).await? else {
        return Ok(None);
    };
    let read = Rereader::new(intake, config).take_up().await;
    tasks.shut_down(STORE_GRACE, |_| ()).await;
    Ok(Some(read?))
}

/// Revises what operators want revised, where no gateway serves, and tells `progress` how many callbacks that
/// was each time. Returns `false` when one serves, which then does it itself.
///
/// # Errors
/// Why the store cannot be opened or the callbacks not be read.
pub async fn revise(
    config: &Config,
    clock: Clock,
    entropy: Entropy,
    progress: impl Fn(usize),
) -> Result<bool> {
    let metrics = Metrics::new().context("the metrics registry")?;
    let Some((intake, tasks)) = open_alone(config, clock, entropy, &metrics).await? else {
        return Ok(false);
    };
    let dialogue = intake.store().keep(Work::Dialogue, &tasks);
    if timeout(OWNER_GRACE, dialogue.gained()).await.is_err() {
        drop((intake, dialogue));
        tasks.shut_down(STORE_GRACE, |_| ()).await;
        return Ok(false);
    }
    let reviser = intake.reviser(dialogue);
    drop(intake);
    let done = loop {
        match reviser.take_up(STEP).await {
            Ok(0) => break Ok(true),
            Ok(read) => progress(read),
            Err(error) => break Err(error),
        }
    };
    drop(reviser);
    tasks.shut_down(STORE_GRACE, |_| ()).await;
    Ok(done?)
}

/// The store for a command, with the tasks that it runs by; `None` when a gateway has it.
async fn open_alone(
    config: &Config,
    clock: Clock,
    entropy: Entropy,
    metrics: &Metrics,
) -> Result<Option<(Intake, Tasks)>> {
    let tasks = Tasks::new();
    let health = Health::new(|| Ok(()));
    let watch = (metrics, health.worker("store writer"));
    let store = match open_store(config, &clock, &entropy, watch, &tasks).await {
        Ok(store) => store,
        Err(error) if matches!(error.downcast_ref(), Some(OpenError::Locked(_))) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let sources = (clock, entropy);
    let intake = Intake::new(store, &config.accounts, &config.campaigns, sources, metrics);
    Ok(Some((intake, tasks)))
}

async fn open_store(
    config: &Config,
    clock: &Clock,
    entropy: &Entropy,
    (metrics, progress): (&Metrics, Progress),
    tasks: &Tasks,
) -> Result<Store> {
    let settings = &config.store;
    let place = Place::of(settings);
    let key = data_key::load_or_create(&place, settings.key.as_ref(), entropy)?;
    if let Some(path) = &key.created {
        tracing::warn!(
            file = %path.display(),
            "made a new data key; back it up apart from the database, which is lost without it"
        );
    }
    let ring = KeyRing::new(&key.secret, &settings.old_keys).context("store.key")?;
    let options = Options {
        place,
        lanes: config
            .destinations()
            .map(|it| LaneOptions {
                name: it.name.clone(),
                only: it.only.clone(),
                urgent_before: it.queueing.urgent_before,
            })
            .collect(),
        queue: settings.queue,
        max_group: settings.max_group,
        progress,
    };
    Ok(Store::open(&options, ring, clock.clone(), entropy.clone(), metrics, tasks).await?)
}

fn options(spool: &config::Spool) -> SpoolOptions {
    SpoolOptions { directory: spool.directory.clone(), max_bytes: spool.max_bytes }
}

/// Records of a lane that no destination is configured for stay where they are.
async fn warn_of_stranded(store: &Store, config: &Config) -> Result<()> {
    for other in store.lanes().await? {
        let known = config.destinations().any(|it| it.name.as_str() == other.name);
        if other.pending > 0 && !known {
            tracing::warn!(
                lane = other.name,
                pending = other.pending,
                "no destination has this name any more; give it back its name to send these records"
            );
        }
    }
    Ok(())
}

fn keep_house(config: &Config, store: &Store, tasks: &Tasks) {
    let settings = &config.store;
    let house = House {
        directory: match Place::of(settings) {
            Place::Directory(directory) => Some(directory),
            Place::Server(_) => settings.spool.as_ref().map(|spool| spool.directory.clone()),
        },
        disk_floor: settings.disk_floor,
        keep: Retention {
            callbacks: settings.keep_callbacks,
            records: settings.keep_records,
            keys: settings.dedupe_window,
        },
    };
    housekeeping::look_at_disk(store, &house);
    housekeeping::start(store, &Arc::new(house), tasks);
}
