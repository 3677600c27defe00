//! What the speaker says, the engine believes and reads as what was said.

use super::*;
use crate::carrier::{Decoded, Denied, decode, verify};
use crate::config::{self, Config, Environment};
use crate::model::{Event, EventBody};
use crate::standin::carriers::accounts;
use proptest::prelude::*;
use std::path::Path;
use std::sync::LazyLock;

/// 2026-03-05 10:20:30.574 in Beijing.
const NOW: Timestamp = Timestamp::constant(1_772_677_230, 574_000_000);
const SECRET: &str = "test-secret";
const URL: &str = "https://gateway.8890.example";

static KEYS: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::of(SECRET));

/// An account of every built-in carrier.
static BUILT_IN: LazyLock<Config> = LazyLock::new(|| {
    let keys: Vec<&str> = config::built_in().map(|(key, _)| key).collect();
    parsed(&accounts::configuration(&keys))
});

fn parsed(text: &str) -> Config {
    let variables = accounts::variables(SECRET);
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let environment = Environment::given(Path::new(""), &variables);
    config::parse(text, "test", &environment).unwrap_or_else(|problems| panic!("{problems}"))
}

fn speaker(account: &Account) -> Speaker<'_> {
    Speaker { account, external_url: URL, keys: Some(&KEYS) }
}

fn said(content: &str) -> Said<'_> {
    Said {
        caller: "13940000001",
        service: "8890-CASE",
        id: "0b00-7",
        call: "0b00-8",
        at: NOW,
        pass_through: "CASE",
        content,
    }
}

/// What the engine makes of what was said in this way; it must believe it.
fn heard(account: &Account, way: &Way<'_>, said: &Said<'_>) -> Decoded {
    let spoken = speaker(account).say(way, said, NOW);
    let spoken = spoken.unwrap_or_else(|unspoken| panic!("{}: {unspoken}", named(account, way)));
    let call = spoken.call(way.route);
    let verified = verify(&call, account, NOW);
    assert!(verified.is_ok(), "{}: {verified:?} {spoken:?}", named(account, way));
    decode(&call, account)
}

fn named(account: &Account, way: &Way<'_>) -> String {
    let Way { route, rule, method, format, packing } = way;
    format!("{} /{} {} {method} {format:?} {packing:?}", account.name, route.name, rule.name)
}

/// The one event of a callback.
fn only(account: &Account, way: &Way<'_>, said: &Said<'_>) -> Event {
    let mut decoded = heard(account, way, said);
    assert_eq!(decoded.garbled, [], "{}", named(account, way));
    assert_eq!(decoded.events.len(), 1, "{}", named(account, way));
    decoded.events.remove(0)
}

fn assert_understood(account: &Account, way: &Way<'_>, said: &Said<'_>) {
    let (event, rule, name) = (only(account, way, said), way.rule, named(account, way));
    match (&rule.kind, &event.body) {
        (RuleKind::SmsReply { .. }, EventBody::SmsReply { text: content })
        | (RuleKind::Keypad { .. }, EventBody::Keypad { digits: content })
        | (RuleKind::Recording { .. }, EventBody::Recording { url: content }) => {
            assert_eq!(content, said.content, "{name}");
        }
        (RuleKind::CallStatus { state, .. }, EventBody::CallStatus { status, raw, .. }) => {
            assert_eq!(state.map.get(said.content), Some(status), "{name}");
            // What it is, is not always said in the carrier's own word for it.
            assert!(raw == said.content || state.raw.is_some(), "{name}: {raw}");
        }
        (RuleKind::DeliveryReport { state }, EventBody::DeliveryReport { status, raw }) => {
            assert_eq!(state.map.get(said.content), Some(status), "{name}");
            assert_eq!(raw, said.content, "{name}");
        }
        (kind, body) => assert_eq!((kind, body.kind()), (&RuleKind::OptOut, "opt_out"), "{name}"),
    }
    let caller = event.caller.as_ref().map(|caller| caller.reveal());
    assert_eq!(caller, rule.caller.as_ref().map(|_| "+8613940000001"), "{name}");
    let text = |it: &Option<_>, text: &str| it.as_ref().map(|_: &_| text.to_owned());
    let id = event.message_id.map(|id| id.0);
    let shared = matches!(&rule.kind, RuleKind::Recording { url } if rule.id.as_ref() == Some(url));
    let id_said = if shared { said.content } else { said.id };
    assert_eq!(id, text(&rule.id, id_said), "{name}");
    assert_eq!(event.service.map(|it| it.0), text(&rule.service, said.service), "{name}");
    let call = event.call.map(|id| id.0);
    assert_eq!(call, rule.call.as_ref().map(|_| said.call.to_owned()), "{name}");
    assert_eq!(event.pass_through, text(&rule.pass_through, said.pass_through), "{name}");
    assert_eq!(event.occurred_at.is_some(), rule.time.is_some(), "{name}");
    if let Some(at) = event.occurred_at {
        // The coarsest form is to the minute.
        let coarse = said.at.duration_since(at).as_millis();
        assert!((0..60_000).contains(&coarse), "{name}: {at}");
    }
}

