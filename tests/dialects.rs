//! Dialects as written: bad ones are told what is wrong where, and the examples of the reference
//! page are right.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use bridge8890::config::dialect::{
    Charset, Check, Decode, Decoding, DedupePart, Dialect, Format, Origin, RuleKind, SecretUse,
    Source, Step, Trust,
};
use bridge8890::config::load_built_in;
use bridge8890::config::{self, Config, Environment, Problem, Problems};
use bridge8890::model::CallStatus;
use http::{Method, StatusCode};
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn parse(text: &str) -> Result<Config, Problems> {
    let variables = [
        ("KEY", "a secret"),
        ("PUBLIC", "0kOb+Q50mToOOBSNePM3ocoK0wF3tzkyNfZuYeobvFE="),
        ("BRIDGE8890_EXAMPLE_KEY", "test-secret"),
    ];
    config::parse(text, "gateway.toml", &Environment::given(Path::new(""), &variables))
}

/// The file of one generic account with this dialect and, if its `auth` wants one, a secret. What
/// every dialect needs is added where it is missing.
fn account(dialect: &str) -> String {
    let formats = if dialect.contains("formats") { "" } else { "formats = [\"json\"]" };
    let events = if dialect.contains("events") { "" } else { EVENTS };
    around("generic", dialect.contains("scheme"), &format!("{formats}\n{events}\n{dialect}"))
}

/// The file of one account of a carrier with this dialect over it.
fn around(carrier: &str, signed: bool, dialect: &str) -> String {
    let secrets = if signed { "secrets = [\"env:KEY\"]" } else { "" };
    let below = |line: &str| match (line.strip_prefix("[["), line.strip_prefix('[')) {
        (Some(rest), _) => format!("[[accounts.a.dialect.{rest}\n"),
        (_, Some(rest)) => format!("[accounts.a.dialect.{rest}\n"),
        _ => format!("{line}\n"),
    };
    let dialect: String = dialect.lines().map(below).collect();
    format!("[accounts.a]\ncarrier = \"{carrier}\"\n{secrets}\n[accounts.a.dialect]\n{dialect}")
}

const EVENTS: &str =
    r#"events = [{ kind = "sms_reply", id = "id", caller = "from", text = "text" }]"#;

fn dialect(text: &str) -> Arc<Dialect> {
    let config = parse(&account(text)).unwrap_or_else(|problems| panic!("{text}\n{problems}"));
    assert!(config.warnings.is_empty(), "{}", config.warnings);
    Arc::clone(&config.accounts.values().next().expect("the account").dialect)
}

fn problems(file: &str) -> Vec<Problem> {
    match parse(file) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().cloned().collect(),
    }
}

/// The line of the file that ends with `# !`; 1, the account's, if none does.
fn marked(file: &str) -> usize {
    1 + file.lines().position(|line| line.ends_with("# !")).unwrap_or_default()
}

