//! Who is not believed, not known, too large or too slow is told so, and nothing of it is kept.

use crate::support::{ALIYUN_SMS, Gateway, Platform, Wire, YUNPIAN};

#[tokio::test]
async fn a_wrong_signature() {
    let platform = Platform::start().await;
    let gateway = Gateway::start(&platform).await;
    let reply = |field: &str| {
        form_urlencoded::Serializer::new(String::new()).append_pair("sms_reply", field).finish()
    };
    let signed = r#"{"id":"1","mobile":"13940000001","text":"1","_sign":"00000000000000000000000000000000"}"#;
    let unsigned = r#"{"id":"1","mobile":"13940000001","text":"1"}"#;
    for (field, reason) in [(signed, "bad_signature"), (unsigned, "unsigned")] {
        let answer = gateway.post(YUNPIAN, reply(field)).await;
        assert_eq!((answer.status, answer.text().as_str()), (403, "REFUSED"), "{reason}");
        let series = "bridge8890_callbacks_refused_total{account=\"yunpian\",reason=";
        assert_eq!(gateway.metric(&format!("{series}\"{reason}\"}}")).await, 1.0);
    }
    nothing_is_kept(gateway).await;
}

#[tokio::test]
async fn an_unknown_account_route_or_method() {
    let platform = Platform::start().await;
    let gateway = Gateway::start(&platform).await;
    for path in ["/callback/nobody", "/callback/yunpian/elsewhere", "/callback/", "/", "/callback"]
    {
        assert_eq!(gateway.post(path, "{}").await.status, 404, "{path}");
    }
    let wrong = gateway.get(ALIYUN_SMS).await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("POST")));
    nothing_is_kept(gateway).await;
}

#[tokio::test]
async fn a_body_too_large() {
    let platform = Platform::start().await;
    let gateway = Gateway::with(&platform, "http.limits.max_body = '2 KiB'").await;
    let whole = |size: usize| vec![b'1'; size];
    for size in [2049, 3 << 20] {
        let answer = gateway.post(ALIYUN_SMS, whole(size)).await;
        assert_eq!(answer.status, 413);
        assert!(answer.text().contains("at most 2048 bytes"), "{answer:?}");
    }
    let series = "bridge8890_callbacks_total{account=\"aliyun-sms\",outcome=\"too_large\"}";
    assert_eq!(gateway.metric(series).await, 2.0);
    nothing_is_kept(gateway).await;
}

#[tokio::test]
async fn a_body_too_slow() {
    let platform = Platform::start().await;
    let gateway = Gateway::with(&platform, "http.limits.body_timeout = '100ms'").await;
    let mut slow = Wire::open(gateway.carriers()).await;
    let path = ALIYUN_SMS;
    slow.say(format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n[")).await;
    let answer = slow.rest().await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    nothing_is_kept(gateway).await;
}

async fn nothing_is_kept(gateway: Gateway) {
    assert_eq!(gateway.site.lane().await.callbacks, 0);
    assert_eq!(gateway.site.run("records find --quarantined").await.code, Some(1));
    gateway.finish().await;
}
