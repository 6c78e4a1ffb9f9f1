//! Connections: accepting them, keeping deadlines on them, and letting go of them.
//!
//! | module | what it does |
//! |---|---|
//! | `watch` | what a connection waits for, and the deadlines of that |
//! | `stream`, `bodies` | tell the watch how far writing, requests and answers are |
//! | `connections` | how many there may be, and who makes room for others |
//! | `counters` | what became of them, in numbers |
//!
//! A connection without a request, a body that does not arrive and an answer that is not taken all end their connection;
//! how long the server itself may work on a request is bounded by [`surround`](crate::middleware::surround).

mod bodies;
mod connections;
mod counters;
mod stream;
mod watch;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use bodies::{AnswerBody, RequestBody};
use connections::{Admission, Connections, Limits};
use http::{Response, StatusCode, Version};
use hyper::body::{Body as _, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use ipnet::IpNet;
use stream::WatchedStream;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use watch::{Patience, Ticket, Watch};

pub use counters::{ConnectionCounters, Deadline};

use crate::caller::PeerAddress;

/// How long clients may take, and how many connections there may be.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// For the head of a request; an idle connection is closed after the same time.
    pub header_timeout: Duration,
    /// For the body of a request.
    pub body_timeout: Duration,
    /// For each 64 KiB of an answer that the client is behind.
    pub write_timeout: Duration,
    /// For requests in flight when the server stops.
    pub drain_timeout: Duration,
    /// The most connections at a time; fewer if the process may not open as many files.
    pub max_connections: usize,
    /// The most of one address (IPv6: one /64); at most half of all.
    pub max_connections_per_address: usize,
    /// Whose connections count for no address: they stand for many.
    pub trusted_proxies: Vec<IpNet>,
}

/// A listening server.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    settings: ServerSettings,
    counters: Arc<ConnectionCounters>,
}

impl Server {
    /// Starts to listen; connections queue until [`Server::run`]. Port 0 lets the system pick.
    pub async fn bind(address: SocketAddr, settings: ServerSettings) -> std::io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            settings,
            counters: Arc::default(),
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What becomes of its connections, in numbers.
    pub fn counters(&self) -> Arc<ConnectionCounters> {
        self.counters.clone()
    }

    /// Serves until `stop` is cancelled, then lets requests in flight finish, for a bounded time.
    pub async fn run(self, router: Router, stop: CancellationToken) {
        let Self {
            listener,
            settings,
            counters,
        } = self;
        let limits = Limits::possible(
            settings.max_connections,
            settings.max_connections_per_address,
            &settings.trusted_proxies,
        );
        let acceptor = Acceptor {
            builder: protocols(),
            router,
            patience: Patience {
                head: settings.header_timeout,
                body: settings.body_timeout,
                answer: settings.write_timeout,
            },
            counters: counters.clone(),
        };
        let mut connections = Connections::new(limits, counters.clone());
        let accepting = acceptor.accept(&listener, &mut connections);
        tokio::select! {
            () = accepting => {}
            () = stop.cancelled() => {}
            () = tell_of_trouble(&counters) => {}
        }
        drop(listener);
        tracing::info!(connections = connections.count(), "draining");
        if tokio::time::timeout(settings.drain_timeout, connections.drain())
            .await
            .is_err()
        {
            let connections = connections.count();
            tracing::warn!(
                connections,
                "connections were still open at the end of the drain time"
            );
        }
        connections.abandon().await;
    }
}

/// HTTP/1.1 and 2, with bounds on what one connection can make the server keep. The deadlines are [`Watch`]'s.
fn protocols() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .header_read_timeout(None)
        .max_buf_size(64 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(100)
        .max_header_list_size(16 * 1024)
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(100)
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .max_send_buf_size(watch::PIECE);
    builder
}

/// How often what happened to connections is told, if anything did.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// One line for all connections that were closed for a reason that an operator wants to know, however many there are.
async fn tell_of_trouble(counters: &ConnectionCounters) {
    let counts = || {
        [
            counters.closed_as_slow(),
            counters.evicted(),
            counters.refused(),
        ]
    };
    let mut told = counts();
    loop {
        tokio::time::sleep(TELL_EVERY).await;
        let now = counts();
        if now != told {
            let [slow, evicted, refused] = [0, 1, 2].map(|it| now[it] - told[it]);
            tracing::warn!(
                slow,
                evicted,
                refused,
                open = counters.open(),
                "connections were closed: too slow, to make room, or more than one address may have"
            );
            told = now;
        }
    }
}

/// What every connection is served with.
struct Acceptor {
    builder: Builder<TokioExecutor>,
    router: Router,
    patience: Patience,
    counters: Arc<ConnectionCounters>,
}

impl Acceptor {
    /// Takes connections for ever.
    async fn accept(&self, listener: &TcpListener, connections: &mut Connections) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = connections.one_ended() => continue,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let peer = peer.ip();
                    if connections.admit(peer).await == Admission::Welcome {
                        let watch = Watch::new(self.patience);
                        let connection = self.serve(stream, peer, watch.clone());
                        connections.add(peer, watch, connection);
                    }
                }
                Err(error) => {
                    // Out of file descriptors, or a client that went away: neither is a reason to stop.
                    tracing::warn!(%error, "accepting a connection failed");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    /// One connection, until its end or the first deadline that passes.
    fn serve(
        &self,
        stream: TcpStream,
        peer: IpAddr,
        watch: Arc<Watch>,
    ) -> impl Future<Output = ()> + Send + use<> {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let (router, watched) = (self.router.clone(), watch.clone());
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(PeerAddress(peer));
            answer(router.clone(), watched.clone(), request)
        });
        let stream = TokioIo::new(WatchedStream::new(stream, watch.clone()));
        let connection = self.builder.serve_connection(stream, service).into_owned();
        let (shortest, counters) = (self.patience.shortest(), self.counters.clone());
        async move {
            let mut connection = pin!(connection);
            let mut told_to_leave = pin!(watch.told_to_leave());
            let mut leaves = false;
            let mut look = pin!(tokio::time::sleep(shortest));
            loop {
                tokio::select! {
                    biased;
                    ended = &mut connection => {
                        if let Err(error) = ended {
                            tracing::debug!(%error, "a connection ended early");
                        }
                        return;
                    }
                    () = &mut told_to_leave, if !leaves => {
                        leaves = true;
                        connection.as_mut().graceful_shutdown();
                        look.as_mut().reset(Instant::now());
                    }
                    () = &mut look => match watch.look(Instant::now()) {
                        Ok(next) => look.as_mut().reset(next),
                        Err(deadline) => {
                            counters.count_late(deadline);
                            tracing::debug!(deadline = deadline.as_str(), "a client took too long");
                            return;
                        }
                    },
                }
            }
        }
    }
}

/// Answers one request, and notes on the way what the client still owes.
async fn answer(
    router: Router,
    watch: Arc<Watch>,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Infallible> {
    let multiplexed = request.version() == Version::HTTP_2;
    let ticket = Ticket::begin(&watch, !request.body().is_end_stream(), multiplexed);
    let request = request.map(|body| Body::new(RequestBody::new(body, &ticket)));
    let answer = router.oneshot(request).await?;
    if answer.status() == StatusCode::REQUEST_TIMEOUT {
        // Whoever is so late with a body is not worth waiting for.
        watch.leave();
    }
    Ok(answer.map(|body| AnswerBody::new(body, ticket)))
}
