//! `demo`: the whole gateway at work, with stand-ins for the carriers and the platform.

use super::serve::Stop;
use crate::app::{self, Gateway};
use crate::clock::{Clock, Entropy};
use crate::config::{self, Config, Environment};
use crate::lifecycle::Tasks;
use crate::model::Secret;
use crate::standin::carriers::accounts::{self, EXTERNAL_URL};
use crate::standin::carriers::{Cast, Mix, Synthetic};
use crate::standin::control;
use crate::standin::doubles::Doubles;
use crate::standin::faults::Faults;
use crate::standin::platform::{self, StandIn};
use crate::standin::traffic::{Tally, Traffic};
use crate::store::Counts;
use crate::telemetry::logging;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const PLATFORM_SECRET: &str = "demo-platform-secret";
const CARRIER_SECRET: &str = "demo-carrier-secret";
/// How long the queue may take to empty at the end.
const DRAIN: Duration = Duration::from_secs(15);

/// Shows the gateway at work: carriers post, records are stored and forwarded, and it adds up.
///
/// Nothing else is needed: the database is embedded, and carriers and platform are stand-ins in
/// this process, over real sockets. Ctrl-C ends it with a receipt.
///
/// Exit code 0: the receipt adds up. 1: it does not.
#[derive(Debug, clap::Args)]
#[command(after_help = after_help())]
pub(super) struct Args {
    /// End by itself after this long, for example 20s or 5m.
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// Callbacks a second.
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    rate: u32,
    /// Where the database goes; without it, a new directory under the system's temporary one.
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// The carriers' address; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The operators' address; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    admin: SocketAddr,
    /// Where the stand-in platform is told what to do wrong (--help says what); port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    faults: SocketAddr,
    /// The receipt as one JSON object, and nothing else.
    #[arg(long)]
    json: bool,
}

fn after_help() -> String {
    let examples = "\
Examples:
  bridge8890 demo
  bridge8890 demo --for 20s --rate 2000
  bridge8890 demo --directory /tmp/demo --for 1m --json";
    format!("{examples}\n\n{}", control::HELP)
}

/// Everything that runs.
struct Demo {
    gateway: Gateway,
    platform: StandIn,
    /// Where it is told what to do wrong.
    control: SocketAddr,
    doubles: Arc<Doubles>,
    platform_tasks: Tasks,
    traffic: Traffic,
    traffic_tasks: Tasks,
}

