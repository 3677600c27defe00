//! What a dialect means: layers, routes, defaults, and the shapes that fields may have.

use super::{account, around, parse};
use bridge8890::config::dialect::{
    Charset, Check, Decode, Decoding, DedupePart, Dialect, Format, Origin, RuleKind, SecretUse,
    Source, Step, Trust,
};
use bridge8890::config::load_built_in;
use bridge8890::model::CallStatus;
use http::{Method, StatusCode};
use std::sync::Arc;
use std::time::Duration;

fn dialect(text: &str) -> Arc<Dialect> {
    let config = parse(&account(text)).unwrap_or_else(|problems| panic!("{text}\n{problems}"));
    assert!(config.warnings.is_empty(), "{}", config.warnings);
    Arc::clone(&config.accounts.values().next().expect("the account").dialect)
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
    assert_eq!((inside.name.as_str(), inside.decode.len()), ("sms_reply", 2));
    assert_eq!(theirs.secrets(), SecretUse::Required);
    assert_eq!(ours.secrets(), SecretUse::Optional);
}

#[test]
fn a_dialect_that_only_says_how_to_send_is_called_by_nobody() {
    let send = "[send]\nurl = \"https://sms.example/send\"\n\
                query = { to = \"${to}\", text = \"${text}\" }\n\
                [send.answer]\nformat = \"text\"\ncode = \"status:\"\nsent = [\"200\"]";
    let config = parse(&around("generic", false, send)).unwrap_or_else(|it| panic!("{it}"));
    assert!(config.warnings.is_empty(), "{}", config.warnings);
    let spoken = &config.accounts.values().next().expect("the account").dialect;
    assert!(spoken.routes.is_empty() && spoken.send.is_some());
    let half = format!("formats = [\"json\"]\n{send}");
    let problems = parse(&around("generic", false, &half)).expect_err("it hears nothing");
    assert!(problems.to_string().contains("events"), "{problems}");
    assert_eq!(dialect(send).routes.len(), 1, "with formats and events it is called");
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
    let of_queries = |auth: &str| trust(&format!("formats = [\"query\"]\n{auth}"));
    assert_eq!(of_queries(&format!("[auth]\n{hmac} \"${{body:}}\"")), Trust::Signature);
    assert_eq!(of_queries(&format!("[auth]\n{hmac} \"${{target:}}\"")), Trust::SignedBody);
    assert_eq!(of_queries("[auth]\nscheme = \"jwt\""), Trust::Signature);
    let sorted = format!("[auth]\n{hmac} \"${{sorted}}\"\nsorted = {{ of = \"query\" }}");
    assert_eq!(trust(&sorted), Trust::Signature, "the query in order, where JSON is read");
}

#[test]
fn content_is_signed_only_where_all_that_is_read_is() {
    let trust = |formats: &str, auth: &str| {
        let file = account(&format!("formats = [{formats}]\n[auth]\n{auth}"));
        let config = parse(&file).unwrap_or_else(|problems| panic!("{file}\n{problems}"));
        config.accounts.values().next().expect("the account").dialect.trust()
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
