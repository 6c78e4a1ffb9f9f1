use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::types::Json;
use storage::testing::on_both_engines;
use storage::{
    AudienceId, Database, Engine, OrganizationId, SessionId, Timestamp, execute, fetch_all,
    fetch_one,
};

use super::{App, NOW, request};
use crate::IssueError;
use crate::sessions::RecordError;

#[derive(Debug, sqlx::FromRow)]
struct SessionRow {
    id: SessionId,
    organization_id: OrganizationId,
    api_key_id: String,
    audience_id: AudienceId,
    kid: String,
    subject: String,
    roles: Json<Value>,
    attributes: Json<Value>,
    resources: Json<Value>,
    request_id: String,
    client_address: String,
    issued_at: Timestamp,
    expires_at: Timestamp,
}

async fn sessions(database: &Database) -> Vec<SessionRow> {
    let mut read = database.read_settled().await.unwrap();
    let sql = "select id, organization_id, api_key_id, audience_id, kid, subject, roles, attributes, resources,
                      request_id, client_address, issued_at, expires_at
               from sessions order by subject, id";
    fetch_all!(read.conn(), SessionRow, sql).unwrap()
}

#[tokio::test]
async fn an_answered_token_has_its_row() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        // What JSON, SQL and both engines' escapes might mistake for something else.
        let subject = r#"user "42" \ '; drop table sessions; -- é 🦀 $1 \u0041"#;
        let token = app.issues(subject).await.unwrap();
        let [row] = sessions(&app.database).await.try_into().unwrap();

        assert_eq!(row.id, token.claims().session_id());
        assert_eq!(row.organization_id, app.organization.id);
        assert_eq!(row.api_key_id, app.caller.key_id().as_str());
        assert_eq!(row.subject, subject);
        assert_eq!(row.roles.0, json!(["viewer"]));
        assert_eq!(
            row.attributes.0,
            json!({"tenant_id": "t-1", "regions": ["eu", "us"]})
        );
        assert_eq!(
            row.resources.0,
            json!([{"type": "dashboard", "id": "sales"}])
        );
        assert_eq!(row.request_id, "req-1");
        assert_eq!(row.client_address, "2001:db8::7");
        assert_eq!(row.issued_at, NOW.truncated_to_seconds());
        assert_eq!(row.expires_at, row.issued_at.plus_seconds(900));

        let mut read = app.database.read_settled().await.unwrap();
        let sql = "select k.kid, a.id from signing_keys k join audiences a on a.id = k.audience_id
                   where k.state = 'active'";
        let signer = fetch_one!(read.conn(), (String, AudienceId), sql).unwrap();
        assert_eq!((row.kid, row.audience_id), signer);
        let recorded = crate::sessions::exists(
            read.conn(),
            app.organization.id,
            token.claims().session_id(),
        );
        assert!(recorded.await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_preview_leaves_no_row() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let preview = app.services.issuer.preview(&app.caller, request("user-42"));
        assert_eq!(preview.await.unwrap().subject(), "user-42");
        assert!(sessions(&app.database).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_refused_request_leaves_no_row() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let refused = app.issues("").await.unwrap_err();
        assert!(matches!(refused, IssueError::Refused(_)), "{refused:?}");
        assert!(sessions(&app.database).await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tokens_at_once_have_a_row_each() {
    on_both_engines(|database| async move {
        let app = Arc::new(App::on(database).await);
        let issues: Vec<_> = (0..200)
            .map(|number| {
                let app = app.clone();
                tokio::spawn(async move { app.issues(&format!("user-{number:03}")).await })
            })
            .collect();
        let mut issued = Vec::new();
        for issue in issues {
            let token = issue.await.unwrap().unwrap();
            issued.push((
                token.claims().subject().to_owned(),
                token.claims().session_id(),
            ));
        }
        let rows = sessions(&app.database).await;
        let rows: Vec<_> = rows.into_iter().map(|row| (row.subject, row.id)).collect();
        assert_eq!(rows, issued);
    })
    .await;
}

/// From now on the database refuses session rows of subjects that are like this.
pub(super) async fn refuse(database: &Database, subjects: &str) {
    let statements = match database.engine() {
        Engine::Sqlite => vec![format!(
            "create trigger refusal before insert on sessions when new.subject like '{subjects}'
             begin select raise(abort, 'refused by the test'); end"
        )],
        Engine::Postgres => vec![
            "create function refusal() returns trigger language plpgsql as
             $$ begin raise exception 'refused by the test'; end $$"
                .to_owned(),
            format!(
                "create trigger refusal before insert on sessions for each row
                 when (new.subject like '{subjects}') execute function refusal()"
            ),
        ],
    };
    let mut tx = database.write().await.unwrap();
    for statement in statements {
        execute!(tx.conn(), sqlx::AssertSqlSafe(statement.clone())).unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn without_a_row_there_is_no_token() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        refuse(&app.database, "%").await;
        if app.database.engine() == Engine::Sqlite {
            // The row is committed, but does not get out of the intake; the next one would not either.
            app.issues("user-42").await.unwrap();
            assert!(app.services.issuer.settle().await.is_err());
        }
        let refused = app.issues("user-42").await.unwrap_err();
        assert!(
            matches!(refused, IssueError::Record(RecordError::Refused)),
            "{refused:?}"
        );
        let mut read = app.database.read().await.unwrap();
        let sql = "select count(*) from sessions";
        assert_eq!(fetch_one!(read.conn(), (i64,), sql).unwrap(), (0,));
    })
    .await;
}

#[tokio::test]
async fn one_refused_row_does_not_take_the_others_with_it() {
    on_both_engines(|database| async move {
        let app = Arc::new(App::on(database).await);
        match app.database.engine() {
            Engine::Sqlite => a_refused_row_stays_in_the_intake(&app).await,
            Engine::Postgres => a_refused_row_has_no_token(&app).await,
        }
    })
    .await;
}

/// On SQLite the token has left when its table refuses the row. The row is kept; until it is in the table no other token leaves, and
/// nobody is told that there is no such session.
async fn a_refused_row_stays_in_the_intake(app: &App) {
    refuse(&app.database, "poison").await;
    let mut issued = Vec::new();
    for subject in ["a", "poison"] {
        issued.push(app.issues(subject).await.unwrap());
    }
    let issuer = &app.services.issuer;
    assert!(issuer.settle().await.unwrap_err().is_unavailable());
    let refused = app.issues("c").await.unwrap_err();
    assert!(
        matches!(refused, IssueError::Record(RecordError::Refused)),
        "{refused:?}"
    );
    let organization = app.organization.id;
    let found = async |number: usize| {
        let id = issued[number].claims().session_id();
        issuer.find_session(organization, id).await
    };
    assert_eq!(found(0).await.unwrap().unwrap().session.subject, "a");
    assert!(found(1).await.is_err());
    let key = app.caller.key_id();
    assert!(app.services.keys.usage(organization, key).await.is_err());

    let mut tx = app.database.write().await.unwrap();
    execute!(tx.conn(), "drop trigger refusal").unwrap();
    tx.commit().await.unwrap();
    let next = async {
        loop {
            match app.issues("c").await {
                Ok(token) => break token,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    let next = tokio::time::timeout(Duration::from_secs(30), next);
    assert_eq!(next.await.unwrap().claims().subject(), "c");
    let rows = sessions(&app.database).await.into_iter();
    let rows: Vec<_> = rows.map(|row| row.subject).collect();
    assert_eq!(rows, ["a", "c", "poison"]);
    assert_eq!(app.usage(key).await.tokens_issued.ever, 3);
}

async fn a_refused_row_has_no_token(app: &Arc<App>) {
    refuse(&app.database, "poison").await;
    app.issues("first").await.unwrap();
    let subjects = ["a", "b", "c", "poison", "d", "e"];
    let issues = subjects.map(|subject| {
        let app = app.clone();
        tokio::spawn(async move { app.issues(subject).await })
    });
    for (subject, issue) in subjects.into_iter().zip(issues) {
        match issue.await.unwrap() {
            Ok(token) => assert_eq!(token.claims().subject(), subject),
            Err(IssueError::Record(RecordError::Refused)) => assert_eq!(subject, "poison"),
            Err(other) => panic!("{subject}: {other:?}"),
        }
    }
    let rows = sessions(&app.database).await;
    let rows: Vec<_> = rows.into_iter().map(|row| row.subject).collect();
    assert_eq!(rows, ["a", "b", "c", "d", "e", "first"]);
}

#[tokio::test]
async fn many_at_once_are_all_recorded_and_counted() {
    on_both_engines(|database| async move {
        let app = Arc::new(App::on(database).await);
        let issues: Vec<_> = (0..600)
            .map(|number| {
                let app = app.clone();
                tokio::spawn(async move { app.issues(&format!("user-{number:03}")).await })
            })
            .collect();
        for issue in issues {
            issue.await.unwrap().unwrap();
        }
        let rows = sessions(&app.database).await;
        let rows: Vec<_> = rows.into_iter().map(|row| row.subject).collect();
        let expected: Vec<_> = (0..600).map(|number| format!("user-{number:03}")).collect();
        assert_eq!(rows, expected);
    })
    .await;
}

#[tokio::test]
async fn without_a_database_there_is_no_token() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        app.issues("user-42").await.unwrap();
        app.database.close().await;
        let refused = app.issues("user-42").await.unwrap_err();
        assert!(
            matches!(refused, IssueError::Record(RecordError::Unavailable)),
            "{refused:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_requester_that_goes_away_does_not_stop_the_others() {
    on_both_engines(|database| async move {
        let app = Arc::new(App::on(database).await);
        app.issues("first").await.unwrap();
        let leaving = tokio::spawn({
            let app = app.clone();
            async move { app.issues("leaving").await }
        });
        tokio::task::yield_now().await;
        leaving.abort();
        let token = app.issues("staying").await.unwrap();
        assert!(!token.token().expose_secret().is_empty());
        assert!(
            sessions(&app.database)
                .await
                .iter()
                .any(|row| row.subject == "staying")
        );
    })
    .await;
}
