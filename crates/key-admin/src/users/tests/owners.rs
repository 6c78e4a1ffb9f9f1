use std::sync::Arc;

use storage::testing::on_both_engines;

use super::*;
use crate::{ApiKeyId, Deletion, PrincipalState};

fn is_active_owner(user: &User) -> bool {
    user.role == UserRole::Owner && user.state == PrincipalState::Active
}

async fn active_owners(app: &App) -> usize {
    let users = users_of(app, app.organization).await;
    users.iter().filter(|user| is_active_owner(user)).count()
}

async fn removes(
    app: &App,
    (act, by): (Act, Option<UserRole>),
    id: PrincipalId,
) -> Result<Vec<ApiKeyId>, UserError> {
    let deletion = Deletion { revoke_keys: true };
    let keys = &app.node.keys;
    keys.delete_user(&act, by, app.organization, id, deletion)
        .await
}

#[tokio::test]
async fn the_last_active_owner_stays_one() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let ada = adds(&app, "ada@example.com", UserRole::Owner).await;
        adds(&app, "bob@example.com", UserRole::Admin).await;
        let eve = adds(&app, "eve@example.com", UserRole::Owner).await;
        let suspended = changes(&app, machine(), eve.id, state(PrincipalState::Suspended));
        suspended.await.unwrap();

        for actor in [machine(), person(&ada)] {
            for change in [
                role(UserRole::Admin),
                role(UserRole::Viewer),
                state(PrincipalState::Suspended),
            ] {
                let refused = changes(&app, actor.clone(), ada.id, change).await;
                assert!(matches!(refused, Err(UserError::LastOwner)), "{refused:?}");
            }
            let refused = removes(&app, actor, ada.id).await;
            assert!(matches!(refused, Err(UserError::LastOwner)), "{refused:?}");
        }
        assert_eq!(active_owners(&app).await, 1);
        assert_eq!(events_about(&app, ada.id).await.len(), 1);

        changes(&app, machine(), ada.id, name("Ada")).await.unwrap();
        removes(&app, machine(), eve.id).await.unwrap();
        let bob = adds(&app, "bob2@example.com", UserRole::Owner).await;
        removes(&app, person(&bob), ada.id).await.unwrap();
        assert_eq!(active_owners(&app).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_demotions_leave_exactly_one_owner() {
    on_both_engines(|database| async move {
        let app = Arc::new(App::on(database).await);
        let ada = adds(&app, "ada@example.com", UserRole::Owner).await;
        let bob = adds(&app, "bob@example.com", UserRole::Owner).await;
        let attempts: Vec<_> = (0..16)
            .map(|number| {
                let app = app.clone();
                let id = if number % 2 == 0 { ada.id } else { bob.id };
                tokio::spawn(
                    async move { changes(&app, machine(), id, role(UserRole::Member)).await },
                )
            })
            .collect();
        for attempt in attempts {
            let answer = attempt.await.unwrap();
            assert!(
                matches!(answer, Ok(_) | Err(UserError::LastOwner)),
                "{answer:?}"
            );
        }
        assert_eq!(active_owners(&app).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_changes_of_every_kind_leave_exactly_one_owner() {
    on_both_engines(|database| async move {
        let app = Arc::new(App::on(database).await);
        let mut owners = Vec::new();
        for number in 0..6 {
            owners.push(adds(&app, &format!("user{number}@example.com"), UserRole::Owner).await);
        }
        let attempts: Vec<_> = owners
            .into_iter()
            .enumerate()
            .map(|(number, owner)| {
                let app = app.clone();
                tokio::spawn(async move {
                    let change = match number % 3 {
                        0 => role(UserRole::Admin),
                        1 => state(PrincipalState::Suspended),
                        _ => return removes(&app, machine(), owner.id).await.map(|_| ()),
                    };
                    changes(&app, machine(), owner.id, change).await.map(|_| ())
                })
            })
            .collect();
        let mut refused = 0;
        for attempt in attempts {
            match attempt.await.unwrap() {
                Ok(()) => {}
                Err(UserError::LastOwner) => refused += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!((refused, active_owners(&app).await), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn only_owners_make_change_and_remove_owners() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let ada = adds(&app, "ada@example.com", UserRole::Owner).await;
        adds(&app, "eve@example.com", UserRole::Owner).await;
        let bob = adds(&app, "bob@example.com", UserRole::Admin).await;
        let key = app.creates_key("of a service account").await;
        let program = Act {
            actor: Actor::ApiKey(key.key.id),
            ..Act::on_command_line()
        };
        for actor in [person(&bob), (program, None)] {
            let made = new_user("new@example.com", UserRole::Owner);
            let made = creates(&app, actor.clone(), made).await;
            assert!(matches!(made, Err(UserError::OwnersOnly)), "{made:?}");
            for (id, change) in [
                (ada.id, name("Ada")),
                (ada.id, role(UserRole::Admin)),
                (ada.id, state(PrincipalState::Suspended)),
                (ada.id, password("nine noisy otters")),
                (bob.id, role(UserRole::Owner)),
            ] {
                let changed = changes(&app, actor.clone(), id, change).await;
                assert!(matches!(changed, Err(UserError::OwnersOnly)), "{changed:?}");
            }
            let removed = removes(&app, actor.clone(), ada.id).await;
            assert!(matches!(removed, Err(UserError::OwnersOnly)), "{removed:?}");
            changes(&app, actor, bob.id, name("Bob")).await.unwrap();
        }

        let promoted = changes(&app, person(&ada), bob.id, role(UserRole::Owner)).await;
        assert_eq!(promoted.unwrap().role, UserRole::Owner);
    })
    .await;
}

#[tokio::test]
async fn nobody_gives_or_touches_a_stronger_role() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        adds(&app, "ada@example.com", UserRole::Owner).await;
        let admin = adds(&app, "admin@example.com", UserRole::Admin).await;
        let bob = adds(&app, "bob@example.com", UserRole::Member).await;
        for actor in [
            &bob,
            &User {
                role: UserRole::Viewer,
                ..bob.clone()
            },
        ] {
            let made = new_user("new@example.com", UserRole::Admin);
            let made = creates(&app, person(actor), made).await;
            assert!(matches!(made, Err(UserError::StrongerRole)), "{made:?}");
            for (id, change) in [
                (bob.id, role(UserRole::Admin)),
                (admin.id, role(UserRole::Viewer)),
                (admin.id, password("nine noisy otters")),
            ] {
                let changed = changes(&app, person(actor), id, change).await;
                assert!(
                    matches!(changed, Err(UserError::StrongerRole)),
                    "{changed:?}"
                );
            }
            let removed = removes(&app, person(actor), admin.id).await;
            assert!(
                matches!(removed, Err(UserError::StrongerRole)),
                "{removed:?}"
            );
        }
        let made = new_user("new@example.com", UserRole::Member);
        creates(&app, person(&bob), made).await.unwrap();
    })
    .await;
}
