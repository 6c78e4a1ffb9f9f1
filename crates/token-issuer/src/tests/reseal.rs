//! The change of the master secret, row by row, while servers run.

use std::sync::Arc;

use key_admin::Act;
use key_admin::sealing::Sealer;
use policy::AudienceName;
use secrecy::ExposeSecret;
use storage::testing::on_both_engines;
use storage::{Clock, Database, PrincipalId, execute, fetch_all, fetch_one};

use super::installation_keys::{changing, master};
use super::{App, MASTER, NOW, OTHER_MASTER, start, start_at};
use crate::audiences::{Audience, AudienceSettings, DEFAULT_LIMITS, NewAudience};
use crate::reseal::SealedColumn;
use crate::rings::JWKS_MAX_AGE_SECONDS;
use crate::services::ServicesError;
use crate::signing_keys::{SigningAlgorithm, store};
use crate::{Reseal, ResealError, Services, StartError};

async fn begin(database: &Database) -> Reseal {
    let secrets = changing(MASTER, OTHER_MASTER);
    let begun = Reseal::begin(database.clone(), &secrets).await;
    begun.unwrap()
}

/// What a whole walk did.
#[derive(Debug, Default, PartialEq, Eq)]
struct Walked {
    resealed: u64,
    already: u64,
    unreadable: Vec<String>,
}

async fn walk(mut reseal: Reseal) -> Result<Walked, ResealError> {
    let mut walked = Walked::default();
    while let Some(batch) = reseal.next_batch().await? {
        walked.resealed += batch.resealed;
        walked.already += batch.already;
        walked.unreadable.extend(batch.unreadable);
    }
    Ok(walked)
}

fn counted(resealed: u64, already: u64) -> Walked {
    Walked {
        resealed,
        already,
        unreadable: Vec::new(),
    }
}

/// How many values there are, and how many of them open under the new secret.
async fn sealed(database: &Database) -> (usize, usize) {
    let sealer = Sealer::new(&master(OTHER_MASTER)).unwrap();
    let mut tx = database.snapshot().await.unwrap();
    let mut rows = store::sealed(tx.conn(), "", 1_000).await.unwrap();
    let own = crate::installation_keys::sealed(tx.conn(), "", 1_000).await;
    rows.extend(own.unwrap());
    let new = rows
        .iter()
        .filter(|row| sealer.open(&row.identity, &row.sealed).is_ok())
        .count();
    (rows.len(), new)
}

/// An installation in the middle of the change: a server that seals under the new secret, and rows under the old one.
async fn in_the_middle(database: &Database) -> (Arc<App>, Arc<Services>) {
    let app = App::on(database.clone()).await;
    for algorithm in SigningAlgorithm::ALL {
        adds(
            &app,
            &app.services,
            &algorithm.as_str().to_lowercase(),
            *algorithm,
        )
        .await;
    }
    let changed = start_at(database, changing(MASTER, OTHER_MASTER), app.clock.clone()).await;
    (Arc::new(app), Arc::new(changed.unwrap()))
}

async fn adds(app: &App, services: &Services, name: &str, algorithm: SigningAlgorithm) -> Audience {
    let new = NewAudience {
        name: AudienceName::parse(name.to_owned()).unwrap(),
        aud: None,
        algorithm,
        limits: DEFAULT_LIMITS,
        settings: AudienceSettings::default(),
        secret: None,
    };
    let act = Act::on_command_line();
    let issuer = &services.issuer;
    let made = issuer.create_audience(&act, app.organization.id, new).await;
    made.unwrap()
}

