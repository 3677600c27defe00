//! The steps of a call as a dialect writes them, and what is said of bad ones.

use super::mistakes::misjudged;
use super::{account, parse};
use std::time::Duration;

/// The keys that every route with steps has, in order.
const STEPS: [(&str, &str); 6] = [
    ("content_type", "\"text/xml\""),
    ("say", "\"<s>${say}</s>\""),
    ("play", "\"<p>${play}</p>\""),
    ("ask", "\"<a n='${next}'>${prompts}</a>\""),
    ("record", "\"<r n='${next}'>${prompts}</r>\""),
    ("end", "\"<e>${prompts}</e>\""),
];

/// An account whose steps are right but for this key, and this line besides.
fn but_for(key: &str, line: &str) -> String {
    let others = STEPS.iter().filter(|(other, _)| *other != key);
    let others: String = others.map(|(key, value)| format!("{key} = {value}\n")).collect();
    account(&format!("[steps]{}\n{others}{line}", if line.is_empty() { " # !" } else { "" }))
}

/// A key, its bad line, and parts of what is said about it.
const BAD: &[(&str, &str, &[&str])] = &[
    ("ask", "", &["dialect.steps", "ask", "${next}"]),
    ("content_type", "", &["content_type = \"text/xml\""]),
    (
        "ask",
        "ask = '<a>${prompts}</a>' # !",
        &["steps.ask: has no ${next}", "it needs `prompts`, `next`"],
    ),
    ("ask", "ask = '${next}' # !", &["steps.ask: has no ${prompts}"]),
    ("end", "end = '<e/>' # !", &["steps.end: has no ${prompts}"]),
    (
        "say",
        "say = '<s>${text}</s>' # !",
        &["`${text}` is no value of this step", "${say}, ${barge_in}"],
    ),
    ("play", "play = '${play} ${next}' # !", &["`${next}` is no value of this step"]),
    ("end", "end = '${prompts}${secret}' # !", &["`${secret}` would be told to others"]),
    ("say", "say = '${say|md5}' # !", &["the digest of `say` is bytes", "`|hex`"]),
    ("asks", "asks = 'x' # !", &["steps.asks: there is no such key", "did you mean `ask`"]),
    ("keep", "keep = \"to\" # !", &["steps.keep: is a text", "a table"]),
    ("keep", "keep = { step = \"to\" } # !", &["`step` says which question", "another name"]),
    ("keep", "keep = { to = \"qery:to\" } # !", &["there is no place `qery:`", "query:to"]),
    ("within", "within = \"2m\" # !", &["steps.within: ", "out of bounds"]),
    ("longest_wait", "longest_wait = \"0s\" # !", &["steps.longest_wait: "]),
];

#[test]
fn bad_steps_are_told_what_is_wrong_where() {
    let misjudged: Vec<String> =
        BAD.iter().filter_map(|(key, line, parts)| misjudged(&but_for(key, line), parts)).collect();
    assert!(misjudged.is_empty(), "{}", misjudged.join("\n\n"));
}

#[test]
fn what_is_left_out_has_its_default_and_a_relative_address_will_do() {
    let file = but_for("ask", "ask = '<a n=\"next?${query}\">${prompts}</a>'");
    let config = parse(&file).unwrap_or_else(|problems| panic!("{problems}"));
    let account = config.accounts.values().next().expect("the account");
    let steps = account.dialect.routes[0].steps.as_ref().expect("steps");
    assert_eq!((steps.between.as_str(), steps.keep.as_slice()), ("", &[][..]));
    assert_eq!((steps.within, steps.longest_wait), (Duration::from_secs(5), None));
}