#[test]
fn every_kind_of_every_built_in_carrier_is_believed_and_understood_in_every_form() {
    let mut forms = 0;
    for account in BUILT_IN.accounts.values() {
        for way in speaker(account).ways() {
            for content in contents(&way) {
                assert_understood(account, &way, &said(content));
            }
            forms += 1;
        }
    }
    assert!(forms > 80, "only {forms} forms");
}

/// Something of the rule's kind, all words of it.
fn contents<'w>(way: &'w Way<'_>) -> Vec<&'w str> {
    match way.rule.kind {
        RuleKind::SmsReply { .. } => vec!["收到了,谢谢！[15℃]", "1"],
        RuleKind::Keypad { .. } => vec!["12#"],
        RuleKind::CallStatus { .. } | RuleKind::DeliveryReport { .. } => way.words(),
        RuleKind::Recording { .. } => vec!["https://example.com/a.wav?b=1&c"],
        RuleKind::OptOut | RuleKind::Ignored => vec![""],
    }
}

#[test]
fn every_rule_can_be_spoken() {
    for account in BUILT_IN.accounts.values() {
        let ways = speaker(account).ways();
        for route in &account.dialect.routes {
            for rule in route.events.iter().filter(|rule| rule.kind != RuleKind::Ignored) {
                let spoken = ways.iter().any(|way| std::ptr::eq(way.rule, rule));
                assert!(spoken, "{} /{} {}", account.name, route.name, rule.name);
            }
        }
    }
}

#[test]
fn messages_of_other_ids_have_other_keys_and_a_repeat_has_the_same() {
    for account in BUILT_IN.accounts.values() {
        for way in speaker(account).ways() {
            let key = |id: &str, caller: &str| {
                let url = format!("https://example.com/{id}");
                let is_url = matches!(way.rule.kind, RuleKind::Recording { .. });
                let content = if is_url { url.as_str() } else { contents(&way)[0] };
                only(account, &way, &Said { id, call: id, caller, ..said(content) }).dedupe
            };
            let (one, other) = (key("7", "13940000001"), key("8", "13940000002"));
            assert_eq!(one, key("7", "13940000001"), "{}", named(account, &way));
            assert_ne!(one, other, "{}", named(account, &way));
        }
    }
}

#[test]
fn what_nothing_decodes_is_believed_and_garbled() {
    let mut said_so = 0;
    for account in BUILT_IN.accounts.values().chain(OPERATORS.accounts.values()) {
        for way in speaker(account).ways() {
            let said = said(contents(&way)[0]);
            let spoken = match speaker(account).say_undecodable(&way, &said, NOW) {
                Ok(spoken) => spoken,
                // A condition on the very field, or all bytes being characters.
                Err(_) => continue,
            };
            let call = spoken.call(way.route);
            assert!(verify(&call, account, NOW).is_ok(), "{}", named(account, &way));
            let decoded = decode(&call, account);
            let counts = (decoded.events.len(), decoded.garbled.len());
            assert_eq!(counts, (0, 1), "{}: {:?}", named(account, &way), decoded.garbled);
            said_so += 1;
        }
    }
    assert!(said_so > 80, "only {said_so} ways");
}

