//! The command line: whose fault a failure is, and where the key is kept.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::cli_http::{Directory, ok, refused, run_with, run_with_input, said};
use crate::support::{NewKey, on_both_engines, run_to_end};

/// The address of a server that is not Jeton, and answers one request with this.
fn stranger(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        stream.write_all(answer.as_bytes()).unwrap();
    });
    url
}

#[tokio::test]
async fn exit_codes_say_whose_fault_it_is() {
    on_both_engines(|app| async move {
        let key = app.key.as_str();
        let unknown =
            key_admin::PresentedKey::parse(&app.key_of_another_organization().await).unwrap();
        let unknown = unknown.id().to_string();
        let run = |arguments: &[&str]| run_with(&app, key, arguments);
        refused(
            &run(&["apikey", "get", &unknown]),
            1,
            "(not_found, 404)\n  request id: req_",
        );
        refused(
            &run(&["apikey", "get", "../account"]),
            1,
            "named by its identifier",
        );
        let whole = run(&["apikey", "revoke", key]);
        refused(&whole, 1, "this is a whole API key");
        assert!(!whole.2.contains(&key[17..]), "{}", whole.2);
        refused(
            &run(&["apikey", "create", "-n", "x", "--role", "nobody"]),
            1,
            "422",
        );
        refused(&run(&["apikey", "create", "-n", " "]), 1, "  /name: ");
        refused(
            &run(&[
                "apikey", "create", "-n", "x", "--fix", "a=1", "--fix", "a:=1",
            ]),
            1,
            "twice",
        );
        refused(
            &run(&["apikey", "create", "-n", "x", "--organization", "acme"]),
            1,
            "on a database",
        );
        refused(
            &run(&["user", "create", "x@y.example", "--role", "viewer"]),
            1,
            "--password-file",
        );
        let narrow = NewKey {
            permissions: vec![key_admin::Permission::TokensIssue],
            ..NewKey::default()
        };
        let narrow = app.create_key(narrow).await.1;
        refused(&run_with(&app, &narrow, &["apikey", "get"]), 1, "403");

        let mut other = app.key_of_a_viewer().await;
        ok(&app, &["apikey", "delete", &other[..16]]);
        refused(&run_with(&app, &other, &["account"]), 1, "401");
        other.pop();
        refused(
            &run_with(&app, &other, &["account"]),
            1,
            "not a well-formed one",
        );

        let at = |url: &str| {
            said(run_to_end(
                &["account"],
                &[("JETON_URL", url), ("JETON_API_KEY", key)],
            ))
        };
        refused(&at("http://127.0.0.1:1"), 2, "cannot be reached");
        refused(&at("http://tokens.example.com"), 1, "must be https");
        let html = "HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\n<p/>";
        refused(&at(&stranger(html)), 2, "no answer of Jeton");
        let away = "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://evil.example/\r\ncontent-length: 0\r\n\r\n";
        refused(&at(&stranger(away)), 2, "redirects to `http://evil.example/`");
        let fault = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 15\r\n\r\n{\"detail\":\"no\"}";
        refused(&at(&stranger(fault)), 2, "no (no code, 503)");
        let url = app.server.url();
        let behind_a_proxy = [
            ("JETON_URL", url.as_str()),
            ("JETON_API_KEY", key),
            ("http_proxy", "http://127.0.0.1:1"),
        ];
        let (code, _, talk) = said(run_to_end(&["account"], &behind_a_proxy));
        assert_eq!(code, 0, "no proxy on this machine: {talk}");
        refused(&said(run_to_end(&["account"], &[])), 1, "jeton login");
        refused(&said(run_to_end(&["apikey", "get"], &[])), 1, "jeton login");
        refused(
            &said(run_to_end(
                &["account"],
                &[("JETON_URL", "https://t.example")],
            )),
            1,
            "set both",
        );
    })
    .await;
}

#[tokio::test]
async fn logging_in_stores_a_key_that_only_its_owner_can_read() {
    on_both_engines(|app| async move {
        let home = Directory::new(&app);
        let home = home.path();
        let environment = [("HOME", home.to_str().unwrap())];
        let url = app.server.url();
        let login = ["login", "--url", &url, "--key-file", "-"];
        let wrong = format!("{}x\n", &app.key[..65]);
        refused(
            &said(run_with_input(&login, &environment, &wrong)),
            1,
            "not a well-formed one",
        );
        let file = home.join(".config/jeton/profile.toml");
        assert!(!file.exists());
        let (code, data, talk) = said(run_with_input(
            &login,
            &environment,
            &format!("{}\n", app.key),
        ));
        assert_eq!((code, data.as_str()), (0, ""), "{talk}");
        assert!(
            talk.contains("ada@acme.example of acme") && !talk.contains(&app.key[17..]),
            "{talk}"
        );
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));

        let account = || said(run_to_end(&["account", "--output", "json"], &environment));
        assert_eq!(account().0, 0);
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
        refused(&account(), 1, "chmod 600");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        let (code, _, talk) = said(run_to_end(&["logout"], &environment));
        assert!(code == 0 && !file.exists(), "{talk}");
        refused(&account(), 1, "jeton login");

        std::fs::write(&file, format!("url = {url}\napi_key = \"{}\"\n", app.key)).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        let broken = account();
        refused(&broken, 1, "not a profile");
        assert!(!broken.2.contains(&app.key[17..]), "{}", broken.2);
    })
    .await;
}
