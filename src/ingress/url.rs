//! The URL of a request as the carrier knows it, which some sign. Pure.

use crate::config::Access;
use http::header::HOST;
use http::request::Parts;

/// The URL: the account's own and what follows its address, or the gateway's and the whole target,
/// or by the Host header. Target and query are exactly as they were sent.
pub(super) fn known_to_carrier(
    head: &Parts,
    access: &Access,
    gateway: Option<&str>,
    secure: bool,
) -> String {
    let target = head.uri.path_and_query().map_or("", |target| target.as_str());
    access.url_of(target, gateway, || {
        let scheme = if secure { "https" } else { "http" };
        let host = match head.uri.authority() {
            Some(authority) => authority.as_str(),
            None => head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default(),
        };
        format!("{scheme}://{host}{target}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn head(target: &str) -> Parts {
        let request = Request::get(target).header(HOST, "inside:8080").body(());
        request.expect("a request").into_parts().0
    }

    #[test]
    fn the_account_knows_best_then_the_gateway_then_the_request() {
        let mut access = Access { path: "/callback/shop".into(), ..Access::default() };
        let target = "/callback/shop/voice?a=%2f&b=";
        let url = |access: &Access, gateway, target: &str| {
            known_to_carrier(&head(target), access, gateway, true)
        };
        assert_eq!(url(&access, None, target), format!("https://inside:8080{target}"));
        let gateway = Some("https://g.example/in");
        assert_eq!(url(&access, gateway, target), format!("https://g.example/in{target}"));
        access.external_url = Some("https://g.example/hooks/1".into());
        assert_eq!(url(&access, gateway, target), "https://g.example/hooks/1/voice?a=%2f&b=");
        assert_eq!(url(&access, gateway, "/callback/shop?a"), "https://g.example/hooks/1?a");
        let plain = known_to_carrier(&head("/x?"), &Access::default(), None, false);
        assert_eq!(plain, "http://inside:8080/x?");
        // HTTP/2, and HTTP/1.1 to a proxy, bring the host with the target.
        let absolute = url(&Access::default(), None, "https://outside/x?a");
        assert_eq!(absolute, "https://outside/x?a");
    }
}
