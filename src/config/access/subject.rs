//! The subject of a certificate, as RFC 4514 writes it: `CN=gateway.carrier.example,O=Carrier,C=CN`.

/// A distinguished name. Two are equal whatever the spaces and escapes they were written with, and
/// in whichever order the parts joined by `+` come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject(Vec<Vec<Attribute>>);

/// A type, by its short name or its dotted number, and a value.
type Attribute = (String, String);

/// A text that is no distinguished name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubjectFault {
    /// A part has no type, no `=` or no value.
    #[error("{0:?} is not of the form TYPE=value")]
    Attribute(String),
    /// What follows a backslash is neither a sign nor two hexadecimal digits.
    #[error("`\\` stands before something that needs none; write `\\,` for a comma in a value")]
    Escape,
}

/// The types that have short names, with their object identifiers.
const TYPES: [(&str, &str); 11] = [
    ("CN", "2.5.4.3"),
    ("SERIALNUMBER", "2.5.4.5"),
    ("C", "2.5.4.6"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("STREET", "2.5.4.9"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("EMAILADDRESS", "1.2.840.113549.1.9.1"),
];

impl Subject {
    /// Of parts in the order of the certificate, which is the reverse of the text's; each is of
    /// one or more attributes: object identifier and value.
    pub fn of<P, A>(parts: P) -> Subject
    where
        P: IntoIterator<Item = A>,
        P::IntoIter: DoubleEndedIterator,
        A: IntoIterator<Item = (String, String)>,
    {
        let attribute = |(kind, value): (String, String)| (short(&kind), value);
        let part = |part: A| sorted(part.into_iter().map(attribute).collect());
        Subject(parts.into_iter().rev().map(part).collect())
    }

    /// Reads the text of one.
    ///
    /// # Errors
    /// [`SubjectFault`].
    pub fn read(text: &str) -> Result<Subject, SubjectFault> {
        let part = |part: &str| {
            let attributes = split(part, '+').into_iter().map(attribute);
            Ok(sorted(attributes.collect::<Result<_, _>>()?))
        };
        split(text, ',').into_iter().map(part).collect::<Result<_, _>>().map(Subject)
    }

    /// Whether a certificate's subject is this one; one that is a common name alone is that of any
    /// subject with this common name.
    #[must_use]
    pub fn names(&self, subject: &Subject) -> bool {
        if self == subject {
            return true;
        }
        match self.0.as_slice() {
            [part] => match part.as_slice() {
                [only] => only.0 == "CN" && subject.0.iter().flatten().any(|it| it == only),
                _ => false,
            },
            _ => false,
        }
    }
}

fn sorted(mut attributes: Vec<Attribute>) -> Vec<Attribute> {
    attributes.sort_unstable();
    attributes
}

fn short(kind: &str) -> String {
    let known = TYPES.iter().find(|(_, identifier)| *identifier == kind);
    known.map_or(kind, |(name, _)| name).to_owned()
}

/// Splits where the sign has no backslash before it.
fn split(text: &str, sign: char) -> Vec<&str> {
    let (mut parts, mut start, mut escaped) = (Vec::new(), 0, false);
    for (at, character) in text.char_indices() {
        if character == sign && !escaped {
            parts.push(&text[start..at]);
            start = at + sign.len_utf8();
        }
        escaped = character == '\\' && !escaped;
    }
    parts.push(&text[start..]);
    parts
}

fn attribute(text: &str) -> Result<Attribute, SubjectFault> {
    let fault = || SubjectFault::Attribute(text.trim().to_owned());
    let (kind, value) = text.split_once('=').ok_or_else(fault)?;
    let (kind, value) = (kind.trim().to_ascii_uppercase(), unescaped(value)?);
    if kind.is_empty() || value.is_empty() {
        return Err(fault());
    }
    let kind = kind.strip_prefix("OID.").unwrap_or(&kind);
    Ok((short(kind), value))
}

/// Takes backslashes off, and the spaces around that have none.
fn unescaped(text: &str) -> Result<String, SubjectFault> {
    let mut bytes = Vec::with_capacity(text.len());
    // The length up to which spaces at the end were written on purpose.
    let mut kept = 0;
    let mut rest = text.trim_start_matches(' ').as_bytes();
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'\\', [high, low, tail @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                let byte = hex::decode([*high, *low]).map_err(|_| SubjectFault::Escape)?;
                bytes.extend(byte);
                kept = bytes.len();
                tail
            }
            (b'\\', [sign, tail @ ..]) if sign.is_ascii_punctuation() || *sign == b' ' => {
                bytes.push(*sign);
                kept = bytes.len();
                tail
            }
            (b'\\', _) => return Err(SubjectFault::Escape),
            (b' ', tail) => {
                bytes.push(b' ');
                tail
            }
            (byte, tail) => {
                bytes.push(*byte);
                kept = bytes.len();
                tail
            }
        };
    }
    bytes.truncate(kept);
    String::from_utf8(bytes).map_err(|_| SubjectFault::Escape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Subject {
        Subject::read(text).expect("a name")
    }

    fn of(parts: &[(&str, &str)]) -> Subject {
        Subject::of(parts.iter().map(|(kind, value)| [((*kind).to_owned(), (*value).to_owned())]))
    }

    #[test]
    fn a_text_is_the_reverse_of_the_certificate() {
        let made = of(&[("2.5.4.6", "CN"), ("2.5.4.10", "Carrier, Ltd."), ("2.5.4.3", "gateway")]);
        assert_eq!(read(r"CN=gateway,O=Carrier\, Ltd.,C=CN"), made);
        assert_eq!(read(r"cn = gateway , O=Carrier\2C Ltd., oid.2.5.4.6=CN"), made);
        assert_ne!(read(r"C=CN,O=Carrier\, Ltd.,CN=gateway"), made);
        assert_eq!(read(r"O=\E8\81\94\E9\80\9A"), read("O=联通"));
        assert_eq!(read("CN=a+OU=b"), read("OU=b + CN=a"));
        assert_eq!(read(r"CN=a\ "), of(&[("2.5.4.3", "a ")]));
    }

    #[test]
    fn a_common_name_alone_names_every_subject_that_has_it() {
        let full = of(&[("2.5.4.6", "CN"), ("2.5.4.3", "gateway.carrier.example")]);
        assert!(read("CN=gateway.carrier.example").names(&full));
        assert!(read("CN=gateway.carrier.example,C=CN").names(&full));
        assert!(!read("CN=gateway.carrier.example,C=US").names(&full));
        assert!(!read("CN=carrier.example").names(&full));
        assert!(!read("C=CN").names(&full));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "gateway", "CN=", "=x", "CN=a,,C=CN", r"CN=a\", r"CN=\zz", r"CN=\FF"] {
            assert!(Subject::read(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,40}") {
            drop(Subject::read(&text));
        }

        #[test]
        fn any_value_can_be_written_with_escapes(value in "[^\0]{1,20}") {
            let escaped: String = value.bytes().map(|byte| format!("\\{byte:02x}")).collect();
            prop_assert_eq!(read(&format!("CN={escaped}")), of(&[("2.5.4.3", &value)]));
        }
    }
}
