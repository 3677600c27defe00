//! TLS towards carriers: rustls with ring; certificate, key and the roots of client certificates
//! from PEM files.

use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Why the certificate cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The chain is not there or not PEM.
    #[error("cannot read the certificate chain {}: {source}; it must be PEM, leaf first", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: pem::Error,
    },
    /// The file holds no certificate.
    #[error("no certificate in {}; it must hold `BEGIN CERTIFICATE` blocks, leaf first", .0.display())]
    NoCertificate(PathBuf),
    /// The key is not there or not PEM.
    #[error("cannot read the private key {}: {source}; it must be PEM (PKCS#8, PKCS#1 or SEC1)", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: pem::Error,
    },
    /// The roots of client certificates are not there, not PEM, or none.
    #[error("cannot read client_ca {}: {problem}; it must be a PEM file of root certificates", path.display())]
    ClientRoots {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Both are read, but do not belong together or are of an unknown kind.
    #[error("certificate and key cannot be used: {0}; check that they belong together")]
    Pair(#[from] rustls::Error),
}

/// Reads the files and makes what shakes hands, offering HTTP/2 and HTTP/1.1. With roots for client
/// certificates peers are asked for one; they may come without, but not with a bad one.
///
/// # Errors
/// [`TlsError`] naming the file.
pub fn acceptor(
    certificate: &Path,
    key: &Path,
    client_ca: Option<&Path>,
) -> Result<TlsAcceptor, TlsError> {
    let unreadable = |source| TlsError::Certificate { path: certificate.to_owned(), source };
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
        .map_err(unreadable)?
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(certificate.to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(key)
        .map_err(|source| TlsError::Key { path: key.to_owned(), source })?;
    let provider = Arc::new(ring::default_provider());
    let clients = match client_ca {
        Some(path) => client_verifier(path, Arc::clone(&provider))?,
        None => WebPkiClientVerifier::no_client_auth(),
    };
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn client_verifier(
    path: &Path,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let bad = |problem: String| TlsError::ClientRoots { path: path.to_owned(), problem };
    let roots = Arc::new(roots(path).map_err(bad)?);
    WebPkiClientVerifier::builder_with_provider(roots, provider)
        .allow_unauthenticated()
        .build()
        .map_err(|error| bad(error.to_string()))
}

/// Reads root certificates, at least one.
///
/// # Errors
/// What is wrong with the file.
fn roots(path: &Path) -> Result<RootCertStore, String> {
    roots_of(&std::fs::read(path).map_err(|error| error.to_string())?)
}

/// The root certificates of a PEM file, at least one.
///
/// # Errors
/// What is wrong with it.
pub(super) fn roots_of(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() { Err("it holds no certificate".to_owned()) } else { Ok(roots) }
}

/// A chain, at least one certificate, and its key, each a PEM file.
///
/// # Errors
/// What is wrong with them; nothing of the key is repeated.
pub(super) fn key_and_chain(
    chain: &[u8],
    key: &[u8],
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    if chain.is_empty() {
        return Err("it holds no certificate".to_owned());
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| "its key is no PEM key".to_owned())?;
    Ok((chain, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_pair_is_refused_with_its_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).expect("written");
            path
        };
        let pair = |name: &str| {
            let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("made");
            (made.cert.pem(), made.signing_key.serialize_pem())
        };
        let (one, other) = (pair("one.example"), pair("other.example"));
        let (chain, key) = (write("one.pem", &one.0), write("one.key", &one.1));
        let wrong_key = write("other.key", &other.1);
        let empty = write("empty.pem", "");

        assert!(acceptor(&chain, &key, None).is_ok());
        assert!(matches!(acceptor(&chain, &wrong_key, None), Err(TlsError::Pair(_))));
        assert!(matches!(acceptor(&empty, &key, None), Err(TlsError::NoCertificate(_))));
        assert!(matches!(acceptor(&chain, &empty, None), Err(TlsError::Key { .. })));
        assert!(acceptor(&chain, &key, Some(&chain)).is_ok());
        for bad in [&empty, &key] {
            let refused = acceptor(&chain, &key, Some(bad)).err();
            assert!(matches!(refused, Some(TlsError::ClientRoots { .. })), "{refused:?}");
        }
        let missing = directory.path().join("missing.pem");
        let error = acceptor(&missing, &key, None).err().expect("refused").to_string();
        assert!(error.contains("missing.pem"), "{error}");
    }
}
