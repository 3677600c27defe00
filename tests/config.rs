//! The configuration: the shipped files are right, and bad ones are told what is wrong where.

use bridge8890::config::dialect::Trust;
use bridge8890::config::server::{Session, TlsMode};
use bridge8890::config::{self, Config, Environment, Problem, Problems, Proxies};
use bridge8890::model::{AccountName, Scheme, TargetType};
use proptest::prelude::*;
use std::path::Path;
use std::time::Duration;

const DAY: u64 = 24 * 3600;

fn environment() -> Environment {
    Environment::given(
        Path::new("/etc/gateway"),
        &[
            ("PLATFORM", "platform-secret"),
            ("BRIDGE8890_PLATFORM_SECRET", "platform-secret"),
            ("BRIDGE8890_YUNPIAN_APIKEY", "yunpian-secret"),
            ("BRIDGE8890_ALIYUN_SECRET", "aliyun-secret"),
            ("BRIDGE8890_OWN_FORMAT_KEY", "own-secret"),
            ("BRIDGE8890_TWILIO_TOKEN", "token"),
            ("BRIDGE8890_DATABASE_PASSWORD", "database-password"),
            ("BRIDGE8890_DATA_KEY", KEY),
            ("BRIDGE8890_DATABASE_PASSWORD", "database-password"),
            ("BRIDGE8890_INVITATIONS_SECRET", "invitations-secret"),
            ("SHORT_KEY", "abcd"),
            ("EMPTY", ""),
        ],
    )
}

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn parse(text: &str) -> Result<Config, Problems> {
    config::parse(text, "gateway.toml", &environment())
}

fn problems(text: &str) -> Vec<Problem> {
    match parse(text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().cloned().collect(),
    }
}

#[test]
fn the_shipped_defaults_are_the_documented_ones() {
    let config = Config::builtin();
    let seconds = Duration::from_secs;

    assert_eq!(config.http.listen, ["127.0.0.1:8890".parse().expect("an address")]);
    assert!(config.http.tls.is_none());
    assert_eq!(config.http.external_url, None);
    assert_eq!(config.http.proxies, Proxies::default());
    let limits = config.http.limits;
    assert_eq!(limits.max_connections, 4096);
    assert_eq!(limits.max_requests, 4096);
    assert_eq!(limits.handshake_timeout, seconds(10));
    assert_eq!(limits.header_timeout, seconds(10));
    assert_eq!(limits.body_timeout, seconds(10));
    assert_eq!(limits.idle_timeout, seconds(75));
    assert_eq!(limits.max_body, 1 << 20);
    assert_eq!(limits.max_buffered, 64 << 20);
    assert_eq!(limits.retry_after, seconds(5));

    assert_eq!(config.admin.listen, "127.0.0.1:8891".parse().expect("an address"));

    let store = config.store;
    assert_eq!(store.directory, Path::new("data"));
    assert!(store.key.is_none());
    assert!(store.spool.is_none());
    assert!(store.old_keys.is_empty());
    assert_eq!(store.queue, 8192);
    assert_eq!(store.max_group, 512);
    assert_eq!(store.disk_floor, 256 << 20);
    assert_eq!(store.dedupe_window, seconds(3 * DAY));
    assert_eq!(store.keep_callbacks, seconds(30 * DAY));
    assert_eq!(store.keep_records, seconds(200 * DAY));

    assert!(config.accounts.is_empty());
    assert!(config.campaigns.is_empty());
    assert_eq!((config.complaints.call_back_days, config.complaints.repair_days), (1, 15));
    assert!(config.complaints.calendar.knows(2025) && config.complaints.calendar.knows(2026));

    let destination = config.destination;
    assert_eq!(destination.name.as_str(), "platform");
    assert_eq!(destination.url, "https://platform.example/");
    assert!(destination.ca.is_none());
    assert_eq!(destination.key_id, "bridge8890");
    assert_eq!(destination.queueing.max_batch, 100);
    assert_eq!((destination.concurrency_min, destination.concurrency), (1, 16));
    assert_eq!(destination.rate, None);
    assert_eq!(destination.request_timeout, seconds(10));
    assert_eq!(destination.lease, seconds(60));
    assert_eq!(destination.backoff.base, seconds(1));
    assert_eq!(destination.backoff.cap, seconds(300));
    assert_eq!(destination.backoff.max_attempts, 10_000);
    assert_eq!(destination.backoff.max_age, seconds(14 * DAY));
    assert_eq!(destination.breaker.failures, 10);
    assert_eq!(destination.breaker.open_for, seconds(5));

    assert_eq!(config.log.filter, "info");
    assert!(!config.log.json);
    assert_eq!(config.shutdown.grace, seconds(30));
    assert_eq!(config.watchdog.after, seconds(30));
    assert!(config.warnings.is_empty());
}

