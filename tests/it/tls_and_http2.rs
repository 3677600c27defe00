//! Carriers over HTTPS, and over HTTP/2 with and without it.

use crate::support::{Caller, Gateway, Platform, Site, is_taken};
use bridge8890::standin::carriers::Request as Callback;
use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt, Full};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::{Client, connect::Connect};
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

#[tokio::test]
async fn http2_without_tls() {
    let platform = Platform::start().await;
    let gateway = Gateway::start(&platform).await;
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let callback = Caller::new(1).next();
    let spoken = post(&client, &gateway.url(&callback.head.target), &callback).await;
    assert_eq!(spoken, Version::HTTP_2);
    gateway.finish().await;
    assert_eq!(platform.effects().len(), 1);
}

#[tokio::test]
async fn https_with_both_versions() {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("made");
    let platform = Platform::start().await;
    let tls = "http.tls = { certificate = 'chain.pem', key = 'tls.key' }";
    let site = Site::new(&platform, tls);
    site.write("chain.pem", made.cert.pem());
    site.write("tls.key", made.signing_key.serialize_pem());
    let gateway = Gateway::unready(site).await;
    gateway.is_ready().await;

    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let trusting = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let https = || HttpsConnectorBuilder::new().with_tls_config(trusting.clone()).https_only();
    let mut caller = Caller::new(1);
    let mut spoken = Vec::new();
    for connector in [https().enable_http1().build(), https().enable_http2().build()] {
        let callback = caller.next();
        let url = gateway.url(&callback.head.target).replacen("http:", "https:", 1);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        spoken.push(post(&client, &url, &callback).await);
    }
    assert_eq!(spoken, [Version::HTTP_11, Version::HTTP_2]);
    gateway.finish().await;
    assert_eq!(platform.effects().len(), 2);
}

/// Posts a callback that must be taken; returns the version in which it was answered.
async fn post<C>(client: &Client<C, Full<Bytes>>, url: &str, callback: &Callback) -> Version
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let request = Request::post(url).body(Full::new(callback.body.clone())).expect("a request");
    let (head, body) = client.request(request).await.expect("an answer").into_parts();
    let body = body.collect().await.expect("a whole answer").to_bytes();
    let answer =
        crate::support::Answer { status: head.status.as_u16(), headers: head.headers, body };
    assert!(is_taken(callback, &answer), "{answer:?}");
    head.version
}
