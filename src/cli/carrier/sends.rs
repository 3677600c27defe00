//! How a carrier is told to send a message, for `carrier list` and `carrier show`.

use super::show::written;
use crate::config::dialect::{CarrierId, CodePlace, NumberForm, Place, SendBody, SendProof};
use crate::config::dialect::{Dialect, Submission};
use serde::Serialize;
use std::io::{self, Write};

/// What can be sent through a carrier: texts, templates registered with it, or both.
pub(super) fn takes(dialect: &Dialect) -> Vec<&'static str> {
    let Some(send) = &dialect.send else { return Vec::new() };
    let texts = send.takes_texts().then_some("texts");
    texts.into_iter().chain(send.takes_templates().then_some("templates")).collect()
}

/// A message on its way out, as the carrier's engineers and the account's operator need to know it.
#[derive(Debug, Serialize)]
pub(super) struct Sends {
    takes: Vec<&'static str>,
    method: String,
    /// `None`: each account says it.
    url: Option<String>,
    number: &'static str,
    fields: Vec<String>,
    proof: String,
    /// What the account brings in its `send`.
    brings: Vec<String>,
    /// What its delivery reports are known by.
    reports_by: Option<String>,
}

impl Sends {
    /// `None`: nobody has written down how it sends.
    pub(super) fn of(dialect: &Dialect) -> Option<Sends> {
        let send = dialect.send.as_deref()?;
        let number = NumberForm::NAMES.iter().find(|(_, form)| *form == send.to);
        Some(Sends {
            takes: takes(dialect),
            method: send.method.to_string(),
            url: send.url.as_ref().map(written),
            number: number.map_or("", |(name, _)| *name),
            fields: fields(send),
            proof: proof(&send.proof),
            brings: brings(send),
            reports_by: send.answer.id.as_ref().map(reports_by),
        })
    }

    /// Prints it below the routes.
    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let Sends { takes, method, url, number, fields, proof, brings, reports_by } = self;
        let url = url.as_deref().unwrap_or("the account's url");
        let list = |words: &[String]| if words.is_empty() { "-".into() } else { words.join(", ") };
        writeln!(out, "\nsends {}: {method} {url}", takes.join(", "))?;
        writeln!(out, "  number     {number}\n  fields     {}", list(fields))?;
        writeln!(out, "  proof      {proof}\n  account    {}", list(brings))?;
        writeln!(out, "  reports    known by {}", reports_by.as_deref().unwrap_or("nothing"))
    }
}

fn fields(send: &Submission) -> Vec<String> {
    let names = |fields: &[(String, _)]| -> Vec<String> {
        fields.iter().map(|(name, _)| name.clone()).collect()
    };
    let body = match &send.body {
        SendBody::Nothing => Vec::new(),
        SendBody::Form(fields) => names(fields),
        SendBody::Json(template) => vec![written(template)],
    };
    names(&send.query).into_iter().chain(body).collect()
}

fn proof(proof: &SendProof) -> String {
    match proof {
        SendProof::Nothing => "nothing but what the fields say".to_owned(),
        SendProof::Basic => "HTTP basic authentication".to_owned(),
        SendProof::Bearer => "the secret as a bearer token".to_owned(),
        SendProof::Digest(digest) => format!("`signature` over {}", written(&digest.over)),
        SendProof::AliyunRpc => "Aliyun's RPC signature 1.0".to_owned(),
        SendProof::TencentTc3 { service } => format!("TC3-HMAC-SHA256 for {service}"),
        SendProof::HuaweiWsse => "X-WSSE".to_owned(),
    }
}

fn brings(send: &Submission) -> Vec<String> {
    let named = [
        ("url", send.url.is_none()),
        ("user", send.proof.needs_user() || send.uses(&Place::User)),
        ("secret", send.proof.needs_secret() || send.uses(&Place::Secret)),
    ];
    let named = named.iter().filter(|(_, needed)| *needed).map(|(name, _)| (*name).to_owned());
    named.chain(send.own_values().iter().map(|name| format!("values.{name}"))).collect()
}

fn reports_by(id: &CarrierId) -> String {
    match id {
        CarrierId::Ours => "our key".to_owned(),
        CarrierId::Given { place: CodePlace::Status, .. } => "the answer's status".to_owned(),
        CarrierId::Given { place: CodePlace::Body, .. } => "the id in the answer's text".to_owned(),
        CarrierId::Given { place: CodePlace::Path(path), .. } => {
            format!("`{}` of the answer", path.join("."))
        }
    }
}
