//! Signing in through providers: real ones, ones that are down, and ones whose answers are wrong in one way at a time.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{App, IdentityProvider, on_both_engines_with};

const NEXT: &str = "https://tokens.test/console/profile/api-keys";
const SECRET: &str = "the-secret-of-jeton's-client";

fn acme_id(issuer: &str) -> String {
    format!(
        r#"
        [[single_sign_on]]
        title = "Sign in with Acme ID"
        issuer = "{issuer}"
        client_id = "jeton"
        client_secret = "{SECRET}"
        scopes = ["openid", "email", "profile", "groups"]
        groups_claim = "groups"
        [single_sign_on.rules]
        name = "acme-id"
        organization = "acme"
        create_users = true
        allowed_domains = ["acme.example"]
        role_mapping = {{ ops = "admin" }}
        "#
    )
}

fn odd_ones(base: &str) -> String {
    format!(
        r#"
        trusted_proxies = ["127.0.0.0/8"]

        [[single_sign_on]]
        title = "Sign in with Odd"
        issuer = "{base}/oidc"
        client_id = "jeton"
        client_secret = "{SECRET}"
        groups_claim = "groups"
        [single_sign_on.rules]
        name = "odd"
        organization = "acme"
        create_users = true
        allowed_domains = ["acme.example"]
        role_mapping = {{ ops = "admin" }}

        [[single_sign_on]]
        title = "Sign in with Octo"
        kind = "oauth2"
        issuer = "{base}/github"
        client_id = "jeton"
        client_secret = "{SECRET}"
        authorization_endpoint = "{base}/github/login/oauth/authorize"
        token_endpoint = "{base}/github/login/oauth/access_token"
        userinfo_endpoint = "{base}/github/user"
        emails_endpoint = "{base}/github/user/emails"
        subject_claim = "id"
        scopes = ["read:user", "user:email"]
        [single_sign_on.rules]
        name = "octo"
        organization = "acme"
        create_users = true
        allowed_domains = ["acme.example"]
        "#
    )
}

impl App {
    /// Addresses and roles, the founder's aside.
    async fn people(&self) -> Vec<(String, String)> {
        let users = self.call(Method::GET, "/v1/users", None).await.json();
        let text = |user: &Value, field: &str| user[field].as_str().unwrap().to_owned();
        let mut people: Vec<_> = users["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|user| (text(user, "email"), text(user, "role")))
            .filter(|(email, _)| email != "ada@acme.example")
            .collect();
        people.sort();
        people
    }

    /// Why people were refused, as soon as there are so many of them: events of refusals are written beside the answers.
    async fn reasons_of_refusals(&self, count: usize) -> Vec<String> {
        let path = "/v1/audit-events?action=console.sign_in.refuse";
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let events = self.call(Method::GET, path, None).await.json();
            let events = events["data"].as_array().unwrap().iter();
            let reason = |event: &Value| event["detail"]["reasons"][0]["code"].clone();
            let mut reasons: Vec<String> = events
                .map(|event| reason(event).as_str().unwrap().to_owned())
                .collect();
            if reasons.len() >= count {
                reasons.sort();
                return reasons;
            }
            assert!(Instant::now() < deadline, "only {reasons:?}");
        }
    }
}

fn person(email: &str, role: &str) -> (String, String) {
    (email.to_owned(), role.to_owned())
}

