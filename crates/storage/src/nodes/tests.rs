use std::sync::Arc;
use std::time::Duration;

use super::{BEAT_SECONDS, FORGET_SECONDS, SILENT_SECONDS};
use crate::testing::on_both_engines;
use crate::tests::{change, organization};
use crate::{ChangeFeed, Database, Heartbeat, ManualClock, Node, Timestamp, list_nodes};
use crate::{Clock, fetch_one};

const LONG: Duration = Duration::from_hours(1);

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_unix_seconds(1_767_225_600)))
}

async fn node(
    database: &Database,
    knowledge: &Database,
    clock: &Arc<ManualClock>,
    name: &str,
) -> Heartbeat {
    let feed = ChangeFeed::start(knowledge.clone(), LONG).await.unwrap();
    Heartbeat::new(
        database.clone(),
        feed,
        clock.clone(),
        name.to_owned(),
        "1.2.3",
    )
}

async fn listed(database: &Database, clock: &ManualClock) -> Vec<Node> {
    list_nodes(database, clock.now()).await.unwrap()
}

#[tokio::test]
async fn a_node_is_listed_from_its_first_sign_of_life_until_it_leaves() {
    on_both_engines(|database| async move {
        let clock = clock();
        let acme = organization(&database, "acme").await;
        let version = change(&database, acme).await;
        let first = node(&database, &database, &clock, "first").await;
        let second = node(&database, &database, &clock, "second").await;
        assert_eq!(listed(&database, &clock).await, []);
        let started = clock.now();
        second.beat().await.unwrap();
        first.beat().await.unwrap();
        clock.advance_seconds(BEAT_SECONDS);
        first.beat().await.unwrap();

        let nodes = listed(&database, &clock).await;
        let expected = Node {
            id: first.id(),
            name: "first".to_owned(),
            version: "1.2.3".to_owned(),
            started_at: started,
            seen_at: clock.now(),
            is_silent: false,
            change_version: version,
            versions_behind: 0,
            seconds_behind: 0,
        };
        assert_eq!(nodes[0], expected);
        assert_eq!((nodes[1].id, nodes[1].seen_at), (second.id(), started));
        second.leave().await.unwrap();
        assert_eq!(listed(&database, &clock).await, [expected]);
    })
    .await;
}

#[tokio::test]
async fn a_node_that_does_not_follow_says_how_far_it_is_behind() {
    on_both_engines(|database| async move {
        let clock = clock();
        let acme = organization(&database, "acme").await;
        // What this node polls is another database, in which nothing happens.
        let elsewhere = crate::testing::ScratchDatabase::create(crate::Engine::Sqlite).await;
        let elsewhere_database = Database::connect(elsewhere.url()).await.unwrap();
        elsewhere_database.migrate().await.unwrap();
        let node = node(&database, &elsewhere_database, &clock, "stuck").await;
        for _ in 0..3 {
            change(&database, acme).await;
        }
        node.beat().await.unwrap();
        let [found] = &listed(&database, &clock).await[..] else {
            panic!("one node")
        };
        assert!(!found.is_silent);
        assert_eq!((found.change_version, found.versions_behind), (0, 3));
        // Until the next sign of life, nothing more is known.
        change(&database, acme).await;
        assert_eq!(listed(&database, &clock).await[0].versions_behind, 3);
    })
    .await;
}

#[tokio::test]
async fn a_silent_node_falls_behind_and_is_forgotten() {
    on_both_engines(|database| async move {
        let clock = clock();
        let acme = organization(&database, "acme").await;
        let gone = node(&database, &database, &clock, "gone").await;
        let other = node(&database, &database, &clock, "other").await;
        gone.beat().await.unwrap();
        clock.advance_seconds(SILENT_SECONDS);
        assert!(!listed(&database, &clock).await[0].is_silent);
        clock.advance_seconds(1);
        change(&database, acme).await;
        change(&database, acme).await;
        let [found] = &listed(&database, &clock).await[..] else {
            panic!("one node")
        };
        assert!(found.is_silent);
        assert_eq!(found.versions_behind, 2);
        let since = SILENT_SECONDS + 1;
        assert!(
            (since..=since + 1).contains(&found.seconds_behind),
            "{found:?}"
        );

        clock.advance_seconds(FORGET_SECONDS);
        assert_eq!(listed(&database, &clock).await, []);
        other.beat().await.unwrap();
        let mut read = database.read().await.unwrap();
        let sql = "select count(*) from nodes";
        let (rows,) = fetch_one!(read.conn(), (i64,), sql).unwrap();
        assert_eq!(rows, 1, "the row is gone, not only hidden");
    })
    .await;
}
