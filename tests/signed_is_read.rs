//! What was signed is what is read, whatever else is put beside it: the tricks by which a request
//! says one thing to the one who checks it and another to the one who reads it.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use bridge8890::carrier::{self, Call, Denied, Verified};
use bridge8890::config::dialect::Place;
use bridge8890::config::{self, Account, Environment};
use bridge8890::model::EventBody;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::path::Path;

/// 2026-03-05T02:20:30Z.
const CLOCK: jiff::Timestamp = jiff::Timestamp::constant(1_772_677_230, 0);

/// An account with one secret that proves as `auth` says.
fn account(formats: &str, auth: &str) -> Account {
    let text = format!(
        "[http]\nexternal_url = \"https://gateway.8890.example\"\n\
         [accounts.a]\ncarrier = \"generic\"\nallow_http = true\nuser = \"J8890\"\n\
         secrets = [\"env:KEY\"]\ncontent_encodings = [\"gzip\"]\n[accounts.a.dialect]\n\
         formats = [{formats}]\nauth = {{ {auth} }}\n\
         events = [{{ kind = \"sms_reply\", id = \"id\", caller = \"id\", text = \"text\" }}]"
    );
    let environment = Environment::given(Path::new(""), &[("KEY", "test-secret")]);
    let config = config::parse(&text, "gateway.toml", &environment);
    let config = config.unwrap_or_else(|problems| panic!("{text}\n{problems}"));
    Account::clone(config.accounts.values().next().expect("the account"))
}

/// A digest of all fields in order, in a header.
const SORTED: &str = "scheme = \"digest\", algorithm = \"md5\", over = \"${sorted}${secret}\", \
     sorted = {}, given = \"header:x-s\"";

const ANY: &str = "\"query\", \"form\", \"multipart\", \"json\", \"xml\"";

