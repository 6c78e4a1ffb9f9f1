//! Whether a database, and a server on it, still know all that clients were told.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::json;
use storage::{Database, SessionId, Timestamp, Transaction, fetch_all};

use super::load::{Fact, Held, Site, Told};
use crate::support::{Answer, Form as _};

/// Tokens that are tried in turn on a server, of each kind.
const TRIED: usize = 8;

/// A row of `sessions`.
struct Row {
    id: SessionId,
    root: SessionId,
    subject: String,
    renewed: bool,
    revoked: bool,
}

type Columns = (
    SessionId,
    SessionId,
    String,
    Option<Timestamp>,
    Option<Timestamp>,
);

/// Compares the database with what was told. Everything is read at one moment: what was in flight when a server was killed
/// may still be committed by PostgreSQL.
pub(super) async fn check(database: &Database, name: &str, facts: &[Fact]) {
    let mut snapshot = database.snapshot().await.unwrap();
    let rows = rows(&mut snapshot, name).await;
    let cutoffs = subjects_revoked(&mut snapshot).await;
    counts_are_exact(&mut snapshot).await;
    revocations_are_audited(&mut snapshot).await;
    drop(snapshot);

    let row = |held: &Held| {
        let row = rows.get(&held.session);
        row.unwrap_or_else(|| panic!("no row for {}, {}", held.session, held.subject))
    };
    let mut renewed = HashSet::new();
    for Fact { told, .. } in facts {
        match told {
            Told::Issued(held) => assert_eq!(row(held).subject, held.subject),
            Told::Renewed(held) => {
                assert!(row(held).renewed, "{} can be renewed again", held.session);
                assert!(renewed.insert(held.session), "renewed twice");
            }
            Told::Revoked(held) => {
                let root = row(held).root;
                let mut chain = rows.values().filter(|it| it.root == root);
                assert!(chain.all(|it| it.revoked), "{} stands", held.session);
            }
            Told::SubjectRevoked(held) => {
                assert!(cutoffs.contains(&held.subject), "{} stands", held.subject);
            }
        }
    }
    batches_are_whole(rows.values());
    chains_are_whole(rows.values());
}

async fn rows(snapshot: &mut Transaction, name: &str) -> HashMap<SessionId, Row> {
    let sql =
        "select id, root_id, subject, renewed_at, revoked_at from sessions where subject like $1";
    let rows = fetch_all!(snapshot.conn(), Columns, sql, format!("{name}%"));
    let rows = rows.unwrap().into_iter();
    rows.map(|(id, root, subject, renewed, revoked)| {
        let (renewed, revoked) = (renewed.is_some(), revoked.is_some());
        let row = Row {
            id,
            root,
            subject,
            renewed,
            revoked,
        };
        (id, row)
    })
    .collect()
}

async fn subjects_revoked(snapshot: &mut Transaction) -> HashSet<String> {
    let sql = "select value from cutoffs where kind = 'subject'";
    let subjects = fetch_all!(snapshot.conn(), (String,), sql).unwrap();
    subjects.into_iter().map(|(subject,)| subject).collect()
}

/// A key has issued as many tokens as it has sessions, by both counts.
async fn counts_are_exact(snapshot: &mut Transaction) {
    let rows = "select api_key_id, count(*) from sessions group by api_key_id order by api_key_id";
    let ever = "select api_key_id, tokens_issued from api_key_usage order by api_key_id";
    let days = "select api_key_id, cast(sum(tokens_issued) as bigint) from api_key_usage_days
        group by api_key_id order by api_key_id";
    let rows = fetch_all!(snapshot.conn(), (String, i64), rows).unwrap();
    let ever = fetch_all!(snapshot.conn(), (String, i64), ever).unwrap();
    let days = fetch_all!(snapshot.conn(), (String, i64), days).unwrap();
    assert_eq!(ever, rows, "tokens issued ever, and sessions, by key");
    assert_eq!(days, rows, "tokens issued by day, and sessions, by key");
}