#[test]
fn what_only_serving_needs_is_left_open_and_named_with_its_line() {
    let gaps = Config::builtin().gaps.to_string();
    assert!(gaps.contains("destination.url: is still the example"), "{gaps}");
    assert!(gaps.contains("destination: `secret` is missing"), "{gaps}");

    let named = "[destination]\nurl = \"https://p.example/\"\nsecret = \"env:NOWHERE\"";
    let config = parse(named).expect("it is right");
    let gaps = config.ready_to_serve().expect_err("the secret is not there").to_string();
    assert_eq!(
        gaps,
        "gateway.toml:3: destination.secret: the environment variable NOWHERE is not set; \
         set NOWHERE for this process"
    );

    let whole = parse(&named.replace("NOWHERE", "PLATFORM")).expect("it is right");
    assert_eq!(whole.ready_to_serve(), Ok(()));
    assert_eq!(whole.destination.secret.reveal(), b"platform-secret");
}

#[test]
fn the_keys_shown_as_comments_are_right_too() {
    let uncommented: String = config::DEFAULTS
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if key.starts_with(|first: char| first == '[' || first.is_lowercase()) => key,
            _ => line,
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    let config = parse(&uncommented).unwrap_or_else(|problems| panic!("{problems}"));
    let names: Vec<&str> = config.accounts.keys().map(AccountName::as_str).collect();
    assert_eq!(names, ["aliyun-sms", "own-format", "tencent-voice", "twilio", "yunpian"]);
    let campaigns: Vec<&str> = config.campaigns.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(campaigns, ["hotline-sms", "hotline-voice"]);
    let tls = config.http.tls.expect("both files are named");
    assert_eq!(tls.certificate, Path::new("/etc/gateway/tls/chain.pem"));
    assert_eq!(config.store.key.expect("it is named").reveal().len(), 32);
    // What the comments say of keys that may be left out.
    let yunpian = &config.accounts[&AccountName::new("yunpian").expect("a name")];
    assert_eq!(yunpian.offset.seconds(), 8 * 3600);
    assert_eq!(yunpian.country, "86");
    assert_eq!((yunpian.default_campaign.as_ref(), yunpian.user.as_ref()), (None, None));
    assert_eq!(yunpian.tolerance, None);
    let own = &config.accounts[&AccountName::new("own-format").expect("a name")];
    assert_eq!(own.dialect.carrier, "generic");
    assert_eq!(own.dialect.trust(), Trust::SignedBody);
    // No scheme of identity has a use for all that is shown there.
    let warnings = config.warnings.iter().map(|it| it.key.as_str());
    let others: Vec<&str> = warnings.filter(|key| !key.contains(".identity.")).collect();
    assert!(others.is_empty(), "{}", config.warnings);
}

#[test]
fn the_example_of_a_single_node_is_right_and_ready() {
    let text = include_str!("../config/examples/single-node.toml");
    let config = config::parse(text, "single-node.toml", &environment())
        .unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.ready_to_serve(), Ok(()));
    assert_eq!(config.store.directory, Path::new("/var/lib/bridge8890"));
    let yunpian = &config.accounts[&AccountName::new("yunpian").expect("a name")];
    assert_eq!(yunpian.secrets[0].reveal(), b"yunpian-secret");
    assert_eq!(yunpian.origin.file, "single-node.toml");
    assert_eq!(text.lines().nth(yunpian.origin.line - 1), Some("[accounts.yunpian]"));
    let voice = config.campaigns.iter().find(|it| it.name == "hotline-voice").expect("it is there");
    assert_eq!((voice.scheme, voice.target), (Scheme::ASC, TargetType::Call));
    assert_eq!((voice.sms_channel_code, voice.ivr_channel_code), (None, Some(8)));
}

#[test]
fn the_example_of_a_node_is_right_and_ready() {
    let text = include_str!("../config/examples/cluster-postgres.toml");
    let config = config::parse(text, "cluster-postgres.toml", &environment())
        .unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.ready_to_serve(), Ok(()));
    let server = config.store.server.expect("a server");
    let hosts: Vec<&str> = server.hosts.iter().map(|host| host.name.as_str()).collect();
    assert_eq!(hosts, ["db1.province.example", "db2.province.example"]);
    assert_eq!((server.tls.mode, server.session), (TlsMode::VerifyFull, Session::ReadWrite));
    assert_eq!(server.password.expect("a password").reveal(), b"database-password");
    assert_eq!(server.node, "node-a");
}

