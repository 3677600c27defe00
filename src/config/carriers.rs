//! The built-in carriers: the dialects of `config/carriers/`, compiled in.

use super::dialect::{self, Dialect};
use super::raw::Document;
use super::{Environment, Problems};
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// A dialect's file.
struct File {
    /// The carrier's key.
    key: &'static str,
    /// The file's name, as problems show it.
    name: &'static str,
    /// What it says.
    text: &'static str,
}

macro_rules! files {
    ($($key:literal),* $(,)?) => {
        &[$(File {
            key: $key,
            name: concat!("config/carriers/", $key, ".toml"),
            text: include_str!(concat!("../../config/carriers/", $key, ".toml")),
        }),*]
    };
}

/// In alphabetical order. A new carrier is a line here.
const FILES: &[File] = files![
    "aliyun-sms",
    "aliyun-vms",
    "asterisk-ari",
    "chuanglan",
    "cloopen",
    "cmcc-mas",
    "easycloud",
    "entinfo",
    "freeswitch",
    "huawei-iotcom",
    "huawei-sms",
    "huawei-voicecall",
    "jasmin",
    "kannel",
    "montnets",
    "netease",
    "plivo",
    "sinch",
    "submail",
    "telnyx",
    "tencent-sms",
    "tencent-vms",
    "twilio",
    "voicexml",
    "vonage",
    "yunpian",
    "zhichi",
];

#[expect(clippy::expect_used, reason = "a test parses every file, and all are compiled in")]
static DOCUMENTS: LazyLock<Vec<(&'static str, Document<'static>)>> = LazyLock::new(|| {
    let parsed = |file: &File| Document::parse(file.name, file.text).expect("it is TOML");
    FILES.iter().map(|file| (file.key, parsed(file))).collect()
});

/// The carriers in alphabetical order: key, and the text of the dialect's file.
pub fn built_in() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().map(|file| (file.key, file.text))
}

/// The dialect of a built-in carrier, as it is without an account's own keys; `None` for a key
/// that no carrier has.
#[must_use]
pub fn load_built_in(key: &str) -> Option<Arc<Dialect>> {
    check_built_in(key)?.ok()
}

/// The same, or what is wrong with its file.
fn check_built_in(key: &str) -> Option<Result<Arc<Dialect>, Problems>> {
    let document = document(key)?;
    let environment = Environment::given(Path::new(""), &[]);
    Some(dialect::read_alone(key, document, &environment))
}

/// The file of a carrier.
pub(super) fn document(key: &str) -> Option<&'static Document<'static>> {
    DOCUMENTS.iter().find(|(known, _)| *known == key).map(|(_, document)| document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_dialect_is_right_and_says_where_it_is_documented() {
        for (key, _) in built_in() {
            let dialect = check_built_in(key).expect("it is there");
            let dialect = dialect.unwrap_or_else(|problems| panic!("{problems}"));
            assert_eq!(dialect.carrier, key);
            assert!(!dialect.reference.is_empty() && !dialect.patience.is_empty(), "{key}");
            assert_ne!(dialect.title, key, "{key}: a title for people");
        }
        assert_eq!(load_built_in("generic"), None);
    }

    #[test]
    fn the_list_is_the_folder() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/carriers");
        let entries = std::fs::read_dir(folder).expect("the folder");
        let mut files: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
            .collect();
        files.sort();
        let listed: Vec<String> = built_in().map(|(key, _)| format!("{key}.toml")).collect();
        assert_eq!(listed, files, "a line for each file, in alphabetical order");
    }
}
