//! The database that nodes share: who answers, who takes changes, and whether all is as it should be.

use super::Finding;
use crate::clock::Clock;
use crate::config::Server;
use crate::config::server::{Host, TlsMode};
use crate::store::{HostFault, OpenError, ServerState, examine_server};

/// Clocks further apart than this, in milliseconds, make leases of nodes end too early or too late.
const CLOCKS_APART: i64 = 1000;
/// What a node has besides its readers: its writer and leaser, its listener, the keeper of what it
/// owns, and an operator's command or two.
const BESIDE_READERS: i64 = 6;
/// As many nodes at least are reckoned with: those that are there now, and the wish for another.
const NODES: i64 = 2;

type Told = (Host, Result<ServerState, HostFault>);

pub(super) async fn examine(server: &Server, clock: &Clock) -> Vec<Finding> {
    let mut findings = match examine_server(server, clock).await {
        Ok(told) => findings(server, &told),
        Err(error) => {
            vec![Finding::fail("server", error.to_string(), "mend that before serving")]
        }
    };
    findings.push(Finding::ok("data key", "from the configuration; the same on every node"));
    findings
}

fn findings(server: &Server, told: &[Told]) -> Vec<Finding> {
    let writable = told.iter().find_map(|(_, state)| match state {
        Ok(state) if !state.standby && !state.read_only => Some(state),
        _ => None,
    });
    let mut findings: Vec<Finding> =
        told.iter().map(|(host, state)| reached(server, host, state, writable.is_some())).collect();
    let Some(state) = writable else {
        let cure = "start the primary, or promote a standby";
        findings.push(Finding::fail("server", "none of them takes changes", cure));
        return findings;
    };
    findings.extend([
        schema(state),
        rights(state),
        durability(state),
        connections(server, state),
        clocks(state),
    ]);
    findings
}

fn reached(
    server: &Server,
    host: &Host,
    state: &Result<ServerState, HostFault>,
    is_served: bool,
) -> Finding {
    const WHAT: &str = "server";
    let state = match state {
        Ok(state) => state,
        Err(fault) => {
            let says = format!("{host}: {fault}");
            // The connector's error says the same by the kind of fault.
            let cure = "look at store.url, at the server and at the network between";
            return match is_served {
                true => Finding::warn(WHAT, says, cure),
                false => Finding::fail(WHAT, says, cure),
            };
        }
    };
    let role = match (state.standby, state.read_only) {
        (true, _) => "standby",
        (false, true) => "primary, read-only",
        (false, false) => "primary",
    };
    let way = if state.encrypted { "TLS" } else { "no TLS" };
    let says = format!("{host}: PostgreSQL {}, {role}, {way}", state.version);
    match state.encrypted || host.is_local() || server.tls.mode == TlsMode::Off {
        true => Finding::ok(WHAT, says),
        false => Finding::warn(WHAT, says, "give the server a certificate, with ssl = on"),
    }
}

fn schema(state: &ServerState) -> Finding {
    const WHAT: &str = "schema";
    match &state.usable {
        Ok(()) => Finding::ok(WHAT, "this version may use it"),
        Err(error @ (OpenError::Empty | OpenError::Unmigrated(_))) => {
            Finding::fail(WHAT, error.to_string(), "run `bridge8890 migrate`")
        }
        Err(error) => Finding::fail(WHAT, error.to_string(), "mend that before serving"),
    }
}

fn rights(state: &ServerState) -> Finding {
    const WHAT: &str = "rights";
    let Some(schema) = &state.schema else {
        let says = "the role's search_path names no schema that is there";
        return Finding::fail(WHAT, says, "create one: CREATE SCHEMA … AUTHORIZATION the role");
    };
    if state.tables_barred > 0 {
        let says = format!("{} tables may not be read and changed", state.tables_barred);
        let cure = format!("let the role own the tables of schema {schema}");
        return Finding::fail(WHAT, says, cure);
    }
    if !state.may_create {
        let says = format!("the role may make no tables in schema {schema}");
        let cure = format!("GRANT CREATE ON SCHEMA {schema}: every month has tables of its own");
        return Finding::fail(WHAT, says, cure);
    }
    Finding::ok(WHAT, format!("the role may make, read and change tables in schema {schema}"))
}

