//! On SQLite, rows wait in the intake before they are in their table. Nobody sees the difference, and no end of a process loses or
//! counts one twice.

use std::time::Duration;

use key_admin::Act;
use storage::testing::ScratchDatabase;
use storage::{Database, Engine, Intake, OrganizationId, SessionId, execute, fetch_all};

use super::{App, MASTER, NOW, request, start};
use crate::sessions::{RecordError, RevocationTarget, SessionFilter};
use crate::{IssueError, IssueRequest, Origin, Services};

const TOKENS: usize = 5;

/// An installation on SQLite that has issued tokens, whose rows are in the intake alone.
async fn with_rows_in_the_intake() -> (ScratchDatabase, App, Vec<SessionId>) {
    let scratch = ScratchDatabase::create(Engine::Sqlite).await;
    let database = Database::connect(scratch.url()).await.unwrap();
    database.migrate().await.unwrap();
    let app = App::on(database).await;
    let mut issued = Vec::new();
    for number in 0..TOKENS {
        let token = app.issues(&format!("user-{number}")).await.unwrap();
        issued.push(token.claims().session_id());
    }
    (scratch, app, issued)
}

/// What any program finds in the table.
async fn in_table(database: &Database) -> Vec<SessionId> {
    let mut read = database.read().await.unwrap();
    let sql = "select id from sessions order by id";
    let rows = fetch_all!(read.conn(), (SessionId,), sql).unwrap();
    rows.into_iter().map(|(id,)| id).collect()
}

async fn in_intake(database: &Database) -> usize {
    let mut intake = Intake::of(database).unwrap();
    intake.after(0, 1_000).await.unwrap().len()
}

/// As the database counts.
async fn counted(services: &Services, organization: OrganizationId, app: &App) -> i64 {
    let usage = services.keys.usage(organization, app.caller.key_id()).await;
    let usage = usage.unwrap().unwrap();
    assert_eq!(usage.days[29].tokens_issued, usage.tokens_issued.ever);
    usage.tokens_issued.ever
}

#[tokio::test]
async fn who_looks_for_a_row_finds_it_before_it_is_sorted_by_itself() {
    let (_scratch, app, issued) = with_rows_in_the_intake().await;
    let all = SessionFilter::default();
    let issuer = &app.services.issuer;
    let found = issuer.find_sessions(app.organization.id, &all, None, 100);
    let mut found: Vec<_> = found
        .await
        .unwrap()
        .iter()
        .map(|it| it.session.id)
        .collect();
    found.reverse();
    assert_eq!(found, issued);
    assert_eq!(in_table(&app.database).await, issued);
    let count = counted(&app.services, app.organization.id, &app).await;
    assert_eq!(count, 5);

    let token = app.issues("one more").await.unwrap();
    let id = token.claims().session_id();
    let found = issuer.find_session(app.organization.id, id).await;
    assert_eq!(found.unwrap().unwrap().session.subject, "one more");
}

#[tokio::test]
async fn the_next_process_takes_over_what_an_earlier_one_has_left() {
    let (scratch, app, issued) = with_rows_in_the_intake().await;
    // The first one still has a second before it sorts: for the next one it is as if it had been killed.
    let database = Database::connect(scratch.url()).await.unwrap();
    let services = start(&database, MASTER).await.unwrap();
    assert_eq!(in_table(&database).await, issued);
    let all = SessionFilter::default();
    let found = services
        .issuer
        .find_sessions(app.organization.id, &all, None, 100);
    for (number, found) in found.await.unwrap().iter().rev().enumerate() {
        let session = &found.session;
        assert_eq!(session.subject, format!("user-{number}"));
        assert_eq!((session.id, session.root), (issued[number], issued[number]));
        assert_eq!(session.api_key, app.caller.key_id());
        assert_eq!(session.roles, ["viewer"]);
        assert_eq!(session.attributes["tenant_id"], "t-1");
        assert_eq!(session.client_address, "2001:db8::7");
        assert_eq!(session.request_id, "req-1");
        let second = NOW.unix_seconds();
        assert_eq!(session.issued_at.unix_seconds(), second);
        assert_eq!(session.expires_at.unix_seconds(), second + 900);
    }
    assert_eq!(counted(&services, app.organization.id, &app).await, 5);
    assert_eq!(in_intake(&database).await, 0);
}

