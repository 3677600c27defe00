//! The requests of `tests/fixtures/carriers`, by the schemes of their carriers.

use super::*;
use std::slice;

macro_rules! recorded {
    ($name:literal) => {
        Sample::recorded(include_bytes!(concat!(
            "../../../../tests/fixtures/carriers/",
            $name,
            ".http"
        )))
    };
}

#[track_caller]
fn proves(sample: &Sample, scheme: Scheme) -> Verified {
    assert_eq!(
        verdict(sample, slice::from_ref(&scheme), &["other"], CLOCK),
        Err(Denied::BadSignature)
    );
    believed(sample, scheme).expect("the recorded signature")
}

const NOW: Option<SignedDuration> = Some(SignedDuration::ZERO);

#[test]
fn sinch_signs_body_nonce_and_time() {
    let verified = proves(&sinch_sample(), sinch());
    assert_eq!(verified.skew, NOW);
    assert_eq!(verified.nonce.as_deref(), Some("01FJA8B4A7BM43YGWSG9GBV067"));
}

#[test]
fn twilio_signs_url_and_fields() {
    for sample in [recorded!("twilio/sms_reply"), recorded!("twilio/ivr_keypad")] {
        assert_eq!(proves(&sample, scheme(Check::Twilio)), Verified::default());
    }
}

#[test]
fn plivo_signs_in_two_versions_of_which_one_needs_its_nonce_remembered() {
    let sample = recorded!("plivo/sms_reply");
    assert_eq!(proves(&sample, scheme(Check::PlivoV3)).nonce, None);
    let nonce = proves(&sample, scheme(Check::PlivoV2)).nonce;
    assert_eq!(nonce.as_deref(), Some("05429567804466091622"));
    let several = "AAAA, VffmDQ2G5AwH9Bd4r5Y2a4BicL2ngLeCCin2VS4W/Cw=,!";
    proves(&sample.clone().with("x-plivo-signature-v3", several), scheme(Check::PlivoV3));
    let without = sample.with("x-plivo-signature-v2-nonce", "");
    assert_eq!(believed(&without, scheme(Check::PlivoV2)), Err(Denied::Unsigned));
}

#[test]
fn telnyx_signs_with_ed25519() {
    let (over, given) = ("${header:telnyx-timestamp}|${body:}", "header:telnyx-signature-ed25519");
    let digest =
        Digest { key: Written::Base64, ..in_base64(digest(Algorithm::Ed25519, over, given)) };
    let scheme = Scheme {
        time: time("header:telnyx-timestamp", TimeForm::EpochSeconds),
        ..scheme(Check::Digest(digest))
    };
    let public = "0kOb+Q50mToOOBSNePM3ocoK0wF3tzkyNfZuYeobvFE=";
    for sample in [recorded!("telnyx/sms_reply"), recorded!("telnyx/ivr_keypad")] {
        let verified = verdict(&sample, slice::from_ref(&scheme), &["not Base64!", public], CLOCK);
        assert_eq!(verified.expect("the recorded signature").skew, NOW);
        let route = proven_by(vec![scheme.clone()]);
        let seed = algorithm::sign(Algorithm::Sha256, b"", SECRET.as_bytes()).expect("a digest");
        let secret = Secret::new(written::write(Written::Base64, &seed));
        let proof = sign(&scheme, &secret, None, &sample.call(&route), CLOCK).expect("a seed");
        assert_eq!(proof.value, sample.headers["telnyx-signature-ed25519"].as_bytes());
    }
}

#[test]
fn netease_signs_a_digest_of_the_body() {
    let over = "${secret}${body:|md5|hex}${header:CurTime}";
    let scheme = Scheme {
        user: Some(place("header:AppKey")),
        time: time("header:CurTime", TimeForm::Epoch),
        ..scheme(Check::Digest(digest(Algorithm::Sha1, over, "header:CheckSum")))
    };
    let sample = recorded!("netease/sms_reply");
    assert_eq!(proves(&sample, scheme.clone()).skew, NOW);
    let route = proven_by(vec![scheme]);
    let mut account = account(&[SECRET]);
    account.user = Some("exampleAppKey".to_owned());
    assert!(verify(&sample.call(&route), &account, CLOCK).is_ok());
    account.user = Some("another".to_owned());
    assert_eq!(verify(&sample.call(&route), &account, CLOCK), Err(Denied::BadSignature));
}

#[test]
fn submail_signs_a_token_that_must_be_remembered() {
    let scheme = Scheme {
        nonce: Some(place("/token")),
        ..scheme(Check::Digest(digest(Algorithm::Md5, "${/token}${secret}", "/signature")))
    };
    let verified = proves(&recorded!("submail/sms_reply"), scheme.clone());
    assert_eq!(verified.nonce.as_deref(), Some("067ef7e2f286a9a56eabb07dc9657852"));
    let verified = proves(&recorded!("submail/ivr_keypad"), scheme);
    assert_eq!(verified.nonce.as_deref(), Some("b7c6f7e2f286a9a56eabb07dc9650001"));
}

