//! Clients that take their time: each is closed by the deadlines of the server's own defaults, and meanwhile exchanges go
//! on. What is slow here are the clients; no test measures the server's time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use storage::Engine;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::support::{App, on_both_engines, run_to_end};

/// How often a slow client does something.
const PACE: Duration = Duration::from_millis(500);
/// Fails a test that would hang; the deadlines are a quarter of it.
const GUARD: Duration = Duration::from_mins(1);

fn request() -> Value {
    json!({ "user": { "id": "u", "roles": ["viewer"], "attributes": { "tenant_id": "t" } } })
}

/// In which way a client is slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slow {
    /// It connects and says nothing.
    Silent,
    /// A head, byte by byte.
    Head,
    /// A body, byte by byte.
    Body,
    /// It asks for more than it takes.
    Read,
    /// Like [`Self::Read`], and takes a few bytes now and then.
    ReadByBytes,
    /// HTTP/2: the preface and then nothing; it answers pings.
    Http2Silent,
    /// HTTP/2: a head in many frames.
    Http2Head,
    /// HTTP/2: a body, byte by byte.
    Http2Body,
    /// HTTP/2: it lets no answer through.
    Http2Window,
}

impl Slow {
    const ALL: [Self; 9] = [
        Self::Silent,
        Self::Head,
        Self::Body,
        Self::Read,
        Self::ReadByBytes,
        Self::Http2Silent,
        Self::Http2Head,
        Self::Http2Body,
        Self::Http2Window,
    ];

    /// What it sends when it is connected.
    fn opening(self, key: &str) -> Vec<u8> {
        let head = format!("POST /v1/session-tokens HTTP/1.1\r\nhost: t\r\nx-api-key: {key}\r\n");
        match self {
            Self::Silent => Vec::new(),
            Self::Head => head.into_bytes(),
            Self::Body => {
                let rest = "content-type: application/json\r\ncontent-length: 1000\r\n\r\n{";
                (head + rest).into_bytes()
            }
            Self::Read | Self::ReadByBytes => ASK_FOR_MUCH.repeat(40).into_bytes(),
            Self::Http2Silent => http2::opening(65_535),
            Self::Http2Head => {
                let part = http2::part_of_head();
                [http2::opening(65_535), part].concat()
            }
            Self::Http2Body => {
                let head = http2::post("/v1/session-tokens", key);
                [http2::opening(65_535), head].concat()
            }
            Self::Http2Window => [http2::opening(0), http2::get("/openapi.json")].concat(),
        }
    }

    /// What it sends from time to time.
    fn trickle(self) -> Vec<u8> {
        match self {
            Self::Silent | Self::Http2Silent | Self::Http2Window => Vec::new(),
            Self::Head => b"x".to_vec(),
            Self::Body => b" ".to_vec(),
            Self::Read | Self::ReadByBytes => ASK_FOR_MUCH.into(),
            Self::Http2Head => http2::more_of_head(),
            Self::Http2Body => http2::data(b" "),
        }
    }

    /// How much it takes at a time.
    fn appetite(self) -> usize {
        match self {
            Self::Read => 0,
            Self::ReadByBytes => 16,
            _ => 64 * 1024,
        }
    }

    fn speaks_http2(self) -> bool {
        matches!(
            self,
            Self::Http2Silent | Self::Http2Head | Self::Http2Body | Self::Http2Window
        )
    }
}

/// Some hundred KiB.
const ASK_FOR_MUCH: &str = "GET /openapi.json HTTP/1.1\r\nhost: t\r\n\r\n";

/// Thousands of sockets are more files than many systems allow a process that does not ask.
fn allow_many_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

/// A client with a small window, so that what it does not take stays with the server.
async fn connect(app: &App) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let address = app.server.address().parse().unwrap();
    socket.connect(address).await.unwrap()
}

