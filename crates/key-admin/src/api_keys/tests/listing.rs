use storage::testing::on_both_engines;
use storage::{Clock, Timestamp, execute};

use crate::KeyRevocation;
use crate::api_keys::KeyOrder;
use crate::testing::{App, act, add_owner};
use crate::{ApiKeyId, Asker, KeyFilter, KeyState, NewApiKey};

impl App {
    async fn finds(&self, filter: KeyFilter) -> Vec<String> {
        let keys = &self.node.keys;
        let found = keys.list_keys(self.organization, &filter, None, 100).await;
        let mut names: Vec<_> = found.unwrap().into_iter().map(|l| l.key.name).collect();
        names.sort();
        names
    }

    async fn searches(&self, text: &str) -> Vec<String> {
        let search = Some(text.to_owned());
        self.finds(KeyFilter {
            search,
            ..KeyFilter::default()
        })
        .await
    }

    /// What the recorder of sessions writes.
    async fn used(&self, id: ApiKeyId, days: &[(&str, i64)]) {
        let mut tx = self.database.write().await.unwrap();
        let total: i64 = days.iter().map(|(_, tokens)| tokens).sum();
        execute!(
            tx.conn(),
            "insert into api_key_usage (api_key_id, organization_id, tokens_issued, last_used_at, last_used_address)
             values ($1, $2, $3, $4, '192.0.2.9')",
            id.as_str(),
            self.organization,
            total,
            self.clock.now(),
        )
        .unwrap();
        for (day, tokens) in days {
            execute!(
                tx.conn(),
                "insert into api_key_usage_days (api_key_id, day, organization_id, tokens_issued)
                 values ($1, $2, $3, $4)",
                id.as_str(),
                *day,
                self.organization,
                *tokens,
            )
            .unwrap();
        }
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn pages_join_without_gap_or_overlap() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        // Several of one moment: the id decides.
        for number in 0..7 {
            app.creates_key(&format!("key {number}")).await;
            app.clock.advance_seconds(i64::from(number % 3 == 0));
        }
        let whole: Vec<_> = app.lists().await.into_iter().map(|l| l.key).collect();
        assert_eq!(whole.len(), 7);
        assert!(whole.is_sorted_by_key(|key| std::cmp::Reverse(key.created_at)));
        for limit in [1, 2, 3, 100] {
            let mut pages: Vec<crate::ApiKey> = Vec::new();
            loop {
                let before = pages.last().map(|key| (key.created_at, key.id));
                let all = KeyFilter::default();
                let keys = &app.node.keys;
                let page = keys.list_keys(app.organization, &all, before, limit).await;
                let page = page.unwrap();
                assert!(page.len() <= limit as usize);
                if page.is_empty() {
                    break;
                }
                pages.extend(page.into_iter().map(|listed| listed.key));
            }
            assert_eq!(pages, whole, "{limit}");
        }
        let all = KeyFilter::default();
        let keys = &app.node.keys;
        let least = keys
            .list_keys(app.organization, &all, None, 0)
            .await
            .unwrap();
        assert_eq!(least.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn names_are_found_in_any_case_and_wildcards_are_letters() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let names = ["Été 100%", "a_b", "axb", r"back\slash", "Build"];
        for name in names {
            app.creates_key(name).await;
        }
        assert_eq!(app.searches("éTÉ").await, ["Été 100%"]);
        assert_eq!(app.searches("%").await, ["Été 100%"]);
        assert_eq!(app.searches("A_B").await, ["a_b"]);
        assert_eq!(app.searches("\\").await, [r"back\slash"]);
        assert_eq!(app.searches("UIL").await, ["Build"]);
        assert_eq!(app.searches("'; drop table api_keys; --").await, [""; 0]);
        assert_eq!(app.searches("").await.len(), names.len());
    })
    .await;
}

#[tokio::test]
async fn first_characters_of_the_id_find_a_key() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = app.creates_key("wanted").await;
        app.creates_key("other").await;
        let id = key.key.id.as_str();
        let whole = secrecy::ExposeSecret::expose_secret(&key.secret).to_owned();
        for text in [
            id.to_owned(),
            id[..8].to_owned(),
            format!("key_{}", &id[..8]),
            key.key.prefix(),
            whole,
        ] {
            assert_eq!(app.searches(&text).await, ["wanted"], "{text}");
        }
    })
    .await;
}

