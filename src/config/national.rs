//! From the file as written to the checked types: the `national` profile of a destination
//! (`docs/national.md`). What nobody has published for the province has no default.

use super::problem::{Fault, one_of};
use super::raw::{At, Section};
use super::values::{text, wrong_kind};
use crate::model::{Channel, OptionCode, RecordKind, Secret, Selection};
use crate::sm2::{self, EncryptionKey, KeyError, Layout, SignatureForm, SigningKey};
use http::uri::PathAndQuery;
use std::collections::BTreeMap;

/// The province's interface of the national field family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct National {
    /// Where ratings are posted, below the destination's URL.
    pub path: PathAndQuery,
    /// The name under which the province knows us (应用标识).
    pub app_mark: String,
    /// The word agreed with it (应用密钥), which is never sent as it is.
    pub app_word: Secret,
    /// What is made of time, mark and word.
    pub sign: Sign,
    /// How records are encrypted.
    pub sealing: Sealing,
    /// What one ciphertext holds.
    pub entry: Entry,
    /// The origin of the data (`dataSource`).
    pub data_source: String,
    /// The channel code (`pf`) of texts.
    pub pf_sms: u8,
    /// The channel code of keys in a call; always there where the lane takes any.
    pub pf_ivr: Option<u8>,
    /// What is put in front of the case number.
    pub project_no_prefix: String,
    /// The reasons that stand in where the citizen gave none.
    pub eval_detail: Vec<OptionCode>,
    /// The most characters of a comment.
    pub max_comment: usize,
    /// The fields that a record must have.
    pub required: Vec<Field>,
    /// The fields that are never sent.
    pub leave_out: Vec<Field>,
    /// Fields with the same value in every record that has none of its own.
    pub constants: BTreeMap<String, String>,
    /// Texts by which it says that it has the rating already.
    pub duplicates: Vec<String>,
    /// Texts by which it refuses a rating for good.
    pub permanent: Vec<String>,
}

/// What `sign` is: nobody has published which of the two the province takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sign {
    /// Time, mark and word, encrypted like the records.
    Encrypted,
    /// A signature over them.
    Signed {
        /// Our key; `None` where its secret is not set, as it may be where nothing is served.
        key: Option<SigningKey>,
        /// How the signature is written.
        form: SignatureForm,
    },
}

/// How a ciphertext is made and written; a signature is written in the same encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealing {
    /// The province's key.
    pub key: EncryptionKey,
    /// The order of its parts.
    pub layout: Layout,
    /// How it is written as text.
    pub encoding: sm2::Encoding,
}

/// What one ciphertext holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// A JSON array of one record.
    List,
    /// The record alone.
    Record,
}