#[derive(Clone)]
struct Sent {
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Sent {
    fn post(body: impl Into<Bytes>) -> Sent {
        let (target, headers) = ("/callback/a".to_owned(), HeaderMap::new());
        Sent { method: Method::POST, target, headers, body: body.into() }
    }

    fn to(self, method: Method, target: &str) -> Sent {
        Sent { method, target: target.to_owned(), ..self }
    }

    /// The same with one header more.
    fn with(mut self, name: &'static str, value: &[u8]) -> Sent {
        let value = HeaderValue::from_bytes(value).expect("a header's value");
        self.headers.append(HeaderName::from_static(name), value);
        self
    }

    fn saying(self, body: impl Into<Bytes>) -> Sent {
        Sent { body: body.into(), ..self }
    }

    /// The same with the proof that the carrier would send.
    fn signed(mut self, account: &Account) -> Sent {
        let proof = self.call(account, |call| {
            let scheme = call.route.auth.schemes.first().expect("a scheme");
            let secret = account.secrets.first().expect("a secret");
            carrier::sign(scheme, secret, account.user.as_deref(), call, CLOCK).expect("a proof")
        });
        let Place::Header(name) = proof.place.place else { panic!("not in a header") };
        self.headers.insert(name, HeaderValue::from_bytes(&proof.value).expect("a value"));
        self
    }

    fn call<T>(&self, account: &Account, with: impl FnOnce(&Call<'_>) -> T) -> T {
        with(&Call {
            method: &self.method,
            route: account.dialect.routes.first().expect("a route"),
            target: &self.target,
            query: self.target.split_once('?').map_or("", |(_, query)| query),
            url: &format!("https://gateway.8890.example{}", self.target),
            headers: &self.headers,
            body: &self.body,
        })
    }

    fn verify(&self, account: &Account) -> Result<Verified, Denied> {
        self.call(account, |call| carrier::verify(call, account, CLOCK))
    }

    /// The text that is read, if it is believed.
    fn text(&self, account: &Account) -> Result<String, Denied> {
        self.verify(account)?;
        let decoded = self.call(account, |call| carrier::decode(call, account));
        let text = decoded.events.into_iter().find_map(|event| match event.body {
            EventBody::SmsReply { text } => Some(text),
            _ => None,
        });
        Ok(text.unwrap_or_default())
    }
}

#[test]
fn what_has_no_fields_cannot_be_signed_by_them() {
    // Such a proof is over nothing but the secret, and goes with anything that has no fields.
    let account = account(ANY, SORTED);
    let empty = Sent::post("{}").signed(&account);
    assert_eq!(empty.text(&account).as_deref(), Ok(""));
    for body in [
        r#"[{"id":"1","text":"forged"}]"#,
        r#"[["forged"]]"#,
        "<r><i><id>1</id><text>forged</text></i></r>",
        "<r id='1' text='forged'/>",
        "<r><id n='1'/></r>",
        r#"{"id":"1""#,
    ] {
        assert_eq!(empty.clone().saying(body).text(&account), Err(Denied::BadSignature), "{body}");
    }
}

#[test]
fn a_field_that_comes_twice_is_signed_twice_in_its_order() {
    for (formats, once, twice, swapped, read) in [
        (
            "\"json\"",
            r#"{"id":1,"text":"a"}"#,
            r#"{"id":1,"text":"a","\u0074ext":"b"}"#,
            r#"{"id":1,"\u0074ext":"b","text":"a"}"#,
            "b",
        ),
        ("\"form\"", "id=1&text=a", "id=1&text=a&t%65xt=b", "id=1&t%65xt=b&text=a", "a"),
        (
            "\"xml\"",
            "<r><id>1</id><text>a</text></r>",
            "<r><id>1</id><text>a</text><x:text>b</x:text></r>",
            "<r><id>1</id><x:text>b</x:text><text>a</text></r>",
            "a",
        ),
    ] {
        let account = account(formats, SORTED);
        let signed = Sent::post(once).signed(&account);
        assert_eq!(signed.text(&account).as_deref(), Ok("a"), "{once}");
        for other in [twice, swapped] {
            let added = signed.clone().saying(other);
            assert_eq!(added.text(&account), Err(Denied::BadSignature), "{other}");
        }
        let signed = Sent::post(twice).signed(&account);
        assert_eq!(signed.text(&account).as_deref(), Ok(read), "{twice}");
        assert_eq!(signed.saying(swapped).text(&account), Err(Denied::BadSignature), "{swapped}");
    }
}

#[test]
fn what_stands_beside_the_signed_part_is_not_read() {
    let account = account(ANY, SORTED);
    for body in ["id=1&text=a", r#"{"id":1,"text":"a"}"#, "<r><id>1</id><text>a</text></r>"] {
        let signed = Sent::post(body).signed(&account);
        let query = signed.clone().to(Method::POST, "/callback/a?id=2&text=b");
        assert_eq!(query.text(&account).as_deref(), Ok("a"), "{body}");
        // By GET only the query is read, and that is not what was signed.
        let get = signed.clone().to(Method::GET, "/callback/a?id=2&text=b");
        assert_eq!(get.text(&account), Err(Denied::BadSignature), "{body}");
        let bare = signed.to(Method::POST, "/callback/a?id=2&text=b").saying("");
        assert_eq!(bare.text(&account), Err(Denied::BadSignature), "{body}");
    }
    let signed = Sent::post("").to(Method::GET, "/callback/a?id=1&text=a").signed(&account);
    assert_eq!(signed.clone().saying("id=2&text=b").text(&account).as_deref(), Ok("a"));
    let post = signed.to(Method::POST, "/callback/a?id=1&text=a").saying("id=2&text=b");
    assert_eq!(post.text(&account), Err(Denied::BadSignature));
}

#[test]
fn another_content_type_does_not_say_another_thing() {
    let account = account(ANY, SORTED);
    for body in ["id=1&text=a", r#"{"id":1,"text":"a"}"#, "<r><id>1</id><text>a</text></r>"] {
        let signed = Sent::post(body).signed(&account);
        for kind in ["text/plain", "application/json", "application/x-www-form-urlencoded", "x"] {
            let sent = signed.clone().with("content-type", kind.as_bytes());
            assert_eq!(sent.text(&account).as_deref(), Ok("a"), "{kind} {body}");
        }
        let parts = signed.clone().with("content-type", b"multipart/form-data; boundary=id");
        assert!(matches!(parts.text(&account).as_deref(), Ok("a") | Err(Denied::BadSignature)));
        // What was not compressed cannot be read as if it were.
        let packed = signed.with("content-encoding", b"gzip");
        assert!(packed.text(&account).is_err(), "{body}");
    }
}

#[test]
fn of_a_header_that_comes_twice_the_first_counts_for_all() {
    let over = "scheme = \"digest\", algorithm = \"hmac-sha256\", given = \"header:x-s\", \
         over = \"${body:}${header:x-t}\", time = { from = \"header:x-t\", form = \"epoch_s\" }";
    let account = account("\"form\"", over);
    let sent = Sent::post("id=1&text=a").with("x-t", b"1772677230").signed(&account);
    assert_eq!(sent.text(&account).as_deref(), Ok("a"));
    assert!(sent.clone().with("x-t", b"1").text(&account).is_ok());
    assert!(sent.clone().with("x-s", b"00").text(&account).is_ok());
    let mut other = sent;
    other.headers.remove("x-t");
    let later = other.with("x-t", b"1772677231").with("x-t", b"1772677230");
    assert_eq!(later.text(&account), Err(Denied::BadSignature));
}

#[test]
fn a_proof_that_is_empty_proves_nothing() {
    let digest = |written: &str| {
        format!(
            "scheme = \"digest\", algorithm = \"hmac-sha256\", over = \"${{body:}}\", \
             given = \"header:x-s\", prefix = \"v=\", written = \"{written}\""
        )
    };
    for auth in [
        digest("hex"),
        digest("base64"),
        "scheme = \"token\"".to_owned(),
        "scheme = \"basic\"".to_owned(),
        "scheme = \"jwt\"".to_owned(),
        "scheme = \"sdk-hmac-sha256\"".to_owned(),
        "scheme = \"twilio\"".to_owned(),
        "scheme = \"plivo-v3\"".to_owned(),
        "scheme = \"plivo-v2\"".to_owned(),
    ] {
        let account = account("\"form\"", &auth);
        for proof in [
            "",
            "v=",
            "v=,,,",
            "v= ",
            "Bearer ",
            "Bearer ..",
            "Basic ",
            "Basic Og==",
            // `J8890:`, and a token that says it needs no signature.
            "Basic Sjg4OTA6",
            "Bearer eyJhbGciOiJub25lIn0.e30.",
            "SDK-HMAC-SHA256 ",
            ",",
            "=",
            "SDK-HMAC-SHA256 Access=J8890, SignedHeaders=, Signature=",
        ] {
            let mut sent = Sent::post("").with("x-plivo-signature-v2-nonce", b"1");
            sent = sent.with("x-plivo-signature-v3-nonce", b"1").with("x-sdk-date", b"");
            for place in [
                "x-s",
                "authorization",
                "x-twilio-signature",
                "x-plivo-signature-v2",
                "x-plivo-signature-v3",
            ] {
                sent = sent.with(place, proof.as_bytes());
            }
            assert!(sent.verify(&account).is_err(), "{auth} {proof:?}");
        }
    }
}

#[test]
fn a_user_or_one_time_value_is_another_in_another_writing() {
    let auth = "scheme = \"digest\", algorithm = \"hmac-sha256\", given = \"header:x-s\", \
         over = \"${header:x-n}${header:x-u}\", user = \"header:x-u\", nonce = \"header:x-n\"";
    let account = account("\"form\"", auth);
    let sent =
        |nonce: &[u8], user: &[u8]| Sent::post("id=1&text=a").with("x-n", nonce).with("x-u", user);
    let signed = sent(b"Once-1", b"J8890").signed(&account);
    let verified = signed.verify(&account).expect("right");
    assert_eq!(verified.nonce.as_deref(), Some("Once-1"));
    for nonce in [&b"once-1"[..], b"Once-1x", b"Once-1 1", b"Once%2D1", b"\xff"] {
        let mut replayed = signed.clone();
        replayed.headers.insert("x-n", HeaderValue::from_bytes(nonce).expect("a value"));
        assert_eq!(replayed.verify(&account), Err(Denied::BadSignature));
    }
    for user in [&b"j8890"[..], b"J889", b"J88900", b"J8890,", b""] {
        let other = sent(b"Once-1", user).signed(&account);
        assert_eq!(other.verify(&account), Err(Denied::BadSignature));
    }
    assert_eq!(sent(b"", b"J8890").signed(&account).verify(&account), Err(Denied::Unsigned));
}
