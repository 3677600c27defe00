//! Recorded and published requests of every scheme, and what may not be believed.

use super::*;
use crate::carrier::sample::{CLOCK, SECRET, Sample, account, proven_by};
use crate::config::dialect::{
    Algorithm, Decoding, Digest, Field, Inside, InsideFormat, Origin, Route, Sorted, SortedOf,
    Template, TimeField, TimeForm,
};
use jiff::SignedDuration;
use jiff::tz::Offset;
use std::collections::BTreeMap;
use std::time::Duration;

mod altered;
mod published;
mod recorded;

const TOLERANCE: Duration = Duration::from_secs(300);

fn place(text: &str) -> Source {
    Source::read(text).expect("a place")
}

fn scheme(check: Check) -> Scheme {
    Scheme { check, user: None, time: None, tolerance: TOLERANCE, nonce: None }
}

fn digest(algorithm: Algorithm, over: &str, given: &str) -> Digest {
    Digest {
        algorithms: vec![algorithm],
        over: Template::read(over).expect("a template"),
        given: place(given),
        prefix: String::new(),
        written: Written::Hex,
        sorted: None,
        key: Written::Plain,
    }
}

fn in_base64(digest: Digest) -> Digest {
    Digest { written: Written::Base64, ..digest }
}

fn time(from: &str, form: TimeForm) -> Option<TimeField> {
    let field = Field {
        from: Origin::Places(vec![place(from)]),
        decoding: Decoding::default(),
        map: BTreeMap::new(),
        strip: Vec::new(),
        until: Vec::new(),
        required: false,
    };
    Some(TimeField { field, form, zone: None })
}

/// Sinch's scheme, which has all that a signature can have.
fn sinch() -> Scheme {
    let over = "${body:}.${header:X-Sinch-Webhook-Signature-Nonce}.\
                ${header:X-Sinch-Webhook-Signature-Timestamp}";
    let given = "header:X-Sinch-Webhook-Signature";
    Scheme {
        time: time("header:X-Sinch-Webhook-Signature-Timestamp", TimeForm::EpochSeconds),
        nonce: Some(place("header:X-Sinch-Webhook-Signature-Nonce")),
        ..scheme(Check::Digest(in_base64(digest(Algorithm::HmacSha256, over, given))))
    }
}

fn sinch_sample() -> Sample {
    let recorded = include_bytes!("../../../tests/fixtures/carriers/sinch/sms_reply.http");
    Sample::recorded(recorded)
}

/// What an account with these secrets makes of it.
fn verdict(
    sample: &Sample,
    schemes: &[Scheme],
    secrets: &[&str],
    now: Timestamp,
) -> Result<Verified, Denied> {
    let route = proven_by(schemes.to_vec());
    verify(&sample.call(&route), &account(secrets), now)
}

/// What the account of the recordings makes of it.
fn believed(sample: &Sample, scheme: Scheme) -> Result<Verified, Denied> {
    verdict(sample, &[scheme], &["old", SECRET], CLOCK)
}

#[test]
fn without_a_scheme_everything_is_believed() {
    assert_eq!(verdict(&Sample::post("x"), &[], &[], CLOCK), Ok(Verified::default()));
}

#[test]
fn an_optional_proof_is_wanted_once_there_is_a_secret() {
    let mut route = proven_by(vec![scheme(Check::Twilio)]);
    let sample = Sample::post("a=1");
    let call = |route: &Route| verify(&sample.call(route), &account(&[]), CLOCK);
    assert_eq!(call(&route), Err(Denied::Unsigned));
    route.auth.optional = true;
    assert_eq!(call(&route), Ok(Verified::default()));
    let with_secret = verify(&sample.call(&route), &account(&[SECRET]), CLOCK);
    assert_eq!(with_secret, Err(Denied::Unsigned));
}

#[test]
fn any_live_secret_and_any_scheme_will_do() {
    let sample = sinch_sample();
    let schemes = [scheme(Check::Basic), sinch()];
    for secrets in [&[SECRET, "old"], &["new", SECRET]] {
        assert!(verdict(&sample, &schemes, secrets, CLOCK).is_ok());
    }
    assert_eq!(verdict(&sample, &schemes, &["new", "old"], CLOCK), Err(Denied::BadSignature));
    assert_eq!(verdict(&sample, &schemes, &[], CLOCK), Err(Denied::BadSignature));
}

#[test]
fn the_most_telling_reason_is_given() {
    let order = [Denied::Unsigned, Denied::BadSignature, Denied::BadCredentials, Denied::Stale];
    assert!(order.is_sorted());
    let late = CLOCK + SignedDuration::from_secs(301);
    let sample = sinch_sample().with("authorization", "Basic eDp5");
    let schemes = [sinch(), scheme(Check::Twilio), scheme(Check::Basic)];
    assert_eq!(verdict(&sample, &schemes, &[SECRET], late), Err(Denied::Stale));
    assert_eq!(verdict(&sample, &schemes, &["other"], late), Err(Denied::BadCredentials));
    assert_eq!(verdict(&sample, &schemes[..2], &["other"], late), Err(Denied::BadSignature));
    assert_eq!(verdict(&sample, &schemes[1..2], &["other"], late), Err(Denied::Unsigned));
}

