//! The shape of the house: who imports whom, who names which library, how large a file may be.
//!
//! Rust lets modules of one crate import each other at will; here the direction is a test. The
//! sources are read as text, which sees paths inside functions and macros too.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use bridge8890::config;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules by layer. A layer imports lower ones only.
const LAYERS: &[&[&str]] = &[
    &["clock", "model", "signature"],
    &["config", "dialogue", "lifecycle", "normalize", "telemetry"],
    &["carrier", "net", "store"],
    &["egress", "intake"],
    &["console", "ingress", "session"],
    &["app", "cli", "standin"],
];

/// Imports within a layer that are meant.
const NEIGHBOURS: &[(&str, &str)] = &[
    ("clock", "model"),
    ("signature", "model"),
    ("dialogue", "config"),
    ("dialogue", "normalize"),
    ("lifecycle", "telemetry"),
    ("ingress", "session"),
];

/// Imports of a lower layer that are not: these meet in the store only.
const STRANGERS: &[(&str, &str)] =
    &[("egress", "carrier"), ("intake", "net"), ("console", "carrier"), ("console", "intake")];

/// Places within a module that meet its strangers after all: messages are told to carriers.
const ENVOYS: &[(&str, &str)] = &[("egress/messages", "carrier")];

/// Libraries and the only places that may name them.
const HOMES: &[(&str, &[&str])] = &[
    ("sqlx", &["store"]),
    ("hyper", &["net", "ingress", "egress/platform", "console", "standin"]),
    ("hyper_util", &["net", "ingress", "egress/platform", "console", "standin"]),
    ("hyper_rustls", &["net", "ingress", "egress/platform", "console", "standin"]),
    ("tokio_tungstenite", &["net", "session"]),
];

/// Modules that translate and decide, and so do nothing by themselves.
const PURE: &[&str] = &["carrier", "dialogue", "model", "normalize", "signature"];

/// Nobody reads more than this at a sitting.
const MOST_LINES: usize = 800;

/// A source file of the gateway.
struct Source {
    /// Its path below `src`, without `.rs` and `/mod`: `carrier/kit`.
    place: String,
    /// Its text without comments.
    code: String,
}

impl Source {
    fn module(&self) -> &str {
        self.place.split('/').next().unwrap_or_default()
    }

    fn is_in(&self, place: &str) -> bool {
        let rest = self.place.strip_prefix(place);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory of the project") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let source = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("UTF-8");
        let place = path.strip_prefix(&src).expect("below src").with_extension("");
        let place = place.to_str().expect("UTF-8");
        let place = place.strip_suffix("/mod").unwrap_or(place).to_owned();
        Source { place, code: without_comments(&text) }
    };
    let sources: Vec<Source> = rust_files(&src).into_iter().map(source).collect();
    assert!(sources.len() > 10, "the sources were not found");
    sources.into_iter().filter(|source| !["lib", "main"].contains(&source.module())).collect()
}

/// Leaves out what follows `//`, except in `https://`.
fn without_comments(text: &str) -> String {
    let code = |line: &str| {
        let mut slashes = line.match_indices("//").map(|(at, _)| at);
        let end = slashes.find(|at| !line[..*at].ends_with(':'));
        line[..end.unwrap_or(line.len())].to_owned()
    };
    text.lines().map(code).collect::<Vec<String>>().join("\n")
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

fn may_import(from: &str, to: &str) -> bool {
    let (Some(own), Some(other)) = (layer(from), layer(to)) else { return false };
    let lower = other < own && !STRANGERS.contains(&(from, to));
    from == to || lower || own == LAYERS.len() - 1 || NEIGHBOURS.contains(&(from, to))
}

/// The modules of ours that follow `prefix` in the code: one, or each of a `{…}`.
fn named_after(prefix: &str, code: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        text.trim_start().chars().take_while(|it| it.is_alphanumeric() || *it == '_').collect()
    };
    let mut named = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(group) => named.extend(heads(group).into_iter().map(word)),
            None => named.push(word(rest)),
        }
    }
    named.retain(|name| name.starts_with(char::is_lowercase));
    named
}

/// The parts of `a::b, c::{d, e}, f}` up to its closing brace.
fn heads(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut heads) = (0, 0, Vec::new());
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => {
                heads.push(&group[start..at]);
                return heads;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                heads.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    heads
}