/// Runs the command.
pub(super) async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    logging::init("warn", false)?;
    let mut stop = Stop::new()?;
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let directory = args.directory.clone().unwrap_or_else(|| {
        let name = hex::encode(entropy.bytes::<4>());
        std::env::temp_dir().join(format!("bridge8890-demo-{name}"))
    });
    if directory.join("data.key").exists() {
        anyhow::bail!("{} holds a store already; name a new directory", directory.display());
    }
    let demo = start(args, &directory, &clock, &entropy).await?;
    if !args.json {
        writeln!(out, "store      {}", directory.display())?;
        writeln!(out, "callbacks  http://{}/callback/…", demo.gateway.http[0])?;
        writeln!(out, "metrics    http://{}/metrics", demo.gateway.admin)?;
        writeln!(out, "platform   http://{} (stand-in)", demo.platform.local_addr())?;
        writeln!(
            out,
            "faults     http://{}/faults (`demo --help` says what to post)",
            demo.control
        )?;
        writeln!(out, "Ctrl-C ends it with a receipt.\n")?;
        out.flush()?;
    }
    tokio::select! {
        watched = watch(args, &demo, out) => watched?,
        () = stop.asked() => {}
    }
    let receipt = Box::pin(demo.end()).await?;
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &receipt)?;
        writeln!(out)?;
    } else {
        receipt.print(&directory, out)?;
    }
    Ok(if receipt.adds_up { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn start(
    args: &Args,
    directory: &Path,
    clock: &Clock,
    entropy: &Entropy,
) -> anyhow::Result<Demo> {
    let (platform_tasks, traffic_tasks) = (Tasks::new(), Tasks::new());
    let doubles = Arc::new(Doubles::default());
    let options = platform::Options {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        secret: Secret::new(PLATFORM_SECRET.into()),
        faults: Faults::default(),
        on_record: Some({
            let doubles = Arc::clone(&doubles);
            Box::new(move |seen| doubles.took(seen))
        }),
    };
    let platform = StandIn::start(options, clock.clone(), &platform_tasks).await?;
    let control = control::start(args.faults, platform.clone(), &platform_tasks).await?;
    let config = configuration(args, directory, platform.local_addr())?;
    let gateway = app::start(&config, clock.clone(), entropy.clone()).await?;
    let traffic = Traffic::new(gateway.http[0], clock.clone())?;
    let seed = u64::from_le_bytes(entropy.bytes());
    let cast = Cast::built_in(CARRIER_SECRET)?;
    let source = Synthetic::new(Mix::Citizens(Arc::new(cast)), seed);
    let posting = traffic.clone().run(source, args.rate, traffic_tasks.clone());
    drop(traffic_tasks.spawn("carriers", posting));
    Ok(Demo { gateway, platform, control, doubles, platform_tasks, traffic, traffic_tasks })
}

/// The configuration of the demo, by the same way as any other.
fn configuration(args: &Args, directory: &Path, platform: SocketAddr) -> anyhow::Result<Config> {
    let carriers = accounts::configuration(&accounts::of_citizens());
    let text = format!(
        r#"
        http.listen = ["{}"]
        http.external_url = "{EXTERNAL_URL}"
        admin.listen = "{}"
        store.directory = {directory:?}

        [destination]
        name = "platform"
        url = "http://{platform}/"
        allow_http = true
        secret = "env:PLATFORM"

        {carriers}
        "#,
        args.listen, args.admin
    );
    let variables = accounts::variables(CARRIER_SECRET);
    let mut secrets: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    secrets.push(("PLATFORM", PLATFORM_SECRET));
    let environment = Environment::given(&std::env::current_dir()?, &secrets);
    Ok(config::parse(&text, "demo", &environment)?)
}

/// Shows rates, lag and totals every second, until the time is over.
async fn watch(args: &Args, demo: &Demo, out: &mut impl Write) -> anyhow::Result<()> {
    let bar = ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{msg}")?);
    let started = Instant::now();
    let mut before = (0, 0);
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    tick.tick().await;
    loop {
        let left = args.duration.map(|all| all.saturating_sub(started.elapsed()));
        if left.is_some_and(|left| left.is_zero()) {
            bar.finish_and_clear();
            return Ok(());
        }
        tokio::select! {
            _ = tick.tick() => {}
            () = tokio::time::sleep(left.unwrap_or(Duration::MAX)) => continue,
        }
        let (received, delivered) = totals(demo);
        let line = format!(
            "{:>4}s  received {}/s  delivered {}/s  lag {:.1}s  │ received {received}  delivered {delivered}  pending {}",
            started.elapsed().as_secs(),
            received - before.0,
            delivered - before.1,
            demo.lag().await?.as_secs_f64(),
            demo.gateway.store.pending(),
        );
        before = (received, delivered);
        if args.json {
            continue;
        }
        if bar.is_hidden() {
            writeln!(out, "{line}")?;
            out.flush()?;
        } else {
            bar.set_message(line);
            bar.tick();
        }
    }
}

fn totals(demo: &Demo) -> (u64, u64) {
    (demo.traffic.tally().acknowledged, demo.platform.totals().effects.accepted)
}

impl Demo {
    /// How long the oldest record has been waiting.
    async fn lag(&self) -> anyhow::Result<Duration> {
        let lanes = self.gateway.store.lanes().await?;
        let oldest = lanes.iter().filter_map(|lane| lane.oldest).min();
        let waited = oldest.map(|oldest| Clock::system().now().duration_since(oldest));
        Ok(waited.and_then(|waited| Duration::try_from(waited).ok()).unwrap_or_default())
    }

    /// Lets the carriers go home, the platform be well and the queue empty, then counts, then stops.
    async fn end(self) -> anyhow::Result<Receipt> {
        self.traffic_tasks.shut_down(Duration::from_secs(10), |_| ()).await;
        self.platform.set_faults(Faults::default());
        let deadline = Instant::now() + DRAIN;
        while self.gateway.store.pending() > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let store = self.gateway.store.counts().await?;
        Box::pin(self.gateway.stop(|_| ())).await;
        let platform = self.platform.totals();
        self.platform_tasks.shut_down(Duration::from_secs(1), |_| ()).await;
        Ok(Receipt::new(self.traffic.tally(), store, platform, self.doubles.count()))
    }
}

/// What came in, what became of it, and whether it adds up.
#[derive(Debug, Serialize)]
struct Receipt {
    carriers: Tally,
    store: Counts,
    platform: platform::Totals,
    /// Records that are neither waiting, dead nor superseded, and that the platform never took.
    lost: u64,
    /// Effects beyond the first of one answer.
    double: u64,
    adds_up: bool,
}

impl Receipt {
    fn new(carriers: Tally, store: Counts, platform: platform::Totals, double: u64) -> Receipt {
        let same = |stored: i64, counted: u64| u64::try_from(stored) == Ok(counted);
        // A carrier that gave up may have been stored all the same.
        let received = same(store.callbacks, carriers.acknowledged) || carriers.turned_away > 0;
        let accounted = store.pending + store.dead + store.superseded;
        let wanted = u64::try_from(store.records - accounted).unwrap_or(0);
        let lost = wanted.saturating_sub(platform.effects.accepted);
        // What waits, is dead or superseded may have been taken, and the answer lost.
        let taken = i64::try_from(platform.effects.accepted).unwrap_or(i64::MAX);
        let same = (store.delivered..=store.delivered + accounted).contains(&taken);
        let adds_up = store.add_up() && received && same && lost == 0 && double == 0;
        Receipt { carriers, store, platform, lost, double, adds_up }
    }

    fn print(&self, directory: &Path, out: &mut impl Write) -> std::io::Result<()> {
        let Receipt { carriers, store, platform, lost, double, adds_up } = self;
        let taken = platform.effects.accepted;
        writeln!(out, "\nreceipt")?;
        writeln!(out, "  received    {:>9} callbacks acknowledged", carriers.acknowledged)?;
        writeln!(
            out,
            "  stored      {:>9} callbacks, of which {} events were repeats and {} made no record",
            store.callbacks, store.repeats, store.notes
        )?;
        writeln!(out, "  records     {:>9} ratings and complaints", store.records)?;
        writeln!(out, "  delivered   {:>9} (the platform counts {taken})", store.delivered)?;
        writeln!(out, "  pending     {:>9}", store.pending)?;
        writeln!(out, "  dead        {:>9}", store.dead)?;
        writeln!(out, "  superseded  {:>9}", store.superseded)?;
        writeln!(
            out,
            "  platform    {:>9} requests, {} records came again and changed nothing",
            platform.requests, platform.effects.duplicates
        )?;
        writeln!(out, "  lost        {lost:>9}")?;
        writeln!(out, "  double      {double:>9} effects")?;
        let sum = if *adds_up { "it adds up" } else { "IT DOES NOT ADD UP" };
        writeln!(
            out,
            "  {} = {} + {} + {} + {}: {sum}",
            store.records, store.delivered, store.pending, store.dead, store.superseded
        )?;
        writeln!(out, "\nlook around: bridge8890 records find --store {}", directory.display())
    }
}
