//! Snapshots: what they void, and when they are refused.

use serde_json::{Value, json};

use super::support::{ISSUER, NOW, Signer, claims, verifier_of};
use crate::{Algorithm, Revocations, SnapshotError, VerifyError};

/// 2027-01-15T08:00:00.500Z, in the second that `NOW` names, as a `UUIDv7`.
const MILLISECONDS: u64 = NOW * 1000 + 500;

pub(super) fn session_id(milliseconds: u64) -> String {
    let hex = format!("{milliseconds:012x}");
    format!("{}-{}-7c44-b2d3-af39a2eae215", &hex[..8], &hex[8..])
}

pub(super) fn snapshot() -> Value {
    json!({ "iss": ISSUER, "iat": NOW, "exp": NOW + 60, "version": 7, "sessions": [], "cutoffs": [] })
}

fn token_claims() -> Value {
    let mut claims = claims();
    claims["jti"] = json!(session_id(MILLISECONDS));
    claims["roles"] = json!(["editor", "viewer"]);
    claims["attributes"] = json!({
        "tenant_id": "t-1", "regions": ["eu", "us"], "level": 3, "ratio": 0.5, "beta": true, "levels": [1, 2],
    });
    claims
}

fn read(signer: &Signer, snapshot: &Value) -> Result<Revocations, SnapshotError> {
    verifier_of(signer).read_revocations(&signer.sign_snapshot(snapshot), NOW)
}

/// Whether a token of these claims is void under this snapshot.
fn is_void(claims: &Value, snapshot: &Value) -> bool {
    let signer = Signer::es256();
    let revocations = read(&signer, snapshot).unwrap();
    let token = signer.sign(claims);
    match verifier_of(&signer).verify_unrevoked(&token, &revocations, NOW) {
        Ok(_) => false,
        Err(VerifyError::Revoked) => true,
        Err(other) => panic!("{other}"),
    }
}

fn with_cutoffs(cutoffs: Value) -> Value {
    let mut snapshot = snapshot();
    snapshot["cutoffs"] = cutoffs;
    snapshot
}

#[test]
fn a_listed_session_is_void_and_others_are_not() {
    let mut listed = snapshot();
    assert!(!is_void(&token_claims(), &listed));
    listed["sessions"] = json!([session_id(1), session_id(2)]);
    assert!(!is_void(&token_claims(), &listed));
    listed["sessions"] = json!([session_id(1), session_id(MILLISECONDS)]);
    assert!(is_void(&token_claims(), &listed));
}

/// Every kind: one cutoff that fits the token, and those that look alike and do not.
#[test]
fn a_cutoff_of_each_kind_voids_what_it_names_and_nothing_else() {
    let attribute =
        |name: &str, value: Value| json!({ "kind": "attribute", "name": name, "value": value });
    let named = |kind: &str, value: &str| json!({ "kind": kind, "value": value });
    for (cutoff, fits) in [
        (json!({ "kind": "organization" }), true),
        (named("api_key", "key_000000000000"), true),
        (named("api_key", "key_000000000001"), false),
        (named("subject", "user-42"), true),
        (named("subject", "user-4"), false),
        (named("subject", "key_000000000000"), false),
        (named("audience", "analytics"), true),
        (named("audience", "default"), false),
        (named("signing_key", "k1"), true),
        (named("signing_key", "k2"), false),
        (named("role", "viewer"), true),
        (named("role", "editor"), true),
        (named("role", "admin"), false),
        (named("role", "user-42"), false),
        (attribute("tenant_id", json!("t-1")), true),
        (attribute("tenant_id", json!("t-2")), false),
        (attribute("tenant", json!("t-1")), false),
        (attribute("regions", json!("eu")), true),
        (attribute("regions", json!("us")), true),
        (attribute("regions", json!("ap")), false),
        (attribute("level", json!(3)), true),
        (attribute("level", json!(3.0)), true),
        (attribute("level", json!("3")), false),
        (attribute("level", json!(4)), false),
        (attribute("ratio", json!(0.5)), true),
        (attribute("ratio", json!(0)), false),
        (attribute("levels", json!(2)), true),
        (attribute("beta", json!(true)), true),
        (attribute("beta", json!(false)), false),
        (attribute("beta", json!("true")), false),
    ] {
        for (before, reached) in [
            (MILLISECONDS - 1, false),
            (MILLISECONDS, true),
            (u64::MAX, true),
        ] {
            let mut cutoff = cutoff.clone();
            cutoff["before_ms"] = json!(before);
            let void = is_void(&token_claims(), &with_cutoffs(json!([cutoff])));
            assert_eq!(void, fits && reached, "{cutoff}");
        }
    }
}

