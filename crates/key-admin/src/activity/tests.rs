use storage::testing::on_both_engines;
use storage::{Clock, OrganizationId, Timestamp, fetch_one};

use super::{ActivitySeries, Gathered, KEPT_DAYS, MAX_GATHERED, count_up};
use crate::api_keys::ApiKeyId;
use crate::testing::{App, CLIENT, add_organization};
use crate::{AuthenticateError, NewApiKey};

const HOUR: i64 = 3_600;

impl App {
    fn issues(&self, key: ApiKeyId, tokens: usize) {
        let one = (self.organization, key);
        self.node
            .keys
            .counter()
            .issued(std::iter::repeat_n(one, tokens));
    }

    async fn activity(&self, from: Timestamp, step_minutes: u32) -> ActivitySeries {
        self.activity_of(self.organization, from, step_minutes)
            .await
    }

    async fn activity_of(
        &self,
        organization: OrganizationId,
        from: Timestamp,
        step_minutes: u32,
    ) -> ActivitySeries {
        let until = self.clock.now().plus_seconds(1);
        let keys = &self.node.keys;
        keys.activity(organization, (from, until), step_minutes)
            .await
            .unwrap()
    }
}

fn refusals(series: &ActivitySeries) -> Vec<(&str, i64)> {
    let counts = series.refusals.iter();
    counts.map(|it| (it.code.as_str(), it.requests)).collect()
}

#[tokio::test]
async fn a_series_has_every_step_and_adds_up() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let start = app.clock.now();
        let key = app.creates_key("busy").await.key.id;
        let counter = app.node.keys.counter();
        app.issues(key, 3);
        counter.refused(app.organization, "unknown_role");
        counter.write_down().await.unwrap();
        // The same minute again, from memory onto the row.
        app.issues(key, 2);
        app.clock.advance_seconds(2 * 60);
        counter.refused(app.organization, "rate_limited");
        counter.refused(app.organization, "rate_limited");
        app.clock.advance_seconds(60);
        app.issues(key, 1);

        let series = app.activity(start, 1).await;
        let steps: Vec<_> = series
            .steps
            .iter()
            .map(|it| (it.issued, it.refused))
            .collect();
        assert_eq!(steps, [(5, 1), (0, 0), (0, 2), (1, 0)]);
        assert_eq!(series.steps[0].from, start);
        assert_eq!(series.steps[3].from, start.plus_seconds(180));
        assert_eq!(
            refusals(&series),
            [("rate_limited", 2), ("unknown_role", 1)]
        );

        let wide = app.activity(start, 2).await;
        let steps: Vec<_> = wide
            .steps
            .iter()
            .map(|it| (it.issued, it.refused))
            .collect();
        assert_eq!(steps, [(5, 1), (1, 2)]);
        let later = app.activity(start.plus_seconds(60), 1).await;
        assert_eq!(later.steps.len(), 3);
        assert_eq!(refusals(&later), [("rate_limited", 2)]);
        let other = add_organization(&app.database, &*app.clock, "globex").await;
        let nothing = app.activity_of(other, start, 1).await;
        assert!(nothing.refusals.is_empty());
        assert!(
            nothing
                .steps
                .iter()
                .all(|it| (it.issued, it.refused) == (0, 0))
        );
    })
    .await;
}

#[tokio::test]
async fn two_nodes_count_into_one_chart() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = app.creates_key("busy").await.key.id;
        let other = app.another_node().await;
        let start = app.clock.now();
        app.issues(key, 2);
        other
            .keys
            .counter()
            .issued([(app.organization, key)].into_iter());
        other.keys.counter().write_down().await.unwrap();
        assert_eq!(app.activity(start, 1).await.steps[0].issued, 3);
    })
    .await;
}

