//! The areas that an area code may name: `config/areas/liaoning.toml`, compiled in.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What a code of 12 digits has behind the six of GB/T 2260.
const PADDING: &str = "000000";

/// The areas of a province, by their codes of six digits.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Areas {
    areas: BTreeMap<String, String>,
    non_standard: BTreeMap<String, String>,
}

#[expect(clippy::expect_used, reason = "a test parses the file, which is compiled in")]
static LIAONING: LazyLock<Areas> = LazyLock::new(|| {
    toml::from_str(include_str!("../../config/areas/liaoning.toml")).expect("it is right")
});

impl Areas {
    /// Those of Liaoning.
    #[must_use]
    pub fn liaoning() -> &'static Areas {
        &LIAONING
    }

    /// Whether a code, of six digits or of twelve that end in zeros, names one of them or a
    /// district of one.
    #[must_use]
    pub fn know(&self, code: &str) -> bool {
        let six = match code.len() {
            12 => code.strip_suffix(PADDING),
            _ => Some(code),
        };
        let digits = |code: &&str| code.len() == 6 && code.bytes().all(|it| it.is_ascii_digit());
        six.filter(digits).is_some_and(|six| self.name(six).is_some() || self.city(six).is_some())
    }

    /// The name of an area that stands in the file.
    #[must_use]
    pub fn name(&self, six: &str) -> Option<&str> {
        self.areas.get(six).or_else(|| self.non_standard.get(six)).map(String::as_str)
    }

    /// The city to which a district belongs. A province has none of its own.
    fn city(&self, six: &str) -> Option<&str> {
        let prefix = six.get(..4).filter(|prefix| !prefix.ends_with("00"))?;
        self.name(&format!("{prefix}00"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_holds_the_province_its_cities_and_the_new_district() {
        let areas = Areas::liaoning();
        assert_eq!((areas.areas.len(), areas.non_standard.len()), (15, 1));
        assert_eq!(areas.name("210100"), Some("沈阳市"));
        assert_eq!(areas.name("211500"), Some("沈抚新区"));
    }

    #[test]
    fn a_code_is_a_province_a_city_or_a_district_in_six_digits_or_twelve() {
        let areas = Areas::liaoning();
        for good in ["210000", "210100", "210106", "211481", "210106000000", "211500", "211502"] {
            assert!(areas.know(good), "{good}");
        }
        for bad in [
            "",
            "21",
            "2101",
            "210001",
            "211600",
            "110000",
            "110101",
            "210106000001",
            "2101060000",
            "21010a",
            "２１０１００",
            "210100 ",
            "-10100",
            "000000",
            "210000000001",
        ] {
            assert!(!areas.know(bad), "{bad}");
        }
    }
}
