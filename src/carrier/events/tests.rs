//! What rules make of requests, and what no request may cost.

use super::super::sample::Sample;
use super::super::scope::Values;
use super::*;
use crate::config::dialect::{Charset, Format, Inside, InsideFormat, Records, Route, SortedOf};
use crate::config::{Environment, parse};
use crate::model::Caller;
use proptest::prelude::*;
use std::io::Write;
use std::path::Path;
use std::sync::LazyLock;

/// The account of a dialect written in TOML.
fn speaking(dialect: &str) -> Account {
    let text = format!(
        "[accounts.test]\ncarrier = \"generic\"\nallow_http = true\n[accounts.test.dialect]\n{dialect}"
    );
    let config = parse(&text, "gateway.toml", &Environment::given(Path::new(""), &[]));
    let config = config.unwrap_or_else(|problems| panic!("{problems}"));
    Account::clone(config.accounts.values().next().expect("the account"))
}

fn read(dialect: &str, sample: &Sample) -> Decoded {
    let account = speaking(dialect);
    decode(&sample.call(&account.dialect.routes[0]), &account)
}

fn texts(decoded: &Decoded) -> Vec<&str> {
    let bodies = decoded.events.iter().map(|event| &event.body);
    let texts = bodies.filter_map(|body| match body {
        EventBody::SmsReply { text } => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

fn garbled(decoded: &Decoded) -> Vec<String> {
    decoded.garbled.iter().map(ToString::to_string).collect()
}

/// A dialect of these formats whose replies have the usual fields, with more keys in front.
fn replies(formats: &str, more: &str) -> String {
    format!(
        "formats = {formats}\n{more}\nevents = [{{ kind = \"sms_reply\", id = \"id\", \
         caller = \"mobile\", service = \"to\", time = \"time\", text = \"text\" }}]"
    )
}

const JSON: &str = "[\"json\"]";

#[test]
fn an_item_becomes_an_event() {
    let body =
        r#"{"id":7,"mobile":"13940000001","to":"8890","time":"2026-03-05 10:20:30","text":""}"#;
    let dialect = replies(JSON, "").replace("kind =", "resend_window = \"10m\", kind =");
    let decoded = read(&dialect, &Sample::post(body));
    assert_eq!(
        decoded.events,
        [Event {
            message_id: Some(MessageId("7".to_owned())),
            call: None,
            caller: Some(Caller::read("13940000001", "86")),
            service: Some(ServiceNumber("8890".to_owned())),
            occurred_at: Some("2026-03-05T02:20:30Z".parse().expect("a time")),
            dedupe: "sms_reply|1:7".to_owned(),
            resend_window: Some(Duration::from_secs(600)),
            pass_through: None,
            part: None,
            body: EventBody::SmsReply { text: String::new() },
        }]
    );
    assert_eq!(garbled(&decoded), [""; 0]);
}

#[test]
fn one_bad_item_never_costs_its_neighbours() {
    let body = b"[{\"id\":1,\"mobile\":1,\"text\":\"a\"},{\"id\":2,\"text\":\"b\"},\"three\",\
        {\"id\":4,\"mobile\":1,\"text\":\"\xc2\xfa\"},{\"id\":5,\"mobile\":1},\
        {\"id\":6,\"mobile\":1,\"text\":\"c\",\"time\":\"soon\"},{\"id\":{},\"mobile\":1,\"text\":\"\"},\
        {\"id\":[1],\"mobile\":1,\"text\":\"\"},{\"id\":9,\"mobile\":1,\"text\":\"z\"}]";
    let decoded = read(&replies(JSON, ""), &Sample::post(&body[..]));
    assert_eq!(texts(&decoded), ["a", "z"]);
    assert_eq!(
        garbled(&decoded),
        [
            "body[1].mobile: missing or empty",
            "body[2]: expected a JSON object",
            "body[3]: expected UTF-8",
            "body[4].text: missing",
            "body[5].time: expected YYYY-MM-DD hh:mm:ss or YYYYMMDDhhmmss",
            "body[6].id: missing or empty",
            "body[7].id: expected text or a number",
        ]
    );
}

#[test]
fn a_body_that_is_none_is_one_problem() {
    for body in ["", "7", "[{", "{\"a\":1}}"] {
        let decoded = read(&replies(JSON, ""), &Sample::post(body));
        assert_eq!(garbled(&decoded), ["body: expected a JSON object or array"], "{body}");
    }
    let nothing = read(&replies(JSON, ""), &Sample::post("[]"));
    assert_eq!(nothing, Decoded::default());
}

#[test]
fn rules_are_told_apart_by_place_and_by_what_holds() {
    let dialect = r#"
        formats = ["json"]
        [[accounts.test.dialect.events]]
        when = { "/type" = "mo" }
        items = "objects"
        kind = "sms_reply"
        id = "id"
        caller = "mobile"
        text = "text"
        [[accounts.test.dialect.events]]
        when = { "/type" = ["dlr", "9"], "/test" = false }
        items = "objects"
        kind = "ignored"
        [[accounts.test.dialect.events]]
        items = "press"
        kind = "ivr_keypad"
        id = "id"
        caller = { from = "mobile", country = "code" }
        digits = "keys"
    "#;
    let decode = |body: &str| read(dialect, &Sample::post(body.to_owned()));
    let replies = decode(r#"{"type":"mo","objects":[{"id":1,"mobile":2,"text":"a"},{"id":2}]}"#);
    assert_eq!(texts(&replies), ["a"]);
    assert_eq!(garbled(&replies), ["body.objects[1].text: missing"]);
    assert_eq!(decode(r#"{"type":9,"objects":[{"id":1}]}"#), Decoded::default());
    let unknown = decode(r#"{"type":9,"test":1,"objects":[{"id":1}]}"#);
    assert_eq!(garbled(&unknown), ["body.objects[0]: no rule fits this kind of item"]);
    let press = decode(r#"{"press":{"id":1,"mobile":"2079460000","code":"+44","keys":"1"}}"#);
    assert_eq!(press.events[0].caller, Some(Caller::read("+442079460000", "86")));
    let missing = decode(r#"{"press":{"id":1,"mobile":2}}"#);
    assert_eq!(garbled(&missing), ["body.press.keys: missing"]);
    assert_eq!(garbled(&decode(r#"{"other":{}}"#)), ["body: holds nothing that a rule reads"]);
}

#[test]
fn the_same_fields_are_read_wherever_they_stand() {
    let formats = r#"["query", "form", "multipart", "json", "xml"]"#;
    let dialect = replies(formats, "methods = [\"GET\", \"POST\"]");
    let part = |name: &str, value: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let parts =
        [part("id", "1"), part("mobile", "2"), part("text", "满意"), "--b--\r\n".to_owned()];
    let query = "id=1&mobile=2&text=%E6%BB%A1%E6%84%8F&text=3";
    for sample in [
        Sample::get(&format!("/callback/x?{query}")),
        Sample::post(query),
        Sample::post(query).with("content-type", "application/json"),
        Sample::post(parts.concat()),
        Sample::post("\u{feff} {\"id\":1,\"mobile\":2,\"text\":\"满意\"}"),
        Sample::post("<r><id>1</id><mobile>2</mobile><text>满&#24847;</text></r>"),
    ] {
        let decoded = read(&dialect, &sample);
        assert_eq!(texts(&decoded), ["满意"], "{sample:?} {:?}", decoded.garbled);
    }
    let missing = read(&dialect, &Sample::get("/callback/x?id=1&text=1"));
    assert_eq!(garbled(&missing), ["query.mobile: missing or empty"]);
}

#[test]
fn a_document_may_stand_in_a_field() {
    let inside = r#"inside = { field = "mo", format = "json", decode = ["", "base64"] }"#;
    let dialect = replies(r#"["form"]"#, inside);
    let json = "%5B%7B%22id%22:1,%22mobile%22:2,%22text%22:%22a%2Bb%25%22%7D,%7B%7D%5D";
    let decoded = read(&dialect, &Sample::post(format!("x=1&mo={json}")));
    assert_eq!(texts(&decoded), ["a+b%"]);
    assert_eq!(garbled(&decoded), ["mo[1].id: missing or empty"]);
    // A `+` of Base64 that nobody escaped has become a space.
    let decoded = read(&dialect, &Sample::post("mo=eyJpZCI6MSwibW9iaWxlIjoyLCJ0ZXh0IjoiPj4+In0="));
    assert_eq!(texts(&decoded), [">>>"]);
    assert_eq!(garbled(&read(&dialect, &Sample::post("x=1"))), ["mo: no such form field"]);
}

#[test]
fn records_are_decoded_as_each_of_them_says() {
    let dialect = r#"
        formats = ["form"]
        charset = "gbk"
        inside = { field = "mos", records = { record = ",", field = "|", columns = ["id", "mobile", "coding", "text"] } }
        events = [{ kind = "sms_reply", id = "id", caller = "mobile", text = { from = "text", decode_by = "coding", decode = { "15" = "base64 gbk", "8" = "hex utf-16be", "0" = "" } } }]
    "#;
    let mos = "1|2|15|wvrS4g==,2|2|8|6ee1610f,3|2|0|%C2%FA,4|2|8|6ee161,5|2|9|x,6|2|8|zz,7|2|0|%FF,8|2|0,";
    let decoded = read(dialect, &Sample::post(format!("mos={mos}")));
    assert_eq!(texts(&decoded), ["满意", "满意", "满"]);
    assert_eq!(
        garbled(&decoded),
        [
            "mos[3].text: expected UTF-16, which has two bytes for each unit",
            "mos[4].text: the code beside it names no decoding",
            "mos[5].text: expected hexadecimal digits",
            "mos[6].text: expected GB 18030",
            "mos[7].text: missing",
        ]
    );
}

#[test]
fn a_charset_is_named_by_a_field_or_a_header() {
    let named = replies(r#"["query"]"#, "")
        .replace("text = \"text\"", "text = { from = \"text\", charset_from = \"charset\" }");
    for (query, text) in [
        ("charset=UTF-16BE&text=%6e%e1a%0f", Some("满意")),
        ("charset=GBK&text=%C2%FA", Some("满")),
        ("charset=big5&text=%BA%A1", Some("滿")),
        ("text=%E6%BB%A1", Some("满")),
        ("charset=klingon&text=1", None),
        ("charset=GBK&text=%FF", None),
    ] {
        let sample = Sample::get(&format!("/x?id=1&mobile=2&{query}"));
        assert_eq!(texts(&read(&named, &sample)).first().copied(), text, "{query}");
    }
    let announced = replies(JSON, "charset = \"announced\"");
    let body = b"{\"id\":1,\"mobile\":2,\"text\":\"\xc2\xfa\xd2\xe2\"}";
    let sample = Sample::post(&body[..]).with("content-type", "text/json; charset=\"GB2312\"");
    assert_eq!(texts(&read(&announced, &sample)), ["满意"]);
    let unannounced = read(&announced, &Sample::post(&body[..]));
    assert_eq!(garbled(&unannounced), ["body: expected UTF-8"]);
}

#[test]
fn a_text_says_where_it_belongs_in_a_longer_one_or_is_one_of_its_own() {
    let place = "part = { reference = \"ref\", total = \"of\", number = \"no\" }, kind =";
    let dialect = replies(JSON, "").replace("kind =", place);
    let part = |place: &str| {
        let body = format!(r#"{{"id":7,"mobile":"13940000001","text":"1"{place}}}"#);
        let decoded = read(&dialect, &Sample::post(body));
        assert_eq!(garbled(&decoded), [""; 0]);
        decoded.events[0].part.clone()
    };
    let expected = TextPart { reference: "ab".to_owned(), total: 3, number: 2 };
    assert_eq!(part(r#","ref":"ab","of":"3","no":2"#), Some(expected));
    for odd in ["", r#","ref":"ab","of":3"#, r#","ref":"ab","of":300,"no":2"#] {
        assert_eq!(part(odd), None, "{odd}");
    }
}

#[test]
fn values_are_chosen_joined_mapped_and_stripped() {
    let dialect = r#"
        formats = ["json"]
        [[accounts.test.dialect.events]]
        kind = "call_status"
        id = ["none", "empty", "id"]
        call = "leg"
        caller = { from = "from", strip = ["sip:", "tel:"], required = false }
        service = { template = "${base}${extend}" }
        time = { from = "ended", form = "epoch_s" }
        pass_through = { value = "fixed" }
        state = { from = "code", map = { "1" = "completed" } }
        digits = { from = "keys", decode = "percent" }
        dedupe = ["id", "none", "ended", "keys"]
        time_resolution = "10s"
    "#;
    let body = r#"{"empty":"","id":"a","leg":"l","from":"tel:13940000001","base":"8890","ended":1772677234.5,
        "code":1,"keys":"1%23"}"#;
    let decoded = read(dialect, &Sample::post(body));
    assert_eq!(garbled(&decoded), [""; 0]);
    let event = &decoded.events[0];
    assert_eq!(event.message_id, Some(MessageId("a".to_owned())));
    assert_eq!(event.call, Some(MessageId("l".to_owned())));
    assert_eq!(event.caller, Some(Caller::read("13940000001", "86")));
    assert_eq!(event.service, Some(ServiceNumber("8890".to_owned())));
    assert_eq!(event.pass_through.as_deref(), Some("fixed"));
    assert_eq!(event.dedupe, "call_status|1:a|0:|13:1772677230000|4:1%23");
    let body = EventBody::CallStatus {
        status: CallStatus::Completed,
        raw: "1".to_owned(),
        digits: Some("1#".to_owned()),
    };
    assert_eq!(event.body, body);
    let bare = read(dialect, &Sample::post(r#"{"id":"a","code":"x","ended":0}"#));
    let event = &bare.events[0];
    assert_eq!((&event.caller, &event.service, event.occurred_at), (&None, &None, None));
    assert_eq!(event.dedupe, "call_status|1:a|0:|0:|0:");
}

#[test]
fn what_nothing_identifies_is_no_repeat() {
    let dialect = "formats = [\"json\"]\nevents = [{ kind = \"sms_reply\", caller = \"mobile\", \
         text = \"text\", dedupe = [\"msgId\", \"time\"] }]";
    let decoded = read(dialect, &Sample::post(r#"[{"mobile":1,"text":"a","msgid":7}]"#));
    assert_eq!(garbled(&decoded), ["body[0]: has nothing of its rule's `dedupe`"]);
    let decoded = read(dialect, &Sample::post(r#"[{"mobile":1,"text":"a","time":7}]"#));
    assert_eq!(decoded.events[0].dedupe, "sms_reply|0:|1:7");
}

#[test]
fn too_many_items_are_quarantined_whole_and_problems_are_counted() {
    let many = |count: usize| format!("[{}7]", "7,".repeat(count - 1));
    let decoded = read(&replies(JSON, "max_items = 1000"), &Sample::post(many(1001)));
    assert_eq!(garbled(&decoded), ["body: more than 1000 items"]);
    let decoded = read(&replies(JSON, "max_items = 1000"), &Sample::post(many(1000)));
    assert_eq!(decoded.garbled.len(), MOST_LISTED + 1);
    assert_eq!(decoded.garbled[100].to_string(), "body: 900 more items cannot be read");
}

#[test]
fn what_items_share_is_not_read_without_end() {
    let dialect =
        replies(JSON, "").replace("\"to\"", "\"/to\"").replace("kind = ", "items = \"l\", kind = ");
    let item = r#"{"id":1,"mobile":2,"text":"a"}"#;
    let items = [item; 5000].join(",");
    let body = format!(r#"{{"to":"{}","l":[{items}]}}"#, "8".repeat(500_000));
    let decoded = read(&dialect, &Sample::post(body));
    assert!(decoded.events.len() < 200, "{}", decoded.events.len());
    assert!(garbled(&decoded)[0].contains("more is read"), "{:?}", decoded.garbled[0]);
    assert_eq!(decoded.garbled.len(), MOST_LISTED + 1);
}

#[test]
fn compressed_bodies_unpack_up_to_the_cap() {
    let dialect = replies(JSON, "max_body = \"4 KiB\"");
    let gzip = |text: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(text).and_then(|()| encoder.finish()).expect("in memory")
    };
    let small = gzip(br#"{"id":1,"mobile":2,"text":"a"}"#);
    let bomb = gzip(&vec![b' '; 1 << 20]);
    let problem = |body: &[u8], encoding: &str| {
        let sample = Sample::post(body.to_vec()).with("content-encoding", encoding);
        garbled(&read(&dialect, &sample)).concat()
    };
    assert_eq!(problem(&small, "gzip"), "");
    assert_eq!(problem(&bomb, "GZIP"), "body: unpacks to more than the route's max_body");
    let broken = "body: does not unpack as its content encoding says";
    assert_eq!(problem(&small[..20], "gzip"), broken);
    assert_eq!(problem(&small, "deflate"), broken);
    let unknown = "body: expected no content encoding but gzip and deflate";
    assert_eq!(problem(&small, "br"), unknown);
    assert_eq!(problem(&small, "gzip, gzip"), unknown);
}

/// Bytes that mean something in some format, and any others behind them.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let telling = br#"{}[]<>"\/?!&=:,;|%+-aid0 
"#
    .to_vec();
    let telling = prop::collection::vec(prop::sample::select(telling), 0..60);
    (telling, prop::collection::vec(any::<u8>(), 0..20))
        .prop_map(|(front, end)| [front, end].concat())
}

proptest! {
    #[test]
    fn no_bytes_in_any_format_make_anybody_panic(
        body in bytes(),
        held in prop::sample::select(vec!["", "a=", "a=<a>", "a={\"i\":", "--b\r\n"]),
        encoding in prop::sample::select(vec!["identity", "gzip", "deflate", "x"]),
        (_, format) in prop::sample::select(Format::NAMES.to_vec()),
        (_, charset) in prop::sample::select(Charset::NAMES.to_vec()),
        inside in prop::sample::select(vec!["json", "xml", "form", "records"]),
    ) {
        static ACCOUNT: LazyLock<Account> = LazyLock::new(|| speaking(&replies(r#"["form"]"#, "")));
        let records = Records {
            record: ";".to_owned(),
            field: ",".to_owned(),
            columns: vec!["id".to_owned(), "text".to_owned()],
            surplus: Some(1),
            split_encoded: true,
        };
        let inside = match inside {
            "json" => InsideFormat::Json,
            "xml" => InsideFormat::Xml,
            "form" => InsideFormat::Form,
            _ => InsideFormat::Records(records),
        };
        let inside = Inside { field: "a".to_owned(), decode: Vec::new(), format: inside, optional: true };
        let route = &ACCOUNT.dialect.routes[0];
        let route = Route { formats: vec![format], charset, inside: Some(inside), ..route.clone() };
        let sample = Sample::post([held.as_bytes(), &body].concat()).with("content-encoding", encoding);
        let call = sample.call(&route);
        let scope = Scope::of(&call);
        for of in [SortedOf::Query, SortedOf::Form, SortedOf::Document] {
            let _fields = scope.fields(of);
        }
        let _decoded = decode(&call, &ACCOUNT);
    }
}
