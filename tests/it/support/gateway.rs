//! A gateway that serves, as a process.

use super::client::{Answer, Client};
use super::{DEADLINE, Platform, Site, until};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sqlx::Connection;
use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use tokio::process::Child;
use tokio::time::timeout;

/// A gateway and where it is installed. It is killed when it is dropped.
pub(crate) struct Gateway {
    pub(crate) site: Site,
    child: Child,
    runs: u32,
    carriers: SocketAddr,
    operators: SocketAddr,
    client: Client,
}

impl Gateway {
    /// Serves this platform, and is ready.
    pub(crate) async fn start(platform: &Platform) -> Gateway {
        Gateway::with(platform, "").await
    }

    /// The same with keys of its own in the configuration, as TOML.
    pub(crate) async fn with(platform: &Platform, own: &str) -> Gateway {
        let gateway = Gateway::unready(Site::new(platform, own)).await;
        gateway.is_ready().await;
        gateway
    }

    /// What `check` says against these keys; they must not be accepted.
    pub(crate) async fn refuses(platform: &Platform, own: &str) -> String {
        let check = Site::new(platform, own).run("check").await;
        assert_eq!(check.code, Some(1), "{check:?}");
        check.stdout
    }

    /// Serves, but need not be ready.
    pub(crate) async fn unready(site: Site) -> Gateway {
        let child = launch(&site, 1);
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let (carriers, operators) = (nowhere, nowhere);
        let client = Client::new();
        let mut gateway = Gateway { site, child, runs: 1, carriers, operators, client };
        gateway.learn_addresses().await;
        gateway
    }

    /// Starts again on the same store, after a kill or a stop.
    pub(crate) async fn restart(&mut self) {
        self.runs += 1;
        self.child = launch(&self.site, self.runs);
        self.learn_addresses().await;
        self.is_ready().await;
    }

    /// The log says where it listens, since any port will do.
    async fn learn_addresses(&mut self) {
        let said = |log: &str, message: &str| {
            let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let line = lines.find(|line| line["message"] == message)?;
            line["address"].as_str()?.parse::<SocketAddr>().ok()
        };
        let mut addresses = None;
        until("the gateway says where it listens", async || {
            let log = self.log();
            if let Some(status) = self.child.try_wait().expect("a child") {
                panic!("the gateway ended with {status}:\n{log}");
            }
            addresses = said(&log, "carriers may call")
                .zip(said(&log, "operators may look: /metrics /readyz /livez"));
            addresses.is_some()
        })
        .await;
        (self.carriers, self.operators) = addresses.expect("they were found");
    }

    /// Waits until it takes callbacks.
    pub(crate) async fn is_ready(&self) {
        until("the gateway is ready", async || self.look("/readyz").await.status == 200).await;
    }

    /// Where carriers call.
    pub(crate) fn carriers(&self) -> SocketAddr {
        self.carriers
    }

    /// What operators see at a path.
    pub(crate) async fn look(&self, path: &str) -> Answer {
        let url = format!("http://{}{path}", self.operators);
        self.client.get(&url).await.expect("the operators' listener answers")
    }

    /// A path at the carriers' listener.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.carriers)
    }

    /// Posts as a carrier does; fails without an answer.
    pub(crate) async fn post(&self, path: &str, body: impl Into<Bytes>) -> Answer {
        self.client.post(&self.url(path), body).await.expect("the carriers' listener answers")
    }

    /// The same for any request.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        self.client.send(request).await.expect("the carriers' listener answers")
    }

    /// The same with GET.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.client.get(&self.url(path)).await.expect("the carriers' listener answers")
    }

    /// The value of a metric, given its name and labels as they stand there; 0 if it is not there.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        let text = self.look("/metrics").await.text();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().expect("a number"))
    }

    /// What it has logged since its last start.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(log_file(&self.site, self.runs)).expect("a log")
    }

    /// Ends it as a power cut would, and waits until it is gone.
    pub(crate) async fn kill9(&mut self) {
        self.child.kill().await.expect("it was running");
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Asks it to read its configuration again, and waits until it has.
    pub(crate) async fn reload(&self) {
        let times = async || {
            let mut times = 0.0;
            for outcome in ["applied", "unchanged", "needs_restart", "wrong"] {
                times += self.reloads(outcome).await;
            }
            times
        };
        let before = times().await;
        self.signal(Signal::HUP);
        until("it has read its configuration again", async || times().await > before).await;
    }

    /// How often that came to this.
    pub(crate) async fn reloads(&self, outcome: &str) -> f64 {
        let series = format!("bridge8890_config_reloads_total{{outcome=\"{outcome}\"}}");
        self.metric(&series).await
    }

    /// Which process it is.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        kill_process(pid.expect("it runs"), signal).expect("it is ours");
    }

    /// Waits until it has ended, which must be with 0.
    pub(crate) async fn ended(&mut self) {
        let status = timeout(DEADLINE, self.child.wait()).await.expect("it ends");
        assert_eq!(status.expect("a child").code(), Some(0), "{}", self.log());
    }

    /// Stops it in order.
    pub(crate) async fn stop(&mut self) {
        self.terminate();
        self.ended().await;
    }

    /// Waits until nothing is left to be sent.
    pub(crate) async fn drained(&self) {
        until("the outbox is empty", async || self.site.lane().await.pending == 0).await;
    }

    /// Waits until all that was heard is concluded, and all that came of it is sent and told.
    pub(crate) async fn settled(&self) {
        let left = "SELECT (SELECT count(*) FROM inbox) + (SELECT count(*) FROM outbox)
            + (SELECT count(*) FROM message WHERE state = 0 OR news IS NOT NULL)";
        let mut database = self.site.open_database().await;
        until("all is settled", async || {
            let left = sqlx::query_scalar::<_, i64>(left).fetch_one(&mut database).await;
            left.expect("it reads") == 0
        })
        .await;
        database.close().await.expect("closed");
    }

    /// What every test ends with: all is sent, it stops in order, its sums are right, and
    /// nothing in it panicked.
    pub(crate) async fn finish(mut self) {
        self.drained().await;
        self.stop().await;
        assert_eq!(self.site.lane().await.pending, 0);
        for run in 1..=self.runs {
            let log = std::fs::read_to_string(log_file(&self.site, run)).expect("a log");
            assert!(!log.contains("panicked"), "{log}");
        }
    }
}

fn launch(site: &Site, run: u32) -> Child {
    let log = File::create(log_file(site, run)).expect("a log");
    let mut command = site.command(["serve", "--config", "gateway.toml"]);
    command.stdout(Stdio::null()).stderr(log).spawn().expect("the program starts")
}

fn log_file(site: &Site, run: u32) -> PathBuf {
    site.path(&format!("serve-{run}.log"))
}
