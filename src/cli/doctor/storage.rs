//! The store's directory: can it be written durably, is there room, is the data key safe.

use super::Finding;
use crate::config::{Store, show_size};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// A sync that takes longer than this makes a slow gateway.
const SLOW_SYNC: Duration = Duration::from_millis(50);

pub(super) fn examine(store: &Store) -> Vec<Finding> {
    let ground = ground(&store.directory);
    vec![directory(store, ground), room(ground, store.disk_floor), data_key(store)]
}

/// Where a directory is or would be: what does not exist yet is created by `serve` in the nearest directory that does.
pub(super) fn ground(directory: &Path) -> &Path {
    let existing = directory.ancestors().find(|directory| directory.is_dir());
    match existing {
        Some(directory) if directory.as_os_str().is_empty() => Path::new("."),
        Some(directory) => directory,
        None => Path::new("."),
    }
}

fn directory(store: &Store, ground: &Path) -> Finding {
    const WHAT: &str = "store";
    let shown = store.directory.display();
    match probe(ground) {
        Err(fault) => {
            let ground = ground.display();
            let says = format!("{ground} cannot be written to ({fault})");
            let cure = format!("make {shown} a directory that belongs to the gateway's user");
            Finding::fail(WHAT, says, cure)
        }
        Ok(took) => {
            let verb = if ground == store.directory { "written to" } else { "created" };
            synced(WHAT, &format!("{shown} can be {verb}"), took)
        }
    }
}

pub(super) fn synced(what: &'static str, says: &str, took: Duration) -> Finding {
    if took > SLOW_SYNC {
        let says = format!("{says}, but takes {took:.0?} for one sync");
        return Finding::warn(what, says, "put it on a local disk, not on a network one");
    }
    Finding::ok(what, format!("{says}; one sync took {took:.1?}"))
}

/// How long it takes to write a little and have it on the disk.
pub(super) fn probe(directory: &Path) -> io::Result<Duration> {
    let path = directory.join(format!(".bridge8890-doctor-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
    let start = Instant::now();
    let written = file.write_all(&[0; 4096]).and_then(|()| file.sync_all());
    let took = start.elapsed();
    fs::remove_file(&path)?;
    written.map(|()| took)
}

/// Whether there is room where a directory is or would be.
pub(super) fn room(ground: &Path, floor: u64) -> Finding {
    const WHAT: &str = "disk";
    let free = match rustix::fs::statvfs(ground) {
        Ok(volume) => volume.f_bavail.saturating_mul(volume.f_frsize),
        Err(fault) => {
            let says = format!("the free space at {} is unknown ({fault})", ground.display());
            return Finding::fail(WHAT, says, "put it on a volume that tells it");
        }
    };
    enough(free, floor)
}

fn enough(free: u64, floor: u64) -> Finding {
    const WHAT: &str = "disk";
    let says = format!("{} free; the floor is {}", show_size(free), show_size(floor));
    if free < floor {
        return Finding::fail(WHAT, says, "make room, or lower store.disk_floor");
    }
    if free < floor.saturating_mul(2) {
        return Finding::warn(WHAT, says, "make room: under the floor nothing is accepted");
    }
    Finding::ok(WHAT, says)
}

fn data_key(store: &Store) -> Finding {
    const WHAT: &str = "data key";
    if store.key.is_some() {
        return Finding::ok(WHAT, "from the configuration");
    }
    let file = store.key_file();
    let shown = file.display();
    let metadata = match fs::metadata(&file) {
        Ok(metadata) => metadata,
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
            let says = format!("{shown} is created at the first start");
            return Finding::ok(WHAT, says);
        }
        Err(fault) => {
            let says = format!("{shown} cannot be read ({fault})");
            return Finding::fail(WHAT, says, "give it to the gateway's user");
        }
    };
    if metadata.permissions().mode() & 0o077 != 0 {
        let says = format!("others than its owner may read {shown}");
        return Finding::fail(WHAT, says, format!("chmod 600 {shown}"));
    }
    match fs::File::open(&file) {
        Ok(_) => Finding::ok(WHAT, format!("{shown}, for its owner only; keep a copy elsewhere")),
        Err(fault) => {
            let says = format!("{shown} cannot be read ({fault})");
            Finding::fail(WHAT, says, "give it to the gateway's user")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;
    use crate::config::Config;

    fn store(directory: &Path) -> Store {
        Store { directory: directory.to_owned(), ..Config::builtin().store }
    }

    #[test]
    fn a_directory_is_probed_where_it_is_or_would_be() {
        let ground = tempfile::tempdir().expect("a directory");
        let here = store(ground.path());
        assert!(directory(&here, ground.path()).says.contains("can be written to"));
        let inside = store(&ground.path().join("a/b"));
        assert!(directory(&inside, ground.path()).says.contains("can be created"));
        assert_eq!(fs::read_dir(ground.path()).expect("readable").count(), 0, "nothing is left");
        let nowhere = store(Path::new("/proc/bridge8890"));
        let [directory, ..] = examine(&nowhere).try_into().map(|all: [Finding; 3]| all).expect("3");
        assert_eq!(directory.status, Status::Fail, "{directory:?}");
    }

    #[test]
    fn a_slow_sync_is_a_warning_whatever_the_directory() {
        let quick = synced("store", "it can be written to", SLOW_SYNC);
        let slow = synced("store", "it can be written to", 2 * SLOW_SYNC);
        assert_eq!((quick.status, slow.status), (Status::Ok, Status::Warn));
        assert!(slow.says.contains("takes 100ms for one sync"), "{}", slow.says);
    }

    #[test]
    fn the_floor_fails_and_its_double_warns() {
        assert_eq!(enough(99, 100).status, Status::Fail);
        assert_eq!(enough(199, 100).status, Status::Warn);
        assert_eq!(enough(200, 100).status, Status::Ok);
    }

    #[test]
    fn a_key_that_others_can_read_fails() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = store(directory.path());
        assert_eq!(data_key(&store).status, Status::Ok);
        fs::write(store.key_file(), "key").expect("written");
        for (mode, status) in [(0o640, Status::Fail), (0o600, Status::Ok)] {
            let permissions = fs::Permissions::from_mode(mode);
            fs::set_permissions(store.key_file(), permissions).expect("changed");
            assert_eq!(data_key(&store).status, status);
        }
    }
}