/// A revoked chain has one event.
async fn revocations_are_audited(snapshot: &mut Transaction) {
    let chains = "select distinct root_id from sessions where revoked_at is not null";
    let events = "select id from audit_events where action = 'session.revoke'";
    let chains = fetch_all!(snapshot.conn(), (SessionId,), chains).unwrap();
    let events = fetch_all!(snapshot.conn(), (storage::AuditEventId,), events).unwrap();
    assert_eq!(events.len(), chains.len(), "events, and revoked chains");
}

/// Of a batch, answered or not, all tokens are recorded or none.
fn batches_are_whole<'a>(rows: impl Iterator<Item = &'a Row>) {
    let mut batches: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows.filter(|row| row.id == row.root) {
        *batches.entry(&row.subject).or_default() += 1;
    }
    for (subject, recorded) in batches {
        let size = subject.rsplit_once("-of-").map_or("1", |(_, size)| size);
        assert_eq!(recorded.to_string(), size, "half a batch: {subject}");
    }
}

/// A token is marked as renewed together with the row of its successor: of each chain, all but the last are marked.
fn chains_are_whole<'a>(rows: impl Iterator<Item = &'a Row>) {
    let mut last: BTreeMap<SessionId, usize> = BTreeMap::new();
    for row in rows {
        *last.entry(row.root).or_default() += usize::from(!row.renewed);
    }
    for (root, count) in last {
        assert_eq!(count, 1, "tokens of the chain {root} that can be renewed");
    }
}

impl Site {
    /// Asks the server about some of what was told, and for one more token. What was asked to be revoked may be void, even
    /// where no answer came.
    pub(super) async fn still_knows(&self, facts: &[Fact], revoking: &HashSet<String>) {
        let (mut issued, mut renewed, mut void) = (Vec::new(), Vec::new(), Vec::new());
        for fact in facts {
            match &fact.told {
                Told::Issued(held) => issued.push(held),
                Told::Renewed(held) => renewed.push(held),
                Told::Revoked(held) | Told::SubjectRevoked(held) => void.push(held),
            }
        }
        issued.retain(|held| !revoking.contains(&held.subject));
        join_all(some(&issued).map(|held| self.introspects(held, true))).await;
        join_all(some(&void).map(|held| self.introspects(held, false))).await;
        renewed.retain(|held| !revoking.contains(&held.subject));
        for held in some(&renewed).take(1) {
            let again = self.send(self.renewal(&held.token)).await;
            again.assert_problem(StatusCode::CONFLICT, "already_renewed");
        }
        self.issues_and_counts_one_more().await;
    }

    async fn introspects(&self, held: &Held, active: bool) {
        let request = self.post("/oauth2/introspect");
        let request = request.form(&[("token", &held.token)]);
        let answer = self
            .send(request.header("x-api-key", &self.keys[0]))
            .await
            .json();
        assert_eq!(answer["active"], active, "{}: {answer}", held.subject);
    }

    async fn issues_and_counts_one_more(&self) {
        let before = self.count().await;
        let user =
            json!({ "id": "after", "roles": ["viewer"], "attributes": { "tenant_id": "t-1" } });
        let request = self.post("/v1/session-tokens");
        let request = request.header("x-api-key", &self.keys[0]);
        self.send(request.json(&json!({ "user": user })))
            .await
            .issued();
        assert_eq!(self.count().await, before + 1);
    }

    /// How many tokens the first key has issued, by the server's account.
    async fn count(&self) -> u64 {
        let id = &self.keys[0]["jtn_".len()..][..12];
        let url = format!("{}/v1/api-keys/key_{id}/usage", self.url);
        let request = self.http.request(Method::GET, url);
        let usage = self
            .send(request.header("x-api-key", &self.keys[0]))
            .await
            .json();
        usage["tokens_issued"]["ever"].as_u64().unwrap()
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        Answer::of(request.send().await.unwrap()).await
    }
}

/// From all of the load, the last ones included: they are the ones in danger.
fn some<'a>(held: &'a [&'a Held]) -> impl Iterator<Item = &'a Held> {
    let step = held.len().div_ceil(TRIED).max(1);
    held.iter().rev().step_by(step).copied()
}