#[tokio::test]
async fn what_two_processes_sort_is_there_and_counts_once() {
    let (scratch, app, mut issued) = with_rows_in_the_intake().await;
    let database = Database::connect(scratch.url()).await.unwrap();
    let other = start(&database, MASTER).await.unwrap();
    // The first one has not noticed, and sorts the same rows.
    app.services.issuer.settle().await.unwrap();
    let next = app.issues("next").await.unwrap();
    issued.push(next.claims().session_id());
    app.services.issuer.settle().await.unwrap();
    assert_eq!(in_table(&app.database).await, issued);
    assert_eq!(counted(&other, app.organization.id, &app).await, 6);
    // What is sorted is forgotten with the next group, which stays for now.
    app.issues("last").await.unwrap();
    assert_eq!(in_intake(&app.database).await, 1);
}

#[tokio::test]
async fn what_the_table_refuses_is_not_forgotten_by_the_next_process() {
    let (scratch, app, _) = with_rows_in_the_intake().await;
    app.services.issuer.settle().await.unwrap();
    let mut tx = app.database.write().await.unwrap();
    let sql =
        "create trigger refusal before insert on sessions begin select raise(abort, 'no'); end";
    execute!(tx.conn(), sql).unwrap();
    tx.commit().await.unwrap();
    let refused = app.issues("refused").await.unwrap();
    let id = refused.claims().session_id();

    let database = Database::connect(scratch.url()).await.unwrap();
    let next = start(&database, MASTER).await.unwrap();
    assert!(next.issuer.settle().await.unwrap_err().is_unavailable());
    let request = IssueRequest {
        grant: request("user-42"),
        origin: Origin {
            request_id: "req-2".to_owned(),
            client: "2001:db8::7".parse().unwrap(),
        },
    };
    let refused = next.issuer.issue(&app.caller, request).await.unwrap_err();
    assert!(
        matches!(refused, IssueError::Record(RecordError::Refused)),
        "{refused:?}"
    );
    // A cutoff holds for what comes into the table later.
    let organization = app.organization.id;
    let act = Act::on_command_line();
    let subject = RevocationTarget::Subject("refused".to_owned());
    let cut = next
        .issuer
        .revoke_sessions(&act, organization, subject, None);
    cut.await.unwrap();

    let mut tx = app.database.write().await.unwrap();
    execute!(tx.conn(), "drop trigger refusal").unwrap();
    tx.commit().await.unwrap();
    let settled = async {
        while next.issuer.settle().await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let settled = tokio::time::timeout(Duration::from_secs(30), settled);
    settled.await.unwrap();
    assert_eq!(in_table(&database).await.len(), TOKENS + 1);
    let found = next.issuer.find_session(organization, id).await.unwrap();
    assert!(!found.unwrap().state.is_active());
    assert_eq!(counted(&next, app.organization.id, &app).await, 6);
}

#[tokio::test]
async fn a_group_that_cannot_be_read_is_left_alone() {
    let (scratch, app, _) = with_rows_in_the_intake().await;
    app.services.issuer.settle().await.unwrap();
    let mut intake = Intake::of(&app.database).unwrap();
    let broken = intake.append("{ no list".to_owned(), &[]).await.unwrap();
    intake.close().await;
    // What cannot be read is left alone, and everything else goes on.
    let database = Database::connect(scratch.url()).await.unwrap();
    let services = start(&database, MASTER).await.unwrap();
    let mut intake = Intake::of(&database).unwrap();
    let left = intake.after(0, 10).await.unwrap();
    assert_eq!(left.iter().map(|it| it.id).collect::<Vec<_>>(), [broken]);
    assert_eq!(counted(&services, app.organization.id, &app).await, 5);
}