/// A bad dialect, its bad line marked with `# !`, and parts of what is said about it.
const BAD: &[(&str, &[&str])] = &[
    // Keys and shapes.
    ("charst = \"gbk\" # !", &["a.dialect.charst: there is no such key", "did you mean `charset`"]),
    ("formats = [] # !", &["dialect.formats: is empty", "[\"json\"]"]),
    ("formats = [\"jsn\"] # !", &["\"jsn\" is not a format", "did you mean \"json\""]),
    ("formats = { json = true } # !", &["dialect.formats: is a table, not a text in quotes"]),
    ("charset = \"gb-2312\" # !", &["\"gb-2312\" is not a charset", "did you mean \"gb2312\""]),
    ("charset = \"ebcdic\" # !", &["\"ebcdic\" is not a charset", "write one of `utf-8`"]),
    ("transport = \"smtp\" # !", &["\"smtp\" is not a transport", "`http`, `websocket`"]),
    ("max_items = 0 # !", &["0 is out of bounds"]),
    ("max_body = \"1 GiB\" # !", &["out of bounds", "\"64 MiB\""]),
    ("methods = [\"PSOT\"] # !", &["\"PSOT\" is not a method", "did you mean \"POST\""]),
    ("methods = [\"GET\"] # !", &["GET has its fields in the query", "add \"query\""]),
    ("auth = \"nobody\" # !", &["is a text, not a table", "auth = \"none\""]),
    ("auth = [] # !", &["dialect.auth: is empty"]),
    ("events = [] # !", &["dialect.events: is empty", "[[events]]"]),
    ("events = \"none\" # !", &["is a text, not an array of tables"]),
    ("events = [\n3] # !", &["dialect.events[0]: is a number, not a table"]),
    ("[answers.acepted] # !", &["dialect.answers.acepted", "did you mean `accepted`"]),
    // Routes.
    ("[routes] # !", &["dialect.routes: has no route", "[routes.NAME]"]),
    ("[routes.\"/up\"] # !", &["\"/up\" cannot follow the account in a URL", "none in front"]),
    ("[routes.\"a//b\"] # !", &["\"a//b\" cannot follow the account"]),
    ("[routes.\"a b\"] # !", &["\"a b\" cannot follow the account"]),
    ("[routes.up]\ntitle = \"x\" # !", &["dialect.routes.up.title: there is no such key"]),
    ("[routes.up]\nmethod = [\"GET\"] # !", &["routes.up.method:", "did you mean `methods`"]),
    // Places and templates.
    (
        "[[events]]\nkind = \"sms_reply\"\nid = \"qery:id\" # !\ncaller = \"a\"\ntext = \"b\"",
        &["a.dialect.events[0].id: there is no place `qery:`", "did you mean \"query:id\""],
    ),
    (
        "[[events]]\nkind = \"sms_reply\"\nid = \"cookie:id\" # !\ncaller = \"a\"\ntext = \"b\"",
        &["there is no place `cookie:`", "written 'cookie\\:id'"],
    ),
    (
        "[[events]]\nkind = \"sms_reply\"\nid = \"\" # !\ncaller = \"a\"\ntext = \"b\"",
        &["events[0].id: is empty; name a field"],
    ),
    (
        "[[events]]\nkind = \"sms_reply\"\nid = \"a..b\" # !\ncaller = \"a\"\ntext = \"b\"",
        &["has an empty step", "`\\.` for a dot"],
    ),
    (
        "[[events]]\nkind = \"sms_reply\"\nid = \"form:id\" # !\ncaller = \"a\"\ntext = \"b\"",
        &["`form:id` is a form's field, and the formats are `json`", "add \"form\""],
    ),
    (
        "formats = [\"text\"]\n[[events]]\nkind = \"sms_reply\"\nid = \"header:X-Id\"\n\
         caller = \"header:X-From\"\ntext = \"content\" # !",
        &["`content` is a field, and a text has none", "write \"body:\""],
    ),
    (
        "[answers.accepted]\nbody = \"${id|md6}\" # !",
        &["\"md6\" is not a filter", "did you mean \"md5\""],
    ),
    ("[answers.accepted]\nbody = \"${id\" # !", &["`${` at character 0 is never closed"]),
    ("[answers.accepted]\nbody = \"${id|md5}\" # !", &["is bytes, not text", "`|hex`"]),
    ("[answers.accepted]\nbody = \"${secret}\" # !", &["would be told to others", "${/secret}"]),
    ("[answers.accepted]\nbody = \"${name}\" # !", &["`pair` only", "write ${/name} for a field"]),
    ("[answers.busy]\nbody = \"${sorted}\" # !", &["means something in `over` only"]),
    // Fields.
    (
        "[[events]]\nkind = \"opt_out\"\nid = \"id\"\ncaller = {} # !",
        &["says not where the value comes from", "write `from`"],
    ),
    (
        "[[events]]\nkind = \"opt_out\"\nid = \"id\"\ncaller = { from = \"a\", value = \"b\" } # !",
        &["caller: has from and value", "keep one"],
    ),
    (
        "[[events]]\nkind = \"opt_out\"\nid = \"id\"\ncaller = { form = \"a\", from = \"a\" } # !",
        &["events[0].caller.form: there is no such key", "did you mean `from`"],
    ),
    (
        "[[events]]\nkind = \"opt_out\"\nid = \"id\"\ncaller = 3 # !",
        &["is a number, not the place"],
    ),
    (
        "[[events]]\nkind = \"opt_out\"\nid = \"id\"\ncaller = { from = \"a\", decode = \"bas64\" } # !",
        &["\"bas64\" is not a step or a charset", "did you mean \"base64\""],
    ),
    (
        "[[events]]\nkind = \"opt_out\"\nid = \"id\"\ncaller = { from = \"a\", decode = \"gbk hex\" } # !",
        &["`gbk` is a charset and does not come last"],
    ),
    (
        "[[events]]\nkind = \"opt_out\"\nid = \"id\"\ncaller = { from = \"a\", decode = { 8 = \"hex\" } } # !",
        &["holds decodings by a code", "`decode_by`"],
    ),
    (
        "[[events]]\nkind = \"opt_out\"\nid = \"id\"\ncaller = { from = \"a\", decode_by = \"c\" } # !",
        &["`decode` is missing"],
    ),
    (
        "[[events]]\nkind = \"opt_out\"\nid = \"id\"\n\
         caller = { from = \"a\", decode_by = \"c\", decode = \"hex\" } # !",
        &["is a text, not a table by code"],
    ),
    (
        "[[events]]\nkind = \"opt_out\"\nid = \"id\"\n\
         caller = { from = \"a\", decode_by = \"c\", charset_from = \"d\", decode = { 1 = \"hex\" } } # !",
        &["keep one of `decode_by` and `charset_from`"],
    ),
    (
        "[[events]]\nkind = \"opt_out\"\nid = \"id\"\n\
         caller = { from = \"a\", charset_from = \"d\", decode = \"gbk\" } # !",
        &["\"gbk\" is not a step", "`percent`, `hex`, `base64`"],
    ),
    (
        "[[events]]\nkind = \"opt_out\"\nid = \"id\"\ncaller = { value = \"a\", decode = \"hex\" } # !",
        &["has nothing to decode"],
    ),
    (
        "[[events]]\nkind = \"opt_out\"\nid = \"id\"\ncaller = { from = \"a\", map = { 1 = 2 } } # !",
        &["caller.map.1: is a number, not a text in quotes"],
    ),
    // Times.
    (
        "[[events]]\nkind = \"opt_out\"\nid = \"id\"\ncaller = \"a\"\ntime = { from = \"t\", form = \"epoch_m\" } # !",
        &["\"epoch_m\" is not a form of times", "did you mean \"epoch", "or a pattern"],
    ),
    (
        "[[events]]\nkind = \"opt_out\"\nid = \"id\"\ncaller = \"a\"\ntime = { from = \"t\", form = \"%Y%M%d\" } # !",
        &["\"%Y%M%d\" does not make a time"],
    ),
    (
        "[[events]]\nkind = \"opt_out\"\nid = \"id\"\ncaller = \"a\"\ntime = { from = \"t\", form = \"%Y-%m-%d\" } # !",
        &["\"%Y-%m-%d\" has no hour"],
    ),
    (
        "[[events]]\nkind = \"opt_out\"\nid = \"id\"\ncaller = \"a\"\ntime = { from = \"t\", form = \"%Y %!\" } # !",
        &["\"%Y %!\" is not a pattern"],
    ),
    (
        "[[events]]\nkind = \"opt_out\"\nid = \"id\"\ncaller = \"a\"\ntime = { from = \"t\", zone = \"CST\" } # !",
        &["time.zone: \"CST\" is not an offset from UTC"],
    ),
    (
        "[[events]]\nkind = \"opt_out\"\nid = \"id\"\ncaller = \"a\"\n\
         time = { from = \"t\", form = \"epoch\", zone = \"+08:00\" } # !",
        &["is not needed: this form tells the moment"],
    ),
    // Events.
    ("[[events]] # !\nid = \"id\"", &["events[0]: `kind` is missing", "sms_reply"]),
    (
        "[[events]]\nkind = \"sms_repl\" # !\nid = \"id\"\ntext = \"t\"",
        &["\"sms_repl\" is not a kind of event", "did you mean \"sms_reply\""],
    ),
    ("[[events]] # !\nkind = \"sms_reply\"\nid = \"a\"", &["`text` is missing", "\"content\""]),
    ("[[events]] # !\nkind = \"ivr_keypad\"\nid = \"a\"", &["`digits` is missing"]),
    ("[[events]] # !\nkind = \"call_status\"\nid = \"a\"", &["`state` is missing", "\"answered\""]),
    ("[[events]] # !\nkind = \"delivery_report\"\nid = \"a\"", &["`state` is missing"]),
    ("[[events]] # !\nkind = \"recording\"\nid = \"a\"", &["`url` is missing"]),
    ("[[events]] # !\nkind = \"opt_out\"\nid = \"a\"", &["`caller` is missing"]),
    (
        "[[events]]\nkind = \"ivr_keypad\"\nid = \"a\"\ndigits = \"d\"\ntext = \"t\" # !",
        &["events[0].text: `ivr_keypad` has no such part", "make the kind \"sms_reply\""],
    ),
    ("[[events]]\nkind = \"ignored\"\nid = \"a\" # !", &["is not read of what is ignored"]),
    (
        "[[events]]\nkind = \"recording\"\nid = \"a\"\nurl = \"u\"\nresend_window = \"10m\" # !",
        &["`recording` is never taken for an answer sent again"],
    ),
    (
        "[[events]] # !\nkind = \"sms_reply\"\nid = \"a\"\ntext = \"t\"\nresend_window = \"10m\"",
        &["no `caller` to know an answer again by"],
    ),
    (
        "[[events]] # !\nkind = \"sms_reply\"\ntext = \"t\"\ndedupe = [\"t\"]",
        &["tells neither a caller nor a call"],
    ),
    (
        "[[events]] # !\nkind = \"sms_reply\"\ncaller = \"a\"\ntext = \"t\"",
        &["has no id, and no `dedupe`", "dedupe = ["],
    ),
    (
        "[[events]]\nkind = \"sms_reply\"\nid = \"a\"\ntext = \"t\"\ntime_resolution = \"10s\" # !",
        &["cuts a time that is not among `dedupe`"],
    ),
    (
        "[[events]]\nkind = \"sms_reply\"\nname = \"a|b\" # !\nid = \"a\"\ntext = \"t\"",
        &["\"a|b\" cannot start a dedupe key"],
    ),
    (
        "[[events]]\nkind = \"sms_reply\"\nitems = \"a..b\" # !\nid = \"a\"\ntext = \"t\"",
        &["\"a..b\" is not a way through a document"],
    ),
    (
        "[[events]]\nkind = \"sms_reply\"\nwhen = { type = 3 } # !\nid = \"a\"\ntext = \"t\"",
        &["when.type: is a number, not a text in quotes", "when = { type = \"mo\" }"],
    ),
    (
        "[[events]]\nkind = \"sms_reply\"\nwhen = { \"heder:X\" = true } # !\nid = \"a\"\ntext = \"t\"",
        &["when.\"heder:X\": there is no place `heder:`", "did you mean \"header:X\""],
    ),
    (
        "[[events]]\nkind = \"ignored\"\n[[events]] # !\nkind = \"sms_reply\"\nid = \"a\"\ntext = \"t\"",
        &["events[1]: is never reached: accounts.a.dialect.events[0] takes every such item"],
    ),
    (
        "[[events]]\nkind = \"delivery_report\"\nid = \"a\"\nstate = \"s\" # !",
        &["state: has no `map`", "delivered"],
    ),
    (
        "[[events]]\nkind = \"delivery_report\"\nid = \"a\"\n\
         state = { from = \"s\", map = { 0 = \"deliverd\" } } # !",
        &["state.map.0: \"deliverd\" is not a state", "did you mean \"delivered\""],
    ),
    (
        "[[events]]\nkind = \"call_status\"\nid = \"a\"\nstate = { value = \"delivered\" } # !",
        &["\"delivered\" is not a state", "`initiated`"],
    ),
    // Documents within a field.
    (
        "inside = { field = \"mos\", format = \"json\" } # !",
        &["inside: is a field of a form, and no format has such", "add \"form\""],
    ),
    ("formats = [\"form\"]\ninside = \"mos\" # !", &["is a text, not a table", "inside = { field"]),
    ("formats = [\"form\"]\ninside = { format = \"json\" } # !", &["`field` is missing"]),
    ("formats = [\"form\"]\ninside = { field = \"a\" } # !", &["`format` is missing", "records"]),
    (
        "formats = [\"form\"]\ninside = { field = \"a\", format = \"yaml\" } # !",
        &["\"yaml\" is not a format within a field", "`json`, `xml`, `form`"],
    ),
    (
        "formats = [\"form\"]\ninside = { field = \"a\", format = \"json\", decode = \"gbk\" } # !",
        &["\"gbk\" is not a step"],
    ),
    (
        "formats = [\"form\"]\ninside = { field = \"a\", format = \"json\", \
         records = { record = \";\", field = \",\", columns = [\"id\", \"from\", \"text\"] } } # !",
        &["keep one of `format` and `records`"],
    ),
    (
        "formats = [\"form\"]\ninside = { field = \"a\", records = { record = \";\", field = \",\" } } # !",
        &["inside.records: `columns` is missing"],
    ),
    (
        "formats = [\"form\"]\ninside = { field = \"a\", \
         records = { record = \";\", field = \";\", columns = [\"id\", \"from\", \"text\"] } } # !",
        &["records.field: is also what ends a record"],
    ),
    (
        "formats = [\"form\"]\ninside = { field = \"a\", \
         records = { record = \";\", field = \",\", columns = [\"id\", \"id\", \"from\", \"text\"] } } # !",
        &["\"id\" stands twice"],
    ),
    (
        "formats = [\"form\"]\ninside = { field = \"a\", \
         records = { record = \";\", field = \",\", columns = [\"id\", \"from\", \"text\"], surplus = \"txt\" } } # !",
        &["\"txt\" is not a column", "did you mean \"text\""],
    ),
    (
        "formats = [\"form\"]\ninside = { field = \"a\", \
         records = { record = \";\", field = \",\", columns = [\"id\", \"mobile\", \"text\"] } }\n\
         [[events]]\nkind = \"opt_out\"\nid = \"id\"\ncaller = \"mobil\" # !",
        &["\"mobil\" is not a column of the records", "did you mean \"mobile\""],
    ),
    (
        "formats = [\"form\"]\ninside = { field = \"a\", \
         records = { record = \";\", field = \",\", columns = [\"id\", \"mobile\"] } }\n\
         [[events]]\nkind = \"opt_out\"\nitems = \"x\" # !\nid = \"id\"\ncaller = \"mobile\"",
        &["has nothing to find in records"],
    ),
    // Answers.
    (
        "[answers.accepted]\nstatus = 500 # !",
        &["would have the carrier send it again", "write 200"],
    ),
    ("[answers.busy]\nstatus = 200 # !", &["200 OK would tell the carrier that we have it", "503"]),
    ("[answers.refused]\nstatus = 204 # !", &["would tell the carrier that we have it", "403"]),
    ("[answers.unsigned]\nstatus = 201 # !", &["answers.unsigned.status", "that we have it"]),
    ("[answers.duplicate]\nstatus = 409 # !", &["answers.duplicate.status", "send it again"]),
    ("[answers.busy]\nstatus = 100 # !", &["100 is out of bounds"]),
    (
        "[answers.accepted]\nstatus = 204\nbody = \"OK\" # !",
        &["answers.accepted.body: cannot be sent", "make the status 200"],
    ),
    ("[answers.accepted]\ncontent_type = \"json\" # !", &["\"json\" is not a content type"]),
    ("[answers.accepted]\ncontent_type = \"a/b\\n\" # !", &["is not a content type"]),
    ("[answers.accepted]\nheaders = { \"X A\" = \"1\" } # !", &["\"X A\" is not a header's name"]),
    ("[answers.accepted]\nheaders = { X = \"1\\r\\nY: 2\" } # !", &["not what a header can carry"]),
    (
        "[answers.accepted]\nheaders = { Content-Type = \"a/b\" } # !",
        &["the content type has its own key", "content_type"],
    ),
    (
        "[answers.busy]\nheaders = { Retry-After = \"5\" } # !",
        &["the gateway writes `retry-after` itself"],
    ),
    // Proofs.
    ("[auth] # !\nalgorithm = \"md5\"\nuser = \"u\"", &["dialect.auth: `scheme` is missing"]),
    ("[auth]\nscheme = \"digset\" # !", &["\"digset\" is not a scheme", "did you mean \"digest\""]),
    ("[auth]\nscheme = \"token\"\nover = \"x\" # !", &["`token` has no such part", "`digest`"]),
    ("[auth]\nscheme = \"basic\"\nuser = \"x\" # !", &["`basic` has its user in the header"]),
    (
        "[auth]\nscheme = \"token\"\ntime = \"header:X-Time\" # !",
        &["proves nothing: `token` does not sign it"],
    ),
    (
        "[auth] # !\nscheme = \"digest\"\nover = \"${body:}\"\ngiven = \"s\"",
        &["`algorithm` is missing"],
    ),
    (
        "[auth] # !\nscheme = \"digest\"\nalgorithm = \"hmac-sm3\"\ngiven = \"s\"",
        &["`over` is missing"],
    ),
    (
        "[auth] # !\nscheme = \"digest\"\nalgorithm = \"hmac-sm3\"\nover = \"${body:}\"",
        &["`given` is missing"],
    ),
    (
        "[auth]\nscheme = \"digest\"\nalgorithm = \"hmac-sha265\" # !\nover = \"${body:}\"\ngiven = \"s\"",
        &["\"hmac-sha265\" is not an algorithm", "did you mean \"hmac-sha256\""],
    ),
    (
        "[auth]\nscheme = \"digest\"\nalgorithm = \"md5\"\nover = \"${body:}\" # !\ngiven = \"s\"",
        &["has no ${secret}, so anybody could make this digest"],
    ),
    (
        "[auth]\nscheme = \"digest\"\nalgorithm = \"md5\"\nover = \"${sorted}${secret}\" # !\ngiven = \"s\"",
        &["has ${sorted}, and no `sorted` says of what"],
    ),
    (
        "[auth]\nscheme = \"digest\"\nalgorithm = \"md5\"\nover = \"${body:}${secret}\"\ngiven = \"s\"\n\
         sorted = { except = [\"s\"] } # !",
        &["sorted: is not used: `over` has no ${sorted}"],
    ),
    (
        "[auth]\nscheme = \"digest\"\nalgorithm = \"md5\"\nover = \"${sorted}${secret}\"\ngiven = \"sign\"\n\
         sorted = {} # !",
        &["would sign the signature `sign` itself", "except = [\"sign\"]"],
    ),
    (
        "[auth]\nscheme = \"digest\"\nalgorithm = \"md5\"\nover = \"${sorted}${secret}\"\ngiven = \"sign\"\n\
         sorted = { except = [\"sign\"], pair = \"${name}\" } # !",
        &["pair: has no ${value}"],
    ),
    (
        "[auth]\nscheme = \"digest\"\nalgorithm = \"md5\"\nover = \"${sorted}${secret}\"\ngiven = \"sign\"\n\
         sorted = { except = [\"sign\"], pair = \"${value}${secret}\" } # !",
        &["`${secret}` cannot stand in a pair", "${name} and ${value}"],
    ),
    (
        "[auth]\nscheme = \"digest\"\nalgorithm = \"md5\"\nover = \"${sorted}${secret}\"\ngiven = \"sign\"\n\
         sorted = { except = [\"sign\"], of = \"header\" } # !",
        &["\"header\" is not where fields are sorted", "`query`, `form`, `document`"],
    ),
    (
        "[auth]\nscheme = \"digest\"\nalgorithm = \"ed25519\" # !\nover = \"${body:}\"\ngiven = \"header:X-S\"",
        &["Ed25519 public key", "key = \"base64\""],
    ),
    (
        "[auth]\nscheme = \"digest\"\nalgorithm = \"hmac-sm3\"\nover = \"${body:}\"\ngiven = \"s\"\n\
         written = \"plain\" # !",
        &["\"plain\" is not how a signature is written", "`hex`, `base64`"],
    ),
    (
        "[auth]\nscheme = \"twilio\"\ntolerance = \"5m\" # !",
        &["has no time to compare with ours", "add `time`"],
    ),
];

