//! What a complaint is about: tags from a table of words. They say nothing of the level.

use super::cleanup;
use super::text::{Joint, Text};
use super::words::{Phrases, WORDS};
use serde::Deserialize;
use std::sync::LazyLock;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the file is compiled in, and a test parses it")]
    toml::from_str(include_str!("tags.toml")).expect("tags.toml is well formed")
});

/// `tags.toml`, which says what each list is for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    version: String,
    negators: Phrases,
    between: Phrases,
    joiners: Phrases,
    affirmers: Phrases,
    tag: Vec<Listed>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    name: String,
    words: Phrases,
}

/// The version of the table, so that a tag can be traced to the words that gave it.
pub(super) fn version() -> &'static str {
    &TABLE.version
}

/// The names of the tags that a citizen's words give, in the order of the table.
pub(super) fn find(sent: &str) -> Vec<&'static str> {
    let table = &*TABLE;
    let text = cleanup::clean(&WORDS.cleanup, sent, |_| true);
    let given = given(table, &text);
    let named = table.tag.iter().zip(given).filter(|(_, given)| *given);
    named.map(|(tag, _)| tag.name.as_str()).collect()
}

/// Which tags are given.
fn given(table: &Table, text: &Text) -> Vec<bool> {
    let mut given = vec![false; table.tag.len()];
    // Where the last word ended that was negated: the next one may be so with it.
    let mut denied = None;
    for clause in &text.clauses {
        let mut at = clause.start;
        while at < clause.end {
            let ahead = &text.marks[at..clause.end];
            let words = table.tag.iter().map(|tag| tag.words.starting(ahead)).enumerate();
            let longest = words.filter_map(|(tag, length)| Some((length?, tag))).max();
            let Some((length, tag)) = longest else {
                at += 1;
                continue;
            };
            let end = at + length;
            let is_denied = is_negated(table, text, at, &text.marks[end..clause.end])
                || denied.is_some_and(|earlier| is_joined(table, text, earlier, at));
            match is_denied {
                true => denied = Some(end),
                false => given[tag] = true,
            }
            at = end;
        }
    }
    given
}

/// Whether a negation stands before the word at `at` that `rest` follows.
fn is_negated(table: &Table, text: &Text, mut at: usize, rest: &[char]) -> bool {
    let affirmed = || table.affirmers.within(rest);
    loop {
        let before = &text.marks[reach(text, at)..at];
        if let Some(length) = table.negators.ending(before) {
            return !(before[before.len() - length..].ends_with(&['是']) && affirmed());
        }
        match table.between.ending(before) {
            Some(length) => at -= length,
            None => return false,
        }
    }
}

/// How far back a negation may stand: over blanks, but not over other separators.
fn reach(text: &Text, at: usize) -> usize {
    (0..at).rev().find(|mark| text.joints[mark + 1] == Joint::Break).map_or(0, |mark| mark + 1)
}

/// Whether nothing but a joiner, or a 、, parts the word at `at` from one that ended at `earlier`.
fn is_joined(table: &Table, text: &Text, earlier: usize, at: usize) -> bool {
    let between = &text.marks[earlier..at];
    let listed = text.joints[earlier] != Joint::Break || text.neighbour(earlier, -1) == Some('、');
    listed && (between.is_empty() || table.joiners.contains(between))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_table_is_well_formed() {
        let table = toml::from_str::<Table>(include_str!("tags.toml")).unwrap();
        assert!(!table.version.is_empty());
        let names: BTreeSet<&str> = table.tag.iter().map(|tag| tag.name.as_str()).collect();
        assert_eq!(names.len(), table.tag.len(), "a name stands twice");
        let written: toml::Table = include_str!("tags.toml").parse().unwrap();
        let words = written["tag"].as_array().unwrap().iter();
        let words = words.flat_map(|tag| tag["words"].as_array().unwrap());
        let mut seen = BTreeSet::new();
        for word in words.map(|word| word.as_str().unwrap()) {
            assert!(seen.insert(word), "{word} stands under two tags");
        }
    }

    #[test]
    fn words_give_their_tags_in_the_order_of_the_table() {
        for (text, tags) in [
            ("互相推诿，没人管", &["不作为", "推诿"][..]),
            ("推來推去踢皮球", &["推诿"]),
            ("態度差", &[]),
            ("态度恶劣，还挂电话", &["态度差"]),
            ("跑了好几趟都办不成", &["办事难"]),
            ("包工头拖欠农民工工资", &["拖欠"]),
            ("要好处费才给办", &["吃拿卡要"]),
            ("当初承诺的补偿款不兑现", &["政府失信"]),
            ("就是敷衍！一拖再拖", &["拖延", "敷衍"]),
            ("典型的不作为", &["不作为"]),
            ("不要推诿", &["推诿"]),
            ("不是推诿就是拖延", &["推诿", "拖延"]),
            ("这不是推诿是什么", &["推诿"]),
            ("路灯坏了半个月", &[]),
            ("", &[]),
        ] {
            assert_eq!(find(text), tags, "{text}");
        }
    }

    #[test]
    fn what_is_negated_gives_no_tag() {
        for text in [
            "没有推诿",
            "没有推诿扯皮",
            "没有推诿、扯皮",
            "没有推诿和扯皮",
            "没推诿",
            "不推诿",
            "不存在推诿",
            "没有出现任何推诿",
            "没有人推诿",
            "从不拖延",
            "没有不作为",
            "不是推诿",
            "没有 推诿",
            "没有吃拿卡要的情况",
            "没有態度不好",
        ] {
            assert_eq!(find(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_negation_reaches_no_further_than_its_list() {
        for (text, tags) in [
            ("没有推诿，态度差", &["态度差"][..]),
            ("不解决，推诿", &["推诿"]),
            ("没有，推诿", &["推诿"]),
            ("没有推诿，扯皮", &["推诿"]),
            ("没有推诿但是拖延", &["拖延"]),
        ] {
            assert_eq!(find(text), tags, "{text}");
        }
    }
}
