//! A province that takes the fields of the national interface, encrypted and signed with SM2:
//! what it has is delivered once in effect, and what it will never take or cannot be told waits for
//! a human.

use crate::citizens_are_answered::{carrier, said_from};
use crate::support::{Agreed, Caller, Gateway, Platform, Province, until};
use bridge8890::sm2::{DEFAULT_ID, Encoding, Layout, SignatureForm, VerifyingKey};
use serde_json::Value;

/// The keys of the examples of GM/T 0003.5-2012, annex A.2.
const THEIRS: &str = "3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8";
const THEIRS_PUBLIC: &str = "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020\
                             CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13";
/// Made by OpenSSL; of no use elsewhere.
const OURS: &str = "86d5d7fc4d73120161ec21e64b0660f7cb49874737c652ff97c018f02e8c05d7";
const OURS_PUBLIC: &str = "041a4158cd5b14afea6aaabbefd5eafaf638c2c4e633fab5bfc72df3665d934929\
                           adb3f3e4eb8cd1118717c9e0b2268331a75ac25ff2fdf79fbbb90f83f83e09ff";

fn encrypted() -> Agreed {
    Agreed {
        key: THEIRS,
        layout: Layout::C1C3C2 { prefix: true },
        encoding: Encoding::Hex,
        signer: None,
        mark_and_word: "8890the word",
        unknown: "21X-",
    }
}

/// A lane to the province beside the first, which takes everything.
fn lane(province: &Province, more: &str) -> String {
    format!(
        "[destinations.national]\nurl = '{}'\nallow_http = true\nsecret = 'file:platform.key'\n\
         profile = 'national'\nonly = {{ kinds = ['rating'] }}\n\
         backoff = {{ base = '50ms', cap = '200ms' }}\nbreaker = {{ open_for = '100ms' }}\n\
         [destinations.national.national]\npath = '/submitTemp'\napp_mark = '8890'\n\
         app_word = 'file:app.word'\npublic_key = '{THEIRS_PUBLIC}'\ndata_source = '121'\n\
         project_no_prefix = '21'\npf_ivr = 8\n{more}\n",
        province.url()
    )
}

/// Serves both, and asks citizens 1, 2, … how they find their cases.
async fn asked(platform: &Platform, own: &str, cases: &[&str]) -> Gateway {
    let site = crate::support::Site::new(platform, own);
    site.write("app.word", "the word");
    site.write("ours.key", OURS);
    let gateway = Gateway::unready(site).await;
    gateway.is_ready().await;
    let mut table = "id,campaign,channel,mobile,projectNo,senderNumber,areaCode\n".to_owned();
    for (number, case) in (1..).zip(cases) {
        table += &format!("i-{number},talk,sms,1394000000{number},{case},10690088,210100\n");
    }
    gateway.site.write("in.csv", table);
    let import = format!("invitations import in.csv --url {}", gateway.url(""));
    let import = gateway.site.run(&import).await;
    assert_eq!(import.code, Some(0), "{import:?}");
    let sent = "bridge8890_messages_settled_total{account=\"kannel\",result=\"sent\"}";
    until("all are asked", async || gateway.metric(sent).await == cases.len() as f64).await;
    gateway
}

async fn says(gateway: &Gateway, number: usize, text: &str) {
    let caller = format!("+861394000000{number}");
    let answer = said_from(gateway, &caller, &format!("{number}-{text}"), text).await;
    assert!(answer.status < 300, "{answer:?}");
}

async fn dead(gateway: &Gateway, filter: &str) -> Vec<Value> {
    gateway.site.run(&format!("dead list --where lane=national,{filter} --json")).await.lines()
}

#[tokio::test]
async fn what_it_has_is_delivered_once_in_effect_and_the_rest_waits_for_a_human() {
    let (platform, province) = (Platform::start().await, Province::start(encrypted()).await);
    let (_carrier, sending) = carrier().await;
    let own = sending + &lane(&province, "sign = 'encrypted'");
    let gateway = asked(&platform, &own, &["P-1", "P-2", "X-3", "P-4"]).await;

    says(&gateway, 1, "满意").await;
    until("the first is kept", async || province.kept().len() == 1).await;
    // The work is done, and the answer never comes.
    province.lose(1);
    says(&gateway, 2, "不满意，等了三个月").await;
    until("it is told again", async || province.said().len() >= 3).await;
    assert_eq!(province.said()[2]["C-Response-Desc"], "评价数据不可重复");
    // It has no service record of that case.
    says(&gateway, 3, "非常满意").await;
    // What nobody listed is no reason to give up.
    until("it is refused", async || dead(&gateway, "bin=theirs").await.len() == 1).await;
    province.is_busy(true);
    says(&gateway, 4, "基本满意").await;
    let refused = "bridge8890_egress_requests_total{lane=\"national\",result=\"refused_in_200\"}";
    until("it is busy", async || gateway.metric(refused).await >= 3.0).await;
    province.is_busy(false);
    gateway.drained().await;

    let kept = province.kept();
    let of = |key: &str| -> Vec<&str> {
        kept.iter().map(|rating| rating[key].as_str().unwrap_or_default()).collect()
    };
    assert_eq!(of("projectNo"), ["21P-1", "21P-2", "21P-4"]);
    assert_eq!(of("satisfaction"), ["4", "2", "3"]);
    assert_eq!(of("writingEvaluation"), ["", "等了三个月", ""]);
    assert_eq!((of("pf"), of("dataSource")), (vec!["6"; 3], vec!["121"; 3]));
    assert_eq!(of("areaCode"), ["210100000000"; 3]);
    assert_eq!(of("mobile"), ["13940000001", "13940000002", "13940000004"]);
    let [letter] = &dead(&gateway, "bin=theirs").await[..] else { panic!("one dead letter") };
    assert_eq!(letter["class"], "refused_in_200");
    assert_eq!(letter["reason"], "refused in 200: 没有对应的服务数据");
    assert_eq!(letter["attempts"], 1);
    assert!(!gateway.log().contains("the word"));
    gateway.finish().await;
}

