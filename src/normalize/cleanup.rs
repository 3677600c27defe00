//! Clean-up (A): drops what cannot be seen, folds forms, cuts quoted originals, signatures, labels.

use super::text::{Text, fold_width, is_separator};
use super::words::CleanupWords;

/// The longest signature, brackets not counted.
const LONGEST_SIGNATURE: usize = 20;

/// Cleans `sent`; `is_answer` says whether the text of a block in brackets is itself an answer.
pub(super) fn clean(words: &CleanupWords, sent: &str, is_answer: impl Fn(&Text) -> bool) -> Text {
    let sent: Vec<char> = sent.chars().filter(|&c| !is_dropped(c)).collect();
    let folded: Vec<char> =
        sent.iter().map(|&c| words.traditional.simplify(fold_width(c))).collect();
    let reply = Reply { words, folded: &folded, end: quote(words, &folded), sent: &sent };
    let from = reply.after_signatures(is_answer);
    let end = reply.second_block(from);
    let from = reply.after_labels(from, end);
    Text::new(sent[from..end].to_vec(), folded[from..end].to_vec())
}

/// A1: characters without width, and control characters that do not part words.
fn is_dropped(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' | '\u{85}' => false,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{20e3}' | '\u{feff}' => {
            true
        }
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}' => true,
        other => other.is_control(),
    }
}

/// A4: where a quoted original begins, or the end.
fn quote(words: &CleanupWords, folded: &[char]) -> usize {
    let quoted =
        |from: &usize| words.quotes.iter().any(|quote| written(quote, &folded[*from..]).is_some());
    (0..folded.len()).find(quoted).unwrap_or(folded.len())
}

/// The length of `phrase` at the start of `folded`; its colon stands for either width.
fn written(phrase: &str, folded: &[char]) -> Option<usize> {
    let mut rest = folded.iter();
    let same = phrase.chars().all(|expected| match rest.next() {
        Some('：') => expected == ':',
        got => got == Some(&expected),
    });
    same.then(|| folded.len() - rest.len())
}

/// A reply of which the ends are being looked for.
struct Reply<'a> {
    words: &'a CleanupWords,
    sent: &'a [char],
    folded: &'a [char],
    /// Where a quoted original begins.
    end: usize,
}

impl Reply<'_> {
    /// The position behind the leading 【…】 and […] blocks that are no answers.
    fn after_signatures(&self, is_answer: impl Fn(&Text) -> bool) -> usize {
        let mut from = 0;
        loop {
            let open = self.after_blanks(from, self.end);
            let Some(close) = self.signature(open) else { return from };
            let text_follows = self.folded[close + 1..self.end].iter().any(|&c| !is_separator(c));
            let inside = open + 1..close;
            let block =
                || Text::new(self.sent[inside.clone()].to_vec(), self.folded[inside].to_vec());
            if !text_follows || is_answer(&block()) {
                return from;
            }
            from = close + 1;
        }
    }

    /// The closing bracket of a signature that opens at `open`.
    fn signature(&self, open: usize) -> Option<usize> {
        let closing = match self.folded[..self.end].get(open)? {
            '【' => '】',
            '[' => ']',
            _ => return None,
        };
        let end = self.end.min(open + LONGEST_SIGNATURE + 2);
        (open + 1..end).find(|&at| self.folded[at] == closing)
    }

    /// The start of the first 【…】 block behind the start of the text, or the end: a carrier or
    /// handset appended the message that is being answered.
    fn second_block(&self, from: usize) -> usize {
        let text = &self.folded[..self.end];
        let start = self.after_blanks(from, self.end);
        let Some(last_close) = text.iter().rposition(|&c| c == '】') else { return self.end };
        (start + 1..last_close).find(|&at| text[at] == '【').unwrap_or(self.end)
    }

    fn after_labels(&self, from: usize, end: usize) -> usize {
        let mut start = self.after_blanks(from, end);
        let label = |at: usize| {
            let labels = self.words.labels.iter();
            labels.filter_map(|label| written(label, &self.folded[at..end])).max()
        };
        while let Some(length) = label(start) {
            start = self.after_blanks(start + length, end);
        }
        start
    }

    fn after_blanks(&self, from: usize, end: usize) -> usize {
        let blank = self.folded[from..end].iter().take_while(|c| c.is_whitespace()).count();
        from + blank
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::WORDS;
    use super::*;

    fn cleaned(sent: &str) -> String {
        let text = clean(&WORDS.cleanup, sent, |block| block.marks == ['1']);
        text.sent(0..text.marks.len())
    }

    #[test]
    fn what_cannot_be_seen_is_dropped_and_forms_are_folded() {
        let text = clean(&WORDS.cleanup, "\u{feff}１\u{fe0f}\u{20e3}滿\u{0}ＴＤ⑵", |_| false);
        assert_eq!(text.marks.iter().collect::<String>(), "1满td2");
        assert_eq!(text.sent(0..2), "１滿", "the sender's own characters are kept");
    }

    #[test]
    fn quoted_originals_are_cut() {
        for sent in
            ["好 原短信：1", "好，原文：1", "好-----1", "好//1", "好【八八九零】1", "好 原文:x//y"]
        {
            assert_eq!(cleaned(sent), "好", "{sent}");
        }
        assert_eq!(cleaned("好【没有结尾"), "好【没有结尾");
    }

    #[test]
    fn signatures_and_labels_in_front_are_removed() {
        for sent in
            ["【移动】好", "[移动] 好", "【移动】【八八九零】好", "Re: 好", "【移动】回复：好"]
        {
            assert_eq!(cleaned(sent), "好", "{sent}");
        }
        assert_eq!(cleaned("【1】好"), "1】好", "a block that is an answer stays");
        assert_eq!(cleaned("【移动】"), "移动", "nothing follows");
        assert_eq!(cleaned("【一二三四五六七八九十一二三四五六七八九十一】好").chars().count(), 23);
    }

    #[test]
    fn an_invitation_behind_an_emoji_is_quoted_not_said() {
        assert_eq!(cleaned("👍【八八九零】请评价，1非常满意"), "");
        assert_eq!(cleaned("回复：【八八九零】请评价，1非常满意"), "");
    }
}
