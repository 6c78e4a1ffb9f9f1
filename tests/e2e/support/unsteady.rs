use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

type Counts = BTreeMap<String, usize>;

/// A server that answers as a real one does on a bad day. What it is asked for says how: the role that is deleted, or the
/// user whom a token is for.
pub(crate) struct UnsteadyServer {
    pub(crate) url: String,
    counts: Arc<Mutex<Counts>>,
}

impl UnsteadyServer {
    /// The key that every request must present, and no other credential.
    pub(crate) const KEY: &str = "jtn_unsteady";

    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let counts = Arc::new(Mutex::new(Counts::new()));
        let shared = counts.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // Clients may open a connection and say nothing.
                let counts = shared.clone();
                std::thread::spawn(move || answer(stream, &counts));
            }
        });
        Self { url, counts }
    }

    /// How often it was asked, by what for.
    pub(crate) fn counts(&self) -> Counts {
        self.counts.lock().unwrap().clone()
    }
}

fn answer(stream: TcpStream, counts: &Mutex<Counts>) {
    let Some(case) = read(&stream) else { return };
    let before = {
        let mut counts = counts.lock().unwrap();
        let count = counts.entry(case.clone()).or_default();
        *count += 1;
        *count - 1
    };
    let (head, body) = respond(&case, before);
    let length = body.len();
    let mut stream = stream;
    let _ = write!(
        stream,
        "HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
}

/// What the request is for: the last segment of its path, or the user in its body.
fn read(stream: &TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length, mut presented) = (String::new(), 0, Vec::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? <= 2 {
            break;
        }
        if let Some((name, value)) = line.split_once(": ") {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().ok()?,
                "x-api-key" | "authorization" => presented.push(value.trim().to_owned()),
                _ => {}
            }
        } else {
            head = line;
        }
    }
    let path = head.split(' ').nth(1)?;
    if presented != [UnsteadyServer::KEY] {
        return Some(format!("presented {presented:?}"));
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    if path != "/v1/session-tokens" {
        return Some(path.rsplit('/').next()?.to_owned());
    }
    let body: Value = serde_json::from_slice(&body).ok()?;
    Some(body["user"]["id"].as_str()?.to_owned())
}

/// Status line with headers, and body.
fn respond(case: &str, before: usize) -> (String, String) {
    let problem = |status: u16, code: &str, further: &str| {
        let body = json!({ "type": format!("urn:jeton:problem:{code}"), "title": "-", "status": status,
                           "detail": "-", "code": code, "request_id": "req_0" });
        let head = format!("{status} -\r\ncontent-type: application/problem+json{further}");
        (head, body.to_string())
    };
    let unavailable = || problem(503, "unavailable", "\r\nretry-after: 0");
    let limited = |after: &str| {
        let after = format!("\r\nretry-after: {after}");
        problem(429, "rate_limited", &after)
    };
    match (case, before) {
        ("recovering" | "asyncio", 0 | 1) | ("down", _) | ("fading", 1..) => unavailable(),
        ("recovering" | "asyncio", _) => ("204 -".to_owned(), String::new()),
        ("busy", _) => limited("3600"),
        ("later", _) => limited("Fri, 31 Dec 2100 23:59:59 GMT"),
        ("proxy", _) => (
            "502 -\r\ncontent-type: text/html".to_owned(),
            "<html>".to_owned(),
        ),
        ("elsewhere", _) => (
            "307 -\r\nlocation: /v1/roles/other".to_owned(),
            String::new(),
        ),
        ("fading" | "refused", 0) => (
            "201 -\r\ncontent-type: application/json".to_owned(),
            token().to_string(),
        ),
        ("refused", _) => problem(403, "role_not_allowed", ""),
        _ => problem(404, "not_found", ""),
    }
}

fn token() -> Value {
    json!({ "token": "e.y.J", "token_type": "Bearer", "expires_in": 900, "refresh_in": 675,
            "expires_at": "2026-01-01T00:15:00Z", "session_id": "01a203ac-c363-7c44-b2d3-af39a2eae215",
            "audience": "default", "roles": ["viewer"], "attributes": {} })
}