#[test]
fn what_tells_its_time_is_refused_beyond_the_tolerance_and_else_believed() {
    for account in BUILT_IN.accounts.values().chain(OPERATORS.accounts.values()) {
        for way in speaker(account).ways() {
            let tolerance = speaker(account).tolerance(way.route);
            let ahead = tolerance.unwrap_or_default() + Duration::from_secs(60);
            for now in [NOW + ahead, NOW - ahead] {
                let spoken = speaker(account).say(&way, &said(contents(&way)[0]), now);
                let spoken = spoken.unwrap_or_else(|unspoken| panic!("{unspoken}"));
                let verified = verify(&spoken.call(way.route), account, NOW);
                let expected = if tolerance.is_some() { Some(Denied::Stale) } else { None };
                assert_eq!(verified.err(), expected, "{}", named(account, &way));
            }
        }
    }
}

/// An operator's own carriers, which between them use what the built-in ones do not.
const GENERIC: &str = r#"
[accounts.attributes]
carrier = "generic"
secrets = ["env:CARRIER_SECRET"]
[accounts.attributes.dialect]
formats = ["xml"]
charset = "gb18030"
auth = { scheme = "digest", algorithm = "hmac-sm3", over = "${body:}", given = "header:X-Sign", written = "base64", prefix = "SM3 " }
events = [{ kind = "sms_reply", when = { "/@type" = ["mo", "up"], "/answered" = false }, items = "list.reply", id = "@id", caller = { from = "from.number", strip = ["tel:", "sip:"] }, time = { from = "@at", form = "epoch" }, text = "text" }]

[accounts.records]
carrier = "generic"
secrets = ["env:CARRIER_SECRET"]
[accounts.records.dialect]
formats = ["form", "multipart", "query"]
charset = "detect"
inside = { field = "mo", decode = "percent hex", records = { record = "\r\n", field = "|#|", surplus = "text", columns = ["id", "mobile", "", "text", "at"] } }
auth = { scheme = "token", given = "form:key", prefix = "k-", user = "form:who" }
events = [{ kind = "sms_reply", id = "id", caller = "mobile", time = { from = "at", form = "%d.%m.%Y %H:%M:%S" }, text = { from = "text", decode = "percent utf-16le" } }]

[accounts.forms]
carrier = "generic"
secrets = ["env:CARRIER_SECRET"]
user = "u1"
[accounts.forms.dialect]
formats = ["query", "form", "multipart"]
charset = "gbk"
inside = { field = "payload", format = "form", decode = "base64" }
auth = { scheme = "digest", algorithm = "sha512", over = "${user}:${sorted}:${secret}", sorted = { of = "form", except = ["sign"] }, given = "form:sign", user = "header:X-User" }
events = [{ kind = "sms_reply", id = "a.b", caller = { template = "+${country}${mobile}" }, service = { template = "${base}-${extend}" }, text = "text", pass_through = "extend", dedupe = ["serial"] }]

[accounts.codes]
carrier = "generic"
[accounts.codes.dialect]
formats = ["json", "xml", "form", "query"]
events = [
  { name = "stop", when = { stop = true }, kind = "opt_out", caller = "mobile", dedupe = ["mobile"] },
  { kind = "sms_reply", id = "id", caller = "mobile", text = { from = "text", decode_by = "coding", decode = { "0" = "hex gsm7", "3" = "base64 latin1", "8" = "hex base64 utf-16be", other = "percent gb18030" } } },
]

[accounts.names]
carrier = "generic"
[accounts.names.dialect]
formats = ["query", "form", "multipart"]
charset = "latin1"
events = [{ kind = "sms_reply", id = { from = "id", map = { "one" = "0b00-7" } }, caller = "mobile", text = { from = "text", charset_from = "charset", decode = "base64" }, time = { from = "header:Date", form = "rfc2822" } }]

