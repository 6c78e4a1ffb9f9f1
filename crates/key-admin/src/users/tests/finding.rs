use secrecy::ExposeSecret;
use storage::testing::on_both_engines;

use super::{adds, creates, key_of, machine, new_user};
use crate::testing::{App, act, add_organization};
use crate::users::{ListedUser, NewUser, UserRole, generated_password};
use crate::{Asker, KeyRevocation, PrincipalPage};

async fn finds(app: &App, search: Option<&str>) -> Vec<ListedUser> {
    let page = PrincipalPage {
        after: None,
        limit: 100,
    };
    let keys = &app.node.keys;
    keys.find_users(app.organization, search, page)
        .await
        .unwrap()
}

async fn names(app: &App, search: &str) -> Vec<String> {
    let found = finds(app, Some(search)).await;
    found.into_iter().map(|listed| listed.user.name).collect()
}

#[tokio::test]
async fn users_are_found_by_name_and_address() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        adds(&app, "ada@example.com", UserRole::Owner).await;
        let named = NewUser {
            name: Some("Élodie 100%".to_owned()),
            ..new_user("e_l@example.org", UserRole::Viewer)
        };
        creates(&app, machine(), named).await.unwrap();

        assert_eq!(names(&app, "ADA@").await, ["ada@example.com"]);
        assert_eq!(names(&app, "Élodie").await, ["Élodie 100%"]);
        assert_eq!(names(&app, "LODIE").await, ["Élodie 100%"]);
        assert_eq!(names(&app, "%").await, ["Élodie 100%"]);
        assert_eq!(names(&app, "_").await, ["Élodie 100%"]);
        assert_eq!(names(&app, "example").await.len(), 2);
        assert_eq!(finds(&app, None).await.len(), 2);
        let elsewhere = add_organization(&app.database, &*app.clock, "globex").await;
        let page = PrincipalPage {
            after: None,
            limit: 100,
        };
        let foreign = app.node.keys.find_users(elsewhere, None, page).await;
        assert_eq!(foreign.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn what_depends_on_a_user_is_counted() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let ada = adds(&app, "ada@example.com", UserRole::Owner).await;
        let grace = adds(&app, "grace@example.com", UserRole::Admin).await;
        key_of(&app, ada.id).await;
        key_of(&app, ada.id).await;
        let revoked = key_of(&app, ada.id).await;
        let keys = &app.node.keys;
        let how = KeyRevocation::default();
        keys.revoke_key(act(), Asker::Machine, app.organization, revoked.key.id, how)
            .await
            .unwrap();
        let expected = [
            ListedUser {
                user: ada,
                live_keys: 2,
                has_second_factor: false,
                last_seen_at: None,
            },
            ListedUser {
                user: grace,
                live_keys: 0,
                has_second_factor: false,
                last_seen_at: None,
            },
        ];
        assert_eq!(finds(&app, None).await, expected);
    })
    .await;
}

#[tokio::test]
async fn a_generated_password_is_good_enough_and_never_the_same() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let (first, second) = (generated_password().unwrap(), generated_password().unwrap());
        assert_ne!(first.expose_secret(), second.expose_secret());
        assert_eq!(first.expose_secret().len(), 23);
        let new = NewUser {
            password: first,
            ..new_user("ada@example.com", UserRole::Owner)
        };
        creates(&app, machine(), new).await.unwrap();
    })
    .await;
}
