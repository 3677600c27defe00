//! The carriers' listener: matches the path to an account, refuses who may not call it, sheds load,
//! reads the body within its limits, hands over to the intake and answers in the carrier's words.

mod admit;
mod body;
mod callback;
mod gate;
mod http;
mod routing;
mod upgrade;
mod url;
mod visitor;

pub use crate::session::Ground;

use crate::config::{Account, Http};
use crate::intake::Invitations;
use crate::net::tls::{self, TlsError};
use crate::net::{BindError, HttpServer, Listener, Timeouts};
use crate::telemetry::net::Listening;
use callback::Callbacks;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::Semaphore;
use visitor::Visitor;

/// Why carriers cannot be listened to.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be had.
    #[error("http.listen: {0}")]
    Bind(#[from] BindError),
    /// The certificate cannot be served.
    #[error("http.tls: {0}")]
    Tls(#[from] TlsError),
}

/// Binds every address, starts to serve these accounts and the platform's invitations, and returns the addresses in the order
/// of the configuration.
///
/// # Errors
/// [`StartError`]; nothing is listened on then.
pub async fn start(
    config: &Http,
    accounts: impl IntoIterator<Item = Arc<Account>>,
    invitations: Option<Invitations>,
    ground: Ground,
) -> Result<Vec<SocketAddr>, StartError> {
    let limits = &config.limits;
    let acceptor = match &config.tls {
        Some(files) => {
            Some(tls::acceptor(&files.certificate, &files.key, files.client_ca.as_deref())?)
        }
        None => None,
    };
    let permits = Arc::new(Semaphore::new(limits.max_connections));
    let telemetry = Listening::new(&ground.metrics, "carriers");
    let mut listeners = Vec::with_capacity(config.listen.len());
    for &address in &config.listen {
        let (permits, entropy) = (Arc::clone(&permits), ground.entropy.clone());
        let listener = Listener::bind(address, permits, entropy, telemetry.clone()).await?;
        listeners.push(match acceptor.clone() {
            Some(acceptor) => listener.with_tls(acceptor, limits.handshake_timeout),
            None => listener,
        });
    }

    let tasks = ground.tasks.clone();
    let timeouts = Timeouts { header: limits.header_timeout, idle: limits.idle_timeout };
    let server = Arc::new(HttpServer::new(timeouts, tasks.clone()));
    let callbacks = Arc::new(Callbacks::new(config, accounts, invitations, ground));
    let addresses = listeners.iter().map(Listener::address).collect();
    for listener in listeners {
        let (server, callbacks) = (Arc::clone(&server), Arc::clone(&callbacks));
        let serve = move |socket, peer| {
            let (server, callbacks) = (Arc::clone(&server), Arc::clone(&callbacks));
            async move {
                let visitor = Arc::new(Visitor::new(&peer));
                let answer = |request| {
                    let (callbacks, visitor) = (Arc::clone(&callbacks), Arc::clone(&visitor));
                    async move { callbacks.answer(&visitor, request).await }
                };
                server.serve(socket, answer).await
            }
        };
        tasks.spawn_vital("carriers' listener", listener.run(tasks.clone(), serve));
    }
    Ok(addresses)
}