#[test]
fn the_accounts_tolerance_goes_before_the_schemes() {
    let route = proven_by(vec![sinch()]);
    let mut account = account(&[SECRET]);
    let sample = sinch_sample();
    let early = CLOCK - SignedDuration::from_secs(200);
    let verified = verify(&sample.call(&route), &account, early).expect("within five minutes");
    assert_eq!(verified.skew, Some(SignedDuration::from_secs(200)));
    account.tolerance = Some(Duration::from_secs(100));
    assert_eq!(verify(&sample.call(&route), &account, early), Err(Denied::Stale));
}

#[test]
fn a_time_or_nonce_that_is_missing_does_not_pass() {
    let (nonce, time) = ("x-sinch-webhook-signature-nonce", "x-sinch-webhook-signature-timestamp");
    for (name, value, denied) in [
        (time, "", Denied::Stale),
        (time, "soon", Denied::Stale),
        (time, "99999999999999999999", Denied::Stale),
        (nonce, "", Denied::Unsigned),
    ] {
        let sample = resigned(sinch_sample().with(name, value), &sinch());
        assert_eq!(believed(&sample, sinch()), Err(denied), "{name} {value}");
    }
}

#[test]
fn a_token_stands_alone_or_after_its_prefix() {
    let token = |given: &str, prefix: &str| {
        scheme(Check::Token { given: place(given), prefix: prefix.to_owned() })
    };
    let bearer = token("header:Authorization", "Bearer ");
    let sent = |value: &str| Sample::post("").with("authorization", value);
    assert_eq!(believed(&sent("Bearer test-secret"), bearer.clone()), Ok(Verified::default()));
    assert_eq!(believed(&sent("bearer old"), bearer.clone()), Ok(Verified::default()));
    for wrong in ["test-secret", "Bearer test-secre", "Bearer test-secret1", "Bearer ", "Bear"] {
        assert_eq!(believed(&sent(wrong), bearer.clone()), Err(Denied::BadCredentials), "{wrong}");
    }
    assert_eq!(believed(&sent(""), bearer.clone()), Err(Denied::Unsigned));
    assert_eq!(believed(&Sample::post(""), bearer), Err(Denied::Unsigned));
    let query = Sample::get("/callback/x?IPass=test-secret");
    assert_eq!(believed(&query, token("query:IPass", "")), Ok(Verified::default()));
}

#[test]
fn the_user_must_be_the_accounts() {
    let password = Check::Token { given: place("form:pwd"), prefix: String::new() };
    let with_user = Scheme { user: Some(place("form:user")), ..scheme(password) };
    let mut account = account(&[SECRET]);
    let mut said = |body: &'static str, user: Option<&str>| {
        account.user = user.map(str::to_owned);
        let route = proven_by(vec![with_user.clone()]);
        verify(&Sample::post(body).call(&route), &account, CLOCK)
    };
    assert!(said("user=J8890&pwd=test-secret", Some("J8890")).is_ok());
    assert!(said("pwd=test-secret", None).is_ok());
    for wrong in ["user=J8891&pwd=test-secret", "pwd=test-secret"] {
        assert_eq!(said(wrong, Some("J8890")), Err(Denied::BadCredentials), "{wrong}");
    }
}

#[test]
fn basic_authentication_takes_user_and_password() {
    let route = proven_by(vec![scheme(Check::Basic)]);
    let mut account = account(&[SECRET]);
    let mut said = |credentials: &str, user: Option<&str>| {
        account.user = user.map(str::to_owned);
        let sample = Sample::post("").with("authorization", credentials);
        verify(&sample.call(&route), &account, CLOCK)
    };
    // `J8890:test-secret`
    let right = "Basic Sjg4OTA6dGVzdC1zZWNyZXQ=";
    assert!(said(right, Some("J8890")).is_ok() && said(right, None).is_ok());
    assert!(said("basic  Sjg4OTA6dGVzdC1zZWNyZXQ", Some("J8890")).is_ok());
    for wrong in ["Basic Sjg4OTA=", "Basic !", "Basic", "Bearer Sjg4OTA6dGVzdC1zZWNyZXQ="] {
        assert_eq!(said(wrong, None), Err(Denied::BadCredentials), "{wrong}");
    }
    assert_eq!(said(right, Some("J8891")), Err(Denied::BadCredentials));
}

/// The sample with the proof that the scheme wants at a header.
fn resigned(mut sample: Sample, scheme: &Scheme) -> Sample {
    let route: Route = proven_by(vec![scheme.clone()]);
    let secret = Secret::new(SECRET.into());
    let proof = sign(scheme, &secret, Some("J8890"), &sample.call(&route), CLOCK).expect("a key");
    let Place::Header(name) = proof.place.place else { panic!("not at a header") };
    sample.headers.insert(name, proof.value.try_into().expect("a header's value"));
    sample
}
