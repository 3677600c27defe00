//! The rows of `tests/fixtures/reply-*.csv`, and what must hold for any text.

use super::*;
use crate::model::Direction;
use proptest::prelude::*;

/// The page that says what each rule means.
const LADDER: &str = include_str!("../../docs/reading.md");

/// Reads every row of a file of replies; panics with all mismatches at once.
fn check(csv: &str) {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().unwrap().clone();
    let mut rows = 0;
    let mut mismatches = String::new();
    for row in reader.records() {
        let row = row.unwrap();
        let field = |name| header.iter().position(|it| it == name).map_or("", |at| &row[at]);
        let channel = if field("channel") == "ivr" { Channel::Ivr } else { Channel::Sms };
        let direction = if field("scheme") == "desc" { Direction::Desc } else { Direction::Asc };
        let levels = field("levels").parse().unwrap_or(5);
        let scheme = Scheme::usual(direction, levels).unwrap();
        let scheme = scheme.with_zero_declining(field("zero") == "decline");
        let got = read(channel, scheme, field("text"));
        let level = got.level.map(|level| level.number().to_string()).unwrap_or_default();
        let got = [got.kind.name(), &level, &got.comment, &got.rule.0];
        let expected = ["expected_kind", "expected_level", "expected_comment"].map(field);
        if got[..3] != expected {
            mismatches += &format!("{:?}\n   got {got:?}\n", row);
        }
        let documented = LADDER.contains(&format!("\n| {} |", got[3]));
        assert!(documented, "docs/reading.md has no line for rule {}", got[3]);
        rows += 1;
    }
    assert!(rows > 100, "only {rows} rows");
    assert!(mismatches.is_empty(), "\n{mismatches}");
}

#[test]
fn the_given_examples_are_read_as_expected() {
    check(include_str!("../../tests/fixtures/reply-examples.csv"));
}

#[test]
fn the_examples_of_other_schemes_are_read_as_expected() {
    check(include_str!("../../tests/fixtures/reply-schemes.csv"));
}

#[test]
fn a_scheme_of_its_own_gives_its_own_levels() {
    use Level::{Dissatisfied, Fair, VerySatisfied};
    let levels = [VerySatisfied, Fair, Dissatisfied];
    let scheme = Scheme::new(Direction::Asc, &levels).unwrap();
    for (digit, level) in ["1", "2", "3"].into_iter().zip(levels) {
        assert_eq!(sms(scheme, digit).level, Some(level));
        assert_eq!(read(Channel::Ivr, scheme, digit).level, Some(level));
    }
    assert_eq!(sms(scheme, "2，没人管").level, Some(Fair), "only good digits are contradicted");
    assert_eq!(sms(scheme, "1，没人管").kind, ReadingKind::Complaint);
}

#[test]
fn the_further_examples_are_read_as_expected() {
    check(include_str!("../../tests/fixtures/reply-more.csv"));
}

/// Written by the letter of the rules, before the code was asked.
#[test]
fn a_second_set_of_replies_is_read_as_the_rules_say() {
    check(include_str!("../../tests/fixtures/reply-second.csv"));
}

/// Parts of real replies, so that random texts come near the rules.
const PIECES: &[&str] = &[
    "满意",
    "不满",
    "不满意",
    "非常",
    "很",
    "不太",
    "没有",
    "没",
    "不",
    "是",
    "就",
    "一般",
    "基本",
    "比较",
    "的",
    "了",
    "吗",
    "度",
    "结果",
    "地方",
    "原因是",
    "如果",
    "希望",
    "修好",
    "1",
    "2",
    "5",
    "一",
    "五",
    "星",
    "分",
    "号楼",
    "天",
    "我",
    "选",
    "回复",
    "第",
    "谢谢",
    "没人管",
    "点赞",
    "退订",
    "TD",
    "t",
    "怎么",
    "，",
    "。",
    " ",
    "！",
    "、",
    "\n",
    "👍",
    "【",
    "】",
    "[",
    "]",
    "：",
    "//",
    "-----",
    "原短信",
    "%",
    "100",
    "'",
    ".",
    "满",
    "意",
    "滿",
    "１",
    "①",
    "\u{200b}",
];

fn reply() -> impl Strategy<Value = String> {
    let pieces = prop::collection::vec(prop::sample::select(PIECES), 0..12);
    prop_oneof![pieces.prop_map(|pieces| pieces.concat()), ".*"]
}

