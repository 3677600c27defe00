//! A reply as the rules look at it: characters, separators and clauses (A2 width, A3).

use std::ops::Range;

/// What stands between a character and the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joint {
    /// Nothing: the same clause goes on.
    None,
    /// Blanks within a line.
    Space,
    /// Punctuation, a line end, an emoji, or the start of the text.
    Break,
}

/// A cleaned reply. A *mark* is a character that is no separator; positions are those of marks.
#[derive(Debug, Clone)]
pub(super) struct Text {
    /// The sender's own characters, separators included.
    sent: Vec<char>,
    /// The same, folded for matching.
    folded: Vec<char>,
    /// The folded characters that are no separators.
    pub(super) marks: Vec<char>,
    /// Where each mark stands in `sent`.
    at: Vec<usize>,
    /// What stands before each mark.
    pub(super) joints: Vec<Joint>,
    /// The runs of marks without a separator.
    pub(super) clauses: Vec<Range<usize>>,
}

impl Text {
    /// Takes the characters as sent and as folded; both have the same length.
    pub(super) fn new(sent: Vec<char>, folded: Vec<char>) -> Text {
        let mut text = Text {
            marks: Vec::with_capacity(folded.len()),
            at: Vec::with_capacity(folded.len()),
            joints: Vec::with_capacity(folded.len()),
            clauses: Vec::new(),
            sent,
            folded,
        };
        let mut joint = Joint::Break;
        for (at, &c) in text.folded.iter().enumerate() {
            if is_separator(c) {
                joint = match joint {
                    Joint::None | Joint::Space if is_blank(c) => Joint::Space,
                    _ => Joint::Break,
                };
                continue;
            }
            let position = text.marks.len();
            match text.clauses.last_mut() {
                Some(clause) if joint == Joint::None => clause.end = position + 1,
                _ => text.clauses.push(position..position + 1),
            }
            text.marks.push(c);
            text.at.push(at);
            text.joints.push(joint);
            joint = Joint::None;
        }
        text
    }

    /// The same marks as one clause (D6).
    pub(super) fn joined(&self) -> Text {
        let mut text = self.clone();
        text.joints.fill(Joint::None);
        text.clauses.truncate(1);
        text.clauses.iter_mut().for_each(|clause| clause.end = text.marks.len());
        text
    }

    /// What is left without some clauses and the separators behind them.
    pub(super) fn without(&self, clauses: &[Range<usize>]) -> Text {
        let mut sent = Vec::with_capacity(self.sent.len());
        let mut folded = Vec::with_capacity(self.sent.len());
        let mut from = 0;
        for clause in clauses {
            let to = self.at[clause.start];
            sent.extend_from_slice(&self.sent[from..to]);
            folded.extend_from_slice(&self.folded[from..to]);
            from = self.at.get(clause.end).copied().unwrap_or(self.sent.len());
        }
        sent.extend_from_slice(&self.sent[from..]);
        folded.extend_from_slice(&self.folded[from..]);
        Text::new(sent, folded)
    }

    /// The sender's own characters from the first to the last mark of `range`.
    pub(super) fn sent(&self, range: Range<usize>) -> String {
        if range.is_empty() {
            return String::new();
        }
        self.sent[self.at[range.start]..=self.at[range.end - 1]].iter().collect()
    }

    /// The folded character `distance` characters before or behind a mark, separators included.
    pub(super) fn neighbour(&self, mark: usize, distance: isize) -> Option<char> {
        self.folded.get(self.at[mark].checked_add_signed(distance)?).copied()
    }
}

/// Whether `c` is a Han character.
pub(super) fn is_han(c: char) -> bool {
    matches!(c,
        '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{3005}' | '\u{3007}'
        | '\u{2e80}'..='\u{2fd5}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Whether `c` is neither a Han character nor a letter nor a digit (A3).
pub(super) fn is_separator(c: char) -> bool {
    !(c.is_alphanumeric() || is_han(c))
}

/// Whether `c` is white space that does not end a line.
fn is_blank(c: char) -> bool {
    c.is_whitespace() && !matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Folds width and case, and digits in circles, brackets and Roman form (A2).
pub(super) fn fold_width(c: char) -> char {
    /// The first of nine characters in a row that stand for 1 to 9.
    const ROWS: [char; 10] = ['①', '⑴', '⒈', '❶', '➀', '➊', 'Ⅰ', 'ⅰ', '㈠', '㊀'];
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    if matches!(c, '０'..='９' | 'Ａ'..='Ｚ' | 'ａ'..='ｚ') {
        // The full-width forms repeat ASCII in the same order from U+FF01 on.
        let half = char::from_u32(u32::from(c) - 0xfee0);
        return half.map_or(c, |half| half.to_ascii_lowercase());
    }
    let row = |first: char| u32::from(c).checked_sub(u32::from(first)).filter(|&i| i < 9);
    if let Some(digit) = ROWS.into_iter().find_map(row) {
        return char::from_digit(digit + 1, 10).unwrap_or(c);
    }
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(lower), None) => lower,
        _ => c,
    }
}