#[test]
fn yunpian_signs_the_values_of_a_document_within_a_form() {
    let sorted = Sorted {
        values: Vec::new(),
        of: SortedOf::Document,
        except: vec!["_sign".to_owned()],
        pair: Template::read("${value}").expect("a template"),
        join: ",".to_owned(),
        skip_empty: false,
        replace: BTreeMap::new(),
    };
    let digest = digest(Algorithm::Md5, "${sorted},${secret}", "/_sign");
    let scheme = scheme(Check::Digest(Digest { sorted: Some(sorted), ..digest }));
    let mut route = proven_by(vec![scheme]);
    route.inside = Some(Inside {
        field: vec!["sms_reply".to_owned()],
        name: "sms_reply".to_owned(),
        decode: vec![Vec::new()],
        format: InsideFormat::Json,
        optional: false,
    });
    let verdict = |sample: Sample| verify(&sample.call(&route), &account(&[SECRET]), CLOCK);
    assert_eq!(verdict(recorded!("yunpian/sms_reply")), Ok(Verified::default()));
    assert_eq!(verdict(recorded!("yunpian/sms_reply-altered_text")), Err(Denied::BadSignature));
    assert_eq!(verdict(recorded!("yunpian/sms_reply-unsigned")), Err(Denied::Unsigned));
}

#[test]
fn vonage_signs_sorted_fields_by_md5_or_hmac() {
    let signed = |algorithms: &[Algorithm], over: &str| {
        let sorted = Sorted {
            values: Vec::new(),
            of: SortedOf::Document,
            except: vec!["sig".to_owned()],
            pair: Template::read("&${name}=${value}").expect("a template"),
            join: String::new(),
            skip_empty: false,
            replace: ["&", "="].map(|sign| (sign.to_owned(), "_".to_owned())).into(),
        };
        let digest = digest(Algorithm::Md5, over, "/sig");
        let digest = Digest { algorithms: algorithms.to_vec(), sorted: Some(sorted), ..digest };
        Scheme { time: time("/timestamp", TimeForm::EpochSeconds), ..scheme(Check::Digest(digest)) }
    };
    let md5 = signed(&[Algorithm::Md5], "${sorted}${secret}");
    let hmac = signed(&[Algorithm::HmacMd5, Algorithm::HmacSha256], "${sorted}");
    let (get, post) = (recorded!("vonage/sms_reply-get"), recorded!("vonage/sms_reply"));
    assert_eq!(proves(&get, md5.clone()).skew, NOW);
    assert_eq!(proves(&post, hmac.clone()).skew, NOW);
    assert!(verdict(&post, &[md5, hmac], &[SECRET], CLOCK).is_ok());
}

#[test]
fn vonage_signs_calls_by_a_token_with_a_digest_of_the_body() {
    let jwt = || {
        scheme(Check::Jwt {
            given: place("header:Authorization"),
            prefix: "Bearer ".to_owned(),
            body_hash: "payload_hash".to_owned(),
            url_hash: None,
        })
    };
    for mut sample in [recorded!("vonage/ivr_keypad"), recorded!("vonage/recording")] {
        assert_eq!(proves(&sample, jwt()).skew, NOW);
        let late = CLOCK + SignedDuration::from_secs(301);
        assert_eq!(verdict(&sample, &[jwt()], &[SECRET], late), Err(Denied::Stale));
        sample.body = "{}".into();
        assert_eq!(believed(&sample, jwt()), Err(Denied::BadSignature));
    }
}

#[test]
fn huawei_sms_signs_a_canonical_request() {
    for sample in [recorded!("huawei-sms/sms_reply"), recorded!("huawei-sms/delivery_report")] {
        let scheme = scheme(Check::SdkHmacSha256);
        assert_eq!(proves(&sample, scheme.clone()).skew, NOW);
        let late = CLOCK + SignedDuration::from_secs(301);
        assert_eq!(verdict(&sample, slice::from_ref(&scheme), &[SECRET], late), Err(Denied::Stale));
        let route = proven_by(vec![scheme.clone()]);
        let mut account = account(&[SECRET]);
        account.user = Some("exampleAk".to_owned());
        assert!(verify(&sample.call(&route), &account, CLOCK).is_ok());
        account.user = Some("anotherAk".to_owned());
        assert_eq!(verify(&sample.call(&route), &account, CLOCK), Err(Denied::BadSignature));
        let (secret, user) = (Secret::new(SECRET.into()), Some("exampleAk"));
        let proof = sign(&scheme, &secret, user, &sample.call(&route), CLOCK).expect("a date");
        assert_eq!(proof.value, sample.headers["authorization"].as_bytes());
    }
}

#[test]
fn huawei_voicecall_signs_url_nonce_and_a_time_whose_zone_is_not_what_it_says() {
    let pattern = TimeForm::Pattern("%Y-%m-%dT%H:%M:%SZ".to_owned());
    let over = "${url:}\n${header:X-AKSK#Nonce}\n${header:X-AKSK#Created}";
    let digest = in_base64(digest(Algorithm::HmacSha256, over, "header:X-AKSK#PasswordDigest"));
    let beijing = Scheme {
        user: Some(place("header:X-AKSK#Username")),
        nonce: Some(place("header:X-AKSK#Nonce")),
        time: time("header:X-AKSK#Created", pattern),
        ..scheme(Check::Digest(digest))
    };
    let mut utc = beijing.clone();
    utc.time.as_mut().expect("it has one").zone = Some(Offset::UTC);
    for sample in
        [recorded!("huawei-voicecall/ivr_keypad"), recorded!("huawei-voicecall/call_status")]
    {
        let verified = proves(&sample, beijing.clone());
        assert_eq!(verified.skew, NOW);
        assert_eq!(verified.nonce.map(|nonce| nonce.len()), Some(32));
        assert_eq!(believed(&sample, utc.clone()), Err(Denied::Stale));
        assert!(verdict(&sample, &[utc.clone(), beijing.clone()], &[SECRET], CLOCK).is_ok());
    }
}
