//! Sessions that are revoked.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use key_admin::cutoffs::CutoffKind;
use key_admin::{Act, Asker, IssuedTokens, KeyRevocation};
use policy::{PolicyDocument, starter_policy};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use storage::testing::on_both_engines;
use storage::{SessionId, execute, fetch_one};

use super::{App, NOW, found, request};
use crate::sessions::{
    AttributeFilter, RevocationTarget, RevokeError, RevokedBy, SessionFilter, SessionState,
};
use crate::{IssueRequest, IssuedToken, Origin};

pub(super) fn act() -> &'static Act {
    static ACT: LazyLock<Act> = LazyLock::new(Act::on_command_line);
    &ACT
}

impl App {
    /// Issues with these attributes over those of the ordinary request.
    pub(super) async fn issues_with(&self, subject: &str, attributes: Value) -> IssuedToken {
        let mut grant = request(subject);
        for (name, value) in attributes.as_object().unwrap() {
            grant.attributes.insert(name.clone(), value.clone());
        }
        let origin = Origin {
            request_id: "req-1".to_owned(),
            client: "2001:db8::7".parse().unwrap(),
        };
        let request = IssueRequest { grant, origin };
        self.services
            .issuer
            .issue(&self.caller, request)
            .await
            .unwrap()
    }

    pub(super) async fn declares(&self, change: impl FnOnce(&mut Value)) {
        let mut document = serde_json::to_value(starter_policy()).unwrap();
        change(&mut document);
        let document: PolicyDocument = serde_json::from_value(document).unwrap();
        let policy = &self.services.policy;
        let replaced = policy.replace(act(), self.organization.id, None, document);
        replaced.await.unwrap();
    }

    pub(super) async fn finds(&self, filter: SessionFilter) -> Vec<String> {
        let issuer = &self.services.issuer;
        let found = issuer.find_sessions(self.organization.id, &filter, None, 100);
        let found = found.await.unwrap().into_iter();
        found.map(|it| it.session.subject).collect()
    }

    pub(super) async fn state(&self, token: &IssuedToken) -> SessionState {
        let issuer = &self.services.issuer;
        let id = token.claims().session_id();
        let found = issuer.find_session(self.organization.id, id).await;
        found.unwrap().unwrap().state
    }

    pub(super) async fn passes(&self, token: &IssuedToken) -> bool {
        let text = token.token().expose_secret();
        let issuer = &self.services.issuer;
        issuer
            .check_token(&self.organization.slug, text)
            .await
            .is_ok()
    }

    pub(super) async fn revokes(&self, target: RevocationTarget) {
        let issuer = &self.services.issuer;
        let revoked = issuer.revoke_sessions(act(), self.organization.id, target, None);
        revoked.await.unwrap();
        self.clock.advance_seconds(1);
    }

    pub(super) async fn snapshot(&self) -> Value {
        let issuer = &self.services.issuer;
        let snapshot = issuer.revocation_snapshot(&self.organization.slug).await;
        let body = snapshot.unwrap().unwrap().body.clone();
        let claims = body.split('.').nth(1).unwrap();
        serde_json::from_slice(&BASE64.decode(claims).unwrap()).unwrap()
    }
}

pub(super) fn with_attribute(name: &str, value: &str) -> SessionFilter {
    SessionFilter {
        attribute: Some(AttributeFilter {
            name: name.to_owned(),
            value: value.to_owned(),
        }),
        ..SessionFilter::default()
    }
}

#[tokio::test]
async fn each_cutoff_voids_what_it_fits_and_nothing_issued_afterwards() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let attribute = |name: &str, value: Value| RevocationTarget::Attribute {
            name: name.to_owned(),
            value,
        };
        for (target, kind) in [
            (RevocationTarget::Subject("u".into()), CutoffKind::Subject),
            (RevocationTarget::Role("viewer".into()), CutoffKind::Role),
            (
                RevocationTarget::Audience("default".into()),
                CutoffKind::Audience,
            ),
            (attribute("tenant_id", json!("t-1")), CutoffKind::Attribute),
            (attribute("regions", json!("us")), CutoffKind::Attribute),
            (
                RevocationTarget::ApiKey(app.caller.key_id()),
                CutoffKind::ApiKey,
            ),
            (RevocationTarget::All, CutoffKind::Organization),
        ] {
            let before = app.issues("u").await.unwrap();
            app.revokes(target.clone()).await;
            assert!(!app.passes(&before).await, "{kind:?}");
            assert_eq!(
                app.state(&before).await,
                SessionState::Revoked(RevokedBy::Cutoff(kind))
            );
            let after = app.issues("u").await.unwrap();
            assert!(app.passes(&after).await, "{kind:?}");
            assert_eq!(app.state(&after).await, SessionState::Active);
            app.clock.advance_seconds(1);
        }
        let active = SessionFilter {
            active: Some(true),
            ..SessionFilter::default()
        };
        let inactive = SessionFilter {
            active: Some(false),
            ..SessionFilter::default()
        };
        assert_eq!(
            (
                app.finds(active).await.len(),
                app.finds(inactive).await.len()
            ),
            (1, 13)
        );
        for target in [
            RevocationTarget::Subject("somebody".into()),
            RevocationTarget::Role("editor".into()),
            attribute("tenant_id", json!("t-2")),
            attribute("regions", json!("tenant_id")),
        ] {
            let bystander = app.issues("u").await.unwrap();
            app.revokes(target).await;
            assert!(app.passes(&bystander).await);
        }
    })
    .await;
}

