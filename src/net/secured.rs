//! TLS as a client from PEM files, which are read again at each connection: what was replaced on
//! disk holds from the next connection on, and what is unusable changes nothing.

use super::client::{ClientError, Trust};
use super::tls::key_and_chain;
use crate::telemetry::identity::Identity as Telemetry;
use hyper_rustls::ConfigBuilderExt;
use ring::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use x509_parser::parse_x509_certificate;

/// A certificate that shows servers who we are, and its key; PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The chain, leaf first.
    pub chain: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// The configuration of TLS as the files have it.
#[derive(Debug)]
pub(super) struct Secured {
    trust: Trust,
    certificate: Option<ClientCertificate>,
    telemetry: Option<Telemetry>,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    /// What was read last, whether it was usable or not.
    seen: Seen,
    config: Arc<ClientConfig>,
}

/// The files at one moment.
struct Files {
    roots: Option<Vec<u8>>,
    /// Chain and key.
    pair: Option<(Vec<u8>, Vec<u8>)>,
}

/// By what two readings are told apart: a digest of the files, or why they could not be read.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Files(Vec<u8>),
    Unreadable(String),
}

impl Secured {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// [`ClientError`] when they cannot be used.
    pub(super) fn new(
        trust: Trust,
        certificate: Option<ClientCertificate>,
        telemetry: Option<Telemetry>,
    ) -> Result<Secured, ClientError> {
        let files = Files::read(&trust, certificate.as_ref())?;
        let config = Arc::new(configure(&trust, certificate.as_ref(), &files)?);
        let current = Mutex::new(Current { seen: files.seen(), config });
        let secured = Secured { trust, certificate, telemetry, current };
        secured.tell_expiry(&files);
        Ok(secured)
    }

    /// What holds for a connection that is made now.
    pub(super) async fn now(self: &Arc<Self>) -> Arc<ClientConfig> {
        if self.certificate.is_some() || matches!(self.trust, Trust::Roots(_)) {
            let secured = Arc::clone(self);
            // Cancelled or panicked, it has changed nothing.
            drop(tokio::task::spawn_blocking(move || secured.look()).await);
        }
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner).config)
    }

    /// Reads the files, and takes up what is new and usable.
    fn look(&self) {
        let read = Files::read(&self.trust, self.certificate.as_ref());
        let seen = match &read {
            Ok(files) => files.seen(),
            Err(error) => Seen::Unreadable(error.to_string()),
        };
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.seen == seen {
            return;
        }
        current.seen = seen;
        let taken = read.and_then(|files| {
            let config = configure(&self.trust, self.certificate.as_ref(), &files)?;
            Ok((files, config))
        });
        match taken {
            Ok((files, config)) => {
                // A whole new configuration: a resumed session would still show the old certificate.
                current.config = Arc::new(config);
                self.telemetry.as_ref().inspect(|it| it.files_taken());
                self.tell_expiry(&files);
            }
            Err(error) => drop(self.telemetry.as_ref().inspect(|it| it.files_refused(&error))),
        }
    }

    fn tell_expiry(&self, files: &Files) {
        let Some((telemetry, (chain, _))) = self.telemetry.as_ref().zip(files.pair.as_ref()) else {
            return;
        };
        let Ok(leaf) = CertificateDer::from_pem_slice(chain) else { return };
        if let Ok((_, leaf)) = parse_x509_certificate(&leaf) {
            telemetry.certificate_ends(leaf.validity().not_after.timestamp());
        }
    }
}

impl Files {
    fn read(trust: &Trust, certificate: Option<&ClientCertificate>) -> Result<Files, ClientError> {
        let roots = match trust {
            Trust::Roots(path) => Some(std::fs::read(path).map_err(|error| {
                ClientError::BadRoots { path: path.clone(), problem: error.to_string() }
            })?),
            Trust::Plain | Trust::System => None,
        };
        let read = |path: &Path| {
            std::fs::read(path).map_err(|error| ClientError::BadCertificate {
                path: path.to_owned(),
                problem: error.to_string(),
            })
        };
        let pair = match certificate {
            Some(ClientCertificate { chain, key }) => Some((read(chain)?, read(key)?)),
            None => None,
        };
        Ok(Files { roots, pair })
    }

    fn seen(&self) -> Seen {
        let (chain, key) = self.pair.as_ref().map_or((&[][..], &[][..]), |(c, k)| (&c[..], &k[..]));
        let parts = [self.roots.as_deref().unwrap_or_default(), chain, key];
        Seen::Files(parts.iter().flat_map(|part| digest(&SHA256, part).as_ref().to_vec()).collect())
    }
}

/// How to shake hands as a client with whom `trust` believes.
pub(super) fn tls(trust: &Trust) -> Result<ClientConfig, ClientError> {
    configure(trust, None, &Files::read(trust, None)?)
}

fn configure(
    trust: &Trust,
    certificate: Option<&ClientCertificate>,
    files: &Files,
) -> Result<ClientConfig, ClientError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let trusting = match trust {
        Trust::Plain => builder.with_root_certificates(RootCertStore::empty()),
        Trust::System => builder.with_native_roots().map_err(ClientError::NoSystemRoots)?,
        Trust::Roots(path) => {
            let bad = |problem| ClientError::BadRoots { path: path.clone(), problem };
            let roots = super::tls::roots_of(files.roots.as_deref().unwrap_or_default());
            builder.with_root_certificates(roots.map_err(bad)?)
        }
    };
    let (Some(certificate), Some((chain, key))) = (certificate, &files.pair) else {
        return Ok(trusting.with_no_client_auth());
    };
    let bad = |problem| ClientError::BadCertificate { path: certificate.chain.clone(), problem };
    let (chain, key) = key_and_chain(chain, key).map_err(bad)?;
    trusting.with_client_auth_cert(chain, key).map_err(|error| bad(error.to_string()))
}