/// A user with the second factor that was computed from this secret.
async fn adds_second_factor(app: &App, secret: &[u8]) -> PrincipalId {
    let sealer = Sealer::new(&master(MASTER)).unwrap();
    let (id, organization) = (PrincipalId::new(&*app.clock), app.organization.id);
    let identity = format!("second_factors/{id}");
    let sealed = sealer.seal(&identity, &secret.to_vec().into()).unwrap();
    let mut tx = app.database.write().await.unwrap();
    let sql = "insert into principals (id, organization_id, kind, name, state, created_at)
               values ($1, $2, 'user', 'somebody', 'active', $3)";
    execute!(tx.conn(), sql, id, organization, app.clock.now()).unwrap();
    let sql = "insert into users (principal_id, organization_id, email, password_hash, role)
               values ($1, $2, $3, '!', 'member')";
    let email = format!("{id}@example.com");
    execute!(tx.conn(), sql, id, organization, email).unwrap();
    let sql = "insert into second_factors (user_id, organization_id, sealed_secret, last_step, created_at)
               values ($1, $2, $3, 0, $4)";
    let now = app.clock.now();
    execute!(tx.conn(), sql, id, organization, &sealed, now).unwrap();
    tx.commit().await.unwrap();
    id
}

#[tokio::test]
async fn second_factors_are_sealed_anew_in_any_number_of_batches() {
    on_both_engines(|database| async move {
        let app = App::on(database.clone()).await;
        let mut users = Vec::new();
        for number in 0..5_u8 {
            users.push((adds_second_factor(&app, &[number; 20]).await, number));
        }
        // The default audience has two keys, the installation two of its own.
        let walked = walk(begin(&database).await.in_batches_of(2)).await.unwrap();
        assert_eq!(walked, counted(9, 0));
        let sealer = Sealer::new(&master(OTHER_MASTER)).unwrap();
        let mut read = database.read().await.unwrap();
        for (user, number) in users {
            let sql = "select sealed_secret from second_factors where user_id = $1";
            let (sealed,) = fetch_one!(read.conn(), (Vec<u8>,), sql, user).unwrap();
            let opened = sealer.open(&format!("second_factors/{user}"), &sealed);
            assert_eq!(opened.unwrap().expose_secret(), [number; 20]);
        }
    })
    .await;
}

async fn rotates(app: &App, services: &Services, audience: &Audience) {
    let act = Act::on_command_line();
    let (organization, audience) = (app.organization.id, audience.id);
    let rotated = services
        .issuer
        .rotate_signing_key(&act, organization, audience);
    rotated.await.unwrap();
}

/// The default audience gets a retired key.
async fn has_retired_a_key(app: &App) {
    let audience = app.default().await;
    app.clock.advance_seconds(JWKS_MAX_AGE_SECONDS.into());
    rotates(app, &app.services, &audience).await;
    let (issuer, organization) = (&app.services.issuer, app.organization.id);
    let keys = issuer.signing_keys(organization, audience.id).await;
    let previous = keys.unwrap().pop().unwrap().kid;
    let act = Act::on_command_line();
    let retired = issuer.retire_signing_key(&act, organization, audience.id, &previous);
    retired.await.unwrap();
}

