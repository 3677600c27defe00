//! What the fuzz target holds every request to, for the recorded ones and what becomes of them.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../fuzz/src/any_request.rs"]
mod any_request;

use any_request::survive;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

/// The recorded requests as they travelled.
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/carriers");
    let list = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten();
    let files = list(&root).flat_map(|entry| list(&entry.path())).map(|entry| entry.path());
    let mut requests: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|it| it == "http")).collect();
    requests.sort();
    requests.iter().map(|file| fs::read(file).expect("a fixture")).collect()
});

/// What parsers trip over.
const ODD: [&[u8]; 12] = [
    b"\"",
    b"[[[[",
    b"{\"a\":",
    b"<a>",
    b"&",
    b"%",
    b"\\ud800",
    b"\xff\xfe",
    b"\r\n--",
    b";",
    b"=",
    b"\0",
];

#[test]
fn the_recorded_requests_survive() {
    assert!(SEEDS.len() > 50, "the fixtures were not found");
    SEEDS.iter().for_each(|seed| survive(seed));
}

proptest! {
    #[test]
    fn any_bytes_survive(input: Vec<u8>) {
        survive(&input);
    }

    #[test]
    fn what_becomes_of_a_recorded_request_survives(
        seed: Index,
        edits in proptest::collection::vec((any::<Index>(), any::<Index>(), select(&ODD[..])), 1..6),
    ) {
        let mut input = SEEDS[seed.index(SEEDS.len())].clone();
        for (from, to, odd) in edits {
            let at = from.index(input.len() + 1);
            let end = (at + to.index(8)).min(input.len());
            input.splice(at..end, odd.iter().copied());
        }
        survive(&input);
    }
}
