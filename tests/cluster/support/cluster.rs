//! Nodes of the built program that share a database.

use super::alone::platform::Taken;
use super::alone::{Gateway, Platform, Site, until};
use super::load::{Balancer, Load, Sent};
use super::postgres::Database;
use bridge8890::store::{Place, migrate};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use std::collections::{BTreeMap, BTreeSet};

/// What all nodes have in common besides the keys of a gateway alone.
const SHARED: &str = "
    store.key = 'file:data.key'
    store.owner_lease = '2s'
    destination.request_timeout = '1s'
    destination.lease = '6s'
";
/// An invented data key.
const KEY: &str = "8890889088908890889088908890889088908890889088908890889088908890";

/// Nodes over one database, and the platform that they serve.
pub(crate) struct Cluster {
    pub(crate) platform: Platform,
    pub(crate) nodes: Vec<Gateway>,
    pub(crate) balancer: Balancer,
    /// The database as the test reaches it, past every proxy.
    url: String,
    _own: Option<Database>,
}

impl Cluster {
    /// So many nodes, ready, over a database of the server that all tests share.
    pub(crate) async fn start(nodes: usize) -> Cluster {
        Cluster::with(nodes, "").await
    }

    /// The same with keys of their own in the configuration, as dotted keys and further tables of TOML.
    pub(crate) async fn with(nodes: usize, own: &str) -> Cluster {
        let database = Database::copy_of("cluster", migrated).await;
        let url = database.url();
        Cluster { _own: Some(database), ..Cluster::over(&url, &url, nodes, own).await }
    }

    /// Over an empty database at `url`, which nodes reach by `nodes_url`: through a proxy, or with other hosts in it.
    pub(crate) async fn over(url: &str, nodes_url: &str, count: usize, own: &str) -> Cluster {
        migrated(url).await;
        let platform = Platform::start().await;
        let mut cluster = Cluster {
            platform,
            nodes: Vec::new(),
            balancer: Balancer::default(),
            url: url.to_owned(),
            _own: None,
        };
        for place in 0..count {
            let own =
                format!("{SHARED}store.url = '{nodes_url}'\nstore.node = 'node-{place}'\n{own}");
            let site = Site::new(&cluster.platform, &own);
            site.write("data.key", KEY);
            let node = Gateway::unready(site).await;
            node.is_ready().await;
            cluster.balancer.add(node.carriers());
            cluster.nodes.push(node);
        }
        cluster
    }

    /// Callers that go on, at all nodes.
    pub(crate) fn load(&self, callers: u64) -> Load {
        Load::start(&self.balancer, callers)
    }

    /// Ends a node as a power cut would.
    pub(crate) async fn kill9(&mut self, node: usize) {
        self.nodes[node].kill9().await;
    }

    /// Starts a node again, under its name, after a kill or a stop; it is called again when it is ready.
    pub(crate) async fn restart(&mut self, node: usize) {
        self.nodes[node].restart().await;
        self.balancer.set(node, Some(self.nodes[node].carriers()));
    }

