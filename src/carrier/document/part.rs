//! Pieces of a text that is kept once, and finding them by name.

use std::borrow::Cow;
use std::ops::Range;

/// A piece of a text: where it stands there, or what became of it by unpacking.
#[derive(Debug)]
pub(super) enum Part {
    /// As sent.
    Sent(Range<usize>),
    /// Unpacked.
    Unpacked(Vec<u8>),
}

impl Part {
    /// Nothing.
    pub(super) const EMPTY: Part = Part::Sent(0..0);

    /// A piece of `whole`; what is borrowed must be borrowed from there.
    pub(super) fn of(whole: &[u8], piece: Cow<'_, [u8]>) -> Part {
        match piece {
            Cow::Borrowed(piece) => Part::Sent(place(whole, piece)),
            Cow::Owned(piece) => Part::Unpacked(piece),
        }
    }

    /// Puts more of `whole` behind it.
    pub(super) fn append(&mut self, whole: &[u8], piece: Cow<'_, str>) {
        match self {
            Part::Sent(place) if place.start == place.end => {
                *self = match piece {
                    Cow::Borrowed(piece) => Part::of(whole, Cow::Borrowed(piece.as_bytes())),
                    Cow::Owned(piece) => Part::Unpacked(piece.into_bytes()),
                };
            }
            Part::Sent(place) => {
                let mut bytes = whole.get(place.clone()).unwrap_or_default().to_vec();
                bytes.extend_from_slice(piece.as_bytes());
                *self = Part::Unpacked(bytes);
            }
            Part::Unpacked(bytes) => bytes.extend_from_slice(piece.as_bytes()),
        }
    }

    /// Its bytes; `whole` is the text it was taken from.
    pub(super) fn bytes<'a>(&'a self, whole: &'a [u8]) -> &'a [u8] {
        match self {
            Part::Sent(place) => whole.get(place.clone()).unwrap_or_default(),
            Part::Unpacked(bytes) => bytes,
        }
    }
}

/// Where in `whole` a slice of it stands.
pub(super) fn place(whole: &[u8], piece: &[u8]) -> Range<usize> {
    let start = piece.as_ptr().addr().saturating_sub(whole.as_ptr().addr());
    start..start + piece.len()
}

/// Up to here looking at each name is faster than an index.
const FEW: usize = 16;

/// An index over the names of fields, where there are many: ten thousand fields cost no more each
/// than ten.
#[derive(Debug)]
pub(super) struct Names {
    sorted: Vec<usize>,
}

impl Names {
    /// Over this many fields, of which `name` tells the names.
    pub(super) fn new<'n>(count: usize, name: impl Fn(usize) -> &'n [u8]) -> Names {
        let mut sorted = Vec::new();
        if count > FEW {
            sorted.extend(0..count);
            // Fields of one name stay in the order in which they were sent.
            sorted.sort_by_key(|&at| name(at));
        }
        Names { sorted }
    }

    /// The first field of this name.
    pub(super) fn first<'n>(
        &self,
        count: usize,
        name: impl Fn(usize) -> &'n [u8],
        wanted: &[u8],
    ) -> Option<usize> {
        if self.sorted.is_empty() {
            return (0..count).find(|&at| name(at) == wanted);
        }
        let at = self.sorted.partition_point(|&at| name(at) < wanted);
        self.sorted.get(at).copied().filter(|&at| name(at) == wanted)
    }

    /// The last field of this name.
    pub(super) fn last<'n>(
        &self,
        count: usize,
        name: impl Fn(usize) -> &'n [u8],
        wanted: &[u8],
    ) -> Option<usize> {
        if self.sorted.is_empty() {
            return (0..count).rev().find(|&at| name(at) == wanted);
        }
        let after = self.sorted.partition_point(|&at| name(at) <= wanted);
        self.sorted[..after].last().copied().filter(|&at| name(at) == wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_fields_and_many_are_found_alike() {
        for count in [3, FEW, FEW + 1, 1000] {
            let names: Vec<String> =
                (0..count).map(|at| format!("f{}", at % (count - 1))).collect();
            let name = |at: usize| names[at].as_bytes();
            let index = Names::new(count, name);
            assert_eq!(index.first(count, name, b"f0"), Some(0), "{count}");
            assert_eq!(index.last(count, name, b"f0"), Some(count - 1), "{count}");
            assert_eq!(index.last(count, name, b"f1"), Some(1), "{count}");
            assert_eq!(index.first(count, name, b"g"), None, "{count}");
            assert_eq!(index.last(count, name, b"e"), None, "{count}");
        }
    }
}
