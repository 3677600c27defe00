//! A province that speaks the national field family: it opens what was sealed for it, believes who
//! proves to know the word, and keeps one rating for each case and number.

use bridge8890::model::Secret;
use bridge8890::sm2::{DecryptionKey, Encoding, Layout, Signature, SignatureForm, VerifyingKey};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What the province agreed on with the gateway.
pub(crate) struct Agreed {
    /// The province's private key.
    pub(crate) key: &'static str,
    pub(crate) layout: Layout,
    pub(crate) encoding: Encoding,
    /// Who signs, and how; otherwise the sign is encrypted.
    pub(crate) signer: Option<(VerifyingKey, SignatureForm)>,
    /// What follows the time in what is signed.
    pub(crate) mark_and_word: &'static str,
    /// Cases that it has no service record of begin with this.
    pub(crate) unknown: &'static str,
}

/// A province in the test's own process. It ends when it is dropped.
pub(crate) struct Province {
    address: SocketAddr,
    book: Arc<Mutex<Book>>,
    _server: JoinSet<()>,
}

/// What it did.
#[derive(Default)]
struct Book {
    kept: Vec<Value>,
    keys: BTreeSet<(String, u64)>,
    /// What it answered, in order.
    said: Vec<Value>,
    /// So many answers are lost on the way, after the work was done.
    to_lose: u32,
    /// It says that it is busy, and does nothing.
    busy: bool,
}

impl Province {
    pub(crate) async fn start(agreed: Agreed) -> Province {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let book: Arc<Mutex<Book>> = Arc::default();
        let mut server = JoinSet::new();
        server.spawn(serve(listener, Arc::new(agreed), Arc::clone(&book)));
        Province { address, book, _server: server }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hcp/", self.address)
    }

    /// Loses so many answers from now on, after it did the work.
    pub(crate) fn lose(&self, answers: u32) {
        self.book.lock().expect("nobody panics with it").to_lose = answers;
    }

    /// Says that it is busy from now on, or no longer.
    pub(crate) fn is_busy(&self, busy: bool) {
        self.book.lock().expect("nobody panics with it").busy = busy;
    }

    /// The ratings that had an effect.
    pub(crate) fn kept(&self) -> Vec<Value> {
        self.book.lock().expect("nobody panics with it").kept.clone()
    }

    /// What it answered so far.
    pub(crate) fn said(&self) -> Vec<Value> {
        self.book.lock().expect("nobody panics with it").said.clone()
    }
}

async fn serve(listener: TcpListener, agreed: Arc<Agreed>, book: Arc<Mutex<Book>>) {
    let mut heard = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        heard.spawn(hear(stream, Arc::clone(&agreed), Arc::clone(&book)));
    }
}

async fn hear(stream: TcpStream, agreed: Arc<Agreed>, book: Arc<Mutex<Book>>) {
    let answer = service_fn(|request: Request<Incoming>| {
        let (agreed, book) = (Arc::clone(&agreed), Arc::clone(&book));
        async move {
            let path = request.uri().path().to_owned();
            let body = request.into_body().collect().await.expect("a body").to_bytes();
            let mut book = book.lock().expect("nobody panics with it");
            let said =
                if path == "/hcp/submitTemp" { book.take(&agreed, &body) } else { json!({}) };
            book.said.push(said.clone());
            if book.to_lose > 0 {
                book.to_lose -= 1;
                return Err("lost on the way");
            }
            let mut answer = Response::new(Full::new(Bytes::from(said.to_string())));
            *answer.status_mut() = StatusCode::OK;
            Ok(answer)
        }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
    // An answer that is lost ends the connection.
    drop(connection.await);
}

impl Book {
    fn take(&mut self, agreed: &Agreed, body: &[u8]) -> Value {
        if self.busy {
            return json!({ "custom": { "code": "0", "text": "系统繁忙" } });
        }
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return failure("格式错误");
        };
        let asked = &body["txnBodyCom"];
        if body["txnCommCom"] != json!({}) || !agreed.believes(asked) {
            return failure("签名错误");
        }
        let entries = asked["params"]["evaluate"].as_array();
        let [entry] = entries.map(Vec::as_slice).unwrap_or_default() else {
            return failure("参数结构不正确，请检查参数结构");
        };
        let list = agreed.open(entry).and_then(|text| serde_json::from_slice::<Value>(&text).ok());
        let Some(rating) = list.as_ref().and_then(|list| list.get(0)) else {
            return failure("解密失败");
        };
        self.rate(agreed, rating)
    }

    /// The rules of the services of this family.
    fn rate(&mut self, agreed: &Agreed, rating: &Value) -> Value {
        let text = |key: &str| rating[key].as_str().unwrap_or_default();
        let times = rating["assessNumber"].as_u64();
        let (Some(times), true) =
            (times, ["projectNo", "pf", "satisfaction"].iter().all(|key| !text(key).is_empty()))
        else {
            return failure("参数结构不正确，请检查参数结构");
        };
        let is_bad = text("satisfaction") < "3";
        if is_bad && text("evalDetail").is_empty() && text("writingEvaluation").is_empty() {
            return failure("差评必须勾选详情或填写文字评价");
        }
        if text("projectNo").starts_with(agreed.unknown) {
            return failure("没有对应的服务数据");
        }
        if !self.keys.insert((text("projectNo").to_owned(), times)) {
            return json!({ "C-Response-Desc": "评价数据不可重复", "C-API-Status": "01" });
        }
        self.kept.push(rating.clone());
        // Both shapes in turn.
        match self.kept.len() % 2 {
            0 => json!({ "code": "0", "success": "true" }),
            _ => json!({ "C-Response-Desc": "success", "C-Response-Body": "{}" }),
        }
    }
}

fn failure(text: &str) -> Value {
    json!({ "custom": { "code": "0", "text": text }, "status": { "code": 1 } })
}

impl Agreed {
    fn open(&self, entry: &Value) -> Option<Vec<u8>> {
        let key = DecryptionKey::read(&Secret::new(self.key.into())).expect("a key");
        let ciphertext = self.encoding.read(entry.as_str()?)?;
        Some(key.decrypt(&ciphertext, self.layout).ok()?.to_vec())
    }

    fn believes(&self, asked: &Value) -> bool {
        let Some(time) = asked["time"].as_str().filter(|time| time.len() == 14) else {
            return false;
        };
        let text = format!("{time}{}", self.mark_and_word).into_bytes();
        let Some((key, form)) = &self.signer else {
            return self.open(&asked["sign"]) == Some(text);
        };
        let sign = asked["sign"].as_str().and_then(|sign| self.encoding.read(sign));
        let sign = sign.and_then(|bytes| Signature::read(&bytes, *form));
        sign.is_some_and(|sign| key.verify(&text, &sign))
    }
}