fn durability(state: &ServerState) -> Finding {
    const WHAT: &str = "durability";
    let set = &state.synchronous_commit;
    match set.as_str() {
        "off" | "local" => Finding::warn(
            WHAT,
            format!("synchronous_commit is {set} for the role; the gateway sets it to on"),
            "set it to on for the role, so that nobody is misled",
        ),
        "remote_write" => Finding::warn(
            WHAT,
            "synchronous_commit is remote_write: a standby that loses power loses the last callbacks",
            "set it to on",
        ),
        _ => Finding::ok(WHAT, format!("synchronous_commit is {set}")),
    }
}

fn connections(server: &Server, state: &ServerState) -> Finding {
    const WHAT: &str = "connections";
    let nodes = state.nodes.unwrap_or_default().max(NODES);
    let needed = nodes * (i64::from(server.pool.readers) + BESIDE_READERS);
    let ServerState { connections, connections_used: used, .. } = state;
    let says = format!("{connections}, {used} in use; {nodes} nodes take up to {needed}");
    match needed > *connections {
        true => Finding::warn(WHAT, says, "raise the server's max_connections"),
        false => Finding::ok(WHAT, says),
    }
}

fn clocks(state: &ServerState) -> Finding {
    const WHAT: &str = "server clock";
    let (ahead, margin) = state.clock_ahead;
    let side = if ahead < 0 { "behind" } else { "ahead of" };
    let apart = ahead.abs();
    let says = format!("{apart} ms {side} ours, give or take {margin} ms");
    match apart - margin > CLOCKS_APART {
        true => Finding::warn(WHAT, says, "have NTP hold the clocks of nodes and servers together"),
        false => Finding::ok(WHAT, says),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    fn server() -> Server {
        "postgres://b@db1,db2/bridge".parse().expect("a URL")
    }

    fn state() -> ServerState {
        ServerState {
            version: "15.3".to_owned(),
            read_only: false,
            standby: false,
            encrypted: true,
            synchronous_commit: "on".to_owned(),
            connections: 97,
            connections_used: 3,
            schema: Some("public".to_owned()),
            may_create: true,
            tables_barred: 0,
            clock_ahead: (12, 1),
            nodes: None,
            usable: Ok(()),
        }
    }

    fn told(states: Vec<Result<ServerState, HostFault>>) -> Vec<Told> {
        server().hosts.into_iter().zip(states).collect()
    }

    fn statuses(states: Vec<Result<ServerState, HostFault>>) -> Vec<Status> {
        findings(&server(), &told(states)).iter().map(|finding| finding.status).collect()
    }

    #[test]
    fn a_host_that_is_away_fails_only_where_no_other_takes_changes() {
        let away = || Err(HostFault::Unreachable("refused".to_owned()));
        let standby = || Ok(ServerState { standby: true, read_only: true, ..state() });
        assert_eq!(statuses(vec![Ok(state()), away()])[..2], [Status::Ok, Status::Warn]);
        assert_eq!(statuses(vec![away(), standby()]), [Status::Fail, Status::Ok, Status::Fail]);
        assert!(statuses(vec![Ok(state()), standby()]).iter().all(|it| *it == Status::Ok));
    }

    #[test]
    fn everything_that_is_amiss_is_a_finding() {
        for (amiss, expected, status) in [
            (ServerState { encrypted: false, ..state() }, "primary, no TLS", Status::Warn),
            (ServerState { usable: Err(OpenError::Empty), ..state() }, "is empty", Status::Fail),
            (ServerState { tables_barred: 3, ..state() }, "3 tables may not", Status::Fail),
            (ServerState { may_create: false, ..state() }, "may make no tables", Status::Fail),
            (ServerState { schema: None, ..state() }, "names no schema", Status::Fail),
            (ServerState { connections: 10, ..state() }, "2 nodes take up to 20", Status::Warn),
            (ServerState { nodes: Some(9), ..state() }, "9 nodes take up to 90", Status::Ok),
            (ServerState { clock_ahead: (-1500, 20), ..state() }, "1500 ms behind", Status::Warn),
            (ServerState { clock_ahead: (1100, 200), ..state() }, "1100 ms ahead", Status::Ok),
            (
                ServerState { synchronous_commit: "off".to_owned(), ..state() },
                "synchronous_commit is off",
                Status::Warn,
            ),
        ] {
            let findings = findings(&server(), &told(vec![Ok(amiss)]));
            let found = findings.iter().find(|finding| finding.says.contains(expected));
            assert_eq!(found.map(|finding| finding.status), Some(status), "{findings:?}");
        }
    }
}
