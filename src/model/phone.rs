//! Caller numbers: read into E.164, shown only masked.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A telephone number in E.164, `+` and 7 to 15 digits. Every way of showing it masks it;
/// [`Msisdn::reveal`] is the one way to the digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Msisdn(String);

/// Text that cannot be read as a telephone number. It does not repeat the text, which may
/// be personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a telephone number: expected 7 to 15 digits in E.164, national or 00 form")]
pub struct NotANumber;

impl Msisdn {
    /// Reads a number the way carriers deliver it: `+86139…`, `0086139…`, `86139…`, 11 digits,
    /// a landline with its 0, a `tel:`, `sip:` or `sips:` URI; spaces, hyphens and brackets are
    /// ignored.
    ///
    /// `country` is the calling code to assume for national forms, without `+`, for example
    /// `86`; its rules (mobile numbers are 11 digits from 1, trunk prefix 0) apply to `86` only,
    /// other countries' national numbers get the code put in front.
    ///
    /// # Errors
    /// [`NotANumber`] when what is left is not 7 to 15 digits.
    pub fn read(raw: &str, country: &str) -> Result<Msisdn, NotANumber> {
        let raw = raw.trim();
        let raw = raw.strip_prefix("tel:").or_else(|| user_of_sip(raw)).unwrap_or(raw);
        let raw = raw.split(';').next().unwrap_or(raw);
        let (international, rest) = match raw.strip_prefix(['+', '＋']) {
            Some(rest) => (true, rest),
            None => match raw.strip_prefix("00") {
                Some(rest) => (true, rest),
                None => (false, raw),
            },
        };
        let mut digits = String::with_capacity(16);
        for character in rest.chars() {
            match character {
                '0'..='9' => digits.push(character),
                ' ' | '-' | '(' | ')' | '.' => {}
                _ => return Err(NotANumber),
            }
        }
        let e164 = if international {
            digits
        } else if country == "86" {
            chinese(&digits)
        } else if let Some(national) = digits.strip_prefix('0') {
            format!("{country}{national}")
        } else if digits.starts_with(country) && digits.len() > 10 {
            digits
        } else {
            format!("{country}{digits}")
        };
        let plausible = (7..=15).contains(&e164.len()) && !e164.starts_with('0');
        if plausible { Ok(Msisdn(format!("+{e164}"))) } else { Err(NotANumber) }
    }

    /// The number with its digits, `+8613940000001`. For the store and the platform only.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The usual Chinese masking: the first three and the last four digits of the national
    /// number, `139****0001`.
    #[must_use]
    pub fn masked(&self) -> String {
        let national = self.0.strip_prefix("+86").unwrap_or(&self.0[1..]);
        mask(national)
    }
}

/// Masks any run of text as a number is masked: at most the first three and the last four
/// characters stay, and never more than half of it.
#[must_use]
pub fn mask(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let (head, tail) = match characters.len() {
        11.. => (3, 4),
        8..=10 => (2, 2),
        _ => (0, 0),
    };
    let mut masked: String = characters[..head].iter().collect();
    masked.push_str("****");
    masked.extend(&characters[characters.len() - tail..]);
    masked
}

/// The user part of a SIP URI, without a password.
fn user_of_sip(uri: &str) -> Option<&str> {
    let address = uri.strip_prefix("sip:").or_else(|| uri.strip_prefix("sips:"))?;
    let (user, _host) = address.split_once('@')?;
    user.split(':').next()
}

fn chinese(digits: &str) -> String {
    let mobile = |number: &str| number.len() == 11 && number.starts_with('1');
    if let Some(landline) = digits.strip_prefix('0') {
        return format!("86{landline}");
    }
    match digits.strip_prefix("86") {
        // 86 and a mobile number, or 86 and a landline without its 0.
        Some(national) if mobile(national) || (9..=11).contains(&national.len()) => {
            digits.to_owned()
        }
        _ => format!("86{digits}"),
    }
}

impl TryFrom<String> for Msisdn {
    type Error = NotANumber;

    fn try_from(e164: String) -> Result<Msisdn, NotANumber> {
        Msisdn::read(&e164, "86")
    }
}

impl From<Msisdn> for String {
    fn from(number: Msisdn) -> String {
        number.0
    }
}

impl fmt::Debug for Msisdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Msisdn({})", self.masked())
    }
}

impl fmt::Display for Msisdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_every_form_that_carriers_use() {
        let forms = [
            ("13940000001", "+8613940000001"),
            ("8613940000001", "+8613940000001"),
            ("+8613940000001", "+8613940000001"),
            ("008613940000001", "+8613940000001"),
            ("tel:+8613940000001;phone-context=+86", "+8613940000001"),
            ("sip:13940000001@host", "+8613940000001"),
            ("sips:+8613940000001;phone-context=x@10.0.0.1:5061;user=phone", "+8613940000001"),
            (" 139-4000-0001 ", "+8613940000001"),
            ("02488908890", "+862488908890"),
            ("862488908890", "+862488908890"),
            ("+14155550100", "+14155550100"),
        ];
        for (raw, e164) in forms {
            assert_eq!(Msisdn::read(raw, "86").map(String::from), Ok(e164.to_owned()), "{raw}");
        }
        for raw in [
            "",
            "anonymous",
            "12",
            "+",
            "1394000000a",
            "+1234567890123456",
            "sip:13940000001",
            "sip:anonymous@host",
        ] {
            assert_eq!(Msisdn::read(raw, "86"), Err(NotANumber), "{raw}");
        }
        assert_eq!(
            Msisdn::read("020 7946 0000", "44").map(String::from),
            Ok("+442079460000".to_owned())
        );
    }

    #[test]
    fn is_never_shown_whole() {
        let number = Msisdn::read("13940000001", "86").expect("a number");
        assert_eq!(number.to_string(), "139****0001");
        assert_eq!(format!("{number:?}"), "Msisdn(139****0001)");
        assert_eq!(mask("0001"), "****");
    }

    proptest! {
        #[test]
        fn reading_is_idempotent_and_never_panics(raw in "\\PC{0,24}") {
            if let Ok(number) = Msisdn::read(&raw, "86") {
                prop_assert_eq!(Msisdn::read(number.reveal(), "86"), Ok(number.clone()));
                prop_assert_ne!(number.to_string(), number.reveal());
            }
        }
    }
}
