//! What a citizen said aloud in a call, as a carrier keeps it and as we do.

use super::{AccountName, MessageId, RecordId};
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// Our id of a recording, the same through all attempts to fetch it: a UUID of version 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordingId(pub Uuid);

impl fmt::Display for RecordingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a recording is, as the carrier gave it. It may open to whoever has it, so `Debug` does not
/// show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordingAddress(pub String);

impl fmt::Debug for RecordingAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordingAddress(…)")
    }
}

/// A recording that belongs to a complaint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// Our id of it.
    pub id: RecordingId,
    /// Where the carrier has it.
    pub address: RecordingAddress,
    /// Whether we have it too.
    pub state: RecordingState,
}

/// Whether we have a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordingState {
    /// The account does not list its host: nobody has looked at it, and we never shall.
    Unlisted,
    /// It waits to be fetched.
    Waiting,
    /// We keep it, sealed.
    Kept(Audio),
    /// It could not be fetched, or is no recording; an operator may have it tried again.
    Lost,
}

impl RecordingState {
    /// The name, as lists and the platform see it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            RecordingState::Unlisted => "unlisted",
            RecordingState::Waiting => "waiting",
            RecordingState::Kept(_) => "kept",
            RecordingState::Lost => "lost",
        }
    }
}

/// What is known of the bytes that we keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audio {
    /// Their format, told by the bytes themselves.
    pub format: AudioFormat,
    /// How many they are.
    pub length: u64,
    /// Their SHA-256.
    pub sha256: [u8; 32],
}

/// A format in which carriers record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AudioFormat {
    /// RIFF WAVE.
    Wav,
    /// MPEG audio.
    Mp3,
    /// Ogg: Vorbis, Opus or Speex.
    Ogg,
    /// AMR, narrow or wide band (RFC 4867).
    Amr,
    /// FLAC.
    Flac,
    /// MPEG-4 audio.
    Mp4,
}

impl AudioFormat {
    /// The media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            AudioFormat::Wav => "audio/wav",
            AudioFormat::Mp3 => "audio/mpeg",
            AudioFormat::Ogg => "audio/ogg",
            AudioFormat::Amr => "audio/amr",
            AudioFormat::Flac => "audio/flac",
            AudioFormat::Mp4 => "audio/mp4",
        }
    }

    /// The format of these bytes, by how they begin.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<AudioFormat> {
        let at =
            |place: usize, sign: &[u8]| bytes.get(place..).is_some_and(|it| it.starts_with(sign));
        if at(0, b"RIFF") && at(8, b"WAVE") {
            return Some(AudioFormat::Wav);
        }
        if at(0, b"OggS") {
            return Some(AudioFormat::Ogg);
        }
        if at(0, b"#!AMR") {
            return Some(AudioFormat::Amr);
        }
        if at(0, b"fLaC") {
            return Some(AudioFormat::Flac);
        }
        if at(4, b"ftyp") {
            return Some(AudioFormat::Mp4);
        }
        (at(0, b"ID3") || is_mpeg_frame(bytes)).then_some(AudioFormat::Mp3)
    }
}

/// Whether these bytes begin with the header of an MPEG audio frame: eleven bits of sync, and neither
/// a reserved version, layer, bit rate nor sampling rate (ISO 11172-3, 2.4.2.3).
fn is_mpeg_frame(bytes: &[u8]) -> bool {
    let &[0xff, second, third, ..] = bytes else { return false };
    let (version, layer) = (second >> 3 & 3, second >> 1 & 3);
    let (bit_rate, sampling) = (third >> 4, third >> 2 & 3);
    second & 0xe0 == 0xe0 && version != 1 && layer != 0 && bit_rate != 15 && sampling != 3
}

/// A recording that is to be fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetch {
    /// The recording.
    pub recording: RecordingId,
    /// The account whose carrier has it.
    pub account: AccountName,
    /// The call it was made in.
    pub call: MessageId,
    /// The complaint it belongs to.
    pub complaint: RecordId,
    /// Where it is.
    pub address: RecordingAddress,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_format_is_told_by_how_the_bytes_begin() {
        for (bytes, format) in [
            (&b"RIFF\x24\x00\x00\x00WAVEfmt "[..], Some(AudioFormat::Wav)),
            (b"RIFF\x24\x00\x00\x00AVI LIST", None),
            (b"OggS\x00\x02", Some(AudioFormat::Ogg)),
            (b"#!AMR\n", Some(AudioFormat::Amr)),
            (b"#!AMR-WB\n", Some(AudioFormat::Amr)),
            (b"fLaC\x00", Some(AudioFormat::Flac)),
            (b"\x00\x00\x00\x20ftypM4A ", Some(AudioFormat::Mp4)),
            (b"ID3\x04", Some(AudioFormat::Mp3)),
            (b"\xff\xfb\x90\x00", Some(AudioFormat::Mp3)),
            (b"\xff\xff\xff\xff", None),
            (b"<!DOCTYPE html>", None),
            (b"{\"error\":1}", None),
            (b"", None),
        ] {
            assert_eq!(AudioFormat::of(bytes), format, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            std::hint::black_box(AudioFormat::of(&bytes));
        }
    }
}
