//! Values that carriers and standards publish, and the corners of their schemes.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Of Twilio's own test of its validator.
#[test]
fn twilios_published_requests_are_right() {
    let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
    let fields = "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309\
                  &To=%2B18005551212&Caller=%2B14158675309";
    let twice = "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234";
    let json = r#"{"property": "value", "boolean": true}"#;
    let hash = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
    let hashed = format!("{url}&bodySHA256={hash}");
    let with_port = url.replace(".com", ".com:1234");
    let plain = url.replace("https", "http");
    let plain_with_port = with_port.replace("https", "http");
    let verdict = |url: &str, body: &str, signature: &str| {
        let sample = Sample { url: url.to_owned(), ..Sample::post(body.to_owned()) };
        let sample = sample.with("x-twilio-signature", signature);
        super::verdict(&sample, &[scheme(Check::Twilio)], &["12345"], CLOCK)
    };
    for (url, body, signature) in [
        (url, fields, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (url, twice, "IK+Dwps556ElfBT0I3Rgjkr1wJU="),
        (&with_port, fields, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (&plain_with_port, fields, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
        (url, fields, "kvajT1Ptam85bY51eRf/AJRuM3w="),
        (&plain, fields, "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        (&hashed, json, "a9nBmqA0ju/hNViExpshrM61xv4="),
    ] {
        assert_eq!(verdict(url, body, signature), Ok(Verified::default()), "{url} {body}");
    }
    let other = verdict(&hashed, "{}", "a9nBmqA0ju/hNViExpshrM61xv4=");
    assert_eq!(other, Err(Denied::BadSignature));
}

#[test]
fn a_body_that_a_signature_would_not_cover_is_not_believed() {
    for check in [Check::Twilio, Check::PlivoV3] {
        let scheme = scheme(check);
        let nonce = |sample: Sample| sample.with("x-plivo-signature-v3-nonce", "1");
        let get = resigned(nonce(Sample::get("/callback/x?a=1")), &scheme);
        assert_eq!(believed(&get, scheme.clone()), Ok(Verified::default()));
        let mut forged = Sample { method: http::Method::POST, ..get };
        forged.body = r#"{"a":2}"#.into();
        assert_eq!(believed(&forged, scheme), Err(Denied::BadSignature));
    }
}

#[test]
fn plivo_puts_query_and_fields_in_order() {
    let scheme = scheme(Check::PlivoV3);
    let route = proven_by(vec![scheme.clone()]);
    let signed = |sample: Sample| {
        let sample = sample.with("x-plivo-signature-v3-nonce", "n");
        let secret = Secret::new(SECRET.into());
        sign(&scheme, &secret, None, &sample.call(&route), CLOCK).expect("a nonce").value
    };
    let url = "https://gateway.8890.example/p";
    for (sample, text) in [
        (Sample::post("b=1&a=2&a=1").to("/p?y=2&x=%2F"), "?x=/&y=2.a1a2b1.n"),
        (Sample::post("b=1&a=2").to("/p"), "?a2b1.n"),
        (Sample::post("").to("/p?x=1"), "?x=1.n"),
        (Sample::get("/p"), ".n"),
    ] {
        let text = format!("{url}{text}");
        let tag = algorithm::sign(Algorithm::HmacSha256, SECRET.as_bytes(), text.as_bytes());
        let tag = written::write(Written::Base64, &tag.expect("a key"));
        assert_eq!(signed(sample), tag, "{text}");
    }
}

fn jwt() -> Scheme {
    scheme(Check::Jwt {
        given: place("header:Authorization"),
        prefix: "Bearer ".to_owned(),
        body_hash: "payload_hash".to_owned(),
        url_hash: None,
    })
}

/// What is made of a token of these parts for an empty body.
fn token(algorithm: &str, header: &str, claims: &str) -> Result<Verified, Denied> {
    let header = format!(r#"{{"alg":"{algorithm}"{header}}}"#);
    let encoded = [header.as_str(), claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    let signed = encoded.join(".");
    let key = SECRET.as_bytes();
    let tag = match algorithm {
        "HS384" => algorithm::hmac::<hmac::Hmac<sha2::Sha384>>(key, signed.as_bytes()),
        "HS512" => algorithm::hmac::<hmac::Hmac<sha2::Sha512>>(key, signed.as_bytes()),
        "none" => Vec::new(),
        _ => algorithm::hmac::<hmac::Hmac<sha2::Sha256>>(key, signed.as_bytes()),
    };
    let token = format!("Bearer {signed}.{}", URL_SAFE_NO_PAD.encode(tag));
    believed(&Sample::get("/").with("authorization", token), jwt())
}

#[test]
fn a_token_chooses_among_three_algorithms_and_never_none() {
    let claims = r#"{"iat":1772677230.5}"#;
    let skew = Some(SignedDuration::from_millis(500));
    for algorithm in ["HS256", "HS384", "HS512"] {
        assert_eq!(token(algorithm, "", claims), Ok(Verified { skew, nonce: None }));
    }
    for algorithm in ["none", "None", "RS256", "hs256", ""] {
        assert_eq!(token(algorithm, "", claims), Err(Denied::BadSignature), "{algorithm}");
    }
    assert_eq!(token("HS256", r#","crit":["b64"]"#, claims), Err(Denied::BadSignature));
}

#[test]
fn a_token_must_tell_its_time() {
    for (claims, verdict) in [
        (r#"{"exp":1772677000}"#, Ok(Verified::default())),
        (r#"{"exp":1772676900}"#, Err(Denied::Stale)),
        (r#"{"exp":1772677300,"nbf":1772677600}"#, Err(Denied::Stale)),
        (r#"{"iat":1772677230,"exp":1772676900}"#, Err(Denied::Stale)),
        (r#"{"iat":1e300}"#, Err(Denied::Stale)),
        (r#"{"iat":"1772677230"}"#, Err(Denied::Stale)),
        ("{}", Err(Denied::Stale)),
        ("[]", Err(Denied::BadSignature)),
    ] {
        assert_eq!(token("HS256", "", claims), verdict, "{claims}");
    }
}

#[test]
fn a_token_without_a_digest_does_not_vouch_for_a_body() {
    let sample = resigned(Sample::post("x"), &jwt());
    assert!(believed(&sample, jwt()).is_ok());
    let other = scheme(Check::Jwt {
        given: place("header:Authorization"),
        prefix: "Bearer ".to_owned(),
        body_hash: "body_hash".to_owned(),
        url_hash: None,
    });
    assert_eq!(believed(&sample, other), Err(Denied::BadSignature));
}

#[test]
fn huawei_sms_signs_paths_and_queries_in_one_form() {
    let signed = |target: &str| {
        let sample = Sample::post("x").to(target).with("x-sdk-date", "20260305T022030Z");
        resigned(sample, &scheme(Check::SdkHmacSha256)).headers["authorization"].clone()
    };
    assert_eq!(signed("/a~b/?k=2&k=1&a=%E6%BB%A1+x"), signed("/a%7eb?a=满%20x&k=1&k=2"));
    assert_ne!(signed("/a?k=1"), signed("/a?k=2"));
    assert_ne!(signed("/a/b"), signed("/a%2Fb"));
}

#[test]
fn huawei_sms_must_sign_its_date() {
    let scheme = scheme(Check::SdkHmacSha256);
    let dated = Sample::post("x").with("x-sdk-date", "20260305T022030Z");
    assert!(believed(&resigned(dated.clone(), &scheme), scheme.clone()).is_ok());
    let signed = resigned(dated, &scheme);
    let value = signed.headers["authorization"].to_str().expect("ASCII").to_owned();
    for wrong in [
        value.replace("x-sdk-date", "host"),
        value.replace("x-sdk-date", "x-sdk-date;x-sdk-date"),
        value.replace("x-sdk-date", "x-sdk-date;x-z-missing"),
        value.replace("Signature", "Sign"),
        value.replace("SDK-HMAC", "AWS-HMAC"),
        "SDK-HMAC-SHA256".to_owned(),
    ] {
        let sample = signed.clone().with("authorization", &wrong);
        assert_eq!(believed(&sample, scheme.clone()), Err(Denied::BadSignature), "{wrong}");
    }
}
