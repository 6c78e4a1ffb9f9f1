//! `/metrics`, read by Prometheus's own client library: what is counted is what happened.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use storage::Engine;

use crate::documentation::document;
use crate::oauth_token::{exchange, user, viewer};
use crate::renewal::{PAGE, asked, rule};
use crate::support::{App, NewKey, ask, on_both_engines, python};

const TOKEN: &str = "0123456789012345678901234567890123456789";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0";

/// The samples of one reading, each by its name and its labels as they are written.
struct Reading {
    families: Vec<Value>,
    samples: BTreeMap<String, f64>,
}

impl Reading {
    async fn of(app: &App) -> Self {
        let text = app.get("/metrics").await;
        let open = app.send(metrics(app).header("accept", OPEN_METRICS)).await;
        assert_eq!((text.status, open.status), (200, 200), "{}", text.text);
        let content_type = "text/plain; version=0.0.4; charset=utf-8";
        assert_eq!(text.header("content-type"), content_type);
        assert!(open.header("content-type").starts_with(OPEN_METRICS));
        assert_eq!(text.header("cache-control"), "no-store");
        let task = json!({ "text": text.text, "openmetrics": open.text });
        let read = ask(&python(), "tests/verifiers/prometheus_.py", &task);
        let families = read["text"].as_array().unwrap().clone();
        let names = |read: &Value| -> Vec<Value> {
            let families = read.as_array().unwrap().iter();
            let told = |it: &Value| json!([it["name"], it["type"], it["help"]]);
            families.map(told).collect()
        };
        assert_eq!(names(&read["text"]), names(&read["openmetrics"]));
        let mut samples = BTreeMap::new();
        for sample in families.iter().flat_map(samples_of) {
            let labels = sample["labels"].as_object().unwrap().iter();
            let mut labels: Vec<String> = labels
                .map(|(name, value)| format!("{name}={}", value.as_str().unwrap()))
                .collect();
            labels.sort();
            let name = format!(
                "{}{{{}}}",
                sample["name"].as_str().unwrap(),
                labels.join(",")
            );
            // Not JSON's, but Python's: `+Inf` is no value of these metrics.
            let value = sample["value"].as_f64().unwrap();
            assert!(samples.insert(name.clone(), value).is_none(), "{name}");
        }
        Self { families, samples }
    }

    #[track_caller]
    fn get(&self, name: &str) -> f64 {
        *self.samples.get(name).unwrap_or_else(|| panic!("{name}"))
    }

    /// How much more than before.
    #[track_caller]
    fn since(&self, before: &Self, name: &str) -> u64 {
        let more = self.get(name) - before.get(name);
        assert!(more >= 0.0 && more.fract() == 0.0, "{name}: {more}");
        format!("{more:.0}").parse().unwrap()
    }

    /// The counts of issuances that rose since before.
    fn issuances(&self, before: &Self) -> BTreeMap<String, u64> {
        let own = self.samples.keys();
        let own = own.filter(|name| name.starts_with("jeton_issuances_total{"));
        own.map(|name| (name.clone(), self.since(before, name)))
            .filter(|(_, more)| *more > 0)
            .collect()
    }
}

fn samples_of(family: &Value) -> Vec<Value> {
    family["samples"].as_array().unwrap().clone()
}

fn metrics(app: &App) -> RequestBuilder {
    app.http.get(app.server.url() + "/metrics")
}

fn counts(expected: &[(&str, &str, u64)]) -> BTreeMap<String, u64> {
    let named =
        |endpoint, result| format!("jeton_issuances_total{{endpoint={endpoint},result={result}}}");
    let expected = expected.iter();
    expected
        .map(|(endpoint, result, count)| (named(endpoint, result), *count))
        .collect()
}