fn scheme() -> impl Strategy<Value = Scheme> {
    let direction = prop_oneof![Just(Direction::Asc), Just(Direction::Desc)];
    let usual = (direction, prop::sample::select(&Scheme::USUAL[..]), any::<bool>());
    usual.prop_map(|(direction, levels, zero)| {
        Scheme::usual(direction, levels).unwrap().with_zero_declining(zero)
    })
}

fn pick(list: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(list)
}

fn is_good(reading: &Reading) -> bool {
    reading.level.is_some_and(|level| level >= Level::Satisfied)
}

fn sms(scheme: Scheme, text: &str) -> Reading {
    read(Channel::Sms, scheme, text)
}

/// Whether two readings say the same; their comments may differ in form.
fn alike(one: &Reading, other: &Reading) -> bool {
    (one.kind, one.level) == (other.kind, other.level)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_reading_is_well_formed_whatever_the_text(
        text in reply(), scheme in scheme(), ivr in any::<bool>(),
    ) {
        let channel = if ivr { Channel::Ivr } else { Channel::Sms };
        let reading = read(channel, scheme, &text);
        match reading.kind {
            ReadingKind::Rated => prop_assert!(reading.level.is_some()),
            ReadingKind::Complaint => {
                prop_assert!(reading.level.is_none());
                prop_assert!(!reading.comment.is_empty(), "grievance text is never lost");
            }
            ReadingKind::Unrecognised | ReadingKind::Declined => {
                prop_assert!(reading.level.is_none() && reading.comment.is_empty());
            }
            ReadingKind::Unsubscribe => prop_assert_eq!(channel, Channel::Sms),
        }
        let comment = &reading.comment;
        prop_assert_eq!(comment.trim_matches(text::is_separator), comment, "comments are trimmed");
    }

    #[test]
    fn a_negated_level_word_is_never_good(
        before in pick(&["", "我", "我们对此", "处理结果", "你们的服务", "师傅来了，", "谢谢。", "👍", "一直等，"]),
        negation in pick(&[
            "不", "不太", "不是很", "不怎么", "没", "没有", "没有很", "不能", "不会", "无法", "很难", "没人", "谈不上",
            "不能说", "不觉得", "并不", "并不是", "从来没有", "不可能", "未能", "难以让人", "一点都不", "不 ", "不　太 ",
            "不，", "没有一个人", "不是特别", "不完全",
            "毫不", "未", "无", "非", "别说", "难", "谈何", "不见得", "不至于", "离", "缺乏", "看不出", "称不上",
        ]),
        word in pick(&["满意", "很满意", "非常满意", "十分满意", "特别满意", "太满意", "滿意", "比较满意"]),
        after in pick(&["", "。", "！！", "，没人管", "，谢谢", "因为太慢", " 等了三个月", "的", "了", "👍"]),
        scheme in scheme(),
    ) {
        let text = format!("{before}{negation}{word}{after}");
        let reading = sms(scheme, &text);
        prop_assert!(!is_good(&reading), "{text}: {reading:?}");
    }

    #[test]
    fn a_negative_level_word_is_never_good(
        degree in pick(&["", "很", "非常", "极其", "有点", "一点都", "没有", "不是", "没什么"]),
        space in pick(&["", " ", "　", "\u{200b}"]),
        word in pick(&["不满意", "不滿意", "不满", "不太满意", "不 满意", "不满意极了"]),
        noise in reply(),
        digit in pick(&["", "1", "5 ", "①，", "选1，"]),
        scheme in scheme(),
    ) {
        // The word first: whatever follows behind a comma cannot make it good.
        let text = format!("{digit}{degree}{space}{word}，{noise}");
        let reading = sms(scheme, &text);
        let other_words = noise.contains(['满', '滿', '星', '分']) || noise.contains("一般");
        prop_assert!(!is_good(&reading) || degree.contains(['没', '不']) || other_words
            || noise.contains('吗'), "{text}: {reading:?}");
    }

    #[test]
    fn punctuation_and_blanks_around_a_reply_do_not_matter(
        text in pick(SETTLED), front in "[ \t\n　！~“（👍]{0,3}", back in "[ \t\n　。！~”）👍😡]{0,3}",
        scheme in scheme(),
    ) {
        let reading = sms(scheme, text);
        prop_assert_eq!(sms(scheme, &format!("{front}{text}{back}")), reading);
    }

    #[test]
    fn which_separator_stands_between_clauses_does_not_matter(
        clauses in prop::collection::vec(pick(&["1", "5", "满意", "不满意", "没人管", "谢谢", "选1", "很热情"]), 1..4),
        one in pick(SEPARATORS), other in pick(SEPARATORS), scheme in scheme(),
    ) {
        let (one, other) = (sms(scheme, &clauses.join(one)), sms(scheme, &clauses.join(other)));
        prop_assert!(alike(&one, &other), "{one:?} {other:?}");
    }

    #[test]
    fn width_and_traditional_forms_do_not_matter(
        text in prop_oneof![pick(SETTLED).prop_map(str::to_owned), reply()], scheme in scheme(),
    ) {
        let wide: String = text.chars().map(widened).collect();
        let (plain, wide) = (sms(scheme, &text), sms(scheme, &wide));
        prop_assert!(alike(&plain, &wide), "{plain:?} {wide:?}");
        prop_assert_eq!(plain.rule, wide.rule);
        prop_assert_eq!(plain.comment.chars().count(), wide.comment.chars().count());
    }

    #[test]
    fn blanks_and_invisible_characters_inside_a_level_word_do_not_matter(
        text in pick(&["非常满意", "满意", "基本满意", "不满意", "非常不满意", "不太满意", "没有不满意"]),
        blank in pick(&[" ", "　", "\u{200b}", "\u{feff}"]),
        at in any::<prop::sample::Index>(),
        scheme in scheme(),
    ) {
        let mut chars: Vec<String> = text.chars().map(String::from).collect();
        chars.insert(at.index(chars.len()), blank.to_owned());
        let spaced = chars.concat();
        let expected = sms(scheme, text).level;
        prop_assert_eq!(sms(scheme, &spaced).level, expected, "{}", spaced);
        let spread: String = text.chars().flat_map(|c| [c, ' ']).collect();
        prop_assert_eq!(sms(scheme, &spread).level, expected, "{}", spread);
    }

    #[test]
    fn the_scheme_changes_nothing_in_words(
        before in pick(&["", "我", "对服务"]), word in pick(&["非常满意", "满意", "不满意", "五星", "一般", "没有不满意"]),
        after in pick(&["", "，没人管", "谢谢"]),
    ) {
        let text = format!("{before}{word}{after}");
        prop_assert_eq!(sms(Scheme::ASC, &text), sms(Scheme::DESC, &text));
    }

    #[test]
    fn only_the_keys_of_the_last_entry_count(
        earlier in "[0-9#*]{0,5}", key in 0_u8..10, twice in any::<bool>(), later in "(#[0-9#]{0,4})?",
        scheme in scheme(),
    ) {
        // Behind a 1, a 0 may be a ten.
        let earlier = earlier.trim_end_matches(['0', '1']);
        let entry = key.to_string().repeat(if twice { 2 } else { 1 });
        let keys = format!("{earlier}*{entry}{later}");
        let reading = read(Channel::Ivr, scheme, &keys);
        prop_assert_eq!(reading.level, scheme.level(key));
        prop_assert_eq!(reading.kind == ReadingKind::Rated, reading.level.is_some());
    }

    #[test]
    fn a_keypad_gives_neither_comment_nor_opt_out(keys in "[0-9*#A-DTR满 ]{0,6}", scheme in scheme()) {
        let reading = read(Channel::Ivr, scheme, &keys);
        prop_assert!(reading.comment.is_empty());
        prop_assert!(reading.kind != ReadingKind::Unsubscribe && reading.kind != ReadingKind::Complaint);
        let allowed = keys.chars().all(|key| "0123456789*#ABCD".contains(key));
        prop_assert!(allowed || reading.level.is_none());
    }
}

const SEPARATORS: &[&str] = &["，", "。", "！", " ", "、 ", "\n", "；", "……", "👍"];

/// Replies whose reading does not hang on what stands at their ends.
const SETTLED: &[&str] = &[
    "1",
    "选5",
    "一",
    "满意",
    "非常满意",
    "不满意",
    "一般",
    "五星",
    "给4分",
    "不满意，没人管",
    "没人管，5",
    "1非常满意",
    "满意吗",
    "没有不满意",
    "TD",
    "退订",
    "怎么退订",
    "1，TD",
    "谢谢",
    "暖气还是不热",
    "修好了我就满意",
    "2号楼停水了",
    "10",
    "很好",
];

/// The full-width or traditional form of a character.
fn widened(c: char) -> char {
    match c {
        '0'..='9' | 'a'..='z' | 'A'..='Z' => char::from_u32(u32::from(c) + 0xfee0).unwrap(),
        '满' => '滿',
        '订' => '訂',
        '没' => '沒',
        '极' => '極',
        '较' => '較',
        '还' => '還',
        '无' => '無',
        '处' => '處',
        other => other,
    }
}
