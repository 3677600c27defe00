//! What the worst requests cost: memory in proportion to their size, and twice the request no more
//! than twice the allocations. Nothing is timed.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use allocation_counter::{AllocationInfo, measure};
use bridge8890::carrier::{self, Answer, Call, Decoded};
use bridge8890::config::{self, Account, Environment};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::io::Write;
use std::path::Path;

/// 2026-03-05T02:20:30Z.
const CLOCK: jiff::Timestamp = jiff::Timestamp::constant(1_772_677_230, 0);

/// A request of some size to an account that takes it as badly as one can.
struct Case {
    account: Account,
    headers: HeaderMap,
    body: Bytes,
}

impl Case {
    fn new(dialect: &str, body: impl Into<Bytes>) -> Case {
        let secrets = if dialect.contains("scheme") { "secrets = [\"env:KEY\"]" } else { "" };
        let text = format!(
            "[accounts.a]\ncarrier = \"generic\"\nallow_http = true\n{secrets}\n\
             content_encodings = [\"gzip\"]\n[accounts.a.dialect]\nmax_body = \"4 MiB\"\n{dialect}"
        );
        let environment = Environment::given(Path::new(""), &[("KEY", "test-secret")]);
        let config = config::parse(&text, "gateway.toml", &environment);
        let config = config.unwrap_or_else(|problems| panic!("{text}\n{problems}"));
        let account = config.accounts.values().next().expect("the account");
        Case { account: Account::clone(account), headers: HeaderMap::new(), body: body.into() }
    }

    fn with(mut self, name: &'static str, value: &str) -> Case {
        let value = HeaderValue::from_str(value).expect("a header's value");
        self.headers.append(HeaderName::from_static(name), value);
        self
    }

    fn call(&self) -> Call<'_> {
        let route = self.account.dialect.routes.first().expect("a route");
        Call {
            method: &Method::POST,
            route,
            target: "/callback/a",
            query: "",
            url: "https://gateway.8890.example/callback/a",
            headers: &self.headers,
            body: &self.body,
        }
    }

    fn decode(&self) -> Decoded {
        carrier::decode(&self.call(), &self.account)
    }

    /// All that becomes of a request.
    fn run(&self) -> AllocationInfo {
        let call = self.call();
        measure(|| {
            let _verified = carrier::verify(&call, &self.account, CLOCK);
            let _decoded = self.decode();
            let _reply = carrier::answer(&call, &Answer::Accepted);
        })
    }
}

/// Replies of these formats, with more keys in front.
fn replies(formats: &str, more: &str) -> String {
    format!(
        "formats = [{formats}]\n{more}\nevents = [{{ kind = \"sms_reply\", id = \"id\", \
         caller = \"mobile\", text = \"text\" }}]\nanswers.accepted.body = \"${{id}}\""
    )
}

/// Something many times.
fn times(count: usize, piece: impl Fn(usize) -> String) -> String {
    (0..count).map(piece).collect()
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(bytes).expect("written");
    packed.finish().expect("finished")
}

const SORTED: &str = "auth = { scheme = \"digest\", algorithm = \"md5\", \
     over = \"${sorted}${secret}\", sorted = {}, given = \"header:x-s\" }";

const MD5: &str = "00112233445566778899aabbccddeeff";

/// A case with so many of whatever there are many of.
type Make = fn(usize) -> Case;