#[test]
fn a_file_changes_what_it_names_and_nothing_else() {
    let config = parse("[http]\nlimits.max_body = \"2 MiB\"").expect("it is right");
    assert_eq!(config.http.limits.max_body, 2 << 20);
    assert_eq!(config.http.limits.max_requests, 4096);
    assert_eq!(config.http.listen.len(), 1);
}

#[test]
fn secrets_are_not_printed() {
    let text = format!(
        "[store]\nkey = \"env:BRIDGE8890_DATA_KEY\"\n[accounts.a]\ncarrier = \"yunpian\"\n\
         secrets = [\"env:PLATFORM\"]\nallow_http = true\n[destination]\nsecret = \"env:PLATFORM\"\n# {KEY}"
    );
    let shown = format!("{:?}", parse(&text).expect("it is right"));
    assert!(!shown.contains("platform-secret") && !shown.contains(KEY), "{shown}");
    for literal in [
        "[destination]\nsecret = \"hunter2\"",
        "[accounts.a]\ncarrier = \"yunpian\"\nsecrets = [\"hunter2\"]\nallow_http = true",
        "[store]\nkey = \"hunter2\"",
        "[destination]\nurl = \"https://user:hunter2@p.example/\"",
        "[destination]\nsecret = hunter2",
        "[destination]\nsecret = \"hunter2",
    ] {
        let shown = parse(literal).expect_err("it is wrong").to_string();
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn a_file_that_everybody_can_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().expect("a directory");
    let secret = directory.path().join("platform.secret");
    std::fs::write(&secret, "s3cret\n").expect("written");
    let file = directory.path().join("gateway.toml");
    std::fs::write(&file, "[destination]\nsecret = \"file:platform.secret\"").expect("written");
    for (mode, warnings) in [(0o600, 0), (0o644, 1)] {
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(mode)).expect("changed");
        let config = config::load(Some(&file)).expect("it is right");
        assert_eq!(config.destination.secret.reveal(), b"s3cret");
        assert_eq!(config.warnings.len(), warnings, "{}", config.warnings);
    }
}

#[test]
fn all_problems_of_a_file_are_reported_at_once_in_its_order() {
    let text = "[http]\nlisten = [\"nowhere\"]\ncolour = 1\n[store]\nqueue = 0\n\
                [accounts.a]\nsecrets = [\"env:NOWHERE\"]\n[log]\nfilter = 3\n[nowhere]";
    let lines: Vec<usize> = problems(text).iter().map(|problem| problem.origin.line).collect();
    assert_eq!(lines, [2, 3, 5, 6, 7, 9, 10], "{:#?}", problems(text));
}

#[test]
fn a_missing_file_says_so() {
    let problems = config::load(Some(Path::new("/nonexistent/gateway.toml")))
        .expect_err("there is no such file")
        .to_string();
    assert!(problems.contains("/nonexistent/gateway.toml"), "{problems}");
    assert!(problems.contains("--config"), "{problems}");
}

