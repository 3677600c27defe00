//! What becomes of a recording after an attempt to fetch it. Pure.

use crate::egress::backoff::{Backoff, Next};
use crate::model::AudioFormat;
use crate::store::DeadClass;
use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap};
use jiff::Timestamp;
use std::time::Duration;

/// Why an attempt brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is no use in trying again.
    #[error("{0}")]
    Final(String),
    /// It may work later.
    #[error("{0}")]
    Passing(String),
}

/// An attempt to fetch a recording.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// Which, from 1.
    pub number: u32,
    /// Since when the recording waits.
    pub queued_at: Timestamp,
    /// When the attempt ended.
    pub now: Timestamp,
    /// A random part of 1, by which a wait is shortened.
    pub fraction: f64,
}

/// What follows a failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Another, not before this time.
    Again(Timestamp, String),
    /// None.
    Lost(String),
}

/// The recording in a complete answer that is no redirect. What is not 200 may be another time: a
/// carrier tells of a recording before it has it everywhere, and secrets are mended.
///
/// # Errors
/// [`Fault`].
pub fn read(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Result<AudioFormat, Fault> {
    match status {
        StatusCode::OK => {}
        StatusCode::GONE => return Err(Fault::Final("the carrier has erased it (410)".to_owned())),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let reason =
                format!("the carrier refuses us ({}); look at user and secret", status.as_u16());
            return Err(Fault::Passing(reason));
        }
        other => return Err(Fault::Passing(format!("the carrier answered {}", other.as_u16()))),
    }
    let written = headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
    let media_type = written.map(|it| it.split(';').next().unwrap_or_default().trim());
    let fits = media_type.is_none_or(|it| {
        let it = it.to_ascii_lowercase();
        it.starts_with("audio/") || it == "application/octet-stream" || it == "application/ogg"
    });
    if !fits {
        return Err(Fault::Passing("the answer is not said to be audio".to_owned()));
    }
    AudioFormat::of(body).ok_or_else(|| {
        Fault::Passing("the answer does not begin like any audio format known here".to_owned())
    })
}

/// What follows an attempt that brought nothing.
#[must_use]
pub fn after(fault: &Fault, attempt: Attempt, backoff: &Backoff) -> Fate {
    let reason = match fault {
        Fault::Final(reason) => return Fate::Lost(reason.clone()),
        Fault::Passing(reason) => reason,
    };
    let age = Duration::try_from(attempt.now.duration_since(attempt.queued_at)).unwrap_or_default();
    match backoff.after(attempt.number, age, None, attempt.fraction) {
        Next::Again(wait) => {
            let due = attempt.now.checked_add(wait).unwrap_or(Timestamp::MAX);
            Fate::Again(due, reason.clone())
        }
        Next::GiveUp(DeadClass::Age) => Fate::Lost(format!("too old; at last {reason}")),
        Next::GiveUp(_) => Fate::Lost(format!("tried often enough; at last {reason}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use http::HeaderValue;

    fn headers(media_type: &'static str) -> HeaderMap {
        [(CONTENT_TYPE, HeaderValue::from_static(media_type))].into_iter().collect()
    }

    #[test]
    fn audio_is_what_is_said_to_be_and_looks_it() {
        let wav = Bytes::from_static(b"RIFF\x24\x00\x00\x00WAVEfmt ");
        let page = Bytes::from_static(b"<html>");
        let read = |status, media_type, body| read(status, &headers(media_type), body);
        for media_type in ["audio/x-wav", "Audio/WAV; codecs=1", "application/octet-stream"] {
            assert_eq!(
                read(StatusCode::OK, media_type, &wav),
                Ok(AudioFormat::Wav),
                "{media_type}"
            );
        }
        assert_eq!(super::read(StatusCode::OK, &HeaderMap::new(), &wav), Ok(AudioFormat::Wav));
        for (status, media_type, body) in [
            (StatusCode::OK, "text/html", &wav),
            (StatusCode::OK, "audio/wav", &page),
            (StatusCode::NOT_FOUND, "audio/wav", &wav),
            (StatusCode::PARTIAL_CONTENT, "audio/wav", &wav),
            (StatusCode::UNAUTHORIZED, "audio/wav", &wav),
        ] {
            assert!(matches!(read(status, media_type, body), Err(Fault::Passing(_))), "{status}");
        }
        assert!(matches!(read(StatusCode::GONE, "audio/wav", &wav), Err(Fault::Final(_))));
    }

    #[test]
    fn every_recording_is_kept_or_lost_in_the_end() {
        let backoff = Backoff::new(&config::Backoff {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(60),
            max_attempts: 3,
            max_age: Duration::from_secs(3600),
        });
        let backoff = backoff.expect("sense");
        let queued_at = Timestamp::UNIX_EPOCH;
        let attempt = |number, seconds| Attempt {
            number,
            queued_at,
            now: Timestamp::from_second(seconds).expect("a time"),
            fraction: 1.0,
        };
        let passing = Fault::Passing("503".to_owned());
        let second = Timestamp::from_second(12).expect("a time");
        assert_eq!(
            after(&passing, attempt(2, 10), &backoff),
            Fate::Again(second, "503".to_owned())
        );
        for (fault, attempt) in [
            (&passing, attempt(3, 10)),
            (&passing, attempt(1, 3600)),
            (&Fault::Final("410".to_owned()), attempt(1, 1)),
        ] {
            assert!(matches!(after(fault, attempt, &backoff), Fate::Lost(_)), "{fault}");
        }
    }
}