#[test]
fn of_two_cutoffs_for_one_thing_the_later_counts_in_any_order() {
    let cutoff =
        |before: u64| json!({ "kind": "subject", "value": "user-42", "before_ms": before });
    let (early, late) = (cutoff(1), cutoff(MILLISECONDS));
    assert!(is_void(
        &token_claims(),
        &with_cutoffs(json!([early, late]))
    ));
    assert!(is_void(
        &token_claims(),
        &with_cutoffs(json!([late, early]))
    ));
    let organization = |before: u64| json!({ "kind": "organization", "before_ms": before });
    let both = json!([organization(1), organization(MILLISECONDS), organization(2)]);
    assert!(is_void(&token_claims(), &with_cutoffs(both)));
}

/// In doubt on which side of a cutoff a token was issued, it is void.
#[test]
fn the_time_of_issue_is_the_earliest_that_the_token_allows() {
    let second = NOW * 1000;
    for (jti, issued) in [
        (session_id(MILLISECONDS), MILLISECONDS),
        // No time in it: some time in the second of `iat`.
        ("session".to_owned(), second),
        (session_id(MILLISECONDS).replace("-7c44-", "-4c44-"), second),
        (session_id(MILLISECONDS).replace("-b2d3-", "-c2d3-"), second),
        (session_id(MILLISECONDS).replace('-', ""), second),
        // Its time contradicts `iat`.
        (session_id(second + 5_000), second),
        (session_id(second - 5_000), second - 5_000),
    ] {
        let mut claims = token_claims();
        claims["jti"] = json!(jti);
        for (before, void) in [(issued - 1, false), (issued, true)] {
            let cutoffs = json!([{ "kind": "organization", "before_ms": before }]);
            assert_eq!(
                is_void(&claims, &with_cutoffs(cutoffs)),
                void,
                "{jti} {before}"
            );
        }
    }
}

#[test]
fn a_cutoff_that_is_not_understood_refuses_the_snapshot() {
    let signer = Signer::es256();
    for (cutoff, error) in [
        (
            json!({ "kind": "device", "value": "x", "before_ms": 1 }),
            SnapshotError::UnknownCutoff,
        ),
        (
            json!({ "kind": "Subject", "value": "x", "before_ms": 1 }),
            SnapshotError::UnknownCutoff,
        ),
        (
            json!({ "kind": "subject", "before_ms": 1 }),
            SnapshotError::Claims,
        ),
        (
            json!({ "kind": "subject", "value": 1, "before_ms": 1 }),
            SnapshotError::Claims,
        ),
        (
            json!({ "kind": "subject", "value": "x" }),
            SnapshotError::Claims,
        ),
        (
            json!({ "kind": "subject", "value": "x", "before_ms": -1 }),
            SnapshotError::Claims,
        ),
        (
            json!({ "kind": "subject", "value": "x", "before_ms": "1" }),
            SnapshotError::Claims,
        ),
        (
            json!({ "kind": "subject", "value": "x", "before_ms": 1, "if": 1 }),
            SnapshotError::Claims,
        ),
        (
            json!({ "kind": "subject", "name": "x", "value": "x", "before_ms": 1 }),
            SnapshotError::Claims,
        ),
        (
            json!({ "kind": "organization", "value": "x", "before_ms": 1 }),
            SnapshotError::Claims,
        ),
        (
            json!({ "kind": "attribute", "value": "x", "before_ms": 1 }),
            SnapshotError::Claims,
        ),
        (
            json!({ "kind": "attribute", "name": "a", "value": ["x"], "before_ms": 1 }),
            SnapshotError::Claims,
        ),
        (
            json!({ "kind": "attribute", "name": "a", "value": null, "before_ms": 1 }),
            SnapshotError::Claims,
        ),
        (json!("organization"), SnapshotError::Claims),
    ] {
        let result = read(&signer, &with_cutoffs(json!([cutoff])));
        assert_eq!(result.unwrap_err(), error, "{cutoff}");
    }
}