/// A bad file, the line of its one problem, and parts of what is said about it.
const BAD: &[(&str, usize, &[&str])] = &[
    // Keys.
    ("[http]\nlisen = []", 2, &["http.lisen: there is no such key", "did you mean `listen`"]),
    ("[htpp]", 1, &["htpp: there is no such key", "did you mean `http`"]),
    ("\n\n[http.limits]\ncolour = 1", 4, &["http.limits.colour", "known here: `max_connections`"]),
    ("[destination.backof]\nbase = \"1s\"", 1, &["did you mean `backoff`"]),
    ("[destination]\nretry = { base = \"1s\" }", 2, &["destination.retry: there is no such key"]),
    (
        "[accounts.a]\ncarrier = \"aliyun-sms\"\nsecret = \"env:X\"\nallow_http = true",
        3,
        &["did you mean `secrets`"],
    ),
    (
        "[campaigns.c]\nservice_numbers = [\"1\"]\nscheme = \"asc\"\ntarget = \"call\"\nivr_code = 1",
        5,
        &["campaigns.c.ivr_code", "did you mean `ivr_channel_code`"],
    ),
    // TOML itself.
    ("[http]\nlisten = ", 2, &["this is not TOML"]),
    ("[log]\njson = true\njson = false", 3, &["this is not TOML", "duplicate key"]),
    // Kinds of values.
    ("http = 5", 1, &["http: is a number, not a table", "write [http]"]),
    ("[accounts]\na = 1", 2, &["accounts.a: is a number, not a table"]),
    ("[http]\nlisten = \"127.0.0.1:1\"", 2, &["is a text, not an array", "[\"127.0.0.1:8890\"]"]),
    ("[http]\nlisten = [8890]", 2, &["is a number, not a text in quotes"]),
    ("[log]\njson = \"no\"", 2, &["log.json: is a text", "`true` or `false`"]),
    ("[store]\nqueue = \"many\"", 2, &["is a text, not a whole number", "from 1 to 1000000"]),
    ("[store]\nqueue = 1.5", 2, &["not a whole number"]),
    ("[store]\nqueue = -1", 2, &["-1 is out of bounds"]),
    (
        "[store]\nspool = \"spool\"",
        2,
        &["store.spool", "only a database that nodes share", "url ="],
    ),
    ("[store]\nspool_max = \"1 KiB\"", 2, &["store.spool_max", "out of bounds"]),
    ("[store]\ndirectory = \"\"", 2, &["store.directory: is empty"]),
    // Durations and sizes.
    ("[shutdown]\ngrace = 30", 2, &["is a number, without a unit", "\"10ms\" to \"1h\""]),
    ("[shutdown]\ngrace = \"30\"", 2, &["\"30\" is not a duration", "time unit needed"]),
    ("[shutdown]\ngrace = \"30 parsecs\"", 2, &["is not a duration"]),
    ("[watchdog]\nafter = \"10ms\"", 2, &["\"10ms\" is out of bounds", "\"1s\" to \"1h\""]),
    ("[http.limits]\nheader_timeout = \"0s\"", 2, &["\"0s\" is out of bounds"]),
    ("[http.limits]\nmax_body = 1048576", 2, &["is a number, without a unit", "\"1 KiB\""]),
    ("[http.limits]\nmax_body = \"1048576\"", 2, &["a size without its unit"]),
    ("[http.limits]\nmax_body = \"1 GiB\"", 2, &["\"1 GiB\" is out of bounds", "\"64 MiB\""]),
    ("[store]\ndisk_floor = \"0 B\"", 2, &["store.disk_floor", "out of bounds", "\"16 MiB\""]),
    ("[http.limits]\nretry_after = \"10ms\"", 2, &["out of bounds", "\"1s\""]),
    // Listeners.
    ("[http]\nlisten = [\"localhost:80\"]", 2, &["not an IP address with a port"]),
    ("[http]\nlisten = []", 2, &["http.listen: is empty", "at least one address"]),
    (
        "[http]\nlisten = [\n\"127.0.0.1:1\",\n\"127.0.0.1:1\"]",
        4,
        &["127.0.0.1:1 is already taken by http.listen"],
    ),
    ("[admin]\nlisten = \"127.0.0.1:8890\"", 2, &["admin.listen", "taken by http.listen"]),
    ("[http]\nlisten = [\"0.0.0.0:8891\"]", 2, &["taken by", "its own port"]),
    ("[http.tls]\ncertificate = \"c.pem\"", 1, &["http.tls: `key` is missing"]),
    ("[http.tls]\nkey = \"k.pem\"", 1, &["http.tls: `certificate` is missing"]),
    // The store.
    ("[store]\nkey = \"env:SHORT_KEY\"", 2, &["not a data key", "64 hex digits"]),
    ("[store]\nkey = \"env:EMPTY\"", 2, &["EMPTY is empty"]),
    ("[store]\nold_keys = [\"env:NOWHERE\"]", 2, &["NOWHERE is not set"]),
    ("[store]\nkey = \"file:none\"", 2, &["/etc/gateway/none cannot be read"]),
    ("[store]\nqueue = 100", 2, &["a group of 512 never forms in a queue of 100"]),
    ("[store]\nkeep_callbacks = \"1d\"", 2, &["once its callback is gone"]),
    // Accounts.
    ("[accounts.a]", 1, &["accounts.a: `carrier` is missing"]),
    ("[accounts.A_1]\ncarrier = \"aliyun-sms\"", 1, &["\"A_1\" cannot stand in a URL"]),
    (
        "[accounts.a]\ncarrier = \"yunpian\"\nsecrets = [\"abc\"]\nallow_http = true",
        3,
        &["not a reference", "env:NAME"],
    ),
    (
        "[accounts.a]\ncarrier = \"yunpian\"\nsecrets = [\"env:NOWHERE\"]\nallow_http = true",
        3,
        &["NOWHERE is not set"],
    ),
    (
        "[accounts.a]\ncarrier = \"aliyun-sms\"\noffset = \"CST\"\nallow_http = true",
        3,
        &["not an offset", "\"+08:00\""],
    ),
    (
        "[accounts.a]\ncarrier = \"aliyun-sms\"\ncountry = \"+86\"\nallow_http = true",
        3,
        &["not a calling code", "\"86\""],
    ),
    (
        "[accounts.a]\ncarrier = \"aliyun-sms\"\ndefault_campaign = \"c\"\nallow_http = true",
        3,
        &["there is no campaign \"c\"", "[campaigns.c]"],
    ),
    (
        "[accounts.a]\ncarrier = \"aliyun-sms\"\ndefault_campaign = \"hotlin\"\nallow_http = true\n[campaigns.hotline]\n\
         service_numbers = [\"1\"]\nscheme = \"asc\"\ntarget = \"call\"",
        3,
        &["did you mean \"hotline\""],
    ),
    // How accounts are reached.
    ("[http]\nexternal_url = \"gateway.example\"", 2, &["http.external_url", "https:// URL"]),
    ("[http]\ntrusted_proxies = [\"proxy\"]", 2, &["neither an IP address nor a network"]),
    ("[http]\nforwarded_header = \"x y\"", 2, &["not a header's name", "\"x-real-ip\""]),
    ("[accounts.a]\ncarrier = \"aliyun-sms\"", 1, &["plain HTTP", "[http.tls]", "trusted_proxies"]),
    (
        "[accounts.a]\ncarrier = \"aliyun-sms\"\npath = \"hooks\"\nallow_http = true",
        3,
        &["accounts.a.path: \"hooks\" is not the path of a URL", "\"\" for the root"],
    ),
    (
        "[accounts.a]\ncarrier = \"tencent-vms\"\nallow_http = true\n[accounts.b]\n\
         carrier = \"tencent-vms\"\nallow_http = true\npath = \"/callback/a/\"",
        4,
        &["accounts.b: /callback/a is already answered by accounts.a (gateway.toml:1)"],
    ),
    (
        "[accounts.a]\ncarrier = \"aliyun-sms\"\nsources = [\"carrier.example\"]\nallow_http = true",
        3,
        &["accounts.a.sources", "neither an IP address nor a network"],
    ),
    (
        "[accounts.a]\ncarrier = \"aliyun-sms\"\nsources = []\nallow_http = true",
        3,
        &["is empty", "leave the key out"],
    ),
    (
        "[accounts.a]\ncarrier = \"aliyun-sms\"\nclient_certificates = [\"CN=a\"]\nallow_http = true",
        3,
        &["names no certificate", "\"sha256:\" and 64 hex digits"],
    ),
    (
        "[accounts.a]\ncarrier = \"aliyun-sms\"\nclient_certificates = [\"subject:CN=a\"]\n\
         allow_http = true",
        1,
        &["not asked for any", "http.tls.client_ca"],
    ),
    (
        "[accounts.a]\ncarrier = \"aliyun-sms\"\ncontent_encodings = [\"br\"]\nallow_http = true",
        3,
        &["\"br\" cannot be unpacked here", "`gzip`, `deflate`"],
    ),
    (
        "[accounts.a]\ncarrier = \"aliyun-sms\"\nconnect = \"wss://a/\"",
        3,
        &["accounts.a.connect: there is nothing to connect to: `aliyun-sms` calls us"],
    ),
    (
        "[accounts.a]\ncarrier = \"asterisk-ari\"\nuser = \"u\"\nsecrets = [\"env:PLATFORM\"]\n\
         connect = \"ws://a/ari/events?app=h\"",
        5,
        &["in the clear over ws://", "allow_http = true"],
    ),
    (
        "[accounts.a]\ncarrier = \"asterisk-ari\"\nuser = \"u\"\nconnect = \"wss://a/\"",
        4,
        &["of which one is missing"],
    ),
    // Campaigns.
    (
        "[campaigns.c]\nscheme = \"asc\"\ntarget = \"call\"",
        1,
        &["campaigns.c: `service_numbers` is missing"],
    ),
    (
        "[campaigns.c]\nservice_numbers = [\"1\"]\nscheme = \"up\"\ntarget = \"call\"\n\
         [accounts.a]\ncarrier = \"aliyun-sms\"\ndefault_campaign = \"c\"\nallow_http = true",
        3,
        &["\"up\" is not a scheme", "1 is 非常满意"],
    ),
    (
        "[campaigns.c]\nservice_numbers = [\"1\"]\nscheme = \"asc\"\ntarget = \"person\"",
        4,
        &["\"person\" cannot be rated"],
    ),
    (
        "[campaigns.c]\nservice_numbers = []\nscheme = \"asc\"\ntarget = \"call\"",
        2,
        &["campaigns.c.service_numbers: is empty"],
    ),
    (
        "[campaigns.c]\nservice_numbers = [\"1*2\"]\nscheme = \"asc\"\ntarget = \"call\"",
        2,
        &["\"1*2\" is not a service number"],
    ),
    (
        "[campaigns.c]\nservice_numbers = [\"8890\"]\nscheme = \"asc\"\ntarget = \"call\"\n\
         [campaigns.d]\nservice_numbers = [\"1\",\n\"8890\"]\nscheme = \"asc\"\ntarget = \"call\"",
        7,
        &["\"8890\" already stands in campaigns.c.service_numbers"],
    ),
    (
        "[campaigns.c]\nservice_numbers = [\"1\"]\nscheme = \"asc\"\ntarget = \"call\"\n\
         sms_channel_code = 256",
        5,
        &["256 is out of bounds", "from 0 to 255"],
    ),
    // The destination.
    ("[destination]\nurl = \"http://p.example/\"", 2, &["in the clear", "allow_http = true"]),
    ("[destination]\nurl = \"ftp://p.example/\"", 2, &["is not an https:// URL"]),
    ("[destination]\nurl = \"p.example\"", 2, &["is not an https:// URL"]),
    ("[destination]\nurl = \"https://u:p@p.example/\"", 2, &["holds a user or password"]),
    ("[destination]\nurl = \"https://p.example/?a=b\"", 2, &["holds a query"]),
    ("[destination]\nname = \"Liao Ning\"", 2, &["\"Liao Ning\" is not a name"]),
    ("[destination]\nkey_id = \"a b\"", 2, &["not what a header can carry"]),
    ("[destination]\nsecret = \"abc\"", 2, &["never stands in this file", "env:NAME"]),
    ("[destination]\nlease = \"12s\"", 2, &["destination.lease", "at least \"15s\""]),
    ("[destination]\nrequest_timeout = \"58s\"", 2, &["request_timeout", "at least \"1m 3s\""]),
    ("[destination]\nmax_batch = 0", 2, &["0 is out of bounds"]),
    ("[destination.backoff]\nbase = \"10m\"", 2, &["above the ceiling of every delay"]),
    ("[destination.backoff]\nmax_age = \"2m\"", 2, &["before one delay"]),
    // Logging.
    ("[log]\nfilter = \"loud,=\"", 2, &["is not a log filter", "debug"]),
];