/// What is tried, by name.
const CASES: &[(&str, Make)] = &[
    ("JSON deep in a value that is read", |n| {
        let body = format!(r#"{{"id":1,"mobile":2,"text":{}}}"#, nested(n));
        Case::new(&replies("\"json\"", ""), body)
    }),
    ("JSON deep in a value that is not read", |n| {
        let body = format!(r#"{{"id":1,"mobile":2,"text":"a","x":{}}}"#, nested(n));
        Case::new(&replies("\"json\"", ""), body)
    }),
    ("JSON deep where items are", |n| {
        let dialect = replies("\"json\"", "").replace("kind =", "items = \"a.b\", kind =");
        Case::new(&dialect, format!(r#"{{"a":{}}}"#, nested(n)))
    }),
    ("items along a path through arrays", |n| {
        let dialect = replies("\"json\"", "").replace("kind =", "items = \"a.b.c\", kind =");
        let item = r#"{"c":[{"id":1,"mobile":2,"text":"a"}]}"#;
        let element = |_| format!("{{\"b\":[{item},{item}]}},");
        Case::new(&dialect, format!(r#"{{"a":[{}{{}}]}}"#, times(n / 4, element)))
    }),
    ("a JSON object with many fields", |n| {
        let fields = times(n, |at| format!("\"f{at}\":{at},"));
        Case::new(&replies("\"json\"", SORTED), format!("{{{fields}\"id\":1}}")).with("x-s", MD5)
    }),
    ("a JSON object with one field many times", |n| {
        let fields = times(n, |at| format!("\"id\":{at},"));
        Case::new(&replies("\"json\"", SORTED), format!("{{{fields}\"id\":1}}")).with("x-s", MD5)
    }),
    ("a form with many fields", |n| {
        let fields = times(n, |at| format!("f{at}=%41&"));
        Case::new(&replies("\"form\"", SORTED), fields).with("x-s", MD5)
    }),
    ("a form with one field many times", |n| {
        Case::new(&replies("\"form\"", SORTED), "id=+&".repeat(n)).with("x-s", MD5)
    }),
    ("a multipart body with many parts", |n| {
        let part = "--b\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n1\r\n";
        Case::new(&replies("\"multipart\"", ""), part.repeat(n) + "--b--\r\n")
    }),
    ("a multipart body of almost boundaries", |n| {
        let head = "--b\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n";
        Case::new(&replies("\"multipart\"", ""), format!("{head}{}--b--\r\n", "\r\n--".repeat(n)))
    }),
    ("XML with many elements", |n| {
        let elements = times(n, |at| format!("<e{at} a='1'>&lt;</e{at}>"));
        Case::new(&replies("\"xml\"", ""), format!("<r>{elements}</r>"))
    }),
    ("XML with one element many times", |n| {
        let dialect = replies("\"xml\"", "").replace("kind =", "items = \"i\", kind =");
        Case::new(&dialect, format!("<r>{}</r>", "<i><id>1</id></i>".repeat(n)))
    }),
    ("XML with a text in many pieces", |n| {
        Case::new(&replies("\"xml\"", ""), format!("<r><id>{}</id></r>", "a<!---->&amp;".repeat(n)))
    }),
    ("many records", |n| {
        Case::new(&replies("\"form\"", RECORDS), format!("mos={}", "1,2,a;".repeat(n)))
    }),
    ("many separators of records", |n| {
        Case::new(&replies("\"form\"", RECORDS), format!("mos={}", ";".repeat(n)))
    }),
    ("many separators of fields", |n| {
        Case::new(&replies("\"form\"", RECORDS), format!("mos={}", ",".repeat(n)))
    }),
    ("lines of quoted fields", |n| {
        let dialect = replies(
            "\"text\"",
            &RECORDS
                .replace("\"mos\"", "\"body:\"")
                .replace("record = \";\"", "record = \"\\n\", quote = '\"'"),
        );
        Case::new(&dialect, "1,2,\"a\"\"\"\n".repeat(n))
    }),
    ("JSON in many texts", |n| {
        let dialect = replies("\"json\"", "").replace("kind =", "items = \"l\", kind =");
        let text = r#""{\"id\":1,\"mobile\":2,\"text\":\"a\"}","#;
        Case::new(&dialect, format!("{{\"l\":[{}\"\"]}}", text.repeat(n)))
    }),
    ("pieces of one value", |n| {
        let dialect = "formats = [\"form\"]\nevents = [{ kind = \"opt_out\", id = \"id\", \
             caller = \"each:\", each = { of = \"to\", split = \",\" } }]";
        Case::new(dialect, format!("id=1&to={}", "2,".repeat(n)))
    }),
    ("pieces that all items share, and that are empty", |n| {
        let dialect = "formats = [\"json\"]\nevents = [{ kind = \"opt_out\", id = \"id\", \
             items = \"i\", caller = \"each:\", each = { of = \"/to\" } }]";
        let (items, to) = ("{\"id\":1},".repeat(n / 4), "\"\",".repeat(n));
        Case::new(dialect, format!("{{\"i\":[{items}{{}}],\"to\":[{to}\"\"]}}"))
    }),
    ("what stands above many items", |n| {
        let dialect = replies("\"json\"", "")
            .replace("kind =", "items = \"g.l\", kind =")
            .replace("\"mobile\"", "\"../m\"");
        let group = "{\"m\":2,\"l\":[{\"id\":1,\"text\":\"a\"}]},";
        Case::new(&dialect, format!("{{\"g\":[{}{{}}]}}", group.repeat(n / 4)))
    }),
    ("a value in Base64", |n| unpacked("base64", &"YWFh".repeat(n))),
    ("a value in hexadecimal", |n| unpacked("hex", &"61".repeat(n))),
    ("a value encoded twice", |n| unpacked("percent", &"%2541".repeat(n))),
    ("a value of an unknown charset", |n| unpacked("detect", &"%C2%FA".repeat(n))),
    ("a charset in a header full of parameters, for many records", |n| {
        let dialect = replies("\"form\"", &format!("charset = \"announced\"\n{RECORDS}"));
        let header = format!("text/plain{};charset=gbk", ";a=b".repeat(n.min(8000)));
        Case::new(&dialect, format!("mos={}", "1,2,a;".repeat(n))).with("content-type", &header)
    }),
];

const RECORDS: &str = "inside = { field = \"mos\", records = { record = \";\", field = \",\", \
     columns = [\"id\", \"mobile\", \"text\"] } }";

fn unpacked(decode: &str, value: &str) -> Case {
    let text = format!("text = {{ from = \"text\", decode = \"{decode}\" }}");
    let dialect = replies("\"form\"", "").replace("text = \"text\"", &text);
    Case::new(&dialect, format!("id=1&mobile=2&text={value}"))
}

#[test]
fn twice_the_request_costs_twice_the_memory() {
    for (name, case) in CASES {
        let [once, again] = [10_000, 40_000].map(|n| case(n).run());
        let [few, many] = [once, again].map(|cost| cost.bytes_total + 64 * cost.count_total);
        assert!(many < 6 * few + 100_000, "{name}: {few} bytes, then {many}");
    }
}

#[test]
fn no_request_takes_many_times_its_size() {
    for (name, case) in CASES {
        let case = case(50_000);
        let most = 100 * case.body.len() as u64 + 100_000;
        let cost = case.run();
        assert!(cost.bytes_max < most, "{name}: {} bytes of {}", cost.bytes_max, case.body.len());
    }
}

#[test]
fn depth_is_a_problem_of_the_value_that_is_read_only() {
    let read = CASES.iter().map(|(_, case)| case(100_000).decode()).take(3);
    let found: Vec<_> = read.map(|said| (said.events.len(), said.garbled.len())).collect();
    assert_eq!(found, [(0, 1), (1, 0), (0, 1)]);
}

#[test]
fn xml_that_grows_or_is_deep_is_not_read() {
    let entities = times(100, |at| format!("<!ENTITY a{} \"&a{at};&a{at};\">", at + 1));
    let bomb = format!("<!DOCTYPE r [<!ENTITY a0 \"a\">{entities}]><r><id>&a100;</id></r>");
    let deep = "<a>".repeat(100_000) + &"</a>".repeat(100_000);
    let undeclared = format!("<r><id>{}</id></r>", "&a;".repeat(100_000));
    for body in [bomb, deep, undeclared, "<!DOCTYPE r><r/>".to_owned()] {
        let case = Case::new(&replies("\"xml\"", ""), body);
        let said = case.decode();
        assert_eq!((said.events.len(), said.garbled.len()), (0, 1));
        assert!(case.run().bytes_max < 100_000 + 3 * case.body.len() as u64);
    }
}

#[test]
fn a_compressed_body_is_unpacked_up_to_the_cap() {
    // A thousand members of 1 MiB each: 1 GiB in 1 MiB.
    let bomb = gzip(&vec![b'a'; 1 << 20]).repeat(1024);
    assert!(bomb.len() > 1 << 20);
    for dialect in [replies("\"json\"", ""), replies("\"form\"", SORTED)] {
        let case = Case::new(&dialect, bomb.clone()).with("content-encoding", "gzip");
        let problems: Vec<String> = case.decode().garbled.iter().map(ToString::to_string).collect();
        assert_eq!(problems, ["body: unpacks to more than the route's max_body"]);
        let case = case.with("x-s", MD5);
        assert!(case.run().bytes_max < 16 << 20, "twice the cap, as a vector grows");
    }
}

#[test]
fn what_all_items_look_for_in_one_place_has_an_end() {
    let parameters = times(4_000, |at| format!("p{at}=v,"));
    let items = format!("[{}]", vec![r#"{"id":1}"#; 10_000].join(","));
    for (place, all) in [("header:x-a#p3999", false), ("header:x-a", false), ("/0.id", true)] {
        let dialect = format!(
            "formats = [\"json\"]\n\
             events = [{{ kind = \"opt_out\", caller = \"{place}\", dedupe = [\"id\"] }}]"
        );
        let said = Case::new(&dialect, items.clone()).with("x-a", &parameters).decode();
        assert_eq!(said.events.len() == 10_000, all, "{place}: {}", said.events.len());
        assert_eq!(said.garbled.is_empty(), all, "{place}");
    }
}

#[test]
fn an_answer_says_little_of_what_was_sent() {
    let long = "<".repeat(1 << 20);
    let dialect = "formats = [\"form\"]\nevents = [{ kind = \"opt_out\", id = \"id\", caller = \"id\" }]\n\
         [accounts.a.dialect.answers.accepted]\ncontent_type = \"text/xml\"\n\
         body = \"<a>${id}${/id|upper}${form:id}${body:}</a>\"";
    let case = Case::new(dialect, format!("id={long}"));
    let reply = carrier::answer(&case.call(), &Answer::Accepted);
    assert!(reply.body.len() <= 7 + 4 * 256 * "&lt;".len(), "{}", reply.body.len());
}
