//! Whatever is posted: an answer below 500, no panic, and the next callback is taken.

use crate::support::{ALIYUN_SMS, Caller, Gateway, Platform, TENCENT_VMS, Wire, YUNPIAN};

/// Bodies that no carrier would send.
fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    let nested = |open: &str, close: &str, depth: usize| {
        [open.repeat(depth), close.repeat(depth)].concat().into_bytes()
    };
    let form = |value: &[u8]| [b"sms_reply=".as_slice(), value].concat();
    vec![
        ("nothing", Vec::new()),
        ("white space", b" \r\n\t ".to_vec()),
        ("not JSON", b"<xml><a>1</a></xml>".to_vec()),
        ("null", b"null".to_vec()),
        ("a number", b"1e999".to_vec()),
        ("another shape", br#"{"phone_number":{"a":[1,2]},"content":[]}"#.to_vec()),
        ("other types", br#"[{"phone_number":1,"content":null,"sequence_id":{}}]"#.to_vec()),
        ("arrays in arrays", nested("[", "]", 100_000)),
        ("objects in objects", nested("{\"a\":", "}", 10_000)),
        ("never closed", b"[{".repeat(20_000)),
        ("invalid UTF-8", b"[{\"phone_number\":\"139\xff\xfe\",\"content\":\"\xc3\x28\"}]".to_vec()),
        ("half a surrogate", br#"[{"content":"\ud800","sequence_id":"1"}]"#.to_vec()),
        ("zeros", vec![0; 5000]),
        ("all bytes", (0..=255).cycle().take(4096).collect()),
        ("a time beyond all time", br#"[{"phone_number":"1","content":"1","send_time":"99999-99-99 99:99:99","sequence_id":"2"}]"#.to_vec()),
        ("a number without end", br#"{"voiceprompt_callback":{"callid":"1","mobile":"1","result":"0","end_calltime":"99999999999999999999"}}"#.to_vec()),
        ("a long id", format!("[{{\"sequence_id\":\"{}\"}}]", "9".repeat(30_000)).into_bytes()),
        ("many items", format!("[{}1]", "1,".repeat(20_000)).into_bytes()),
        ("a form of nothing", form(b"")),
        ("a form of percents", form(b"%%%zz%0")),
        ("a form of zeros", form(&[0; 100])),
        ("a form of nesting", form(&nested("%5B", "%5D", 5000))),
    ]
}

#[tokio::test]
async fn no_body_ends_the_process() {
    let platform = Platform::start().await;
    let gateway = Gateway::start(&platform).await;
    let paths = [ALIYUN_SMS, TENCENT_VMS, YUNPIAN];
    let more = ["/callback/yunpian/status", "/callback/aliyun-sms/report", "/callback/yunpian"];
    for path in paths.into_iter().chain(more) {
        for (name, body) in bodies() {
            let answer = gateway.post(path, body).await;
            assert!(answer.status < 500, "{name} to {path}: {answer:?}");
        }
    }
    still_serves(gateway, &platform).await;
}

#[tokio::test]
async fn no_protocol_error_ends_the_process() {
    let platform = Platform::start().await;
    let gateway = Gateway::start(&platform).await;
    let length = |length: &str| {
        format!(
            "POST /callback/aliyun-sms/up HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    for bytes in [
        Vec::new(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\xff\xff\xff\xff\xff\xff\xff".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"POST /callback/aliyun-sms/up HTTP/1.1\r\nhost\r\n\r\n".to_vec(),
        length("-1").into_bytes(),
        length("99999999999999999999999").into_bytes(),
        length("5").into_bytes(),
        [length("5").into_bytes(), vec![0; 5]].concat(),
        b"POST /callback/aliyun-sms/up HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"
            .to_vec(),
        [b"GET /callback/%00%ff/..//%2e HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(), vec![0xff; 100]].concat(),
    ] {
        let mut peer = Wire::open(gateway.carriers()).await;
        peer.say(&bytes).await;
        peer.hang_up().await;
        let answer = peer.rest().await;
        assert!(!answer.contains("HTTP/1.1 5"), "{answer}");
    }
    still_serves(gateway, &platform).await;
}

/// A good callback is taken and arrives.
async fn still_serves(gateway: Gateway, platform: &Platform) {
    assert_eq!(gateway.look("/livez").await.status, 200);
    let ids = gateway.take(&[Caller::new(1).next()]).await;
    gateway.drained().await;
    let effects = platform.effects();
    assert!(ids.iter().all(|id| effects.get(id) == Some(&1)), "{effects:?}");
    gateway.finish().await;
}