/// Is slow until the server has closed the connection; answers what it has read.
async fn is_closed(mut stream: TcpStream, slow: Slow, opening: Vec<u8>) -> Vec<u8> {
    let mut seen = Vec::new();
    if stream.write_all(&opening).await.is_err() {
        return seen;
    }
    let mut pings = 0;
    let mut pace = tokio::time::interval(PACE);
    let mut buffer = vec![0; slow.appetite()];
    let eager = slow.appetite() > 16;
    loop {
        tokio::select! {
            read = stream.read(&mut buffer), if eager => match read {
                Ok(0) | Err(_) => return seen,
                Ok(count) => {
                    seen.extend_from_slice(&buffer[..count]);
                    let pongs = if slow.speaks_http2() { http2::pongs(&seen, &mut pings) } else { Vec::new() };
                    if stream.write_all(&pongs).await.is_err() {
                        return seen;
                    }
                }
            },
            _ = pace.tick() => {
                if !eager && !buffer.is_empty() {
                    let _ = stream.try_read(&mut buffer);
                }
                // A connection that the server has closed answers what is written to it with a reset.
                match stream.try_write(&slow.trickle()) {
                    Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => return seen,
                    _ => {}
                }
                if stream.take_error().unwrap().is_some() {
                    return seen;
                }
            }
        }
    }
}

/// Starts so many slow clients of a kind.
async fn start(app: &App, clients: &mut JoinSet<Slow>, slow: Slow, count: usize) {
    allow_many_files();
    let opening = slow.opening(&app.key);
    for _ in 0..count {
        let stream = connect(app).await;
        let opening = opening.clone();
        clients.spawn(async move {
            is_closed(stream, slow, opening).await;
            slow
        });
    }
}