#[tokio::test]
async fn issuances_are_counted_by_endpoint_and_result() {
    on_both_engines(|app| async move {
        app.lets_pages_renew(&[PAGE], rule()).await;
        let before = Reading::of(&app).await;
        let mut tokens = Vec::new();
        for _ in 0..3 {
            tokens.push(app.issue(&asked()).await.token());
        }
        let mut stranger = asked();
        stranger["user"]["roles"] = json!(["nobody"]);
        for _ in 0..2 {
            assert_eq!(app.issue(&stranger).await.status, 422);
        }
        let unknown = format!("{}x", &app.key[..app.key.len() - 1]);
        assert_eq!(app.issue_with(&unknown, &asked()).await.status, 401);
        let mut dry = asked();
        dry["dry_run"] = json!(true);
        assert_eq!(app.issue(&dry).await.status, 200);
        assert_eq!(app.get("/v1/session-tokens").await.status, 405);

        let body = json!({ "requests": [asked(), stranger, asked()] });
        let path = "/v1/session-tokens/batch";
        let batch = app.call(Method::POST, path, Some(body)).await;
        assert_eq!(batch.status, 200);
        let empty = Some(json!({ "requests": [] }));
        assert_eq!(app.call(Method::POST, path, empty).await.status, 422);
        app.renews(&tokens[0]).await.issued();
        app.renews(&tokens[0])
            .await
            .assert_problem(StatusCode::CONFLICT, "already_renewed");
        assert_eq!(app.renews("eyJ.eyJ.x").await.status, 401);
        assert_eq!(exchange(&app, &app.key, &user(&viewer())).await.status, 200);
        let body = json!({ "user": { "distinctId": "user-42", "role": "viewer",
                                     "attributes": { "tenant_id": "t-1" } } });
        let path = "/embed/generate-token";
        assert_eq!(app.call(Method::POST, path, Some(body)).await.status, 200);

        let after = Reading::of(&app).await;
        let expected = counts(&[
            ("session_token", "issued", 3),
            ("session_token", "refused", 2),
            ("session_token", "unauthenticated", 1),
            ("batch", "issued", 2),
            ("batch", "refused", 2),
            ("renewal", "issued", 1),
            ("renewal", "refused", 1),
            ("renewal", "unauthenticated", 1),
            ("exchange", "issued", 1),
            ("embed", "issued", 1),
        ]);
        assert_eq!(after.issuances(&before), expected);
        assert_eq!(after.since(&before, "jeton_sessions_recorded_total{}"), 8);
        assert_eq!(app.count_sessions().await, 8);
        let groups = "jeton_record_group_sessions";
        assert_eq!(after.since(&before, &format!("{groups}_count{{}}")), 7);
        let pairs = format!("{groups}_bucket{{le=2.0}}");
        let single = format!("{groups}_bucket{{le=1.0}}");
        assert_eq!(after.since(&before, &single), 6);
        assert_eq!(after.since(&before, &pairs), 7);
    })
    .await;
}

#[tokio::test]
async fn times_are_taken_of_every_phase_once() {
    on_both_engines(|app| async move {
        let before = Reading::of(&app).await;
        for _ in 0..5 {
            app.issue(&asked()).await.issued();
        }
        let mut stranger = asked();
        stranger["user"]["roles"] = json!(["nobody"]);
        assert_eq!(app.issue(&stranger).await.status, 422);
        let after = Reading::of(&app).await;
        for (phase, count) in [
            ("authenticate", 6),
            ("decide", 6),
            ("sign", 5),
            ("record", 5),
        ] {
            let name = |part: &str| format!("jeton_phase_duration_seconds_{part}");
            let counted = format!("{}{{phase={phase}}}", name("count"));
            assert_eq!(after.since(&before, &counted), count, "{phase}");
            let all = format!("{}{{le=+Inf,phase={phase}}}", name("bucket"));
            assert_eq!(after.since(&before, &all), count, "{phase}");
            let sum = format!("{}{{phase={phase}}}", name("sum"));
            assert!(after.get(&sum) > before.get(&sum), "{phase}");
        }
        let whole = "jeton_issuance_duration_seconds";
        assert_eq!(after.since(&before, &format!("{whole}_count{{}}")), 6);
        assert!(
            after.get(&format!("{whole}_sum{{}}"))
                > after.get("jeton_phase_duration_seconds_sum{phase=record}")
        );
        let classes = |class: &str| format!("jeton_http_requests_total{{status={class}}}");
        // The second half of the first reading, and the first half of the second, are answers as well.
        assert_eq!(after.since(&before, &classes("2xx")), 7);
        assert_eq!(after.since(&before, &classes("4xx")), 1);
        assert_eq!(after.since(&before, &classes("5xx")), 0);
    })
    .await;
}

