//! `recordings`: what citizens said aloud, whether we have it, and getting it out.

use super::archive::Archive;
use super::shown::time;
use crate::clock::Clock;
use crate::dialogue::{News, memory};
use crate::model::{AudioFormat, Fetch, RecordingId, RecordingState};
use crate::store::StoredRecording;
use anyhow::Context;
use serde::Serialize;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Shows recordings of calls, gets them out, and has lost ones tried again.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Lists recordings that were or are to be fetched, newest first; of addresses only the host is shown.
    ///
    /// Exit code 0: there are some. 1: there are none.
    #[command(after_help = "\
Examples:
  bridge8890 recordings list
  bridge8890 recordings list --lost --json")]
    List {
        #[command(flatten)]
        archive: Archive,
        /// Only those that were given up.
        #[arg(long)]
        lost: bool,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
        /// One JSON object a line instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Writes a recording to a new file, which only its owner may read.
    ///
    /// Exit code 0: it is written. 1: it is not kept here.
    #[command(after_help = "\
Example:
  bridge8890 recordings export 01a20c8b-b71c-7ac3-8e19-8a9be3ab2476 said.wav")]
    Export {
        #[command(flatten)]
        archive: Archive,
        /// Its id in the list, and in the complaint.
        id: uuid::Uuid,
        /// The file, which must not be there yet.
        file: PathBuf,
    },
    /// Has recordings that were given up tried again, with their attempts forgotten.
    ///
    /// Exit code 0: some will be tried. 1: there were none.
    #[command(after_help = "\
Examples:
  bridge8890 recordings retry 01a20c8b-b71c-7ac3-8e19-8a9be3ab2476
  bridge8890 recordings retry --all")]
    Retry(Retry),
}

#[derive(Debug, clap::Args)]
struct Retry {
    #[command(flatten)]
    archive: Archive,
    /// Their ids in the list.
    #[arg(required_unless_present = "all")]
    ids: Vec<uuid::Uuid>,
    /// All that were given up.
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct ShownRecording {
    id: String,
    account: String,
    state: &'static str,
    heard_of_at: String,
    ended_at: Option<String>,
    due: Option<String>,
    attempts: u32,
    reason: Option<String>,
    /// `None`, like the call and the complaint, of one that cannot be read.
    host: Option<String>,
    call: Option<String>,
    complaint: Option<String>,
    media_type: Option<&'static str>,
    length: Option<u64>,
    sha256: Option<String>,
}

impl ShownRecording {
    fn new(stored: &StoredRecording) -> ShownRecording {
        let bytes = stored.bytes.as_ref();
        let fetch = bytes.and_then(|bytes| memory::read::<Fetch>(&bytes.0).ok());
        let became = stored.became.as_ref();
        let audio = match became.and_then(|bytes| News::from_bytes(&bytes.0).ok()) {
            Some(News::Fetched(fetched)) => match fetched.state {
                RecordingState::Kept(audio) => Some(audio),
                _ => None,
            },
            _ => None,
        };
        let host = |fetch: &Fetch| {
            let url: http::Uri = fetch.address.0.parse().ok()?;
            url.host().map(str::to_owned)
        };
        ShownRecording {
            id: stored.id.to_string(),
            account: stored.account.clone(),
            state: stored.state,
            heard_of_at: time(stored.queued_at),
            ended_at: stored.ended_at.map(time),
            due: (stored.state == "waiting").then(|| time(stored.due)),
            attempts: stored.attempts,
            reason: stored.reason.clone(),
            host: fetch.as_ref().and_then(host),
            call: fetch.as_ref().map(|fetch| fetch.call.to_string()),
            complaint: fetch.map(|fetch| fetch.complaint.to_string()),
            media_type: audio.as_ref().map(|audio| audio.format.media_type()),
            length: audio.as_ref().map(|audio| audio.length),
            sha256: audio.map(|audio| hex::encode(audio.sha256)),
        }
    }

    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        let ShownRecording { id, account, state, heard_of_at, attempts, .. } = self;
        let host = self.host.as_deref().unwrap_or("cannot be read");
        writeln!(out, "{id}  {heard_of_at}  {account}  {state} after {attempts} attempts  {host}")?;
        if let (Some(media_type), Some(length)) = (self.media_type, self.length) {
            writeln!(out, "    {media_type}, {length} bytes")?;
        }
        if let Some(reason) = &self.reason {
            writeln!(out, "    {reason}")?;
        }
        if let Some(complaint) = &self.complaint {
            writeln!(out, "    of complaint {complaint}")?;
        }
        Ok(())
    }
}

/// Runs the command.
pub(super) async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let found = match &args.what {
        What::List { archive, lost, limit, json } => {
            list(&archive.open().await?.recordings(*lost, *limit).await?, *json, out)?
        }
        What::Export { archive, id, file } => export(archive, RecordingId(*id), file, out).await?,
        What::Retry(args) => retry(args, out).await?,
    };
    Ok(if found { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn list(found: &[StoredRecording], json: bool, out: &mut impl Write) -> anyhow::Result<bool> {
    for stored in found {
        let shown = ShownRecording::new(stored);
        match json {
            true => writeln!(out, "{}", serde_json::to_string(&shown)?)?,
            false => shown.write(out)?,
        }
    }
    if found.is_empty() && !json {
        writeln!(out, "there are none")?;
    }
    Ok(!found.is_empty())
}

async fn export(
    archive: &Archive,
    id: RecordingId,
    file: &Path,
    out: &mut impl Write,
) -> anyhow::Result<bool> {
    let Some(bytes) = archive.open().await?.audio(id).await? else {
        writeln!(out, "{id} is not kept here")?;
        return Ok(false);
    };
    let mut open = OpenOptions::new();
    let opened = open.write(true).create_new(true).mode(0o600).open(file);
    let mut written = opened.with_context(|| format!("cannot make {}", file.display()))?;
    written.write_all(&bytes)?;
    written.sync_all()?;
    let media_type = AudioFormat::of(&bytes).map_or("audio", AudioFormat::media_type);
    writeln!(out, "{}: {media_type}, {} bytes", file.display(), bytes.len())?;
    Ok(true)
}

async fn retry(args: &Retry, out: &mut impl Write) -> anyhow::Result<bool> {
    let operator = args.archive.open().await?;
    let ids: Vec<RecordingId> = match args.all {
        true => operator.recordings(true, u32::MAX).await?.into_iter().map(|it| it.id).collect(),
        false => args.ids.iter().copied().map(RecordingId).collect(),
    };
    let retried = operator.retry_recordings(&ids, Clock::system().now()).await?;
    match args.json {
        true => writeln!(out, "{}", serde_json::json!({"chosen": ids.len(), "retried": retried}))?,
        false => writeln!(out, "{retried} will be tried again")?,
    }
    Ok(retried > 0)
}
