//! How many SMS a text takes: 160 characters of the GSM alphabet, or 70 of UCS-2, and less in each
//! where there are several.

/// The GSM 7-bit default alphabet (3GPP TS 23.038, 6.2.1); the escape stands at 0x1b.
pub(crate) const GSM7: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å', //
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\x1b', 'Æ', 'æ', 'ß', 'É', //
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/', //
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?', //
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', //
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§', //
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', //
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

/// Its extension table (6.2.1.1): what a byte stands for after the escape.
pub(crate) const GSM7_EXTENSION: [(u8, char); 10] = [
    (0x0a, '\x0c'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2f, '\\'),
    (0x3c, '['),
    (0x3d, '~'),
    (0x3e, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

/// Septets of one SMS, and of one of several (3GPP TS 23.040, 9.2.3.24.1: the rest joins them).
const GSM7_ROOM: Room = Room { alone: 160, joined: 153 };

/// UTF-16 units of one SMS, and of one of several.
const UCS2_ROOM: Room = Room { alone: 70, joined: 67 };

/// What fits into one SMS.
struct Room {
    /// If it is the only one.
    alone: usize,
    /// If it is one of several.
    joined: usize,
}

/// How many SMS a text takes; an empty one takes one.
///
/// No character is torn apart: an escape and what it escapes, or the two halves of a character
/// beyond the basic plane, stand in the same SMS.
#[must_use]
pub fn segments(text: &str) -> usize {
    let septets: Option<Vec<usize>> = text.chars().map(septets).collect();
    match septets {
        Some(septets) => GSM7_ROOM.taken_by(&septets),
        None => UCS2_ROOM.taken_by(&text.chars().map(char::len_utf16).collect::<Vec<_>>()),
    }
}

/// The septets of a character; `None` if the GSM alphabet does not have it.
fn septets(character: char) -> Option<usize> {
    if GSM7.contains(&character) && character != '\x1b' {
        return Some(1);
    }
    GSM7_EXTENSION.iter().any(|(_, known)| *known == character).then_some(2)
}

impl Room {
    fn taken_by(&self, lengths: &[usize]) -> usize {
        if lengths.iter().sum::<usize>() <= self.alone {
            return 1;
        }
        let add = |(full, used): (usize, usize), length: &usize| match used + length {
            fits if fits <= self.joined => (full, fits),
            _ => (full + 1, *length),
        };
        let (full, _) = lengths.iter().fold((0, 0), add);
        full + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_takes_as_many_as_networks_count() {
        for (text, count) in [
            (String::new(), 1),
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            // Characters of the extension table take two.
            ("€".repeat(80), 1),
            ("€".repeat(81), 2),
            ("满".repeat(70), 1),
            ("满".repeat(71), 2),
            ("满".repeat(134), 2),
            ("满".repeat(135), 3),
            // One character that the alphabet lacks makes it UCS-2.
            ("a".repeat(70) + "满", 2),
            ("👍".repeat(35), 1),
            ("👍".repeat(36), 2),
        ] {
            assert_eq!(
                segments(&text),
                count,
                "{} of {:?}",
                text.chars().count(),
                text.chars().next()
            );
        }
    }

    #[test]
    fn no_character_is_torn_apart() {
        // 76 pairs fill 152 of 153 septets; 33 fill 66 of 67 units.
        assert_eq!(segments(&"€".repeat(76 * 2)), 2);
        assert_eq!(segments(&"€".repeat(76 * 2 + 1)), 3);
        assert_eq!(segments(&"👍".repeat(33 * 2)), 2);
        assert_eq!(segments(&"👍".repeat(33 * 2 + 1)), 3);
    }

    proptest! {
        #[test]
        fn more_text_never_takes_less(text in "\\PC{0,200}", more in "\\PC{0,20}") {
            let both = [text.as_str(), &more].concat();
            prop_assert!(segments(&text) <= segments(&both));
        }
    }
}