#[tokio::test]
async fn what_is_remembered_is_found_and_what_changes_is_seen() {
    on_both_engines(|app| async move {
        app.issue(&asked()).await.issued();
        let before = Reading::of(&app).await;
        for _ in 0..10 {
            app.issue(&asked()).await.issued();
        }
        let after = Reading::of(&app).await;
        for cache in [
            "key_proofs",
            "api_keys",
            "policies",
            "ceilings",
            "audiences",
        ] {
            let named = |part: &str| format!("jeton_cache_{part}{{cache={cache}}}");
            assert!(after.since(&before, &named("hits_total")) >= 10, "{cache}");
            assert_eq!(after.since(&before, &named("misses_total")), 0, "{cache}");
            assert_eq!(after.since(&before, &named("entries")), 0, "{cache}");
            assert!(after.get(&named("entries")) >= 1.0, "{cache}");
        }
        assert_eq!(after.since(&before, "jeton_hashes_total{of=keys}"), 0);

        let (_, other) = app.create_key(NewKey::default()).await;
        app.issue_with(&other, &asked()).await.issued();
        let role = json!({ "name": "extra" });
        let made = app.call(Method::POST, "/v1/roles", Some(role)).await;
        assert_eq!(made.status, 201, "{}", made.text);
        app.issue(&asked()).await.issued();
        let changed = Reading::of(&app).await;
        assert_eq!(changed.since(&after, "jeton_hashes_total{of=keys}"), 1);
        let proofs = "jeton_cache_misses_total{cache=key_proofs}";
        assert!(changed.since(&after, proofs) >= 1);
        assert!(changed.since(&after, "jeton_changes_seen_total{}") >= 2);
        assert!(changed.since(&after, "jeton_change_version{}") >= 2);
        assert_eq!(
            changed.since(&after, "jeton_policy_compile_duration_seconds_count{}"),
            1
        );
        let version = changed.get("jeton_policy_version{}");
        assert!(version > after.get("jeton_policy_version{}"));
        assert!(version <= changed.get("jeton_change_version{}"));
        let bound = changed.get("jeton_change_staleness_bound_seconds{}");
        assert!((bound - 2.0).abs() < f64::EPSILON);
    })
    .await;
}