#[tokio::test]
async fn the_busiest_keys_come_first_and_deleted_ones_keep_their_count() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let keys = &app.node.keys;
        let quiet = app.creates_key("quiet").await;
        let busy = app.creates_key("busy").await;
        let gone = app.creates_key("gone").await;
        let now = app.clock.now();
        app.issues(busy.key.id, 9);
        app.clock.advance_seconds(23 * HOUR);
        app.issues(quiet.key.id, 2);
        app.issues(gone.key.id, 3);
        app.deletes(&gone).await;

        let found = keys.busiest_keys(app.organization, now, 10).await.unwrap();
        let shown: Vec<_> = found
            .iter()
            .map(|it| (it.id, it.name.as_deref(), it.tokens_issued))
            .collect();
        let expected = [
            (busy.key.id, Some("busy"), 9),
            (gone.key.id, None, 3),
            (quiet.key.id, Some("quiet"), 2),
        ];
        assert_eq!(shown, expected);
        assert_eq!(found[0].owner_name.as_deref(), Some("ci"));
        let since = now.plus_seconds(HOUR);
        let found = keys.busiest_keys(app.organization, since, 1).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].id, gone.key.id);
    })
    .await;
}

#[tokio::test]
async fn old_activity_is_removed() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = app.creates_key("busy").await.key.id;
        app.issues(key, 1);
        app.node.keys.counter().write_down().await.unwrap();
        let rows = async || {
            let mut read = app.database.read().await.unwrap();
            let sql = "select (select count(*) from activity_minutes) + (select count(*) from activity_key_hours)";
            fetch_one!(read.conn(), (i64,), sql).unwrap().0
        };
        app.clock.advance_seconds(KEPT_DAYS * 24 * HOUR);
        app.node.keys.forget_activity().await.unwrap();
        assert_eq!(rows().await, 2);
        app.clock.advance_seconds(HOUR);
        app.node.keys.forget_activity().await.unwrap();
        assert_eq!(rows().await, 0);
    })
    .await;
}

#[tokio::test]
async fn what_a_database_that_is_away_does_not_take_is_kept() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = app.creates_key("busy").await.key.id;
        app.issues(key, 4);
        let counter = app.node.keys.counter();
        app.database.close().await;
        assert!(counter.write_down().await.unwrap_err().is_unavailable());
        app.issues(key, 1);
        let gathered = counter.lock();
        assert_eq!(gathered.minutes.values().copied().collect::<Vec<_>>(), [5]);
        assert_eq!(gathered.hours.values().copied().collect::<Vec<_>>(), [5]);
    })
    .await;
}

#[test]
fn what_gathers_is_bounded_and_the_earliest_goes_first() {
    let mut gathered = Gathered::default();
    let organization = OrganizationId::new(&storage::SystemClock);
    let filled = i64::try_from(MAX_GATHERED).unwrap();
    for minute in 0..filled {
        assert_eq!(
            count_up(&mut gathered.minutes, (minute, organization, ""), 2),
            0
        );
    }
    assert_eq!(
        count_up(&mut gathered.minutes, (filled, organization, ""), 1),
        2
    );
    assert_eq!(gathered.minutes.len(), MAX_GATHERED);
    assert_eq!(gathered.minutes.keys().next().unwrap().0, 1);

    let mut late = Gathered::default();
    count_up(&mut late.minutes, (filled + 1, organization, ""), 1);
    count_up(&mut late.minutes, (filled, organization, ""), 1);
    late.add(gathered);
    assert_eq!(late.minutes.len(), MAX_GATHERED);
    assert_eq!(late.dropped, 2);
    assert_eq!(late.minutes[&(filled, organization, "")], 2);
}

#[tokio::test]
async fn refused_keys_are_counted_whether_their_secret_is_right_or_not() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let start = app.clock.now();
        let soon = NewApiKey {
            expires_at: Some(start.plus_seconds(30)),
            ..app.new_key("short")
        };
        let key = app.creates(soon).await;
        app.clock.advance_seconds(30);
        // More often than the audit trail keeps.
        for _ in 0..25 {
            let refused = app.authenticates(&key).await.unwrap_err();
            assert!(matches!(refused, AuthenticateError::KeyExpired));
        }
        let other = app.creates_key("other").await;
        let wrong = crate::api_keys::tests::with_secret_of(key.key.id, &other.secret);
        app.node.presents(&wrong, CLIENT).await.unwrap_err();
        let series = app.activity(start, 1).await;
        assert_eq!(
            refusals(&series),
            [("key_expired", 25), ("invalid_api_key", 1)]
        );
    })
    .await;
}
