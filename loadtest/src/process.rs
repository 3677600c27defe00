//! Child processes: start, wait until they answer, kill, and what the kernel says of them.

use crate::generator::Connection;
use anyhow::{Context, bail};
use std::ffi::OsStr;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::AddAssign;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::Instant;

/// A child process that does not outlive us.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    name: String,
}

/// How long a child may take until it answers.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is asked.
const STEP: Duration = Duration::from_millis(1);

impl Process {
    /// Starts another process of this program.
    pub(crate) fn of_ours(arguments: &[String]) -> anyhow::Result<Process> {
        let program = std::env::current_exe()?;
        let mut command = Command::new(program);
        // The end of its input is its sign to end; it lasts as long as we hold the other side.
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null());
        let name = arguments.first().cloned().unwrap_or_default();
        Process::spawn(command, name)
    }

    /// Starts a program whose output goes to the end of a file.
    pub(crate) fn logged(
        program: &Path,
        arguments: &[&OsStr],
        variables: &[(&str, &str)],
        log: &Path,
    ) -> anyhow::Result<Process> {
        let log = File::options().create(true).append(true).open(log)?;
        let mut command = Command::new(program);
        command.args(arguments).envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Process::spawn(command, program.display().to_string())
    }

    fn spawn(mut command: Command, name: String) -> anyhow::Result<Process> {
        let child = command.kill_on_drop(true).spawn();
        Ok(Process { child: child.with_context(|| format!("starting {name}"))?, name })
    }

    /// Connects to an address that the child will listen on.
    ///
    /// # Errors
    /// When the child ends before, or does not listen within two minutes.
    pub(crate) async fn connect(&mut self, address: SocketAddr) -> anyhow::Result<Connection> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(connection) = Connection::open(address).await {
                return Ok(connection);
            }
            self.still_starting(deadline)?;
            tokio::time::sleep(STEP).await;
        }
    }

    /// Says why waiting for the child has no sense any more, if it has none.
    ///
    /// # Errors
    /// When the child ended or the deadline is over.
    pub(crate) fn still_starting(&mut self, deadline: Instant) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} ended while it was awaited: {status}", self.name);
        }
        if Instant::now() >= deadline {
            bail!("{} did not answer within {PATIENCE:?}", self.name);
        }
        Ok(())
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await.with_context(|| format!("killing {}", self.name))
    }

    /// What the kernel says of it now.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        let pid = self.child.id().with_context(|| format!("{} has ended", self.name))?;
        let read = |file| std::fs::read_to_string(format!("/proc/{pid}/{file}"));
        Usage::parse(&read("stat")?, &read("status")?)
            .with_context(|| format!("reading /proc/{pid}"))
    }

    /// The same of it and its children, those that have ended included. What they share counts once.
    pub(crate) fn family_usage(&self) -> anyhow::Result<Usage> {
        let pid = self.child.id().with_context(|| format!("{} has ended", self.name))?;
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
        let children = children.split_whitespace().filter_map(|child| child.parse().ok());
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let mut family = Usage { cpu: ended(&stat).unwrap_or_default(), resident: 0, peak: 0 };
        for member in [pid].into_iter().chain(children) {
            let read = |file| std::fs::read_to_string(format!("/proc/{member}/{file}"));
            // One that has ended meanwhile is counted above the next time.
            let (Ok(stat), Ok(memory)) = (read("stat"), read("smaps_rollup")) else { continue };
            family.cpu += cpu(&stat).unwrap_or_default();
            family.resident += kilobytes(&memory, "Pss:").unwrap_or_default() * 1024;
        }
        Ok(Usage { peak: family.resident, ..family })
    }
}

/// What a process has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// CPU time of all its threads, in user and kernel mode.
    pub(crate) cpu: Duration,
    /// Resident memory now, in bytes.
    pub(crate) resident: u64,
    /// The most resident memory it ever had, in bytes; of a family, what it has now.
    pub(crate) peak: u64,
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Usage) {
        self.cpu += other.cpu;
        self.resident += other.resident;
        self.peak += other.peak;
    }
}

/// The unit of CPU time in /proc: USER_HZ, 100 on every architecture that we run on.
const TICK: Duration = Duration::from_millis(10);

impl Usage {
    /// Reads `/proc/PID/stat` and `/proc/PID/status` (proc(5)).
    fn parse(stat: &str, status: &str) -> Option<Usage> {
        Some(Usage {
            cpu: cpu(stat)?,
            resident: kilobytes(status, "VmRSS:")? * 1024,
            peak: kilobytes(status, "VmHWM:")? * 1024,
        })
    }
}

/// CPU time of a process, from its `stat`.
fn cpu(stat: &str) -> Option<Duration> {
    time(stat, 11)
}

/// CPU time of those of its children that have ended.
fn ended(stat: &str) -> Option<Duration> {
    time(stat, 13)
}

/// Time in user and kernel mode, from two fields that follow each other.
fn time(stat: &str, first: usize) -> Option<Duration> {
    // The program's name may hold spaces and brackets; fields are counted from the last one.
    let after_name = stat.rsplit_once(')')?.1;
    let mut times = after_name.split_whitespace().skip(first).map(str::parse::<u32>);
    Some(TICK * times.next()?.ok()?.checked_add(times.next()?.ok()?)?)
}

/// A line of `status` or `smaps_rollup`.
fn kilobytes(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A loopback address that was free a moment ago.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_past_a_strange_name() {
        let stat = "42 (a b) c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 900 1 2 3";
        let status = "Name:\ta b) c\nVmHWM:\t   2048 kB\nVmRSS:\t   1024 kB\n";
        let usage = Usage { cpu: Duration::from_secs(3), resident: 1 << 20, peak: 2 << 20 };
        assert_eq!(Usage::parse(stat, status), Some(usage));
        assert_eq!(ended(stat), Some(Duration::ZERO));
        assert_eq!(Usage::parse("42 (x", status), None);
        assert_eq!(Usage::parse(stat, "VmHWM: 1 kB"), None);
    }

    #[tokio::test]
    async fn a_child_is_watched_and_killed() {
        let log = tempfile::NamedTempFile::new().expect("a file");
        let arguments = [OsStr::new("60")];
        let sleep =
            Process::logged(Path::new("sleep"), &arguments, &[], log.path()).expect("it starts");
        assert!(sleep.usage().expect("it runs").peak > 0);
        sleep.kill().await.expect("it dies");
    }

    #[tokio::test]
    async fn a_child_that_ends_is_not_awaited() {
        let log = tempfile::NamedTempFile::new().expect("a file");
        let mut child =
            Process::logged(Path::new("false"), &[], &[], log.path()).expect("it starts");
        let nobody = free_address().expect("a free port");
        let error = child.connect(nobody).await.expect_err("nobody listens");
        assert!(error.to_string().contains("ended while it was awaited"), "{error}");
    }
}