/// The names in the first column of the tables.
fn documented() -> BTreeSet<String> {
    let text = document("metrics.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next())
        .filter(|name| name.starts_with("jeton_") || name.starts_with("process_"))
        .map(ToOwned::to_owned)
        .collect()
}

#[tokio::test]
async fn the_documentation_lists_every_metric_and_its_labels_and_no_other() {
    on_both_engines(|app| async move {
        let reading = Reading::of(&app).await;
        let text = app.get("/metrics").await.text;
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let served: BTreeSet<String> = types
            .map(|it| it.split(' ').next().unwrap().to_owned())
            .collect();
        assert_eq!(served, documented());
        let text = document("metrics.md");
        for sample in reading.families.iter().flat_map(samples_of) {
            for (label, value) in sample["labels"].as_object().unwrap() {
                let value = value.as_str().unwrap();
                let is_told = ["le", "version"].contains(&label.as_str())
                    || text.contains(&format!("`{value}`"));
                assert!(is_told, "{label}={value}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn nothing_of_a_request_becomes_a_label() {
    on_both_engines(|app| async move {
        let labels =
            |reading: &Reading| -> BTreeSet<String> { reading.samples.keys().cloned().collect() };
        app.issue(&asked()).await.issued();
        let before = labels(&Reading::of(&app).await);
        app.key_of_another_organization().await;
        let mut odd = asked();
        odd["user"]["id"] = json!("subject\"} 1\njeton_injected 1");
        odd["audience"] = json!("nobody\"");
        app.issue(&odd).await;
        app.issue_with("jtn_\"", &odd).await;
        app.get("/metrics/x?y=\"}").await;
        app.send(metrics(&app).header("x-request-id", "a\"b")).await;
        app.call(Method::DELETE, "/v1/session-tokens", None).await;
        assert_eq!(labels(&Reading::of(&app).await), before);
        let key = &app.key[..16];
        for told in ["acme", "user-42", "t-1", "viewer", key] {
            assert!(before.iter().all(|name| !name.contains(told)), "{told}");
        }
    })
    .await;
}

#[tokio::test]
async fn who_is_not_on_this_machine_needs_the_token() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let settings = [
            ("JETON_METRICS__TOKEN", TOKEN),
            ("JETON_METRICS__ALLOW", "[]"),
        ];
        let app = App::start_with(engine, &settings).await;
        for request in [
            metrics(&app),
            metrics(&app).bearer_auth("another token of a good length"),
            metrics(&app).bearer_auth(&app.key),
            metrics(&app).basic_auth("user", Some(TOKEN)),
            app.http
                .get(format!("{}/metrics?token={TOKEN}", app.server.url())),
        ] {
            let answer = app.send(request).await;
            answer.assert_problem(StatusCode::UNAUTHORIZED, "metrics_token_required");
            let challenge = answer.header("www-authenticate");
            assert!(challenge.starts_with("Bearer "), "{challenge}");
            assert!(!answer.text.contains("jeton_"));
        }
        let answer = app.send(metrics(&app).bearer_auth(TOKEN)).await;
        assert_eq!(answer.status, 200);
        assert!(answer.text.contains("\njeton_issuances_total{"));
    }
}

#[tokio::test]
async fn a_proxy_on_this_machine_does_not_open_the_metrics() {
    on_both_engines(|mut app| async move {
        assert_eq!(app.get("/metrics").await.status, 200);
        for (name, value) in [
            ("x-forwarded-for", "127.0.0.1"),
            ("forwarded", "for=127.0.0.1"),
            ("x-real-ip", "127.0.0.1"),
            ("via", "1.1 proxy"),
        ] {
            let answer = app.send(metrics(&app).header(name, value)).await;
            answer.assert_problem(StatusCode::NOT_FOUND, "not_found");
        }
        // Of a proxy that is trusted, it is known who asks.
        app.server.kill();
        app.set("JETON_TRUSTED_PROXIES", "[\"127.0.0.1/32\"]");
        app.set("JETON_METRICS__ALLOW", "[\"10.0.0.0/8\"]");
        app.restart();
        for (client, status) in [("10.1.2.3", 200), ("203.0.113.9", 404), ("unknown", 404)] {
            let request = metrics(&app).header("x-forwarded-for", client);
            assert_eq!(app.send(request).await.status, status, "{client}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_does_not_start_with_a_token_that_can_be_guessed() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let mut app = App::start(engine).await;
        app.server.kill();
        app.set("JETON_METRICS__TOKEN", "short");
        let ended = crate::support::run_to_end(&["serve"], &app.environment());
        let told = String::from_utf8(ended.stderr).unwrap();
        assert!(
            !ended.status.success() && told.contains("metrics.token"),
            "{told}"
        );
        let shown = crate::support::run_to_end(&["config", "show"], &app.environment());
        let shown = String::from_utf8(shown.stdout).unwrap();
        assert!(shown.contains("token = \"***\"") && !shown.contains("short"));
    }
}
