//! Puts what the gateway has to say into the carrier's words.

use super::scope::Scope;
use super::template::{Special, render_escaped};
use super::{Answer, Call, Denied, Reply, field};
use crate::config::dialect::{Condition, Source};
use bytes::Bytes;
use http::HeaderValue;

/// The most bytes of a value that are said back: an answer is no way to make us talk.
const ECHOED: usize = 256;

/// The answer in the words of the route's dialect.
///
/// What it echoes of the request is cut to 256 bytes each and escaped for the content type: as
/// part of a JSON string, as XML text or attribute, and elsewhere without control characters.
#[must_use]
pub fn answer(call: &Call<'_>, answer: &Answer) -> Reply {
    let (scope, answers) = (Scope::of(call), &call.route.answers);
    let case = || {
        let holds = |it: &Condition| field::holds(&scope.find_in_document(&it.source), &it.test);
        answers.cases.iter().find(|case| case.when.iter().all(holds)).map(|case| &case.form)
    };
    let form = match answer {
        Answer::Accepted => case().unwrap_or(&answers.accepted),
        Answer::Duplicate => case().unwrap_or(&answers.duplicate),
        Answer::Busy(_) => &answers.busy,
        Answer::Refused(Denied::Unsigned) => &answers.unsigned,
        Answer::Refused(_) => &answers.refused,
    };
    let escape = escape_for(form.content_type.as_ref());
    let echo = |_: &Source, value: Vec<u8>| escape(&cut(&value)).into_bytes();
    Reply {
        status: form.status,
        content_type: form.content_type.clone(),
        headers: form.headers.clone(),
        body: Bytes::from(render_escaped(&form.body, &scope, &Special::default(), echo)),
    }
}

/// The first bytes as text, whole characters only.
pub(super) fn cut(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    text[..text.floor_char_boundary(ECHOED)].to_owned()
}

/// How values are escaped within a body of this type.
pub(super) fn escape_for(content_type: Option<&HeaderValue>) -> fn(&str) -> String {
    let content_type = content_type.map_or(&b""[..], |value| value.as_bytes());
    let is = |name: &[u8]| content_type.windows(name.len()).any(|at| at.eq_ignore_ascii_case(name));
    if is(b"json") {
        json
    } else if is(b"xml") || is(b"html") {
        xml
    } else {
        plain
    }
}

/// As part of a JSON string.
pub(super) fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// As text or attribute of XML or HTML, without the characters that XML forbids.
pub(super) fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // A parser would make spaces of them, or one line end of two.
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            '\t' => escaped.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => {}
            other if other.is_control() => {}
            other => escaped.push(other),
        }
    }
    escaped
}

fn plain(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample::{self, Sample};
    use super::*;
    use crate::config::dialect::Format;
    use http::StatusCode;
    use proptest::prelude::*;
    use std::time::Duration;

    fn echoed(content_type: Option<&'static str>, template: &str, value: &[u8]) -> String {
        let mut route = sample::route(&[Format::Form]);
        route.answers.accepted = sample::answer(content_type, template);
        let encoded: String = value.iter().map(|byte| format!("%{byte:02x}")).collect();
        let sample = Sample::post(format!("id={encoded}"));
        let reply = answer(&sample.call(&route), &Answer::Accepted);
        String::from_utf8(reply.body.to_vec()).expect("UTF-8")
    }

    #[test]
    fn each_answer_has_its_form() {
        let mut route = sample::route(&[Format::Form]);
        for (status, form) in [
            (200, &mut route.answers.accepted),
            (208, &mut route.answers.duplicate),
            (503, &mut route.answers.busy),
            (403, &mut route.answers.refused),
            (401, &mut route.answers.unsigned),
        ] {
            form.status = StatusCode::from_u16(status).expect("a status");
        }
        let sample = Sample::post("");
        for (given, status) in [
            (Answer::Accepted, 200),
            (Answer::Duplicate, 208),
            (Answer::Busy(Duration::from_secs(1)), 503),
            (Answer::Refused(Denied::Stale), 403),
            (Answer::Refused(Denied::Unsigned), 401),
        ] {
            assert_eq!(answer(&sample.call(&route), &given).status, status, "{given:?}");
        }
    }

    #[test]
    fn an_echo_cannot_leave_its_place() {
        let odd = "a\"\\\n</id>&'\u{7}满".as_bytes();
        assert_eq!(
            echoed(Some("application/json"), r#"{"id":"${form:id}"}"#, odd),
            r#"{"id":"a\"\\\n</id>&'\u0007满"}"#
        );
        let escaped = "<id>a&quot;\\&#10;&lt;/id&gt;&amp;&#39;满</id>";
        for xml in ["text/xml", "application/xml; charset=utf-8", "text/html"] {
            assert_eq!(echoed(Some(xml), "<id>${form:id}</id>", odd), escaped, "{xml}");
        }
        assert_eq!(echoed(None, "ACK ${form:id}", odd), "ACK a\"\\</id>&'满");
        assert_eq!(echoed(Some("text/plain"), "${form:id|hex}", b"\n"), "0a");
    }

    #[test]
    fn an_echo_ends_after_256_bytes_and_a_whole_character() {
        let echo = echoed(None, "${form:id}", "满".repeat(100).as_bytes());
        assert_eq!(echo, "满".repeat(85));
    }

    #[test]
    fn nothing_secret_is_ever_echoed() {
        assert_eq!(echoed(None, "[${secret}${user}${sorted}]", b""), "[]");
    }

    proptest! {
        #[test]
        fn an_echo_of_any_bytes_leaves_the_document_whole(value in any::<Vec<u8>>()) {
            let json = echoed(Some("application/json"), r#"{"id":"${form:id}"}"#, &value);
            let parsed: serde_json::Value = serde_json::from_str(&json).expect("JSON");
            prop_assert!(parsed["id"].is_string());
            let xml = echoed(Some("text/xml"), "${form:id}", &value);
            prop_assert!(!xml.contains(['<', '>', '"', '\'']));
        }
    }
}
