//! Bodies that are no plain JSON, or too much of it.

use reqwest::StatusCode;
use serde_json::json;

use crate::support::on_both_engines;

#[tokio::test]
async fn bodies_that_are_not_plain_json_are_refused() {
    on_both_engines(|app| async move {
        let nested = format!(r#"{{"user":{{"id":"u","roles":[],"attributes":{{"a":{}}}}}}}"#, nest(100));
        let bodies: Vec<(Vec<u8>, &str)> = vec![
            (b"".to_vec(), "invalid_json"),
            (b"{".to_vec(), "invalid_json"),
            (b"{} trailing".to_vec(), "invalid_json"),
            (b"{'user': 1}".to_vec(), "invalid_json"),
            (b"{\"user\": NaN}".to_vec(), "invalid_json"),
            ("\u{feff}{}".as_bytes().to_vec(), "invalid_json"),
            (br#"{"user":{"id":"\ud800"}}"#.to_vec(), "invalid_json"),
            (b"{\"user\":{\"id\":\"\xff\"}}".to_vec(), "invalid_utf8"),
            (br#"{"user":{"id":"a","roles":["viewer"],"id":"b"}}"#.to_vec(), "duplicate_json_key"),
            (
                br#"{"user":{"id":"a","roles":["viewer"],"attributes":{"tenant_id":"1","tenant_id":"2"}}}"#.to_vec(),
                "duplicate_json_key",
            ),
            (nested.into_bytes(), "json_too_deep"),
        ];
        for (body, code) in bodies {
            let shown = String::from_utf8_lossy(&body).into_owned();
            let answer = app.issue_text(&app.key, body).await;
            assert_eq!(answer.status, 400, "{shown}");
            answer.assert_problem(StatusCode::BAD_REQUEST, code);
        }
        assert_eq!(app.count_sessions().await, 0);
    })
    .await;
}

fn nest(levels: usize) -> String {
    format!("{}1{}", "[".repeat(levels), "]".repeat(levels))
}

#[tokio::test]
async fn a_body_of_64_kib_is_read_and_one_byte_more_is_not() {
    on_both_engines(|app| async move {
        let request = json!({
            "user": { "id": "u", "roles": ["viewer"], "attributes": { "tenant_id": "t-1" } },
        })
        .to_string();
        let padded = |length: usize| format!("{request}{}", " ".repeat(length - request.len()));
        app.issue_text(&app.key, padded(64 * 1024)).await.issued();
        let answer = app.issue_text(&app.key, padded(64 * 1024 + 1)).await;
        answer.assert_problem(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large");

        // Without a length in advance, the limit counts what arrives.
        let chunks = padded(64 * 1024 + 1).into_bytes();
        let chunks: Vec<_> = chunks
            .chunks(1000)
            .map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec()))
            .collect();
        let body = reqwest::Body::wrap_stream(futures::stream::iter(chunks));
        app.issue_text(&app.key, body)
            .await
            .assert_problem(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large");
    })
    .await;
}