/// What is not as it should be about what is said of a bad file, if anything.
fn misjudged(file: &str, parts: &[&str]) -> Option<String> {
    let found = problems(file);
    let [problem] = found.as_slice() else {
        return Some(format!("not one problem but {}:\n{file}{found:#?}", found.len()));
    };
    let shown = problem.to_string();
    let misplaced = problem.origin.line != marked(file);
    let missing = parts.iter().find(|part| !shown.contains(**part));
    (misplaced || missing.is_some())
        .then(|| format!("line {}, without {missing:?}:\n{file}{shown}", problem.origin.line))
}

#[test]
fn every_bad_dialect_is_told_what_is_wrong_where() {
    let misjudged: Vec<String> =
        BAD.iter().filter_map(|(text, parts)| misjudged(&account(text), parts)).collect();
    assert!(misjudged.is_empty(), "{}", misjudged.join("\n\n"));
}

/// A bad file around a dialect, its bad line marked, and parts of what is said about it.
const BAD_ACCOUNTS: &[(&str, &[&str])] = &[
    (
        "[accounts.a]\ncarrier = \"yunpain\" # !",
        &["unknown carrier `yunpain`", "did you mean `yunpian`", "use one of `aliyun-sms`"],
    ),
    (
        "[accounts.a]\ncarrier = \"nobody\" # !\ndialect = { formats = [\"json\"] }",
        &["unknown carrier `nobody`; use one of `aliyun-sms`", "or `generic`"],
    ),
    (
        "[accounts.a]\ncarrier = \"generic\" # !",
        &["knows no format of its own", "[accounts.a.dialect]", "formats = [\"json\"]"],
    ),
    (
        "[accounts.a] # !\ncarrier = \"yunpian\"",
        &["accounts.a: `yunpian` proves its callbacks with a secret", "secrets = [\"env:NAME\"]"],
    ),
    (
        "[accounts.a] # !\ncarrier = \"aliyun-sms\"\nsecrets = [\"env:KEY\"]",
        &["accounts.a: `aliyun-sms` signs nothing", "remove them", "`auth`"],
    ),
    (
        "[accounts.a]\ncarrier = \"aliyun-sms\"\ndialect = 3 # !",
        &["accounts.a.dialect: is a number, not a table"],
    ),
    (
        "[accounts.a]\ncarrier = \"aliyun-sms\"\n[accounts.a.dialect]\nevents = [] # !",
        &["dialect.events: holds nowhere", "accounts.a.dialect.routes has its own"],
    ),
    (
        "[accounts.a]\ncarrier = \"yunpian\"\nsecrets = [\"env:KEY\"]\n[accounts.a.dialect]\n\
         inside = { field = \"data\" } # !",
        &["dialect.inside.field: holds nowhere", "in the tables that it is meant for"],
    ),
    (
        "[accounts.a] # !\ncarrier = \"aliyun-sms\"\nsecrets = [\"env:KEY\"]\n\
         [accounts.a.dialect.auth]\nscheme = \"digest\"\nalgorithm = \"md5\"\n\
         over = \"${user}${secret}${body:}\"\ngiven = \"header:X-Sign\"",
        &["has no `user`", "user = \"J8890\""],
    ),
    (
        "[accounts.a]\ncarrier = \"aliyun-sms\"\nsecrets = [\"env:KEY\"] # !\n\
         [accounts.a.dialect.auth]\nscheme = \"digest\"\nalgorithm = \"ed25519\"\nkey = \"base64\"\n\
         over = \"${body:}\"\ngiven = \"header:X-Sign\"",
        &["accounts.a.secrets: points to something that is not a key", "32 bytes"],
    ),
    (
        "[accounts.a] # !\ncarrier = \"aliyun-sms\"\nsecrets = [\"env:KEY\"]\n\
         [accounts.a.dialect.auth]\nscheme = \"digest\"\nalgorithm = \"hmac-sha256\"\n\
         over = \"${header:X-Nonce}${header:X-Time}\"\ngiven = \"header:X-Sign\"\n\
         nonce = \"header:X-Nonce\"\ntime = { from = \"header:X-Time\", form = \"epoch_s\" }\n\
         [store]\ndedupe_window = \"5m\"",
        &["one-time values are good for 10m", "5m only, `store.dedupe_window`", "at least \"10m\""],
    ),
    (
        "[accounts.a]\ncarrier = \"aliyun-sms\"\nsecrets = [\"env:KEY\"]\ntolerance = \"1h\" # !\n\
         [accounts.a.dialect.auth]\nscheme = \"digest\"\nalgorithm = \"hmac-sha256\"\n\
         over = \"${header:X-Nonce}${header:X-Time}\"\ngiven = \"header:X-Sign\"\n\
         nonce = \"header:X-Nonce\"\ntime = { from = \"header:X-Time\", form = \"epoch_s\" }\n\
         [store]\ndedupe_window = \"1h\"",
        &["accounts.a.tolerance: one-time values", "store.dedupe_window", "at most \"30m\""],
    ),
];

