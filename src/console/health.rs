//! Health as one line of JSON that names the checks that fail.

use super::whole;
use crate::net::Response;
use crate::telemetry::health::Failing;
use http::StatusCode;
use serde_json::{Value, json};

/// 200 when nothing fails, 503 otherwise.
pub(super) fn answer(failing: &[Failing]) -> Response {
    let status = if failing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    whole(status, "application/json", line(failing).into())
}

fn line(failing: &[Failing]) -> String {
    let status = if failing.is_empty() { "ok" } else { "failing" };
    let checks: Vec<Value> = failing
        .iter()
        .map(|failing| json!({ "check": failing.check, "reason": failing.reason }))
        .collect();
    format!("{}\n", json!({ "status": status, "failing": checks }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_names_what_fails() {
        assert_eq!(line(&[]), "{\"failing\":[],\"status\":\"ok\"}\n");
        let store = Failing { check: "store", reason: "the disk is \"full\"".to_owned() };
        let wanted = "{\"failing\":[{\"check\":\"store\",\"reason\":\"the disk is \
                      \\\"full\\\"\"}],\"status\":\"failing\"}\n";
        assert_eq!(line(&[store]), wanted);
    }
}