[accounts.inner]
carrier = "generic"
[accounts.inner.dialect]
formats = ["form", "multipart", "json"]
inside = { field = "xml", format = "xml", optional = true, decode = ["", "base64", "percent hex"] }
events = [{ kind = "sms_reply", id = "id.0.value", caller = "mobile", text = "text", service = "header:X-To#number", time = { from = "at", form = "epoch_us" } }]

[accounts.raw]
carrier = "generic"
secrets = ["env:CARRIER_PUBLIC_KEY"]
[accounts.raw.dialect]
formats = ["text"]
charset = "utf-16le"
auth = { scheme = "digest", algorithm = "ed25519", over = "${method:} ${target:}\n${body:|sha256|hex}", given = "header:X-Sign", key = "base64", time = { from = "query:at", form = "iso", decode = "utf-8" } }
events = [{ kind = "sms_reply", id = { from = "query:id", decode = "utf-8" }, caller = { from = "header:X-From", decode = "utf-8" }, text = "body:" }]

[accounts.lines]
carrier = "generic"
[accounts.lines.dialect]
formats = ["text"]
inside = { field = "body:", records = { record = "\n", field = ",", quote = "'", skip = 2, columns = ["id", "mobile", "text"] } }
events = [{ kind = "sms_reply", id = "id", caller = "mobile", text = "text" }]

[accounts.enveloped]
carrier = "generic"
secrets = ["env:CARRIER_SECRET"]
[accounts.enveloped.dialect]
formats = ["xml", "json"]
charset = "gbk"
inside = { field = "Body.message", format = "json", decode = ["base64", ""] }
auth = { scheme = "digest", algorithm = "sha1", over = "${sorted}", sorted = { values = ["${secret}", "${query:at}", "${query:nonce}"] }, given = "query:sign", written = "hex base64", time = { from = "query:at", form = "epoch_s" }, nonce = "query:nonce" }
events = [{ kind = "sms_reply", items = "groups.list", id = "id", call = "outer:Header.call", caller = "from", service = "../code", text = { from = "text", decode = "form utf-8" } }]

[accounts.pieces]
carrier = "generic"
[accounts.pieces.dialect]
formats = ["json", "form"]
events = [{ kind = "sms_reply", each = { of = "to", split = ";" }, id = "id", caller = { from = "each:", strip = "+" }, text = "text" }]
"#;

static OPERATORS: LazyLock<Config> = LazyLock::new(|| {
    parsed(&GENERIC.replace("carrier = \"generic\"", "carrier = \"generic\"\nallow_http = true"))
});

#[test]
fn an_operators_own_carriers_are_spoken_as_well() {
    for account in OPERATORS.accounts.values() {
        let ways = speaker(account).ways();
        let rules = &account.dialect.routes[0].events;
        for rule in rules {
            assert!(ways.iter().any(|way| way.rule == rule), "{} {}", account.name, rule.name);
        }
        for way in ways {
            assert_understood(account, &way, &said("1 满意"));
        }
    }
}

proptest! {
    #[test]
    fn any_text_comes_through(text in "[^\0]{0,24}") {
        for account in BUILT_IN.accounts.values().chain(OPERATORS.accounts.values()) {
            let texts = |way: &Way<'_>| matches!(way.rule.kind, RuleKind::SmsReply { .. });
            for way in speaker(account).ways().into_iter().filter(texts) {
                let speaker = speaker(account);
                let carried = |text: &str| speaker.say(&way, &said(text), NOW).is_ok();
                let mut carriable = text.clone();
                if !carried(&text) {
                    carriable.retain(|character| carried(character.encode_utf8(&mut [0; 4])));
                }
                let event = only(account, &way, &said(&carriable));
                prop_assert_eq!(event.body, EventBody::SmsReply { text: carriable });
            }
        }
    }
}