#[tokio::test]
async fn a_thousand_slow_clients_are_closed_and_no_exchange_is_refused() {
    on_both_engines(|app| async move {
        let mut clients = JoinSet::new();
        for slow in Slow::ALL {
            start(&app, &mut clients, slow, 112).await;
        }
        assert!(clients.len() > 1_000);
        let over = Arc::new(AtomicBool::new(false));
        let exchanges = async {
            let mut issued = 0;
            while !over.load(Ordering::Relaxed) {
                app.issue(&request()).await.issued();
                issued += 1;
            }
            issued
        };
        let mut left = Slow::ALL.map(|_| 112);
        let closed = async {
            while let Some(slow) = clients.join_next().await {
                left[slow.unwrap() as usize] -= 1;
            }
            over.store(true, Ordering::Relaxed);
        };
        let all_closed = async {
            tokio::time::timeout(GUARD, async { tokio::join!(exchanges, closed).0 }).await
        };
        let issued = all_closed.await;
        let open: Vec<_> = Slow::ALL
            .into_iter()
            .zip(left)
            .filter(|it| it.1 > 0)
            .collect();
        assert!(issued.is_ok(), "still open: {open:?}");
        assert_eq!(app.count_sessions().await, issued.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_body_that_is_late_is_told_so_over_http2_too() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let app = App::start_with(engine, &[("JETON_REQUEST_TIMEOUT_SECONDS", "1")]).await;
        let opening = Slow::Http2Body.opening(&app.key);
        let closed = is_closed(connect(&app).await, Slow::Http2Body, opening);
        let seen = tokio::time::timeout(GUARD, closed).await.unwrap();
        let frames = http2::frames(&seen);
        assert!(frames.contains(&http2::GOAWAY), "{frames:?}");
        let text = String::from_utf8_lossy(&seen);
        assert!(text.contains("\"code\":\"request_timeout\""), "{text}");
    }
}

#[tokio::test]
async fn answers_that_fit_into_no_buffer_arrive_whole() {
    on_both_engines(|app| async move {
        let whole = app.get("/openapi.json").await.text;
        let mut stream = TcpStream::connect(app.server.address()).await.unwrap();
        let last = ASK_FOR_MUCH.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
        let asked = ASK_FOR_MUCH.repeat(39) + last.as_str();
        stream.write_all(asked.as_bytes()).await.unwrap();
        // Nothing is read before everything is asked for: the server has to wait for this client in between.
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 40);
        assert_eq!(text.matches(&whole).count(), 40);
    })
    .await;
}

#[tokio::test]
async fn stuck_clients_do_not_keep_the_server_from_stopping() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        // Nothing but the end of the drain time is near.
        let settings = [
            ("JETON_DRAIN_TIMEOUT_SECONDS", "10"),
            ("JETON_HEADER_TIMEOUT_SECONDS", "300"),
            ("JETON_REQUEST_TIMEOUT_SECONDS", "300"),
            ("JETON_WRITE_TIMEOUT_SECONDS", "300"),
        ];
        let mut app = App::start_with(engine, &settings).await;
        let mut clients = JoinSet::new();
        for slow in Slow::ALL {
            start(&app, &mut clients, slow, 200).await;
        }
        let body = request().to_string();
        let (first_half, second_half) = body.split_at(20);
        let head = format!(
            "POST /v1/session-tokens HTTP/1.1\r\nhost: t\r\nx-api-key: {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{first_half}",
            app.key,
            body.len()
        );
        let mut in_flight = TcpStream::connect(app.server.address()).await.unwrap();
        in_flight.write_all(head.as_bytes()).await.unwrap();
        app.issue(&request()).await.issued();

        app.server.terminate();
        while TcpStream::connect(app.server.address()).await.is_ok() {
            tokio::task::yield_now().await;
        }
        in_flight.write_all(second_half.as_bytes()).await.unwrap();
        let mut answer = String::new();
        in_flight.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
        let stopped = tokio::task::spawn_blocking(move || (app.server.wait(), app));
        let (status, app) = tokio::time::timeout(GUARD, stopped).await.unwrap().unwrap();
        assert!(status.success());
        assert!(app.server.log().contains("at the end of the drain time"));
        assert_eq!(app.count_sessions().await, 2);
        tokio::time::timeout(GUARD, clients.join_all())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn slow_clients_make_room_for_others() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let settings = [
            ("JETON_MAX_CONNECTIONS", "40"),
            ("JETON_MAX_CONNECTIONS_PER_ADDRESS", "20"),
            ("JETON_HEADER_TIMEOUT_SECONDS", "300"),
            ("JETON_REQUEST_TIMEOUT_SECONDS", "300"),
        ];
        let mut app = App::start_with(engine, &settings).await;
        // An idle connection may be one of those that make room; each exchange comes on a new one.
        let fresh = reqwest::Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0);
        app.http = fresh.timeout(GUARD).build().unwrap();
        let mut clients = JoinSet::new();
        for slow in [Slow::Silent, Slow::Head, Slow::Body, Slow::Http2Silent] {
            start(&app, &mut clients, slow, 100).await;
            app.issue(&request()).await.issued();
        }
        // No deadline is near: all but the share of this one address were closed for those that came later.
        let closed = async {
            for _ in 0..380 {
                clients.join_next().await.unwrap().unwrap();
            }
        };
        let closed = tokio::time::timeout(GUARD, closed).await;
        assert!(closed.is_ok(), "{} are open", clients.len());
        app.issue(&request()).await.issued();
        assert_eq!(app.count_sessions().await, 5);
    }
}

#[tokio::test]
async fn an_unusable_number_of_connections_is_refused() {
    let app = App::start(Engine::Sqlite).await;
    for (name, told) in [
        ("JETON_MAX_CONNECTIONS", "`max_connections` is from 16 to"),
        (
            "JETON_MAX_CONNECTIONS_PER_ADDRESS",
            "`max_connections_per_address` is from 1 to",
        ),
        (
            "JETON_WRITE_TIMEOUT_SECONDS",
            "`write_timeout_seconds` is from 1 to 300",
        ),
    ] {
        let mut environment = app.environment();
        environment.push((name, "0"));
        let output = run_to_end(&["serve"], &environment);
        let printed = String::from_utf8(output.stderr).unwrap();
        assert!(printed.contains(told), "{printed}");
    }
}