#[test]
fn every_account_that_does_not_fit_its_dialect_is_told_so() {
    let misjudged: Vec<String> =
        BAD_ACCOUNTS.iter().filter_map(|(file, parts)| misjudged(file, parts)).collect();
    assert!(misjudged.is_empty(), "{}", misjudged.join("\n\n"));
}

#[test]
fn keys_of_a_carrier_that_no_longer_fit_are_named_with_its_file() {
    let file = "[accounts.a]\ncarrier = \"aliyun-sms\"\ndialect.routes.up.formats = [\"text\"]";
    let found = problems(file);
    assert_eq!(found.len(), 5, "{found:#?}");
    for problem in found {
        assert_eq!(problem.origin.file, "config/carriers/aliyun-sms.toml");
        assert!(problem.key.starts_with("routes.up.events[0]."), "{problem}");
    }
}

/// What works and should not stay: the marked line, and parts of what is said about it.
const DOUBTFUL: &[(&str, &[&str])] = &[
    ("[answers.accepted]\nstatus = 302 # !", &["302 Found is a success to few carriers"]),
    (
        "[auth]\nscheme = \"digest\"\nalgorithm = \"hmac-md5\"\nover = \"${body:}${secret}\" # !\n\
         given = \"header:X-S\"",
        &["has ${secret}, which is the key already"],
    ),
    (
        "[auth]\nscheme = \"digest\"\nalgorithm = \"hmac-md5\"\nover = \"${body:}${header:X-N}\"\n\
         given = \"header:X-S\"\nnonce = \"header:X-N\" # !",
        &["auth.nonce: is not needed: the signature covers"],
    ),
    (
        "[auth]\nscheme = \"digest\"\nalgorithm = \"md5\"\nover = \"${id}${secret}\"\n\
         given = \"header:X-S\"\nnonce = \"header:X-N\" # !",
        &["`header:x-n` is not signed, so anybody can change it"],
    ),
    (
        "[auth] # !\nscheme = \"digest\"\nalgorithm = \"md5\"\nover = \"${body:}${secret}\"\n\
         given = \"header:X-S\"\ntime = { from = \"header:X-T\", form = \"epoch_s\" }",
        &["the time `header:x-t` is not signed"],
    ),
    (
        "[accounts.a]\ncarrier = \"aliyun-sms\"\nuser = \"u\" # !",
        &["accounts.a.user: is compared with nothing"],
    ),
    (
        "[accounts.a]\ncarrier = \"aliyun-sms\"\ntolerance = \"5m\" # !",
        &["accounts.a.tolerance: is compared with nothing"],
    ),
];