#[tokio::test]
async fn states_and_owners_filter() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let (keys, organization) = (&app.node.keys, app.organization);
        let soon = app.clock.now().plus_seconds(60);
        let short = |name: &str| NewApiKey {
            expires_at: Some(soon),
            ..app.new_key(name)
        };
        app.creates_key("active").await;
        app.creates(short("expired")).await;
        let disabled = app.creates(short("disabled, expired")).await;
        app.disables(&disabled).await;
        let revoked = app.creates_key("revoked").await;
        app.disables(&revoked).await;
        keys.revoke_key(
            act(),
            Asker::Machine,
            organization,
            revoked.key.id,
            KeyRevocation::default(),
        )
        .await
        .unwrap();
        app.clock.advance_seconds(60);
        let in_state = async |state| {
            app.finds(KeyFilter {
                state: Some(state),
                ..KeyFilter::default()
            })
            .await
        };
        assert_eq!(in_state(KeyState::Active).await, ["active"]);
        assert_eq!(in_state(KeyState::Expired).await, ["expired"]);
        assert_eq!(in_state(KeyState::Disabled).await, ["disabled, expired"]);
        assert_eq!(in_state(KeyState::Revoked).await, ["revoked"]);
        for listed in app.lists().await {
            assert_eq!(listed.state, listed.key.state(app.clock.now()));
            assert!(listed.key.name.contains(listed.state.as_str()));
        }

        let owner = add_owner(&app.database, &*app.clock, organization).await;
        app.creates(NewApiKey {
            owner,
            ..app.new_key("of another")
        })
        .await;
        let of_another = KeyFilter {
            owner: Some(owner),
            ..KeyFilter::default()
        };
        assert_eq!(app.finds(of_another).await, ["of another"]);
    })
    .await;
}

#[tokio::test]
async fn usage_is_read_per_day_and_in_sum() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = app.creates_key("used").await.key.id;
        let unused = app.creates_key("unused").await.key.id;
        // The clock stands at 2026-01-01.
        let days = [
            ("2026-01-01", 1),
            ("2025-12-31", 10),
            ("2025-12-03", 100),
            ("2025-12-02", 1_000),
        ];
        app.used(key, &days).await;
        let keys = &app.node.keys;
        let usage = keys.usage(app.organization, key).await.unwrap().unwrap();
        let counts = usage.tokens_issued;
        assert_eq!(
            (counts.today, counts.last_30_days, counts.ever),
            (1, 111, 1_111)
        );
        assert_eq!(usage.last_used_address.as_deref(), Some("192.0.2.9"));
        assert_eq!(usage.days.len(), 30);
        assert_eq!(usage.days[0].day, "2025-12-03");
        assert_eq!(usage.days[29].day, "2026-01-01");
        let counted: i64 = usage.days.iter().map(|day| day.tokens_issued).sum();
        assert_eq!(counted, 111);

        let listed = keys.get_key(app.organization, key).await.unwrap().unwrap();
        assert_eq!(listed.tokens_issued, counts);
        assert!(app.lists().await.contains(&listed));
        let none = keys.usage(app.organization, unused).await.unwrap().unwrap();
        assert_eq!(none.tokens_issued, crate::api_keys::TokenCounts::default());
        assert_eq!(none.last_used_at, None::<Timestamp>);
    })
    .await;
}