/// Whether the code names a library in a path.
fn names(code: &str, library: &str) -> bool {
    code.match_indices(&format!("{library}::")).any(|(at, _)| {
        !code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_')
    })
}

#[test]
fn a_layer_imports_lower_ones_only() {
    let mut wrong = Vec::new();
    for source in sources() {
        for module in named_after("crate::", &source.code) {
            let envoy = |(place, to): &(&str, &str)| source.is_in(place) && *to == module;
            if !may_import(source.module(), &module) && !ENVOYS.iter().any(envoy) {
                wrong.push(format!("src/{} imports crate::{module}", source.place));
            }
        }
    }
    assert!(wrong.is_empty(), "against the layers of tests/architecture.rs:\n{}", wrong.join("\n"));
}

#[test]
fn every_module_has_a_layer() {
    for source in sources() {
        assert!(layer(source.module()).is_some(), "{} stands in no layer", source.module());
    }
}

#[test]
fn a_library_is_named_at_home_only() {
    for source in sources() {
        for (library, homes) in HOMES {
            let at_home = homes.iter().any(|home| source.is_in(home));
            let place = &source.place;
            assert!(at_home || !names(&source.code, library), "src/{place} names {library}");
        }
        for library in ["tokio", "hyper", "sqlx"] {
            let pure = PURE.contains(&source.module());
            let place = &source.place;
            assert!(!pure || !names(&source.code, library), "src/{place} names {library}");
        }
    }
}

#[test]
fn nothing_mutable_is_static() {
    const MUTABLE: &[&str] = &["Atomic", "Cell<", "Mutex", "OnceLock", "RwLock"];
    for source in sources() {
        let place = &source.place;
        assert!(!source.code.contains("static mut "), "src/{place} has a static mut");
        assert!(!source.code.contains("thread_local!"), "src/{place} has a thread_local");
        let code = source.code.replace("'static ", "");
        for item in code.split("static ").skip(1) {
            let declared = item.split(['=', ';']).next().unwrap_or_default();
            let mutable = declared.contains(": ") && MUTABLE.iter().any(|it| declared.contains(it));
            assert!(!mutable, "src/{place} keeps state in a static: {declared}");
        }
    }
}

#[test]
fn a_file_says_what_it_is_and_can_be_read_at_a_sitting() {
    for directory in ["src", "tests", "loadtest/src"] {
        for path in rust_files(&root().join(directory)) {
            let text = fs::read_to_string(&path).expect("UTF-8");
            let shown = path.display();
            assert!(text.starts_with("//! "), "{shown} does not open with a line of `//!`");
            let lines = text.lines().count();
            assert!(lines <= MOST_LINES, "{shown} has {lines} lines; split it by concern");
        }
    }
}

#[test]
fn the_engine_knows_no_carrier_by_name() {
    for (key, _) in config::built_in() {
        let folder = root().join("tests/fixtures/carriers").join(key);
        let recorded = fs::read_dir(&folder).map(Iterator::count).unwrap_or_default();
        assert!(recorded > 0, "record an exchange in {}", folder.display());
        // Schemes that a carrier has alone are named after it, and nothing else is.
        for source in
            sources().iter().filter(|it| it.is_in("carrier") && !it.is_in("carrier/verify"))
        {
            let code = source.code.split("#[cfg(test)]").next().unwrap_or_default();
            let tests = source.place.ends_with("tests") || source.place.ends_with("sample");
            assert!(tests || !code.contains(key), "src/{} speaks of {key}", source.place);
        }
    }
}

#[test]
fn the_reader_of_paths_sees_what_it_should() {
    let code = without_comments(
        "use crate::{\n    model::{Level, Scheme},\n    store,\n};\n// crate::app\nlet a = \
         crate::net::dial(\"https://x\"); // crate::cli\nSome(crate::CONSTANT)",
    );
    assert_eq!(named_after("crate::", &code), ["model", "store", "net"]);
    assert!(names("use sqlx::Row;", "sqlx") && !names("my_sqlx::x", "sqlx"));
    assert!(may_import("store", "model") && may_import("cli", "app"));
    for (from, to) in [("model", "store"), ("store", "carrier"), ("egress", "carrier")] {
        assert!(!may_import(from, to), "{from} {to}");
    }
}
