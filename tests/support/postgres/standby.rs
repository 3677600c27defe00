//! A standby that follows a primary, and takes its place.

use super::server::{Options, Server};
use super::{script, told, until};
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};

impl Server {
    /// A standby of a primary, that streams from it and may be read.
    pub(crate) fn standby_of(primary: &Server, options: &Options<'_>) -> Server {
        let mut standby = Server::prepare(options);
        let owner = fs::metadata(primary.data()).expect("there");
        chown(standby.directory(), Some(owner.uid()), Some(owner.gid())).expect("ours");
        let mut copy = script("run");
        copy.args(["pg_basebackup", "--pgdata"]).arg(standby.data());
        copy.arg("--host").arg(primary.directory()).args(["--port", &primary.port().to_string()]);
        copy.args(["--username=postgres", "--write-recovery-conf", "--checkpoint=fast"]);
        told(copy);
        standby.first_start();
        standby
    }

    /// From now on a commit is answered once a standby has it on disk. A standby must follow.
    pub(crate) async fn make_synchronous(&self) {
        self.execute("ALTER SYSTEM SET synchronous_standby_names = '*'").await;
        self.execute("SELECT pg_reload_conf()").await;
        let following = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        until("a standby is synchronous", async || self.ask(following).await == "1").await;
    }

    /// Waits until the standby shows all that the primary has committed by now.
    pub(crate) async fn catch_up_with(&self, primary: &Server) {
        let written = primary.ask("SELECT pg_current_wal_flush_lsn()").await;
        let shown = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'");
        until("the standby has caught up", async || self.ask(&shown).await == "true").await;
    }

    /// Makes the standby a primary, which waits for no standby of its own.
    pub(crate) async fn promote(&self) {
        assert_eq!(self.ask("SELECT pg_promote()").await, "true", "it is a primary now");
        self.execute("ALTER SYSTEM RESET synchronous_standby_names").await;
        self.execute("SELECT pg_reload_conf()").await;
    }
}
