//! Accounts that do not fit their dialect are told so.

use super::mistakes::{misjudged, problems};

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
    (
        // Its times are read in two zones, so what was fresh is fresh again eight hours later.
        "[accounts.a] # !\ncarrier = \"huawei-voicecall\"\nuser = \"u\"\nsecrets = [\"env:KEY\"]\n\
         [store]\ndedupe_window = \"8h\"",
        &["good for 8h 10m, twice `tolerance` and the time between its zones", "least \"8h 10m\""],
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