#[tokio::test]
async fn people_sign_in_through_their_provider_and_others_do_not() {
    let provider = IdentityProvider::start("provider.mjs");
    let configuration = acme_id(&provider.issuer);
    on_both_engines_with(("acme-id", &configuration), async |app| {
        let task = json!({ "issuer": provider.issuer });
        let seen = app.walks("single_sign_on", task).await;
        for time in ["first", "second"] {
            assert_eq!(seen[time]["at"], NEXT, "{seen}");
            assert_eq!(seen[time]["viewer"], "Grace Hopper admin");
        }
        assert_eq!(seen["cookies"], json!(["__Host-jeton-session"]));
        assert_eq!(seen["alan"]["viewer"], "Alan Turing viewer");
        assert_eq!(seen["elsewhere"], "https://tokens.test/console");

        for (who, text) in [
            ("unknown", "may not sign in here"),
            ("unverified", "may not sign in here"),
            ("cancelled", "did not let you through"),
        ] {
            let seen = &seen[who];
            assert_eq!(seen["title"], "Not signed in · Jeton", "{seen}");
            let shown = seen["text"].as_str().unwrap();
            assert!(shown.contains(text) && shown.contains("req_"), "{shown}");
            assert!(!shown.contains("owned"), "{shown}");
            // What ties the forms of the sign-in page to the browser.
            assert_eq!(seen["cookies"], json!(["__Host-jeton-visitor"]), "{who}");
            assert_eq!(seen["stays"], "/console/sign-in", "{who}");
        }
        let people = app.people().await;
        let grace = person("grace@acme.example", "admin");
        assert_eq!(people, [person("alan@acme.example", "viewer"), grace]);
        let reasons = app.reasons_of_refusals(2).await;
        assert_eq!(reasons, ["email_not_verified", "not_allowed"]);
        let log = app.server.log();
        assert!(log.contains("the provider has refused: access_denied"));
        assert!(!log.contains("owned") && !log.contains(SECRET), "{log}");
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_is_down_is_told_and_passwords_still_work() {
    let mut provider = IdentityProvider::start("provider.mjs");
    let configuration = acme_id(&provider.issuer);
    provider.stop();
    on_both_engines_with(("down", &configuration), async |app| {
        let seen = app.walks("provider_down", json!({})).await;
        let text = seen["text"].as_str().unwrap();
        assert!(text.contains("does not answer as it should"), "{text}");
        assert_eq!(seen["viewer"], "ada@acme.example owner");
        assert!(app.server.log().contains("the provider is not available"));
    })
    .await;
}

#[tokio::test]
async fn round_trips_that_are_wrong_in_one_way_sign_nobody_in() {
    let provider = IdentityProvider::start("odd_providers.mjs");
    let configuration = odd_ones(&provider.issuer);
    on_both_engines_with(("odd", &configuration), async |app| {
        let task = json!({ "issuer": provider.issuer });
        let seen = app.walks("odd_sign_ins", task).await;
        for right in [
            &seen["right"],
            &seen["rotated"],
            &seen["states"]["the own one"],
        ] {
            assert_eq!(right["status"], 303, "{seen:#}");
            assert_eq!(right["location"], "/console/profile/api-keys");
            assert_eq!(right["session"], true);
            assert_eq!(right["others"]["__Host-jeton-attempt"], "");
        }
        assert_eq!(seen["discoveries"], 1, "for the new key");
        assert_eq!(seen["elsewhere"], 0, "a redirect was followed");

        for (wrong, end) in seen["wrong"].as_object().unwrap() {
            let status = if wrong == "no answer" || wrong == "endless answer" {
                503
            } else {
                502
            };
            assert_refused(wrong, end, status);
        }
        assert_refused("denied", &seen["denied"], 403);
        assert_refused("unavailable", &seen["unavailable"], 503);
        assert_refused("strange error", &seen["strangeError"], 403);
        for (state, end) in seen["states"].as_object().unwrap() {
            match state.as_str() {
                "the own one" => {}
                "no such provider" => assert_refused(state, end, 404),
                _ => assert_refused(state, end, 400),
            }
        }
        assert_eq!(seen["victim"], json!([]), "cookies of the victim");
        for refused in ["unverified", "none", "elsewhere"] {
            assert_refused(refused, &seen["octo"][refused], 403);
        }
        assert_eq!(seen["octo"]["verified"], "Octo Cat viewer");
        assert_asked(&seen);

        let octo = person("octo@acme.example", "viewer");
        let odd = person("odd@acme.example", "admin");
        assert_eq!(app.people().await, [octo, odd]);
        assert_told(&app);
    })
    .await;
}

fn assert_refused(what: &str, end: &Value, status: u16) {
    assert_eq!(end["status"], status, "{what}: {end}");
    assert_eq!(end["session"], false, "{what}: {end}");
    assert_eq!(end["echoed"], false, "{what}: {end}");
}

fn assert_asked(seen: &Value) {
    let asked = &seen["asked"];
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "jeton"),
        ("code_challenge_method", "S256"),
        ("scope", "openid email profile"),
        (
            "redirect_uri",
            "https://tokens.test/console/sign-in/callback/odd",
        ),
    ] {
        assert_eq!(asked[name], value, "{asked}");
    }
    assert_eq!(asked["code_challenge"].as_str().unwrap().len(), 43);
    assert_eq!(asked["nonce"].as_str().unwrap().len(), 64);
    assert_eq!(seen["stateIsTheCookie"], true);
    let cookie = "__Host-jeton-attempt=STATE; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=600";
    assert_eq!(seen["cookie"], cookie);
}

/// The log has the reasons, and nothing that opens anything.
fn assert_told(app: &App) {
    let log = app.server.log();
    for reason in [
        "ID token: wrong nonce",
        "ID token: wrong issuer",
        "ID token: wrong audience",
        "ID token: it is for another client",
        "ID token: expired",
        "ID token: wrong signature",
        "ID token: unknown key",
        "ID token: no signature",
        "ID token: a signature of a kind that is not taken",
        "ID token: there is no ID token",
        "the user information is of another subject",
        "the answer is of another issuer",
        "the answer names no issuer",
        "the answer is larger than",
        "the browser began none",
        "the state is another",
        "an error without a known name",
        "used before, or too late",
        "it was with another provider",
    ] {
        assert!(log.contains(reason), "{reason} in {log}");
    }
    for secret in [SECRET, "opens-the-user", "owned", "eyJ"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}
