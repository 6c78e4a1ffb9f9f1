//! Sessions that ended long ago.

use storage::testing::on_both_engines;
use storage::{Clock, SessionId, Timestamp, execute, fetch_all};

use super::{App, request};
use crate::Origin;
use crate::sessions::SessionFilter;

/// Makes all sessions that there are so old that they ended this many seconds ago.
async fn age(app: &App, seconds: i64) {
    let mut tx = app.database.write().await.unwrap();
    let sql = "select id from sessions order by id";
    let ids = fetch_all!(tx.conn(), (SessionId,), sql).unwrap();
    let ended = app.clock.now().plus_seconds(-seconds);
    for (number, (id,)) in ids.into_iter().enumerate() {
        let micros =
            ended.plus_seconds(-900).unix_micros() - 1_000 * i64::try_from(number).unwrap();
        let issued = Timestamp::from_unix_micros(micros);
        let sql = "update sessions set id = $2, issued_at = $3, expires_at = $4 where id = $1";
        execute!(
            tx.conn(),
            sql,
            id,
            SessionId::first_at(issued),
            issued,
            ended
        )
        .unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn old_sessions_are_forgotten_and_younger_ones_stay() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let issuer = &app.services.issuer;
        app.issues("old").await.unwrap();
        age(&app, 2 * 86_400 - 1).await;
        assert_eq!(issuer.forget_sessions(2).await.unwrap(), 0);
        age(&app, 2 * 86_400).await;
        app.issues("young").await.unwrap();
        assert_eq!(issuer.forget_sessions(2).await.unwrap(), 1);
        assert_eq!(app.finds(SessionFilter::default()).await, ["young"]);
    })
    .await;
}

#[tokio::test]
async fn more_than_one_step_of_old_sessions_is_forgotten() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let grants = (0..1_100).map(|_| request("old")).collect();
        let origin = Origin {
            request_id: "req-1".to_owned(),
            client: "2001:db8::7".parse().unwrap(),
        };
        let issuer = &app.services.issuer;
        let issued = issuer.issue_batch(&app.caller, grants, &origin).await;
        assert!(issued.unwrap().iter().all(Result::is_ok));
        age(&app, 86_400).await;
        assert_eq!(issuer.forget_sessions(1).await.unwrap(), 1_100);
    })
    .await;
}