macro_rules! fields {
    ($($(#[$doc:meta])* $field:ident = $name:literal,)*) => {
        /// A field that can be made from a record.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Field { $($(#[$doc])* $field,)* }

        impl Field {
            /// All of them, by the names of the national interface.
            pub const NAMES: &[(&str, Field)] = &[$(($name, Field::$field),)*];

            /// Its name in the national interface.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Field::$field => $name,)* }
            }
        }
    };
}

fields! {
    /// The area, 12 digits.
    AreaCode = "areaCode",
    /// Which rating of the matter: 1 or 2.
    AssessNumber = "assessNumber",
    /// When the citizen rated.
    AssessTime = "assessTime",
    /// The department's unified social credit code.
    DeptCode = "deptCode",
    /// Option codes, by commas.
    EvalDetail = "evalDetail",
    /// The citizen's telephone.
    Mobile = "mobile",
    /// The channel.
    Pf = "pf",
    /// The department's name.
    ProDepart = "proDepart",
    /// The officer.
    ProManager = "proManager",
    /// The case number.
    ProjectNo = "projectNo",
    /// The level.
    Satisfaction = "satisfaction",
    /// Which step of the service.
    ServiceNumber = "serviceNumber",
    /// The matter's code.
    TaskCode = "taskCode",
    /// The handling item's code.
    TaskHandleItem = "taskHandleItem",
    /// The matter's name.
    TaskName = "taskName",
    /// The citizen's words.
    WritingEvaluation = "writingEvaluation",
}

/// What the services of this family are known to require.
const REQUIRED: [Field; 4] =
    [Field::ProjectNo, Field::Pf, Field::Satisfaction, Field::AssessNumber];

/// By these a repeat is told from another rating.
const KEY: [Field; 3] = [Field::ProjectNo, Field::Satisfaction, Field::AssessNumber];

/// The texts that are known to mean: it is there already.
const DUPLICATES: [&str; 2] = ["评价数据不可重复", "已存在评价"];

/// The texts that are known to refuse for good: no such service record, and a bad rating without a
/// reason.
const PERMANENT: [&str; 2] = ["没有对应的服务数据", "差评必须勾选详情或填写文字评价"];

/// The channel code of text messages.
const PF_SMS: u8 = 6;

/// The size of the box for words on one rating page of this family.
const MAX_COMMENT: usize = 150;

/// Reads `[destination.national]`; `only` is what the destination is sent.
pub(super) fn national(section: &mut Section<'_>, only: &Selection) -> Option<National> {
    demand(section);
    let pf_ivr = pf(section, "pf_ivr");
    suits(section, only, pf_ivr);
    let path = section.text("path", EXAMPLE_PATH, |text| {
        let path = text.parse::<PathAndQuery>().ok().filter(|_| text.starts_with('/'));
        path.ok_or_else(|| Fault::new("is not a path", format!("write path = {EXAMPLE_PATH}")))
    });
    let app_mark = section.text("app_mark", "\"8890\"", filled);
    let app_word = secret(section, "app_word", "the word agreed with the province");
    let sealing = sealing(section);
    let sign = sign(section);
    let data_source = section.text("data_source", "\"121\"", filled);
    let required = named(section, "required").unwrap_or_else(|| REQUIRED.to_vec());
    let leave_out = named(section, "leave_out").unwrap_or_default();
    apart(section, &required, &leave_out);
    let constants = constants(section);
    let max_comment = section.count("max_comment", 1..=10_000).map(|most| most.value);
    let prefix = section.text("project_no_prefix", "\"37\"", filled);
    Some(National {
        app_word,
        pf_sms: pf(section, "pf_sms").unwrap_or(PF_SMS),
        pf_ivr,
        project_no_prefix: prefix.map(|prefix| prefix.value).unwrap_or_default(),
        entry: section.text("entry", "\"list\"", entry).map_or(Entry::List, |entry| entry.value),
        eval_detail: options(section),
        max_comment: max_comment.unwrap_or(MAX_COMMENT),
        duplicates: texts(section, "duplicates", &DUPLICATES),
        permanent: texts(section, "permanent", &PERMANENT),
        required,
        leave_out,
        constants,
        path: path?.value,
        app_mark: app_mark?.value,
        sealing: sealing?,
        sign: sign?,
        data_source: data_source?.value,
    })
}

/// Notes where the lane is sent what this profile cannot write.
fn suits(section: &Section<'_>, only: &Selection, pf_ivr: Option<u8>) {
    if !section.is_written() {
        return;
    }
    if only.kinds != [RecordKind::Rating] {
        let fault = Fault::new(
            "would be sent complaints and what was not rated, for which the interface has no fields",
            "write only = { kinds = [\"rating\"] } beside profile = \"national\"",
        );
        section.reject(&section.here(), fault);
    }
    let takes_keys = only.channels.is_empty() || only.channels.contains(&Channel::Ivr);
    if takes_keys && pf_ivr.is_none() {
        let fault = Fault::new(
            "would be sent ratings by telephone keys, for which no channel code (`pf`) is published",
            "ask the province and write pf_ivr, or channels = [\"sms\"] in `only`",
        );
        section.reject(&section.here(), fault);
    }
}

const EXAMPLE_PATH: &str = "\"/evaluate/submit\"";

const EXAMPLE_KEY: &str = "\"04…\"";

/// Notes what is missing of that which nobody can guess.
fn demand(section: &Section<'_>) {
    for (key, right) in [
        ("path", "write what follows `url`, path = \"/evaluate/submit\""),
        (
            "app_mark",
            "write app_mark = \"…\", the name (应用标识) that the province gave the gateway",
        ),
        ("sign", SIGN),
        ("public_key", "write public_key = \"04…\", the province's SM2 key as hex or PEM"),
        (
            "data_source",
            "ask the province and write data_source = \"…\"; by what other provinces use it may be \
             \"121\"",
        ),
    ] {
        section.demand(key, right);
    }
}

const SIGN: &str = "ask the province and write sign = \"encrypted\" if it wants time, mark and word \
                    encrypted, as Shandong does, or \"signed\" if it wants a signature over them";

fn filled(text: &str) -> Result<String, Fault> {
    match text {
        "" => Err(Fault::new("is empty", "write a text, or leave the key out")),
        text => Ok(text.to_owned()),
    }
}

/// A secret that only a gateway that serves needs.
fn secret(section: &mut Section<'_>, key: &'static str, what: &str) -> Secret {
    let unset = Secret::new(Vec::new());
    let Some(reference) = section.reference(key) else {
        if !section.has(key) {
            let right = format!("write {key} = \"env:NAME\", and keep there {what}");
            let here = section.here();
            section.leave_open(&here, Fault::new(format!("`{key}` is missing"), right));
        }
        return unset;
    };
    section.secret(&reference).unwrap_or_else(|fault| {
        section.leave_open(&reference, fault);
        unset
    })
}

fn sealing(section: &mut Section<'_>) -> Option<Sealing> {
    let key = section.text("public_key", EXAMPLE_KEY, |text| {
        EncryptionKey::read(text).map_err(|error| bad_key(error, EXAMPLE_KEY))
    });
    let prefix = section.flag("point_prefix").is_none_or(|prefix| prefix.value);
    let layout = section.text("ciphertext", "\"c1c3c2\"", |it| {
        let layouts = [
            ("c1c3c2", Layout::C1C3C2 { prefix }),
            ("c1c2c3", Layout::C1C2C3 { prefix }),
            ("der", Layout::Der),
        ];
        one_of(it, "an order", &layouts)
    });
    let encoding = section.text("encoding", "\"hex\"", |it| {
        let encodings = [("hex", sm2::Encoding::Hex), ("base64", sm2::Encoding::Base64)];
        one_of(it, "an encoding", &encodings)
    });
    Some(Sealing {
        key: key?.value,
        layout: layout.map_or(Layout::C1C3C2 { prefix }, |layout| layout.value),
        encoding: encoding.map_or(sm2::Encoding::Hex, |encoding| encoding.value),
    })
}

fn sign(section: &mut Section<'_>) -> Option<Sign> {
    let is_signed = section.text("sign", "\"encrypted\"", |it| {
        one_of(it, "a kind of sign", &[("encrypted", false), ("signed", true)])
    })?;
    if !is_signed.value {
        for key in ["private_key", "signer_id", "signature"] {
            section.refuse(key, || {
                Fault::new(
                    "has no use, since nothing is signed",
                    "remove it, or write sign = \"signed\"",
                )
            });
        }
        return Some(Sign::Encrypted);
    }
    let id = section.text("signer_id", "\"1234567812345678\"", filled);
    let id = id.map_or_else(|| sm2::DEFAULT_ID.to_owned(), |id| id.value);
    let form = section.text("signature", "\"der\"", |it| {
        one_of(it, "a form", &[("der", SignatureForm::Der), ("raw", SignatureForm::Raw)])
    });
    let key = signing_key(section, &id);
    Some(Sign::Signed { key, form: form.map_or(SignatureForm::Der, |form| form.value) })
}

fn signing_key(section: &mut Section<'_>, id: &str) -> Option<SigningKey> {
    let secret = secret(section, "private_key", "the gateway's SM2 key, 64 hex digits or PEM");
    if secret.reveal().is_empty() {
        return None;
    }
    let place = section.reference("private_key")?;
    let key = SigningKey::read(&secret, id);
    key.map_err(|error| section.reject(&place, bad_key(error, "env:NAME"))).ok()
}

fn bad_key(error: KeyError, example: &str) -> Fault {
    let told = error.to_string();
    match told.split_once("; ") {
        Some((wrong, right)) => Fault::new(wrong, right),
        None => Fault::new(told, format!("write {example}")),
    }
}

fn entry(text: &str) -> Result<Entry, Fault> {
    one_of(text, "an entry", &[("list", Entry::List), ("record", Entry::Record)])
}

fn pf(section: &mut Section<'_>, key: &'static str) -> Option<u8> {
    section.count(key, 0..=u8::MAX).map(|code| code.value)
}

/// Fields by their names.
fn named(section: &mut Section<'_>, key: &'static str) -> Option<Vec<Field>> {
    let list = section.list(key, "[\"projectNo\"]", |item| {
        one_of(text(item, "\"projectNo\"")?, "a field", Field::NAMES)
    })?;
    let fields: Vec<Field> = list.value.iter().map(|field| field.value).collect();
    let needed = KEY.iter().find(|field| fields.contains(field) == (key == "leave_out"));
    if let Some(field) = needed {
        let wrong = format!(
            "{key} {} {}, by which the province tells a repeat from another rating",
            if key == "leave_out" { "names" } else { "lacks" },
            field.name()
        );
        let right = if key == "leave_out" { "remove it" } else { "add it" };
        section.reject(&list, Fault::new(wrong, right));
    }
    Some(fields)
}

/// Notes a field that must be there and is never sent.
fn apart(section: &Section<'_>, required: &[Field], leave_out: &[Field]) {
    if let Some(field) = leave_out.iter().find(|field| required.contains(field)) {
        let wrong = format!("requires {0} and leaves {0} out", field.name());
        let fault = Fault::new(wrong, "take it from `required` or from `leave_out`");
        section.reject(&section.here(), fault);
    }
}

/// Reasons that stand in; the first digit of each names its level.
fn options(section: &mut Section<'_>) -> Vec<OptionCode> {
    const EXAMPLE: &str = "[\"517\", \"413\", \"314\", \"214\", \"115\"]";
    let codes = section.list("eval_detail", EXAMPLE, |item| {
        let code = text(item, "\"115\"")?;
        OptionCode::read(code).ok_or_else(|| {
            let right = format!("write three digits of which the first is the level, {EXAMPLE}");
            Fault::new(format!("{code:?} is no option code"), right)
        })
    });
    codes.map_or_else(Vec::new, |codes| codes.value.into_iter().map(|code| code.value).collect())
}

/// Fields that are the same in every record.
fn constants(section: &mut Section<'_>) -> BTreeMap<String, String> {
    const EXAMPLE: &str = "{ deptCode = \"…\", userProp = \"1\" }";
    /// Their values are of the one rating, or have keys of their own.
    const OWN: [&str; 9] = [
        "assessNumber",
        "assessTime",
        "dataSource",
        "evalDetail",
        "mobile",
        "pf",
        "projectNo",
        "satisfaction",
        "writingEvaluation",
    ];
    let Some(node) = section.node("constants") else { return BTreeMap::new() };
    let Some(entries) = node.entries() else {
        node.reject(wrong_kind(node.value, "a table", EXAMPLE));
        return BTreeMap::new();
    };
    let mut constants = BTreeMap::new();
    for (name, value) in entries {
        if OWN.contains(&name) {
            let wrong = "is a field of the one rating, which cannot be the same in all";
            value.reject(Fault::new(wrong, "remove it; docs/national.md says where it comes from"));
            continue;
        }
        match text(value.value, "\"1\"").and_then(filled) {
            Ok(text) => drop(constants.insert(name.to_owned(), text)),
            Err(fault) => value.reject(fault),
        }
    }
    constants
}

/// The known texts and the configured ones.
fn texts(section: &mut Section<'_>, key: &'static str, known: &[&str]) -> Vec<String> {
    let more: Option<At<Vec<At<String>>>> =
        section.list(key, "[\"重复\"]", |item| filled(text(item, "\"重复\"")?));
    let known = known.iter().map(|text| (*text).to_owned());
    known.chain(more.into_iter().flat_map(|more| more.value).map(|text| text.value)).collect()
}

#[cfg(test)]
mod tests;