#[test]
fn a_snapshot_that_is_not_the_issuers_or_not_of_now_is_refused() {
    let signer = Signer::es256();
    let with = |name: &str, value: Value| {
        let mut snapshot = snapshot();
        snapshot[name] = value;
        snapshot
    };
    for (snapshot, error) in [
        (
            with("iss", json!("https://tokens.example.com/orgs/other")),
            SnapshotError::Issuer,
        ),
        (with("exp", json!(NOW)), SnapshotError::Expired),
        (with("iat", json!(NOW + 31)), SnapshotError::NotYetValid),
        (with("version", json!(-1)), SnapshotError::Claims),
        (with("version", json!("7")), SnapshotError::Claims),
        (with("sessions", json!([1])), SnapshotError::Claims),
        (with("sessions", json!(null)), SnapshotError::Claims),
        (with("cutoffs", json!({})), SnapshotError::Claims),
        (with("tenants", json!([])), SnapshotError::Claims),
    ] {
        assert_eq!(read(&signer, &snapshot).unwrap_err(), error, "{snapshot}");
    }
    for name in ["iss", "iat", "exp", "version", "sessions", "cutoffs"] {
        let mut snapshot = snapshot();
        snapshot.as_object_mut().unwrap().remove(name);
        assert_eq!(
            read(&signer, &snapshot).unwrap_err(),
            SnapshotError::Claims,
            "no {name}"
        );
    }
    let twice = snapshot()
        .to_string()
        .replacen('{', r#"{"sessions":["x"],"#, 1);
    let header = r#"{"alg":"ES256","typ":"revocations+jwt","kid":"k1"}"#;
    let result = verifier_of(&signer).read_revocations(&signer.sign_text(header, &twice), NOW);
    assert_eq!(result.unwrap_err(), SnapshotError::Claims);
}

#[test]
fn unsigned_and_wrongly_signed_snapshots_are_refused() {
    let (signer, forger) = (Signer::es256(), Signer::es256());
    let verifier = verifier_of(&signer);
    let read = |text: &str| verifier.read_revocations(text, NOW).unwrap_err();
    let good = signer.sign_snapshot(&snapshot());
    let (message, _) = good.rsplit_once('.').unwrap();
    assert_eq!(read(message), SnapshotError::Malformed);
    assert_eq!(read(&format!("{message}.")), SnapshotError::Signature);
    assert_eq!(read(&snapshot().to_string()), SnapshotError::Malformed);
    assert_eq!(
        read(&forger.sign_snapshot(&snapshot())),
        SnapshotError::Signature
    );
    let unknown = Signer::new(Algorithm::Es256, "k2");
    assert_eq!(
        read(&unknown.sign_snapshot(&snapshot())),
        SnapshotError::UnknownKey
    );
    let none = r#"{"alg":"none","typ":"revocations+jwt","kid":"k1"}"#;
    assert_eq!(
        read(&signer.sign_text(none, &snapshot().to_string())),
        SnapshotError::Malformed
    );
}

#[test]
fn a_token_is_no_snapshot_and_a_snapshot_no_token() {
    let signer = Signer::es256();
    let verifier = verifier_of(&signer);
    let token = signer.sign(&snapshot());
    assert_eq!(
        verifier.read_revocations(&token, NOW).unwrap_err(),
        SnapshotError::Malformed
    );
    let snapshot = signer.sign_snapshot(&claims());
    assert_eq!(verifier.verify(&snapshot, NOW), Err(VerifyError::Malformed));
}

#[test]
fn a_snapshot_that_has_ended_or_is_of_another_issuer_lets_no_token_through() {
    let signer = Signer::es256();
    let verifier = verifier_of(&signer);
    let revocations = read(&signer, &snapshot()).unwrap();
    let token = signer.sign(&token_claims());
    assert!(
        verifier
            .verify_unrevoked(&token, &revocations, NOW + 59)
            .is_ok()
    );
    assert_eq!(
        verifier.verify_unrevoked(&token, &revocations, NOW + 60),
        Err(VerifyError::RevocationsUnavailable)
    );
}

#[test]
fn many_sessions_fit_and_are_found() {
    let signer = Signer::es256();
    let mut large = snapshot();
    let ids: Vec<_> = (0..100_000)
        .map(|at| session_id(MILLISECONDS - at))
        .collect();
    large["sessions"] = json!(ids);
    let revocations = read(&signer, &large).unwrap();
    assert_eq!(revocations.sessions(), 100_000);
    let token = signer.sign(&token_claims());
    assert_eq!(
        verifier_of(&signer).verify_unrevoked(&token, &revocations, NOW),
        Err(VerifyError::Revoked)
    );
}
