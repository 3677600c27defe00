//! Whatever of a signed request is changed, it is not believed; whatever is sent, nothing breaks.

use super::*;
use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::Index;

fn jwt() -> Scheme {
    scheme(Check::Jwt {
        given: place("header:Authorization"),
        prefix: "Bearer ".to_owned(),
        body_hash: "payload_hash".to_owned(),
        url_hash: None,
    })
}

/// Every scheme whose signature covers the body's bytes.
fn over_the_body() -> Vec<Scheme> {
    let netease = "${secret}${body:|md5|hex}${header:X-Nonce}";
    let digest = |algorithm, over| digest(algorithm, over, "header:X-Signature");
    let mut schemes = vec![sinch(), jwt(), scheme(Check::SdkHmacSha256)];
    schemes.extend(
        [
            digest(Algorithm::Sha1, netease),
            Digest { prefix: "sm3=".to_owned(), ..digest(Algorithm::HmacSm3, "${body:}") },
            in_base64(digest(Algorithm::HmacSha512, "${body:|sha256}")),
        ]
        .map(|digest| scheme(Check::Digest(digest))),
    );
    schemes
}

fn every() -> Vec<Scheme> {
    let mut schemes = over_the_body();
    let token = Check::Token { given: place("header:Authorization"), prefix: "Bearer ".to_owned() };
    let public = digest(Algorithm::Ed25519, "${body:}", "header:X-Signature");
    let rest = [Check::Basic, token, Check::Twilio, Check::PlivoV2, Check::PlivoV3];
    schemes.extend(rest.into_iter().chain([Check::Digest(public)]).map(scheme));
    schemes
}

/// With all that the schemes look at beside the signature.
fn sample(body: Vec<u8>) -> Sample {
    Sample::post(body)
        .with("x-sinch-webhook-signature-nonce", "01FJA8B4")
        .with("x-sinch-webhook-signature-timestamp", "1772677230")
        .with("x-sdk-date", "20260305T022030Z")
        .with("x-nonce", "nonce")
}

fn flipped(bytes: &[u8], at: Index, bit: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = at.index(bytes.len());
    bytes[at] ^= 1 << bit;
    bytes
}

/// The headers of a request whose values anybody may send.
const HEADERS: [&str; 8] = [
    "authorization",
    "x-signature",
    "x-twilio-signature",
    "x-plivo-signature-v2",
    "x-plivo-signature-v2-nonce",
    "x-plivo-signature-v3",
    "x-plivo-signature-v3-nonce",
    "x-sdk-date",
];

proptest! {
    #[test]
    fn a_changed_body_is_denied(
        body in proptest::collection::vec(proptest::num::u8::ANY, 1..64),
        at: Index,
        bit in 0..8u8,
    ) {
        for scheme in over_the_body() {
            let mut sample = resigned(sample(body.clone()), &scheme);
            prop_assert!(believed(&sample, scheme.clone()).is_ok());
            sample.body = Bytes::from(flipped(&body, at, bit));
            prop_assert_eq!(believed(&sample, scheme), Err(Denied::BadSignature));
        }
    }

    #[test]
    fn a_changed_signature_nonce_or_time_is_denied(which in 0..3usize, at: Index, bit in 0..8u8) {
        let name = [
            "x-sinch-webhook-signature",
            "x-sinch-webhook-signature-nonce",
            "x-sinch-webhook-signature-timestamp",
        ][which];
        let sample = resigned(sample(b"body".to_vec()), &sinch());
        prop_assert!(believed(&sample, sinch()).is_ok());
        let changed = flipped(sample.headers[name].as_bytes(), at, bit);
        prop_assume!(http::HeaderValue::from_bytes(&changed).is_ok());
        prop_assert_eq!(believed(&sample.with(name, changed), sinch()), Err(Denied::BadSignature));
    }

    #[test]
    fn a_changed_field_is_denied(
        fields in proptest::collection::vec(("[a-z]{1,4}", "[0-9]{1,4}"), 1..5),
        at: Index,
        other in "[0-9]{5}",
    ) {
        for check in [Check::Twilio, Check::PlivoV3] {
            let scheme = scheme(check);
            let body = |fields: &[(String, String)]| {
                let pairs = fields.iter().map(|(name, value)| format!("{name}={value}"));
                pairs.collect::<Vec<_>>().join("&")
            };
            let sent = Sample::post(body(&fields)).with("x-plivo-signature-v3-nonce", "1");
            let mut sample = resigned(sent, &scheme);
            prop_assert!(believed(&sample, scheme.clone()).is_ok());
            let mut changed = fields.clone();
            changed[at.index(fields.len())].1.clone_from(&other);
            sample.body = body(&changed).into();
            prop_assert_eq!(believed(&sample, scheme), Err(Denied::BadSignature));
        }
    }

    #[test]
    fn a_changed_token_is_denied(at: Index, bit in 0..8u8) {
        let sample = resigned(sample(b"body".to_vec()), &jwt());
        let value = sample.headers["authorization"].as_bytes();
        let changed = flipped(&value["Bearer ".len()..], at, bit);
        let changed = [b"Bearer ".as_slice(), &changed].concat();
        prop_assume!(http::HeaderValue::from_bytes(&changed).is_ok());
        let changed = sample.with("authorization", changed);
        prop_assert_eq!(believed(&changed, jwt()), Err(Denied::BadSignature));
    }

    #[test]
    fn no_bytes_are_believed_or_break_anything(
        body: Vec<u8>,
        query in "[ -~]{0,40}",
        values in proptest::collection::vec("[ -~\u{80}-\u{ff}]{0,40}", HEADERS.len()),
        get: bool,
    ) {
        let mut sample = Sample::post(body).to(&format!("/callback/x?{query}"));
        if get {
            sample.method = http::Method::GET;
        }
        for (name, value) in HEADERS.into_iter().zip(&values) {
            sample = sample.with(name, value);
        }
        for scheme in every() {
            prop_assert!(believed(&sample, scheme).is_err());
        }
    }

    #[test]
    fn no_token_breaks_anything(token in "[A-Za-z0-9_=.-]{0,80}", key: Vec<u8>) {
        let sample = Sample::post("x").with("authorization", format!("Bearer {token}"));
        prop_assert_eq!(believed(&sample, jwt()), Err(Denied::BadSignature));
        let (secret, route) = (Secret::new(key), proven_by(every()));
        for scheme in every() {
            let signed = sign(&scheme, &secret, None, &sample.call(&route), CLOCK);
            prop_assert!(signed.is_none_or(|proof| !proof.value.is_empty()));
        }
    }
}
