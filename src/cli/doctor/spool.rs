//! The spool's directory: can it be written durably, is there room, and what lies in it.

use super::Finding;
use super::storage::{ground, probe, room, synced};
use crate::config::{Spool, show_size};
use crate::store::{Depth, OpenError, spooled_in};

const WHAT: &str = "spool";

pub(super) async fn examine(spool: &Spool, floor: u64) -> Vec<Finding> {
    let mut findings = directory(spool, floor);
    findings.extend(content(spooled_in(&spool.directory).await));
    findings
}

fn directory(spool: &Spool, floor: u64) -> Vec<Finding> {
    let ground = ground(&spool.directory);
    let shown = spool.directory.display();
    let written = match probe(ground) {
        Ok(took) => synced(WHAT, &format!("{shown} can be used"), took),
        Err(fault) => {
            let says = format!("{} cannot be written to ({fault})", ground.display());
            let cure = format!("make {shown} a directory that belongs to the gateway's user");
            Finding::fail(WHAT, says, cure)
        }
    };
    vec![written, room(ground, floor)]
}

fn content(depth: Result<Option<Depth>, OpenError>) -> Option<Finding> {
    let cure =
        "the node empties it when it runs and the database is there; keep this disk until then";
    match depth {
        Ok(None | Some(Depth { callbacks: 0, .. })) => None,
        Ok(Some(Depth { callbacks, aside, bytes, .. })) => {
            let says = match aside {
                0 => format!("{callbacks} callbacks lie in it, {}", show_size(bytes)),
                _ => format!(
                    "{callbacks} callbacks lie in it, of which the database did not take {aside}"
                ),
            };
            Some(Finding::warn(WHAT, says, cure))
        }
        Err(error) => Some(Finding::fail(WHAT, error.to_string(), "mend that before serving")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    #[tokio::test]
    async fn a_spool_that_is_not_there_yet_is_fine_and_one_with_callbacks_is_a_warning() {
        let ground = tempfile::tempdir().expect("a directory");
        let spool = Spool { directory: ground.path().join("a/spool"), max_bytes: 1 };
        let findings = examine(&spool, 0).await;
        assert!(findings.iter().all(|finding| finding.status == Status::Ok), "{findings:?}");
        assert!(!ground.path().join("a").exists(), "it changes nothing");
        let depth = Depth { callbacks: 3, aside: 0, bytes: 1024, oldest: Some(0) };
        let finding = content(Ok(Some(depth))).expect("a finding");
        assert_eq!((finding.status, finding.says.contains("3 callbacks")), (Status::Warn, true));
        let nowhere = Spool { directory: "/proc/bridge8890".into(), max_bytes: 1 };
        assert_eq!(examine(&nowhere, 0).await[0].status, Status::Fail);
    }
}
