//! A small disk that a test can fill.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A file system in memory, of a given size. It is unmounted when it is dropped.
#[derive(Debug)]
pub(crate) struct Disk(Option<TempDir>);

impl Disk {
    /// Mounts one; where that is not allowed, says that the test is skipped.
    #[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
    pub(crate) fn mount(megabytes: u32) -> Option<Disk> {
        let directory = TempDir::new().expect("a directory");
        let size = format!("size={megabytes}m");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(directory.path());
        if mount.output().is_ok_and(|output| output.status.success()) {
            return Some(Disk(Some(directory)));
        }
        println!("skipped: only root may mount a small disk");
        None
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.as_ref().expect("until it is dropped").path()
    }

    /// Writes until nothing more fits.
    pub(crate) fn fill(&self) {
        let mut ballast = File::create(self.path().join("ballast")).expect("a file");
        for size in [1 << 20, 1 << 12] {
            while ballast.write_all(&vec![1; size]).is_ok() {}
        }
    }

    /// Gives the room back.
    pub(crate) fn relieve(&self) {
        fs::remove_file(self.path().join("ballast")).expect("it was filled");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let directory = self.0.take().expect("dropped once");
        let unmounted = Command::new("umount").arg(directory.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "its server is dropped before it");
    }
}