#[test]
fn what_works_and_should_not_stay_is_a_warning() {
    for (text, parts) in DOUBTFUL {
        let whole = text.starts_with("[accounts.a]");
        let file = if whole { (*text).to_owned() } else { account(text) };
        let config = parse(&file).unwrap_or_else(|problems| panic!("{file}\n{problems}"));
        let found: Vec<&Problem> = config.warnings.iter().collect();
        let [warning] = found.as_slice() else { panic!("not one warning:\n{file}\n{found:#?}") };
        let shown = warning.to_string();
        assert_eq!(warning.origin.line, marked(&file), "{file}\n{shown}");
        for part in *parts {
            assert!(shown.contains(part), "{part:?} is not in\n{shown}");
        }
    }
}

#[test]
fn an_account_may_change_one_thing_about_its_carrier() {
    let text = "[accounts.a]\ncarrier = \"yunpian\"\nsecrets = [\"env:KEY\"]\n\
                [accounts.a.dialect]\ntitle = \"Ours\"\nmax_body = \"2 MiB\"\n\
                [accounts.a.dialect.answers.busy]\nstatus = 500\n\
                [accounts.a.dialect.routes.reply.auth]\noptional = true\n\
                [accounts.a.dialect.routes.reply.inside]\ndecode = [\"\", \"base64\"]";
    let config = parse(text).unwrap_or_else(|problems| panic!("{problems}"));
    let ours = &config.accounts.values().next().expect("the account").dialect;
    let theirs = load_built_in("yunpian").expect("it is there");
    assert_eq!((ours.title.as_str(), theirs.title.as_str()), ("Ours", "Yunpian SMS (云片)"));
    for name in ["reply", "status"] {
        let (our, their) = (ours.route(name).expect(name), theirs.route(name).expect(name));
        assert_eq!((our.max_body, their.max_body), (2 << 20, 1 << 20));
        assert_eq!(our.answers.busy.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(our.answers.busy.body, their.answers.busy.body);
        assert_eq!(our.answers.accepted, their.answers.accepted);
        assert_eq!(our.events, their.events);
        assert_eq!(our.auth.schemes, their.auth.schemes);
    }
    let reply = ours.route("reply").expect("it is there");
    assert!(reply.auth.optional);
    let inside = reply.inside.as_ref().expect("it is there");
    assert_eq!((inside.field.as_str(), inside.decode.len()), ("sms_reply", 2));
    assert_eq!(theirs.secrets(), SecretUse::Required);
    assert_eq!(ours.secrets(), SecretUse::Optional);
}

#[test]
fn what_a_route_says_goes_before_what_holds_for_all() {
    let spoken = dialect(
        "formats = [\"json\"]\ncharset = \"gbk\"\nmethods = [\"PUT\"]\n[answers.accepted]\nbody = \"0\"\n\
         [routes.\"\"]\n[routes.\"cn/up\"]\ncharset = \"utf-8\"\nformats = [\"xml\"]\n\
         [routes.\"cn/up\".answers.accepted]\ncontent_type = \"text/plain\"",
    );
    let names: Vec<&str> = spoken.routes.iter().map(|route| route.name.as_str()).collect();
    assert_eq!(names, ["", "cn/up"]);
    let [bare, up] = spoken.routes.as_slice() else { panic!("two routes") };
    assert_eq!((bare.charset, up.charset), (Charset::Gb18030, Charset::Utf8));
    assert_eq!((bare.formats[0], up.formats[0]), (Format::Json, Format::Xml));
    assert_eq!((&bare.methods, &up.methods), (&vec![Method::PUT], &vec![Method::PUT]));
    assert_eq!(bare.answers.accepted.body, up.answers.accepted.body);
    assert_eq!(bare.answers.accepted.content_type, None);
    assert_eq!(up.answers.accepted.content_type.as_ref().expect("it is given"), "text/plain");
}

#[test]
fn the_account_goes_before_its_carrier_and_a_route_of_either_before_both_at_large() {
    // `sms_status` is what the carrier's route says, and its own top level says nothing of it.
    let text = "[accounts.a]\ncarrier = \"yunpian\"\nsecrets = [\"env:KEY\"]\n\
                [accounts.a.dialect]\ncharset = \"gbk\"\nauth = { scheme = \"basic\" }\n\
                [accounts.a.dialect.routes.status]\ncharset = \"detect\"\n\
                [accounts.a.dialect.routes.third]\nevents = [{ kind = \"ignored\" }]";
    let config = parse(text).unwrap_or_else(|problems| panic!("{problems}"));
    let spoken = &config.accounts.values().next().expect("the account").dialect;
    let of = |name| {
        let route = spoken.route(name).expect(name);
        (route.charset, route.auth.schemes.first().map(|scheme| scheme.check == Check::Basic))
    };
    assert_eq!(of("reply"), (Charset::Gb18030, Some(false)), "the carrier's route has its auth");
    assert_eq!(of("status"), (Charset::Detect, None), "the account's route has its charset");
    assert_eq!(of("third"), (Charset::Gb18030, Some(true)), "the rest is as at large");
}

#[test]
fn what_is_left_out_has_its_usual_meaning() {
    let spoken = dialect("");
    let [route] = spoken.routes.as_slice() else { panic!("the bare address") };
    assert_eq!((spoken.title.as_str(), route.name.as_str()), ("generic", ""));
    assert_eq!(route.methods, [Method::POST]);
    assert_eq!((route.max_body, route.max_items, route.charset), (1 << 20, 10_000, Charset::Utf8));
    assert_eq!((route.auth.schemes.len(), route.trust()), (0, Trust::Nothing));
    let answers = &route.answers;
    let statuses = [&answers.accepted, &answers.duplicate, &answers.busy, &answers.refused]
        .map(|answer| answer.status.as_u16());
    assert_eq!(statuses, [200, 200, 503, 403]);
    let [rule] = route.events.as_slice() else { panic!("one rule") };
    assert_eq!((rule.name.as_str(), rule.resend_window), ("sms_reply", None));
    let id = Source::read("id").expect("a place");
    assert_eq!(rule.dedupe, [DedupePart::Value(id)]);
    assert!(rule.caller.as_ref().expect("it is there").number.required);
    assert!(matches!(&rule.kind, RuleKind::SmsReply { text } if text.required));

    let methods = |text| dialect(text).routes[0].methods.clone();
    assert_eq!(methods("formats = [\"query\"]"), [Method::GET]);
    assert_eq!(methods("formats = [\"query\", \"form\"]"), [Method::GET, Method::POST]);
    assert_eq!(methods("transport = \"websocket\""), [Method::GET]);
}

#[test]
fn one_answer_stands_for_another_key_by_key() {
    let spoken = dialect(
        "[answers.accepted]\nstatus = 202\nbody = \"taken\"\n[answers.duplicate]\nbody = \"again\"\n\
         [answers.refused]\nstatus = 401\n[answers.unsigned]\nheaders = { WWW-Authenticate = \"Basic\" }",
    );
    let answers = &spoken.routes[0].answers;
    assert_eq!(
        (answers.duplicate.status, answers.unsigned.status.as_u16()),
        (StatusCode::ACCEPTED, 401)
    );
    assert_ne!(answers.duplicate.body, answers.accepted.body);
    assert_eq!((answers.refused.headers.len(), answers.unsigned.headers.len()), (0, 1));
}

#[test]
fn a_time_among_what_identifies_a_repeat_is_cut_to_its_resolution() {
    let spoken = dialect(
        "[[events]]\nkind = \"sms_reply\"\ncaller = \"from\"\ntext = \"text\"\n\
         time = { from = [\"at\", \"sent\"], form = \"%y%m%d%H%M\" }\n\
         dedupe = [\"from\", \"text\", \"at\"]\ntime_resolution = \"1m\"",
    );
    let parts = &spoken.routes[0].events[0].dedupe;
    assert_eq!(parts[2], DedupePart::Time(Duration::from_mins(1)));
    assert!(matches!(parts[0], DedupePart::Value(_)));
}

#[test]
fn a_field_may_be_any_of_several_places_a_template_or_a_constant() {
    let spoken = dialect(
        "formats = [\"form\"]\n[[events]]\nkind = \"call_status\"\nid = { template = \"${a}-${b}\" }\n\
         service = { value = \"8890\" }\ncaller = { from = [\"x\", \"form:y\"], strip = \"tel:\" }\n\
         state = { value = \"completed\" }\n\
         raw = { from = \"r\", decode_by = \"c\", decode = { 15 = \"base64 gbk\", other = \"\" } }",
    );
    let rule = &spoken.routes[0].events[0];
    assert_eq!(rule.dedupe.len(), 2, "all places of the id");
    assert_eq!(
        rule.service.as_ref().map(|it| &it.from),
        Some(&Origin::Constant("8890".to_owned()))
    );
    let caller = &rule.caller.as_ref().expect("it is there").number;
    assert!(matches!(&caller.from, Origin::Places(places) if places.len() == 2));
    assert_eq!(caller.strip, ["tel:"]);
    let RuleKind::CallStatus { state, .. } = &rule.kind else { panic!("a call's state") };
    assert_eq!(state.map.get("completed"), Some(&CallStatus::Completed));
    let raw = state.raw.as_ref().expect("it is given");
    let Decoding::ByCode { by, other, .. } = &raw.decoding else { panic!("by a code") };
    assert_eq!(by["15"], Decode { steps: vec![Step::Base64], charset: Some(Charset::Gb18030) });
    assert_eq!(other, &Some(Decode::default()));
}

#[test]
fn trust_is_that_of_the_weakest_way_in() {
    let hmac = "algorithm = \"hmac-sm3\"\ngiven = \"header:X-S\"\nscheme = \"digest\"\nover =";
    let trust = |auth: &str| dialect(auth).trust();
    assert_eq!(trust(&format!("[auth]\n{hmac} \"${{body:}}\"")), Trust::SignedBody);
    assert_eq!(trust(&format!("[auth]\n{hmac} \"${{header:X-Time}}\"")), Trust::Signature);
    assert_eq!(
        trust(&format!("[[auth]]\n{hmac} \"${{body:}}\"\n[[auth]]\nscheme = \"token\"")),
        Trust::Credentials
    );
    assert_eq!(trust("[auth]\nscheme = \"token\"\noptional = true"), Trust::Nothing);
}

#[test]
fn content_is_signed_only_where_all_that_is_read_is() {
    let trust = |formats: &str, auth: &str| {
        let auth = format!("formats = [{formats}]\n[auth]\n{auth}");
        dialect(&auth).routes[0].auth.schemes[0].trust(&dialect(&auth).routes[0].formats)
    };
    let over = |over: &str| {
        format!("scheme = \"digest\"\nalgorithm = \"hmac-sm3\"\ngiven = \"header:X-S\"\n{over}")
    };
    let sorted = |of: &str| over(&format!("over = \"${{sorted}}\"\nsorted = {{ of = \"{of}\" }}"));
    let (both, query, form) = ("\"query\", \"form\"", "\"query\"", "\"form\"");
    for (formats, auth, whole) in [
        // A GET, or a POST without a body, says everything in its query.
        (both, over("over = \"${body:}\""), false),
        (form, over("over = \"${body:}\""), true),
        (both, over("over = \"${url:}${body:}\""), true),
        (both, over("over = \"${url:|path}${body:}\""), false),
        (query, over("over = \"${target:}\""), true),
        (both, sorted("document"), true),
        (both, sorted("form"), false),
        (both, sorted("query"), false),
        (form, sorted("query"), false),
        (query, sorted("query"), true),
        (both, "scheme = \"jwt\"".to_owned(), false),
        (form, "scheme = \"jwt\"".to_owned(), true),
        (both, "scheme = \"twilio\"".to_owned(), true),
    ] {
        let expected = if whole { Trust::SignedBody } else { Trust::Signature };
        assert_eq!(trust(formats, &auth), expected, "{formats} {auth}");
    }
}

/// Dialects with one value left open.
const OPEN: &[&str] = &[
    "KEY = @",
    "routes.up.KEY = @",
    "routes = { up = { KEY = @ }, \"a/b\" = @ }",
    "answers.KEY = @",
    "answers.accepted.KEY = @",
    "answers.busy.KEY = @",
    "auth = { scheme = \"digest\", KEY = @ }",
    "auth = [{ scheme = \"WORD\", KEY = @ }]",
    "auth = { scheme = \"digest\", algorithm = \"md5\", over = \"${secret}\", given = \"s\", KEY = @ }",
    "auth = { scheme = \"digest\", sorted = { KEY = @ } }",
    "auth = { scheme = \"jwt\", time = { from = \"t\", KEY = @ } }",
    "formats = [\"form\"]\ninside = { field = \"f\", KEY = @ }",
    "formats = [\"form\"]\ninside = { field = \"f\", records = { record = \";\", KEY = @ } }",
    "events = [{ kind = \"WORD\", KEY = @ }]",
    "events = [{ kind = \"sms_reply\", id = \"i\", call = \"c\", text = \"t\", KEY = @ }]",
    "events = [{ kind = \"call_status\", id = \"i\", state = { from = \"s\", KEY = @ } }]",
    "events = [{ kind = \"opt_out\", id = \"i\", caller = { KEY = @ } }]",
    "events = [{ kind = \"opt_out\", id = \"i\", caller = { from = \"c\", KEY = @ } }]",
    "events = [{ kind = \"opt_out\", id = \"i\", caller = \"c\", time = { from = \"t\", KEY = @ } }]",
    "events = [{ kind = \"opt_out\", id = \"i\", caller = \"c\", when = { KEY = @ } }]",
];

/// Words that mean something somewhere in a dialect.
const WORDS: &str = "title transport methods max_body max_items formats charset inside auth events \
    answers routes name when items kind id call caller service time pass_through text digits url \
    state raw dedupe time_resolution resend_window from template value decode decode_by charset_from \
    map strip required country form zone scheme user nonce tolerance given prefix algorithm over \
    written key sorted body_hash optional of except pair join skip_empty replace field format records \
    record columns surplus split_encoded status content_type headers body accepted duplicate refused \
    unsigned none json xml query sms_reply ivr_keypad call_status delivery_report recording opt_out \
    ignored token basic digest twilio hmac-sm3 ed25519 base64 hex gbk epoch_s GET POST 5m 4MiB \
    header:X-A header:X#p form:a query:b /a.b a.b.0 body: %Y%m%d%H%M %Y ${a|md5|hex} ${secret} \
    ${sorted} ${name}=${value} application/json +08:00";

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(WORDS.split_whitespace().collect::<Vec<&str>>())
            .prop_map(str::to_owned),
        1 => "[ -~é满]{0,12}",
    ]
}

