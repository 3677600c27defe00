//! Certificate files: readable, belonging together, and not about to expire.

use super::Finding;
use crate::config::Config;
use jiff::Timestamp;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::path::Path;
use std::time::Duration;
use x509_parser::prelude::parse_x509_certificate;

/// A certificate that ends sooner than this should be on somebody's list.
const SOON: Duration = Duration::from_hours(24 * 21);

pub(super) fn examine(config: &Config, now: Timestamp) -> Vec<Finding> {
    let http = config.http.tls.iter().map(|tls| (&tls.certificate, &tls.key, "http.tls"));
    let shown = config.destinations().filter_map(|it| it.way.certificate.as_ref());
    let shown = shown.map(|(chain, key)| (chain, key, "destination.client_cert and .client_key"));
    let own = http.chain(shown).map(|(chain, key, keys)| identity(chain, key, keys, now));
    let connects = config.accounts.values().filter_map(|account| account.access.connect.as_ref());
    let clients = config.http.tls.iter().filter_map(|tls| tls.client_ca.as_deref());
    let named = (clients.map(|ca| (ca, "http.tls.client_ca")))
        .chain(connects.filter_map(|link| Some((link.ca.as_deref()?, "connect_ca"))))
        .chain(config.destinations().filter_map(|it| Some((it.ca.as_deref()?, "destination.ca"))));
    own.chain(named.map(|(ca, key)| roots(ca, key, now))).collect()
}

/// What we show to carriers, or to a destination: the files, and the keys that name them.
fn identity(certificate: &Path, key: &Path, keys: &str, now: Timestamp) -> Finding {
    const WHAT: &str = "certificate";
    let chain = match certificates(certificate) {
        Ok(chain) => chain,
        Err(says) => return Finding::fail(WHAT, says, format!("name a PEM file in {keys}")),
    };
    let key = match PrivateKeyDer::from_pem_file(key) {
        Ok(key) => key,
        Err(fault) => {
            let says = format!("{} holds no readable private key ({fault})", key.display());
            return Finding::fail(WHAT, says, format!("name a PEM file in {keys}"));
        }
    };
    let leaf = chain.first().cloned();
    if let Err(fault) =
        CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider())
    {
        let says = format!("the certificate and the key cannot be used together ({fault})");
        let cure = format!("name a chain and the key it was issued for in {keys}");
        return Finding::fail(WHAT, says, cure);
    }
    match leaf {
        Some(leaf) => validity(WHAT, certificate, &leaf, now),
        None => Finding::fail(WHAT, "the chain is empty", format!("name a chain in {keys}")),
    }
}

/// What we trust others by: the file and the key that names it.
fn roots(ca: &Path, key: &str, now: Timestamp) -> Finding {
    const WHAT: &str = "trusted roots";
    let cure = format!("name a PEM file of root certificates in {key}");
    let roots = match certificates(ca) {
        Ok(roots) => roots,
        Err(says) => return Finding::fail(WHAT, says, cure),
    };
    let findings = roots.iter().map(|root| validity(WHAT, ca, root, now));
    let worst = findings.max_by_key(|finding| finding.status as u8);
    worst.unwrap_or_else(|| Finding::fail(WHAT, "there is none", cure))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let shown = path.display();
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(format!("{shown} holds no certificate")),
        Ok(certificates) => Ok(certificates),
        Err(fault) => Err(format!("{shown} cannot be read as PEM ({fault})")),
    }
}

fn validity(
    what: &'static str,
    path: &Path,
    certificate: &CertificateDer<'_>,
    now: Timestamp,
) -> Finding {
    let shown = path.display();
    let renew = format!("renew {shown}");
    let Ok((_, parsed)) = parse_x509_certificate(certificate) else {
        return Finding::fail(what, format!("{shown} is not an X.509 certificate"), renew);
    };
    let (from, until) = (parsed.validity().not_before, parsed.validity().not_after);
    let (Ok(from), Ok(until)) =
        (Timestamp::from_second(from.timestamp()), Timestamp::from_second(until.timestamp()))
    else {
        return Finding::fail(what, format!("{shown} is valid at no time we can name"), renew);
    };
    if now < from {
        let cure = "compare this machine's clock, or wait";
        return Finding::fail(what, format!("{shown} is valid from {from} only"), cure);
    }
    if until < now {
        return Finding::fail(what, format!("{shown} expired at {until}"), renew);
    }
    if until.duration_since(now).unsigned_abs() < SOON {
        return Finding::warn(what, format!("{shown} expires at {until}"), renew);
    }
    Finding::ok(what, format!("{shown} is valid until {until}"))
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;
    use crate::config::Tls;
    use std::fs::write;

    fn identity(tls: &Tls, now: Timestamp) -> Finding {
        super::identity(&tls.certificate, &tls.key, "http.tls", now)
    }

    fn issue(directory: &Path, name: &str) -> Tls {
        let mut parameters =
            rcgen::CertificateParams::new(vec!["gateway.example".to_owned()]).expect("a name");
        parameters.not_before = rcgen::date_time_ymd(2026, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2026, 12, 31);
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = parameters.self_signed(&key).expect("a certificate");
        let tls = Tls {
            certificate: directory.join(format!("{name}.pem")),
            key: directory.join(format!("{name}.key")),
            client_ca: None,
        };
        write(&tls.certificate, certificate.pem()).expect("written");
        write(&tls.key, key.serialize_pem()).expect("written");
        tls
    }

    #[test]
    fn the_end_of_a_certificate_is_told_before_it_comes() {
        let directory = tempfile::tempdir().expect("a directory");
        let tls = issue(directory.path(), "a");
        for (now, status) in [
            ("2025-12-31T00:00:00Z", Status::Fail),
            ("2026-06-01T00:00:00Z", Status::Ok),
            ("2026-12-20T00:00:00Z", Status::Warn),
            ("2027-01-01T00:00:00Z", Status::Fail),
        ] {
            let finding = identity(&tls, now.parse().expect("a time"));
            assert_eq!(finding.status, status, "{now}: {finding:?}");
            let finding = roots(&tls.certificate, "destination.ca", now.parse().expect("a time"));
            assert_eq!(finding.status, status, "{now}: {finding:?}");
        }
    }

    #[test]
    fn files_that_do_not_belong_together_or_are_no_pem_fail() {
        let directory = tempfile::tempdir().expect("a directory");
        let now = "2026-06-01T00:00:00Z".parse().expect("a time");
        let a = issue(directory.path(), "a");
        let b = issue(directory.path(), "b");
        let crossed = Tls { certificate: a.certificate.clone(), key: b.key, client_ca: None };
        assert!(identity(&crossed, now).says.contains("together"));
        let swapped =
            Tls { certificate: a.key.clone(), key: a.certificate.clone(), client_ca: None };
        assert!(identity(&swapped, now).says.contains("holds no certificate"));
        let missing = Tls { key: directory.path().join("none"), ..a };
        assert!(identity(&missing, now).says.contains("holds no readable private key"));
    }
}