#[tokio::test]
async fn a_rating_that_lacks_its_case_or_its_reason_is_ours_to_mend_and_is_never_sent() {
    let (platform, province) = (Platform::start().await, Province::start(encrypted()).await);
    let (_carrier, sending) = carrier().await;
    let own = sending + &lane(&province, "sign = 'encrypted'");
    let gateway = asked(&platform, &own, &["P-1"]).await;
    // Nobody knows of which case these callers speak.
    gateway.take(&Caller::new(1).take(5)).await;
    says(&gateway, 1, "不满意").await;
    let lacks = async |field: &str| {
        let letters = dead(&gateway, "bin=ours,class=unwritable").await;
        letters.iter().any(|letter| letter["reason"] == format!("`{field}` is missing"))
    };
    until("the reason is lacking", async || lacks("evalDetail or writingEvaluation").await).await;
    gateway.drained().await;
    assert!(lacks("projectNo").await);
    assert!(province.said().is_empty(), "{:?}", province.said());
    // Asked for the reason, the citizen gives it: the next revision goes in the place of the first.
    says(&gateway, 1, "窗口没有人").await;
    until("it is kept", async || province.kept().len() == 1).await;
    let kept = province.kept();
    assert_eq!(
        (&kept[0]["satisfaction"], &kept[0]["writingEvaluation"]),
        (&"2".into(), &"窗口没有人".into())
    );
    gateway.drained().await;
    gateway.finish().await;
}

#[tokio::test]
async fn a_signature_in_the_other_forms_is_believed_and_a_reason_stands_in() {
    let signer = VerifyingKey::read(OURS_PUBLIC, DEFAULT_ID).expect("a key");
    let agreed = Agreed {
        layout: Layout::C1C2C3 { prefix: false },
        encoding: Encoding::Base64,
        signer: Some((signer, SignatureForm::Raw)),
        ..encrypted()
    };
    let (platform, province) = (Platform::start().await, Province::start(agreed).await);
    let (_carrier, sending) = carrier().await;
    let more = "sign = 'signed'\nprivate_key = 'file:ours.key'\nsignature = 'raw'\n\
                ciphertext = 'c1c2c3'\npoint_prefix = false\nencoding = 'base64'\n\
                eval_detail = ['517', '413', '314', '214', '115']\nleave_out = ['mobile']";
    let own = sending + &lane(&province, more);
    let gateway = asked(&platform, &own, &["P-1"]).await;
    says(&gateway, 1, "不满意").await;
    until("it is kept", async || province.kept().len() == 1).await;
    gateway.drained().await;
    let kept = province.kept();
    assert_eq!((&kept[0]["evalDetail"], kept[0].get("mobile")), (&"214".into(), None));
    assert!(dead(&gateway, "bin=ours").await.is_empty());
    gateway.finish().await;
}

#[tokio::test]
async fn what_the_province_did_not_publish_is_asked_for_and_not_guessed() {
    let (platform, province) = (Platform::start().await, Province::start(encrypted()).await);
    let lane = lane(&province, "");
    for (wrong, expected) in [
        (lane.clone(), "destinations.national.national: `sign` is missing"),
        (
            lane.clone().replace("data_source = '121'", "sign = 'encrypted'"),
            "`data_source` is missing",
        ),
        (
            lane.clone().replace("pf_ivr = 8", "sign = 'encrypted'"),
            "no channel code (`pf`) is published",
        ),
        (lane.clone().replace("only = { kinds = ['rating'] }", ""), "would be sent complaints"),
        (
            lane.replace("[destinations.national.national]", "[destinations.x]"),
            "destinations.national: `national` is missing",
        ),
    ] {
        let told = Gateway::refuses(&platform, &wrong).await;
        assert!(told.contains(expected), "{wrong}\n{told}");
    }
}
