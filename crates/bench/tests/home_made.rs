//! The one-pager in `examples/home-made` does what its README says that it does.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use aws_lc_rs::digest::{SHA256, digest};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use key_admin::secrets::hex;
use serde_json::{Value, json};

const KEY: &str = "a-key-of-nobody";
const BODY: &str =
    r#"{"user":{"id":"user-42","roles":["viewer"],"attributes":{"tenant_id":"t-1"}}}"#;

struct Server {
    process: Child,
    address: String,
}

impl Server {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests/run hands the tools over in the environment"
    )]
    fn start(clients: &Path) -> Self {
        let node = std::env::var_os("JETON_TEST_NODE");
        let node = node.expect("JETON_TEST_NODE is not set: run `tests/run home_made`");
        let page =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/home-made/server.mjs");
        let mut process = Command::new(node)
            .arg(page)
            .arg(clients)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = process.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let address = line.trim().to_owned();
        Self { process, address }
    }

    /// The status line and the JSON of an answer.
    fn send(&self, line: &str, key: &str, body: &str) -> (String, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        write!(
            stream,
            "{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: ApiKey {key}\r\n\
             content-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, json) = text.split_once("\r\n\r\n").unwrap();
        let status = head.lines().next().unwrap().to_owned();
        (status, serde_json::from_str(json).unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn the_one_pager_signs_for_known_keys_whatever_they_ask() {
    let name = format!("jeton-home-made-{}.json", std::process::id());
    let clients = std::env::temp_dir().join(name);
    let hash = hex(digest(&SHA256, KEY.as_bytes()).as_ref());
    std::fs::write(&clients, json!({ hash: "backend" }).to_string()).unwrap();
    let server = Server::start(&clients);
    std::fs::remove_file(&clients).unwrap();

    let (status, refused) = server.send("POST /", "another", BODY);
    assert_eq!(status, "HTTP/1.1 401 Unauthorized", "{refused}");
    let (status, answer) = server.send("POST /", KEY, BODY);
    assert_eq!(status, "HTTP/1.1 201 Created", "{answer}");

    let (_, keys) = server.send("GET /jwks.json", KEY, "");
    let keys: JwkSet = serde_json::from_value(keys).unwrap();
    let token = answer["token"].as_str().unwrap();
    let kid = jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
    let key = DecodingKey::from_jwk(keys.find(&kid).unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&["default"]);
    let claims = jsonwebtoken::decode::<Value>(token, &key, &validation)
        .unwrap()
        .claims;
    assert_eq!(claims["client_id"], "backend");
    assert_eq!(claims["attributes"], json!({ "tenant_id": "t-1" }));

    // The disaster of this field, which the product refuses.
    let without_filter =
        r#"{"user":{"id":"user-42","roles":["admin"],"attributes":{"tenant_id":[]}}}"#;
    let (status, _) = server.send("POST /", KEY, without_filter);
    assert_eq!(status, "HTTP/1.1 201 Created");
}