#[tokio::test]
async fn everything_is_sealed_anew_and_only_once() {
    on_both_engines(|database| async move {
        let (app, changed) = in_the_middle(&database).await;
        has_retired_a_key(&app).await;
        // Six audiences with two keys each, a retired one, and the installation's two.
        assert_eq!(sealed(&database).await, (17, 0));
        assert_eq!(walk(begin(&database).await).await.unwrap(), counted(17, 0));
        assert_eq!(sealed(&database).await, (17, 17));
        let before = changed.issuer.hasher.of(app.organization.id).unwrap();
        assert_eq!(walk(begin(&database).await).await.unwrap(), counted(0, 17));

        let after = start_at(&database, master(OTHER_MASTER), app.clock.clone()).await;
        let after = Arc::new(after.unwrap());
        let value = serde_json::json!("t-1");
        assert_eq!(
            before.hash("tenant_id", &value),
            after
                .issuer
                .hasher
                .of(app.organization.id)
                .unwrap()
                .hash("tenant_id", &value)
        );
        let jwks = async |services: &Services| {
            let issuer = services.issuer.organization(&app.organization.slug).await;
            issuer.unwrap().unwrap().value.jwks().body.clone()
        };
        assert_eq!(jwks(&changed).await, jwks(&after).await);
        let refused = start(&database, MASTER).await.unwrap_err();
        assert!(
            matches!(
                refused,
                ServicesError::Rings(StartError::InstallationKey { .. })
            ),
            "{refused:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn an_interrupted_walk_is_resumed_by_another() {
    on_both_engines(|database| async move {
        let (_, _) = in_the_middle(&database).await;
        let mut new = 0;
        for batches in 1..=4 {
            let mut interrupted = begin(&database).await.in_batches_of(3);
            for _ in 0..batches {
                interrupted.next_batch().await.unwrap();
            }
            drop(interrupted);
            let (all, now) = sealed(&database).await;
            assert!(all == 16 && (new..all).contains(&now), "{now} of {all}");
            new = now;
            // Half of it is under the one, half under the other: with both secrets servers start.
            let both = start_at(
                &database,
                changing(MASTER, OTHER_MASTER),
                Arc::new(storage::ManualClock::at(NOW)),
            );
            both.await.unwrap();
            start(&database, OTHER_MASTER).await.unwrap_err();
            start(&database, MASTER).await.unwrap_err();
        }
        assert_eq!(new, 8, "the installation's two, and two batches of keys");
        let rest = walk(begin(&database).await.in_batches_of(3)).await;
        assert_eq!(rest.unwrap(), counted(8, 8));
        start(&database, OTHER_MASTER).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn rings_rotate_between_batches() {
    on_both_engines(|database| async move {
        let (app, changed) = in_the_middle(&database).await;
        let mut reseal = begin(&database).await.in_batches_of(1);
        let audiences = changed.issuer.audiences(app.organization.id).await.unwrap();
        let mut asymmetric = audiences
            .iter()
            .filter(|it| !it.algorithm.is_symmetric())
            .cycle();
        // A rotation makes a key, which may come later in the walk: this many, then the walk comes to its end.
        for _ in 0..12 {
            reseal.next_batch().await.unwrap();
            app.clock.advance_seconds(JWKS_MAX_AGE_SECONDS.into());
            rotates(&app, &changed, asymmetric.next().unwrap()).await;
        }
        walk(reseal).await.unwrap();
        let (all, new) = sealed(&database).await;
        assert_eq!((all, new), (16 + 12, 16 + 12));
        start_at(&database, master(OTHER_MASTER), app.clock.clone())
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn walks_and_changes_at_once_do_not_block_each_other() {
    on_both_engines(|database| async move {
        let (app, changed) = in_the_middle(&database).await;
        app.clock.advance_seconds(JWKS_MAX_AGE_SECONDS.into());
        let audiences = changed.issuer.audiences(app.organization.id).await.unwrap();
        let rotations: Vec<_> = audiences
            .into_iter()
            .map(|audience| {
                let (app, changed) = (app.clone(), changed.clone());
                tokio::spawn(async move { rotates(&app, &changed, &audience).await })
            })
            .collect();
        let walks: Vec<_> = (0..4)
            .map(|rows| {
                let database = database.clone();
                tokio::spawn(async move {
                    walk(begin(&database).await.in_batches_of(rows + 1))
                        .await
                        .unwrap()
                })
            })
            .collect();
        for rotation in rotations {
            rotation.await.unwrap();
        }
        let mut resealed = 0;
        for walk in walks {
            resealed += walk.await.unwrap().resealed;
        }
        assert_eq!(resealed, 16, "each value once, whoever did it");
        assert_eq!(sealed(&database).await, (23, 23));
        app.services.feed.refresh().await.unwrap();
        changed.feed.refresh().await.unwrap();
        let caller = &app.caller;
        let request = crate::IssueRequest {
            grant: super::request("user-42"),
            origin: crate::Origin {
                request_id: "req-1".to_owned(),
                client: "2001:db8::7".parse().unwrap(),
            },
        };
        changed.issuer.issue(caller, request).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_row_that_opens_under_neither_is_named_and_left_alone() {
    on_both_engines(|database| async move {
        in_the_middle(&database).await;
        let mut tx = database.write().await.unwrap();
        let sql = "select kid, sealed_private_key from signing_keys order by kid limit 1";
        let (kid, mut altered) = fetch_one!(tx.conn(), (String, Vec<u8>), sql).unwrap();
        *altered.last_mut().unwrap() ^= 1;
        let sql = "update signing_keys set sealed_private_key = $2 where kid = $1";
        execute!(tx.conn(), sql, &kid, &altered).unwrap();
        tx.commit().await.unwrap();

        let walked = walk(begin(&database).await.in_batches_of(1)).await.unwrap();
        assert_eq!(
            walked,
            Walked {
                resealed: 15,
                already: 0,
                unreadable: vec![kid.clone()]
            }
        );
        let mut read = database.read().await.unwrap();
        let sql = "select sealed_private_key from signing_keys where kid = $1";
        let stored = fetch_all!(read.conn(), (Vec<u8>,), sql, &kid).unwrap();
        assert_eq!(stored, [(altered,)]);
    })
    .await;
}

#[tokio::test]
async fn a_row_that_is_not_as_it_was_read_is_not_replaced() {
    on_both_engines(|database| async move {
        let app = App::on(database.clone()).await;
        for secret in [b"one", b"two"] {
            adds_second_factor(&app, secret).await;
        }
        for column in SealedColumn::ALL {
            let mut tx = database.write().await.unwrap();
            let rows = column.read(tx.conn(), "", 10).await.unwrap();
            let [row, other] = rows.as_slice() else {
                panic!("two rows of {column:?}: {rows:?}")
            };
            assert!(column.replace(tx.conn(), row, b"first").await.unwrap());
            assert!(!column.replace(tx.conn(), row, b"second").await.unwrap());
            let now = column.read(tx.conn(), "", 10).await.unwrap();
            assert_eq!(now[0].sealed, b"first", "{column:?}");
            assert_eq!(now[1].sealed, other.sealed, "{column:?}");
            let behind = column.read(tx.conn(), &row.key, 10).await.unwrap();
            assert_eq!(behind.len(), 1, "{column:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn with_the_wrong_secrets_nothing_begins() {
    on_both_engines(|database| async move {
        in_the_middle(&database).await;
        let third = "0011".repeat(16);
        let refused = Reseal::begin(database.clone(), &changing(&third, OTHER_MASTER)).await;
        assert!(
            matches!(
                refused,
                Err(ResealError::Start(StartError::InstallationKey { .. }))
            ),
            "{refused:?}"
        );
        assert_eq!(sealed(&database).await, (16, 0));
    })
    .await;
}

/// Its keys are taken from the secret that is being left behind, before nothing tells any more which one that is.
#[tokio::test]
async fn an_installation_without_keys_of_its_own_gets_them_first() {
    on_both_engines(|database| async move {
        in_the_middle(&database).await;
        let mut tx = database.write().await.unwrap();
        execute!(tx.conn(), "delete from installation_keys").unwrap();
        tx.commit().await.unwrap();
        let walked = walk(begin(&database).await).await.unwrap();
        assert_eq!(walked, counted(14, 2));
        let services = start(&database, OTHER_MASTER).await.unwrap();
        let derived = crate::sessions::AttributeHasher::new(
            master(MASTER).derive(crate::sessions::AttributeHasher::LABEL),
        );
        let organization = storage::OrganizationId::new(&storage::SystemClock);
        let value = serde_json::json!("t-1");
        let hash = |hasher: &crate::sessions::AttributeHasher| {
            hasher.of(organization).unwrap().hash("tenant_id", &value)
        };
        assert_eq!(hash(&derived), hash(&services.issuer.hasher));
    })
    .await;
}

#[test]
fn every_sealed_column_of_the_schema_is_walked() {
    let migrations = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/postgres");
    let mut sealed = 0;
    for file in std::fs::read_dir(migrations).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let columns = text.lines().map(str::trim_start).map(|line| {
            line.split_once("add column ")
                .map_or(line, |(_, column)| column)
        });
        sealed += columns
            .filter(|column| column.starts_with("sealed_"))
            .count();
    }
    assert_eq!(sealed, SealedColumn::ALL.len());
}
