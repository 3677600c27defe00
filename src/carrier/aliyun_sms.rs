//! stub
use super::{Answer, Call, Carrier, Decoded, Denied, Garbled, Reply, Spec};
use crate::config::Account;
use jiff::Timestamp;
pub(super) struct AliyunSms;
impl Carrier for AliyunSms {
    fn spec(&self) -> &'static Spec {
        static S: Spec = Spec {
            key: "aliyun_sms",
            title: "",
            routes: &[],
            methods: &[],
            max_body: 0,
            secrets: 0,
            signs_body: false,
            patience: "",
        };
        &S
    }
    fn verify(&self, _: &Call<'_>, _: &Account, _: Timestamp) -> Result<(), Denied> {
        Ok(())
    }
    fn decode(&self, _: &Call<'_>, _: &Account, _: Timestamp) -> Result<Decoded, Garbled> {
        Err(Garbled::new("body", "stub"))
    }
    fn reply(&self, _: &Call<'_>, _: &Answer) -> Reply {
        Reply::fixed(http::StatusCode::OK, "", "")
    }
}