#[tokio::test]
async fn wrong_targets_revoke_nothing() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let token = app.issues("u").await.unwrap();
        let issuer = &app.services.issuer;
        let organization = app.organization.id;
        let attribute = |value: Value| RevocationTarget::Attribute {
            name: "tenant_id".to_owned(),
            value,
        };
        let past = NOW.plus_seconds(-1);
        for (target, before) in [
            (RevocationTarget::Subject(String::new()), None),
            (RevocationTarget::Subject("x".repeat(1_025)), None),
            (RevocationTarget::Role("a\0b".into()), None),
            (RevocationTarget::Audience("nowhere".into()), None),
            (attribute(json!(null)), None),
            (attribute(json!(["t-1"])), None),
            (attribute(json!("")), None),
            (RevocationTarget::All, Some(NOW.plus_seconds(1))),
        ] {
            let refused = issuer
                .revoke_sessions(act(), organization, target, before)
                .await;
            assert!(refused.is_err());
        }
        let early = issuer.revoke_sessions(act(), organization, RevocationTarget::All, Some(past));
        early.await.unwrap();
        assert!(app.passes(&token).await);
        let (other, _) = found(&app.services, "globex", "bob@example.com")
            .await
            .unwrap();
        let id = token.claims().session_id();
        let stranger = issuer.revoke_session(act(), other.id, id).await;
        assert!(matches!(stranger, Err(RevokeError::NotFound)));
        let all = issuer.revoke_sessions(act(), other.id, RevocationTarget::All, None);
        all.await.unwrap();
        assert!(issuer.find_session(other.id, id).await.unwrap().is_none());
        assert!(app.passes(&token).await);
    })
    .await;
}

#[tokio::test]
async fn a_revoked_session_takes_its_chain_with_it_once() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let mut chain = Vec::new();
        for _ in 0..3 {
            chain.push(app.issues("u").await.unwrap());
        }
        let bystander = app.issues("u").await.unwrap();
        let root = chain[0].claims().session_id();
        app.services.issuer.settle().await.unwrap();
        let mut tx = app.database.write().await.unwrap();
        for renewed in &chain[1..] {
            let sql = "update sessions set root_id = $2 where id = $1";
            execute!(tx.conn(), sql, renewed.claims().session_id(), root).unwrap();
        }
        tx.commit().await.unwrap();
        let issuer = &app.services.issuer;
        let events = async || {
            let mut read = app.database.read_settled().await.unwrap();
            let sql = "select count(*) from audit_events where action = 'session.revoke'";
            fetch_one!(read.conn(), (i64,), sql).unwrap().0
        };
        for session in [&chain[1], &chain[2]] {
            let id = session.claims().session_id();
            issuer
                .revoke_session(act(), app.organization.id, id)
                .await
                .unwrap();
            assert_eq!(events().await, 1);
        }
        for session in &chain {
            assert!(!app.passes(session).await);
            assert_eq!(
                app.state(session).await,
                SessionState::Revoked(RevokedBy::Session)
            );
        }
        assert!(app.passes(&bystander).await);
        let listed: Vec<SessionId> =
            serde_json::from_value(app.snapshot().await["sessions"].clone()).unwrap();
        let revoked: BTreeSet<_> = chain.iter().map(|it| it.claims().session_id()).collect();
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), revoked);
    })
    .await;
}

#[tokio::test]
async fn a_revoked_or_deleted_key_voids_what_it_issued_unless_told_not_to() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let (keys, organization) = (&app.services.keys, app.organization.id);
        for (delete, issued) in [
            (false, IssuedTokens::Keep),
            (true, IssuedTokens::Keep),
            (false, IssuedTokens::Void),
            (true, IssuedTokens::Void),
        ] {
            let context = super::caller(&app.services, &app.organization, app.owner).await;
            let id = context.key_id();
            let caller = app.services.authorizer.permit(context).unwrap();
            let token = app.issues_to(&caller, "u").await.unwrap();
            let other = app.issues("u").await.unwrap();
            if delete {
                keys.delete_key(act(), Asker::Machine, organization, id, issued)
                    .await
                    .unwrap();
            } else {
                let revocation = KeyRevocation {
                    reason: None,
                    issued,
                };
                keys.revoke_key(act(), Asker::Machine, organization, id, revocation)
                    .await
                    .unwrap();
            }
            // What it was just about to issue goes with it.
            app.clock.advance_seconds(5);
            let late = app.issues_to(&caller, "u").await.unwrap();
            let keep = issued == IssuedTokens::Keep;
            assert_eq!(
                (app.passes(&token).await, app.passes(&late).await),
                (keep, keep)
            );
            assert!(app.passes(&other).await);
        }
    })
    .await;
}