#[test]
fn every_bad_file_is_told_what_is_wrong_where() {
    for (text, line, parts) in BAD {
        let found = problems(text);
        let [problem] = found.as_slice() else { panic!("not one problem:\n{text}\n{found:#?}") };
        let shown = problem.to_string();
        assert_eq!(problem.origin.line, *line, "{text}\n{shown}");
        assert!(shown.starts_with("gateway.toml:"), "{shown}");
        for part in *parts {
            assert!(shown.contains(part), "{part:?} is not in\n{shown}");
        }
    }
}

proptest! {
    #[test]
    fn no_damage_to_a_file_makes_the_reader_panic_or_lose_its_place(
        at in any::<prop::sample::Index>(),
        length in 0_usize..40,
        damage in "[\\[\\]{}=\"'#.,\na-z0-9é]{0,12}",
    ) {
        let text = include_str!("../config/examples/single-node.toml");
        let start = text.floor_char_boundary(at.index(text.len()));
        let end = text.floor_char_boundary((start + length).min(text.len()));
        let damaged = format!("{}{damage}{}", &text[..start], &text[end.max(start)..]);
        let lines = damaged.lines().count().max(1) + 1;
        for problem in problems(&damaged) {
            prop_assert!((1..=lines).contains(&problem.origin.line), "{}", problem);
            prop_assert_eq!(&problem.origin.file, "gateway.toml");
        }
    }
}