/// A text as TOML has it in quotes.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn value() -> impl Strategy<Value = String> {
    let plain = prop_oneof![
        word().prop_map(|word| quoted(&word)),
        word().prop_map(|word| quoted(&word)),
        any::<i64>().prop_map(|number| number.to_string()),
        (100_u16..600).prop_map(|number| number.to_string()),
        any::<bool>().prop_map(|flag| flag.to_string()),
        Just("1.5".to_owned()),
        Just("1979-05-27T07:32:00Z".to_owned()),
    ];
    plain.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::btree_map(word(), inner, 0..4).prop_map(|entries| {
                let entry = |(key, value): (String, String)| format!("{} = {value}", quoted(&key));
                format!("{{ {} }}", entries.into_iter().map(entry).collect::<Vec<_>>().join(", "))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_value_in_any_key_makes_a_dialect_or_a_problem_with_its_line(
        open in prop::sample::select(OPEN.to_vec()),
        kind in word(),
        key in word(),
        value in value(),
        ours in any::<bool>(),
    ) {
        let written = open
            .replace("WORD", &quoted(&kind)[1..quoted(&kind).len() - 1])
            .replace("KEY", &quoted(&key))
            .replace('@', &value);
        let file = if ours { account(&written) } else { around("yunpian", true, &written) };
        match parse(&file) {
            // An account is never left out without a word.
            Ok(config) => prop_assert_eq!(config.accounts.len(), 1, "{}", file),
            Err(problems) => for problem in &problems {
                let line = problem.origin.line;
                let here = problem.origin.file == "gateway.toml";
                prop_assert!(!here || (1..=file.lines().count() + 1).contains(&line), "{problem}");
                prop_assert!(here || problem.origin.file.starts_with("config/carriers/"));
            },
        }
    }
}
