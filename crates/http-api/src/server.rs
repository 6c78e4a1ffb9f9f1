//! Connections: accepting them, keeping deadlines on them, and letting go of them.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::caller::PeerAddress;

/// How long clients may take.
#[derive(Clone, Copy, Debug)]
pub struct ServerSettings {
    /// For the head of a request; an idle connection is closed after the same time.
    pub header_timeout: Duration,
    /// For requests in flight when the server stops.
    pub drain_timeout: Duration,
}

/// A listening server.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    settings: ServerSettings,
}

impl Server {
    /// Starts to listen; connections queue until [`Server::run`]. Port 0 lets the system pick.
    pub async fn bind(address: SocketAddr, settings: ServerSettings) -> std::io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            settings,
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is cancelled, then lets requests in flight finish, for a bounded time.
    pub async fn run(self, router: Router, stop: CancellationToken) {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.settings.header_timeout)
            .max_buf_size(64 * 1024);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(self.settings.header_timeout)
            .max_concurrent_streams(250);
        let connections = GracefulShutdown::new();
        let abandon = CancellationToken::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            match accepted {
                Ok(accepted) => {
                    let patience = self.settings.header_timeout;
                    serve_connection(
                        &builder,
                        (&connections, &abandon),
                        &router,
                        accepted,
                        patience,
                    );
                }
                Err(error) => {
                    // Out of file descriptors, or a client that went away: neither is a reason to stop.
                    tracing::warn!(%error, "accepting a connection failed");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop(self.listener);
        let open = connections.count();
        tracing::info!(connections = open, "draining");
        if tokio::time::timeout(self.settings.drain_timeout, connections.shutdown())
            .await
            .is_err()
        {
            tracing::warn!("connections were still open at the end of the drain time");
            abandon.cancel();
        }
    }
}

fn serve_connection(
    builder: &Builder<TokioExecutor>,
    (connections, abandon): (&GracefulShutdown, &CancellationToken),
    router: &Router,
    (stream, peer): (TcpStream, SocketAddr),
    first_request_timeout: Duration,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let begun = Arc::new(Notify::new());
    let service = hyper::service::service_fn({
        let (router, begun) = (router.clone(), begun.clone());
        move |mut request: Request<Incoming>| {
            begun.notify_one();
            request.extensions_mut().insert(PeerAddress(peer.ip()));
            router.clone().oneshot(request)
        }
    });
    let connection = builder
        .serve_connection(TokioIo::new(stream), service)
        .into_owned();
    let connection = connections.watch(connection);
    tokio::spawn(abandon.clone().run_until_cancelled_owned(async move {
        let mut connection = pin!(connection);
        // hyper's own deadlines begin only once it knows the version of HTTP, which takes a few bytes.
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = begun.notified() => connection.await,
            () = tokio::time::sleep(first_request_timeout) => {
                tracing::debug!("a connection sent no request in time");
                return;
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        }
    }));
}