    /// Stops a node where it stands, as a machine that is moved does.
    pub(crate) fn pause(&self, node: usize) {
        self.signal(node, Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn wake(&self, node: usize) {
        self.signal(node, Signal::CONT);
    }

    fn signal(&self, node: usize, signal: Signal) {
        let process = self.nodes[node].id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        kill_process(process.expect("it runs"), signal).expect("it is ours");
    }

    /// The database, beside the nodes.
    pub(crate) async fn database(&self) -> PgConnection {
        let options: PgConnectOptions = self.url.parse().expect("a URL");
        options.connect().await.expect("it is let in")
    }

    /// Does something beside the nodes.
    pub(crate) async fn sql(&self, statement: &str) {
        let mut database = self.database().await;
        let done = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut database).await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
        database.close().await.expect("closed");
    }

    /// Asks for one number beside the nodes.
    pub(crate) async fn number(&self, question: &str) -> i64 {
        let mut database = self.database().await;
        let number = sqlx::query_scalar(AssertSqlSafe(question)).fetch_one(&mut database).await;
        database.close().await.expect("closed");
        number.unwrap_or_else(|error| panic!("{question}: {error}"))
    }

    /// The nodes, as an operator is shown them.
    async fn shown(&self) -> Vec<Value> {
        let mut shown = self.nodes[0].site.run("nodes --json").await.json();
        serde_json::from_value(shown["nodes"].take()).expect("nodes")
    }

    /// How many nodes live.
    pub(crate) async fn living(&self) -> usize {
        self.shown().await.iter().filter(|node| node["lives"] == true).count()
    }

    /// Who does the work that one node does; `None` while nobody does.
    pub(crate) async fn owner(&self, work: &str) -> Option<usize> {
        let shown = self.shown().await;
        let owns =
            |node: &&Value| node["owns"].as_array().expect("works").iter().any(|it| it == work);
        let name = shown.iter().find(owns)?["name"].as_str().expect("a name");
        Some(name.strip_prefix("node-")?.parse().expect("a number"))
    }

    /// Waits until somebody does the work; returns who.
    pub(crate) async fn owned(&self, work: &str) -> usize {
        let mut owner = None;
        until("somebody does it", async || {
            owner = self.owner(work).await;
            owner.is_some()
        })
        .await;
        owner.expect("somebody")
    }

    /// Waits until nothing is left to be sent, concluded or told. What was left to whoever dials lies until it is over.
    pub(crate) async fn settled(&self) {
        let left = "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM inbox)
            + (SELECT count(*) FROM message
                WHERE (state = 0 AND lane NOT LIKE 'calls of %') OR news IS NOT NULL)";
        until("all is settled", async || self.number(left).await == 0).await;
    }

    /// Waits until all is settled, and asserts that of what was acknowledged nothing is lost and nothing twice. Nodes
    /// that were killed are started again before.
    pub(crate) async fn counted(self, sent: Sent) {
        assert_eq!(self.counted_besides(&sent).await, []);
        self.ended().await;
    }

    /// The same where the load was not all; returns what else had effect.
    pub(crate) async fn counted_besides(&self, sent: &Sent) -> Vec<Taken> {
        self.settled().await;
        let acknowledged = sent.ids();
        let ours = |id: Option<&String>| id.is_some_and(|id| acknowledged.contains(id));
        let mut effects: BTreeMap<String, usize> = BTreeMap::new();
        let (of_load, others): (Vec<Taken>, Vec<Taken>) =
            self.platform.taken().into_iter().partition(|taken| ours(taken.message_id.as_ref()));
        for id in of_load.iter().filter_map(|taken| taken.message_id.clone()) {
            *effects.entry(id).or_default() += 1;
        }
        for id in &acknowledged {
            assert_eq!(effects.get(id), Some(&1), "effects of {id}");
        }
        let records = self.records().await;
        for id in &acknowledged {
            assert_eq!(records.get(id).map(BTreeSet::len), Some(1), "records of {id}");
        }
        let lane = self.nodes[0].site.lane().await;
        let revisions: i64 = self.number("SELECT count(*) FROM record").await;
        assert_eq!(lane.records, revisions.unsigned_abs(), "{lane:?}");
        assert_eq!((lane.pending, lane.dead), (0, 0), "{lane:?}");
        assert_eq!(lane.delivered, (of_load.len() + others.len()) as u64, "{lane:?}");
        let twice = "SELECT count(*) FROM (SELECT FROM attempt WHERE outcome = 1
            GROUP BY lane, seq HAVING count(*) > 1) AS twice";
        assert_eq!(self.number(twice).await, 0, "settled twice as delivered");
        others
    }

    /// The ids of the records, by the message that they came of.
    async fn records(&self) -> BTreeMap<String, BTreeSet<String>> {
        let found = self.nodes[0].site.run("records find --limit 1000000 --json").await;
        let mut records: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for record in found.lines() {
            let text = |name: &str| record[name].as_str().map(str::to_owned);
            let Some(message) = text("message_id") else { continue };
            records.entry(message).or_default().insert(text("id").expect("an id"));
        }
        records
    }

    /// The ledger is equal to what is stored, nodes stop in order, and nothing in them panicked.
    pub(crate) async fn ended(self) {
        until("the ledger is equal to what is stored", async || {
            self.nodes[0].site.run("reconcile --json").await.code == Some(0)
        })
        .await;
        for node in self.nodes {
            node.finish().await;
        }
    }
}

/// Gives a database our tables.
async fn migrated(url: &str) {
    let place = Place::Server(Box::new(url.parse().expect("a URL")));
    migrate(&place, false, |_| ()).await.expect("it migrates");
}
