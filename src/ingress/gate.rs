//! Whether a callback may be looked at: by how, from where and by whom it comes. Decided before its
//! body is read.

use super::visitor::{Certificate, Origin};
use crate::carrier::Denied;
use crate::config::{Access, CertificateRule, ContentEncoding};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

/// Decides; every rule that an account has must hold.
pub(super) fn admit(
    access: &Access,
    origin: Origin,
    certificate: Option<&Certificate>,
) -> Result<(), Denied> {
    if !origin.secure && !access.allow_http {
        return Err(Denied::PlainHttp);
    }
    let known = origin.address.is_some_and(|address| access.admits(address));
    if !known && !access.sources.is_empty() {
        return Err(Denied::Source);
    }
    let rules = &access.client_certificates;
    let shown = |rule: &CertificateRule| certificate.is_some_and(|shown| fits(rule, shown));
    if !rules.is_empty() && !rules.iter().any(shown) {
        return Err(Denied::Certificate);
    }
    Ok(())
}

fn fits(rule: &CertificateRule, shown: &Certificate) -> bool {
    match rule {
        CertificateRule::Fingerprint(fingerprint) => *fingerprint == shown.fingerprint,
        CertificateRule::Subject(subject) => subject.names(&shown.subject),
    }
}

/// Whether the body comes in a way that the account takes: as it is, or in one encoding of the
/// account's list, said in one line.
pub(super) fn takes_encoding(access: &Access, headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(CONTENT_ENCODING).iter();
    match (lines.next(), lines.next()) {
        (None, _) => true,
        (Some(line), None) => line.to_str().is_ok_and(|line| {
            let name = line.trim();
            let listed = |named| access.content_encodings.contains(&named);
            name.eq_ignore_ascii_case("identity")
                || ContentEncoding::named(name).is_some_and(listed)
        }),
        (Some(_), Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Subject;
    use http::HeaderValue;

    fn from(address: &str) -> Origin {
        Origin { address: Some(address.parse().expect("an address")), secure: true }
    }

    #[test]
    fn plain_http_needs_a_line_in_the_account() {
        let plain = Origin { secure: false, ..from("192.0.2.1") };
        let mut access = Access::default();
        assert_eq!(admit(&access, from("192.0.2.1"), None), Ok(()));
        assert_eq!(admit(&access, plain, None), Err(Denied::PlainHttp));
        access.allow_http = true;
        assert_eq!(admit(&access, plain, None), Ok(()));
    }

    #[test]
    fn addresses_and_certificates_must_both_hold_where_both_are_named() {
        let subject = |text| Subject::read(text).expect("a name");
        let shown = Certificate { fingerprint: [7; 32], subject: subject("CN=a,O=b") };
        let (good, bad) = (from("192.0.2.1"), from("192.0.2.2"));
        let sources = vec!["192.0.2.1/32".parse().expect("a network")];
        let mut access = Access { sources, ..Access::default() };
        assert_eq!(admit(&access, good, None), Ok(()));
        assert_eq!(admit(&access, bad, None), Err(Denied::Source));
        let nobody = Origin { address: None, secure: true };
        assert_eq!(admit(&access, nobody, None), Err(Denied::Source));

        access.client_certificates =
            vec![CertificateRule::Fingerprint([1; 32]), CertificateRule::Subject(subject("CN=a"))];
        assert_eq!(admit(&access, good, None), Err(Denied::Certificate));
        assert_eq!(admit(&access, good, Some(&shown)), Ok(()));
        assert_eq!(admit(&access, bad, Some(&shown)), Err(Denied::Source));
        access.client_certificates = vec![CertificateRule::Subject(subject("CN=a,O=c"))];
        assert_eq!(admit(&access, good, Some(&shown)), Err(Denied::Certificate));
        access.client_certificates = vec![CertificateRule::Fingerprint([7; 32])];
        assert_eq!(admit(&access, good, Some(&shown)), Ok(()));
    }

    #[test]
    fn an_encoding_is_taken_from_the_list_and_alone() {
        let takes = |access: &Access, lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(CONTENT_ENCODING, HeaderValue::from_static(line));
            }
            takes_encoding(access, &headers)
        };
        let mut access = Access::default();
        assert!(takes(&access, &[]) && takes(&access, &["Identity"]));
        assert!(!takes(&access, &["gzip"]));
        access.content_encodings = vec![ContentEncoding::Gzip];
        assert!(takes(&access, &["gzip"]) && takes(&access, &[" GZIP "]));
        for odd in [&["deflate"][..], &["gzip, gzip"], &["gzip", "gzip"], &[""], &["gzip;q=1"]] {
            assert!(!takes(&access, odd), "{odd:?}");
        }
    }
}
