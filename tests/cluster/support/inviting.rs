//! Invitations of the platform, which come to one of the nodes.

use super::Cluster;
use super::alone::{Answer, SECRET};
use bridge8890::clock::{Clock, Entropy};
use bridge8890::model::Secret;
use bridge8890::signature::Signer;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use jiff::SignedDuration;
use serde_json::json;

/// The platform may ask, and one campaign can.
pub(crate) const INVITING: &str = r#"
[invitations]
allow_http = true
secrets = ["file:platform.key"]
key_id = "platform"

[campaigns.asked.conversation]
invite = "请评价本次服务"
"#;

impl Cluster {
    /// Asks a node for what ends by itself within two seconds, and then comes to one record.
    pub(crate) async fn ask(&self, node: usize, id: &str) -> Answer {
        self.ask_of(node, id, "13900000000", 2).await
    }

    /// Asks a node to ask whoever has this number, within so many seconds.
    pub(crate) async fn ask_of(&self, node: usize, id: &str, number: &str, within: i64) -> Answer {
        let ends = Clock::system().now() + SignedDuration::from_secs(within);
        let invitation = json!({
            "id": id, "campaign": "asked", "account": "tencent-vms", "channel": "ivr",
            "mobile": number, "projectNo": id, "expiresAt": ends.to_string(),
        });
        self.signed(node, Method::POST, "/v1/invitations", invitation.to_string()).await
    }

    /// What the platform, or who dials for it, says to a node.
    pub(crate) async fn signed(
        &self,
        node: usize,
        method: Method,
        path: &str,
        body: String,
    ) -> Answer {
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.nodes[node].url(path).parse().expect("a URL");
        let signer = Signer::new("platform", &Secret::new(SECRET.into())).expect("an id");
        signer.sign(&mut request, Clock::system().now(), Entropy::system().bytes());
        self.nodes[node].send(request.map(Full::new)).await
    }
}
