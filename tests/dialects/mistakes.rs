//! Bad dialects are told what is wrong where, each mistake once.

use super::{account, parse};
use bridge8890::config::Problem;

pub(super) fn problems(file: &str) -> Vec<Problem> {
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
    (
        "[[events]]\nkind = \"sms_reply\"\nid = \"a\"\ncall = \"c\"\ntext = \"t\"\npart = \"p\" # !",
        &["events[0].part: is a text, not a table", "reference = \"ref\""],
    ),
    (
        "[[events]]\nkind = \"recording\"\nid = \"a\"\nurl = \"u\"\npart = { number = \"p\" } # !",
        &["events[0].part: `recording` has no such part"],
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
pub(super) fn misjudged(file: &str, parts: &[&str]) -> Option<String> {
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
        "formats = [\"form\"]\n[auth]\nscheme = \"digest\"\nalgorithm = \"md5\"\n\
         over = \"${query:token}${secret}\"\ngiven = \"header:X-S\"\nnonce = \"token\" # !",
        &["`token` is not signed, so anybody can change it"],
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