#[tokio::test]
async fn usage_of_many_keys_is_read_at_once() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let often = app.creates_key("often").await.key.id;
        let once = app.creates_key("once").await.key.id;
        let unasked = app.creates_key("unasked").await.key.id;
        let idle = app.creates_key("idle").await.key.id;
        // The clock stands at 2026-01-01; another node's is ahead.
        let days = [
            ("2026-01-02", 7),
            ("2026-01-01", 1),
            ("2025-12-31", 10),
            ("2025-12-02", 1_000),
        ];
        app.used(often, &days).await;
        app.used(once, &[("2025-12-03", 5)]).await;
        app.used(unasked, &[("2026-01-01", 5)]).await;
        let keys = &app.node.keys;
        let asked = [often, once, idle];

        let usage = keys
            .usage_of_keys(app.organization, &asked, 30)
            .await
            .unwrap();
        assert_eq!(
            usage
                .keys()
                .copied()
                .collect::<std::collections::BTreeSet<_>>(),
            [often, once].into()
        );
        let counts = &usage[&often];
        assert_eq!((counts.len(), counts[28], counts[29]), (30, 10, 1));
        assert_eq!(counts.iter().sum::<i64>(), 11);
        assert_eq!((usage[&once][0], usage[&once].iter().sum::<i64>()), (5, 5));

        let short = keys
            .usage_of_keys(app.organization, &asked, 2)
            .await
            .unwrap();
        assert_eq!(short, [(often, vec![10, 1])].into());
        let none = keys.usage_of_keys(app.organization, &[], 30).await.unwrap();
        assert!(none.is_empty());
        let elsewhere =
            crate::testing::add_organization(&app.database, &*app.clock, "globex").await;
        let foreign = keys.usage_of_keys(elsewhere, &asked, 30).await.unwrap();
        assert!(foreign.is_empty());
    })
    .await;
}

#[tokio::test]
async fn keys_that_end_soon_are_those_that_work() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let now = app.clock.now();
        let until = |name: &str, days: i64| NewApiKey {
            expires_at: Some(now.plus_seconds(days * 86_400)),
            ..app.new_key(name)
        };
        app.creates(until("in six days", 6)).await;
        app.creates(until("in two days", 2)).await;
        app.creates(until("in eight days", 8)).await;
        app.creates(until("tomorrow, gone", 1)).await;
        let disabled = app.creates(until("disabled", 3)).await;
        app.disables(&disabled).await;
        app.creates_key("never").await;
        app.clock.advance_seconds(86_400);
        let keys = &app.node.keys;
        let in_a_week = now.plus_seconds(7 * 86_400);
        let found = keys.expiring_keys(app.organization, in_a_week, 10).await;
        let found = found.unwrap();
        let names: Vec<_> = found.iter().map(|key| key.name.as_str()).collect();
        assert_eq!(names, ["in two days", "in six days"]);
        assert_eq!(found[0].owner_name, "ci");
        let first = keys.expiring_keys(app.organization, in_a_week, 1).await;
        assert_eq!(first.unwrap(), found[..1]);
    })
    .await;
}

#[tokio::test]
async fn keys_come_in_the_order_that_is_asked_for() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let mut ids = Vec::new();
        for (name, life) in [("beta", Some(900)), ("Alpha", None), ("gamma", Some(300))] {
            let new = NewApiKey {
                expires_at: life.map(|seconds| app.clock.now().plus_seconds(seconds)),
                ..app.new_key(name)
            };
            let made = app.node.keys.create_key(act(), Asker::Machine, new).await;
            ids.push(made.unwrap().key.id);
            app.clock.advance_seconds(1);
        }
        app.used(ids[2], &[]).await;
        app.clock.advance_seconds(60);
        app.used(ids[0], &[]).await;

        let ordered = async |order, page| {
            let filter = KeyFilter::default();
            let keys = &app.node.keys;
            let found = keys.list_keys_ordered(app.organization, &filter, order, page);
            let found = found.await.unwrap().into_iter();
            found.map(|listed| listed.key.name).collect::<Vec<_>>()
        };
        for (order, expected) in [
            (KeyOrder::Newest, ["gamma", "Alpha", "beta"]),
            (KeyOrder::Name, ["Alpha", "beta", "gamma"]),
            (KeyOrder::LastUsed, ["beta", "gamma", "Alpha"]),
            (KeyOrder::Expiry, ["gamma", "beta", "Alpha"]),
        ] {
            assert_eq!(ordered(order, (0, 10)).await, expected, "{order:?}");
            let pages = [ordered(order, (0, 2)).await, ordered(order, (2, 2)).await];
            assert_eq!(pages.concat(), expected, "{order:?}");
        }
    })
    .await;
}
