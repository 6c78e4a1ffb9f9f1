//! Every recorded token counts once for its key; what is not recorded does not count.

use key_admin::Asker;
use std::sync::Arc;

use key_admin::ApiKeyId;
use key_admin::api_keys::KeyUsage;
use storage::testing::on_both_engines;
use storage::{Clock, Timestamp, execute, fetch_one};

use super::{App, NOW, caller, found};

impl App {
    pub(super) async fn usage(&self, key: ApiKeyId) -> KeyUsage {
        let keys = &self.services.keys;
        keys.usage(self.organization.id, key)
            .await
            .unwrap()
            .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn counts_are_exact_however_many_issue_at_once() {
    on_both_engines(|database| async move {
        let app = Arc::new(App::on(database).await);
        let other = caller(&app.services, &app.organization, app.owner).await;
        let other = app.services.authorizer.permit(other).unwrap();
        let idle = caller(&app.services, &app.organization, app.owner).await;
        let issues: Vec<_> = (0..200)
            .map(|number| {
                let (app, other) = (app.clone(), other.clone());
                tokio::spawn(async move {
                    // Every fourth with the other key, and every tenth of a subject that is refused.
                    let subject = if number % 10 == 9 { "" } else { "user-42" };
                    let key = if number % 4 == 0 { &other } else { &app.caller };
                    app.issues_to(key, subject).await.is_ok()
                })
            })
            .collect();
        let mut issued = 0;
        for issue in issues {
            issued += i64::from(issue.await.unwrap());
        }
        assert_eq!(issued, 180);

        let (first, second) = (
            app.usage(app.caller.key_id()).await,
            app.usage(other.key_id()).await,
        );
        assert_eq!(first.tokens_issued.ever, 130);
        assert_eq!(second.tokens_issued.ever, 50);
        assert_eq!(app.usage(idle.key_id()).await.tokens_issued.ever, 0);
        for usage in [first, second] {
            let counts = usage.tokens_issued;
            assert_eq!(counts.today, counts.ever);
            assert_eq!(usage.days[29].tokens_issued, counts.ever);
            assert_eq!(usage.days[29].day, "2026-01-01");
            let minute = NOW.unix_seconds() - NOW.unix_seconds().rem_euclid(60);
            assert_eq!(
                usage.last_used_at,
                Some(Timestamp::from_unix_seconds(minute))
            );
            assert_eq!(usage.last_used_address.as_deref(), Some("2001:db8::7"));
        }
    })
    .await;
}

#[tokio::test]
async fn the_last_use_only_moves_forward() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        app.issues("user-42").await.unwrap();
        let key = app.caller.key_id();
        app.services.issuer.settle().await.unwrap();
        // Another node, whose clock is ahead, has counted meanwhile.
        let later = Timestamp::from_unix_seconds(NOW.unix_seconds() + 3_600);
        let mut tx = app.database.write().await.unwrap();
        let sql = "update api_key_usage set last_used_at = $2, last_used_address = '192.0.2.9'
                   where api_key_id = $1";
        assert_eq!(execute!(tx.conn(), sql, key.as_str(), later).unwrap(), 1);
        tx.commit().await.unwrap();

        app.issues("user-42").await.unwrap();
        let usage = app.usage(key).await;
        assert_eq!(usage.tokens_issued.ever, 2);
        assert_eq!(usage.last_used_at, Some(later));
        assert_eq!(usage.last_used_address.as_deref(), Some("192.0.2.9"));
    })
    .await;
}

#[tokio::test]
async fn counts_outlive_the_key_and_stay_in_its_organization() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        app.issues("user-42").await.unwrap();
        let (globex, _) = found(&app.services, "globex", "grace@example.com")
            .await
            .unwrap();
        let (keys, key) = (&app.services.keys, app.caller.key_id());
        assert!(keys.usage(globex.id, key).await.unwrap().is_none());
        let act = key_admin::Act::on_command_line();
        keys.delete_key(
            &act,
            Asker::Machine,
            app.organization.id,
            key,
            key_admin::IssuedTokens::Void,
        )
        .await
        .unwrap();
        let mut read = app.database.read_settled().await.unwrap();
        let sql = "select tokens_issued from api_key_usage where api_key_id = $1";
        let (counted,) = fetch_one!(read.conn(), (i64,), sql, key.as_str()).unwrap();
        assert_eq!(counted, 1);
    })
    .await;
}

#[tokio::test]
async fn issuing_and_refusing_are_charted_by_the_minute() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let keys = &app.services.keys;
        let begin = app.clock.now();
        app.issues("user-42").await.unwrap();
        app.clock.advance_seconds(60);
        for _ in 0..2 {
            app.issues("user-42").await.unwrap();
        }
        app.issues("").await.unwrap_err();
        let origin = crate::Origin {
            request_id: "req-2".to_owned(),
            client: "192.0.2.1".parse().unwrap(),
        };
        let requests = vec![
            super::request("one"),
            super::request("two"),
            super::request(""),
        ];
        let batch = app
            .services
            .issue_session_tokens(&app.caller, requests, &origin);
        assert_eq!(
            batch.await.unwrap().iter().filter(|it| it.is_ok()).count(),
            2
        );

        let time = (begin, app.clock.now().plus_seconds(1));
        let series = keys.activity(app.organization.id, time, 1).await.unwrap();
        let steps: Vec<_> = series
            .steps
            .iter()
            .map(|it| (it.issued, it.refused))
            .collect();
        assert_eq!(steps, [(1, 0), (4, 2)]);
        assert_eq!(series.refusals.len(), 1);
        assert_eq!(series.refusals[0].code, "invalid_subject");
        let busiest = keys
            .busiest_keys(app.organization.id, begin, 5)
            .await
            .unwrap();
        assert_eq!(
            (busiest[0].id, busiest[0].tokens_issued),
            (app.caller.key_id(), 5)
        );

        // Their sessions say the same, from any time on.
        let since = async |seconds| {
            let since = Timestamp::from_unix_seconds(begin.unix_seconds() + seconds);
            let (organization, key) = (app.organization.id, app.caller.key_id());
            let count = app
                .services
                .issuer
                .tokens_issued_since(organization, key, since);
            count.await.unwrap()
        };
        assert_eq!(
            (since(0).await, since(60).await, since(61).await),
            (5, 4, 0)
        );
    })
    .await;
}