/// As much of HTTP/2 (RFC 9113, RFC 7541) as slow clients need.
mod http2 {
    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
    const SETTINGS: u8 = 4;
    const PING: u8 = 6;
    pub(super) const GOAWAY: u8 = 7;
    const CONTINUATION: u8 = 9;

    const END_STREAM: u8 = 1;
    const ACK: u8 = 1;
    const END_HEADERS: u8 = 4;

    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const HEAD_LENGTH: usize = 9;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let stream = stream.to_be_bytes();
        [&length[1..], &[kind, flags], &stream, payload].concat()
    }

    /// The preface, and how many bytes of each answer may come.
    pub(super) fn opening(window: u32) -> Vec<u8> {
        let settings = [&[0, 4][..], &window.to_be_bytes()].concat();
        let acknowledged = frame(SETTINGS, ACK, 0, &[]);
        [PREFACE, &frame(SETTINGS, 0, 0, &settings), &acknowledged].concat()
    }

    /// A field as it is, its name out of HPACK's static table.
    fn indexed(name: u8, value: &str) -> Vec<u8> {
        let length = u8::try_from(value.len()).unwrap();
        assert!(name < 15 && length < 127);
        [&[name, length], value.as_bytes()].concat()
    }

    fn named(name: &str, value: &str) -> Vec<u8> {
        let lengths = [name, value].map(|it| u8::try_from(it.len()).unwrap());
        assert!(lengths.iter().all(|length| *length < 127));
        [
            &[0, lengths[0]],
            name.as_bytes(),
            &[lengths[1]],
            value.as_bytes(),
        ]
        .concat()
    }

    /// Of the static table: 1 `:authority`, 2 `:method: GET`, 3 `:method: POST`, 4 `:path`, 6 `:scheme: http`.
    fn head(method: u8, path: &str) -> Vec<u8> {
        [
            &[0x80 | method, 0x80 | 6][..],
            &indexed(1, "t"),
            &indexed(4, path),
        ]
        .concat()
    }

    pub(super) fn get(path: &str) -> Vec<u8> {
        frame(HEADERS, END_HEADERS | END_STREAM, 1, &head(2, path))
    }

    /// A JSON body is to follow.
    pub(super) fn post(path: &str, key: &str) -> Vec<u8> {
        let fields = [
            head(3, path),
            named("x-api-key", key),
            named("content-type", "application/json"),
        ];
        frame(HEADERS, END_HEADERS, 1, &fields.concat())
    }

    pub(super) fn data(bytes: &[u8]) -> Vec<u8> {
        frame(DATA, 0, 1, bytes)
    }

    pub(super) fn part_of_head() -> Vec<u8> {
        frame(HEADERS, END_STREAM, 1, &head(2, "/healthz"))
    }

    pub(super) fn more_of_head() -> Vec<u8> {
        frame(CONTINUATION, 0, 1, &named("x", "y"))
    }

    /// The kinds of the frames that arrived completely.
    pub(super) fn frames(seen: &[u8]) -> Vec<u8> {
        let mut frames = Vec::new();
        walk(seen, |kind, _, _| frames.push(kind));
        frames
    }

    /// Answers the pings that have arrived, after as many as were answered before.
    pub(super) fn pongs(seen: &[u8], answered: &mut usize) -> Vec<u8> {
        let mut pings = Vec::new();
        walk(seen, |kind, flags, payload| {
            if kind == PING && flags & ACK == 0 {
                pings.push(frame(PING, ACK, 0, payload));
            }
        });
        let new = pings.split_off(*answered);
        *answered += new.len();
        new.concat()
    }

    fn walk(mut seen: &[u8], mut each: impl FnMut(u8, u8, &[u8])) {
        while seen.len() >= HEAD_LENGTH {
            let length = u32::from_be_bytes([0, seen[0], seen[1], seen[2]]) as usize;
            let Some(payload) = seen[HEAD_LENGTH..].get(..length) else {
                return;
            };
            each(seen[3], seen[4], payload);
            seen = &seen[HEAD_LENGTH + length..];
        }
    }
}
