use storage::testing::on_both_engines;

use super::*;
use crate::users::UserError;

async fn enters(
    app: &App,
    pending: &SecretString,
    code: &SecretString,
) -> Result<NewConsoleSession, SignInError> {
    let keys = &app.node.keys;
    keys.sign_in_with_code(&browser(), pending, code).await
}

async fn begins(app: &App) -> SecretString {
    pending(tries(app, ADA, PASSWORD).await.unwrap())
}

/// Ada with a second factor, half a minute after its first code.
async fn with_factor(app: &App) -> (NewConsoleSession, SecondFactorSetup, Vec<SecretString>) {
    adds(app, ADA, UserRole::Owner).await;
    let session = signs_in(app, ADA).await;
    let (setup, codes) = enables(app, &session.person).await;
    app.clock.advance_seconds(30);
    (session, setup, codes)
}

fn assert_wrong(answer: Result<NewConsoleSession, SignInError>) {
    let Err(refused) = answer else {
        panic!("signed in")
    };
    assert!(matches!(refused, SignInError::Wrong), "{refused:?}");
}

#[tokio::test]
async fn a_code_ends_the_sign_in_and_works_once() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let (_, setup, _) = with_factor(&app).await;
        let first = begins(&app).await;
        assert!(
            app.node
                .keys
                .console_session(&first)
                .await
                .unwrap()
                .is_none()
        );
        let shown = code(&app, &setup);
        let session = enters(&app, &first, &shown).await.unwrap();
        assert!(person(&app, &session).await.is_some());
        assert_wrong(enters(&app, &first, &shown).await);
        let second = begins(&app).await;
        assert_wrong(enters(&app, &second, &shown).await);
        app.clock.advance_seconds(30);
        enters(&app, &second, &code(&app, &setup)).await.unwrap();
        let signed_in = events(&app, "console.sign_in").await;
        assert_eq!(signed_in[0].detail["method"], "password_and_code");
        assert_eq!(signed_in[0].detail["code"]["kind"], "totp");
    })
    .await;
}

#[tokio::test]
async fn a_recovery_code_works_once_and_is_stored_nowhere() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let (session, _, codes) = with_factor(&app).await;
        assert_eq!(codes.len(), 10);
        let keys = &app.node.keys;
        let typed: SecretString = codes[3].expose_secret().to_uppercase().into();
        enters(&app, &begins(&app).await, &typed).await.unwrap();
        let again = begins(&app).await;
        assert_wrong(enters(&app, &again, &codes[3]).await);
        enters(&app, &again, &codes[4]).await.unwrap();
        let factor = keys.second_factor(&session.person).await.unwrap().unwrap();
        assert_eq!(factor.recovery_codes_left, 8);
        let event = &events(&app, "console.sign_in").await[0];
        assert_eq!(event.detail["code"]["recovery_codes_left"], 8);
        let mut read = app.database.read().await.unwrap();
        let sql = "select code_hash from recovery_codes";
        let rows = storage::fetch_all!(read.conn(), (Vec<u8>,), sql).unwrap();
        assert!(rows.len() == 10 && rows.iter().all(|(hash,)| hash.len() == 32));
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_waits_five_minutes_and_takes_five_codes() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let (_, setup, codes) = with_factor(&app).await;
        let late = begins(&app).await;
        app.clock.advance_seconds(PENDING_SIGN_IN_SECONDS);
        assert_wrong(enters(&app, &late, &codes[0]).await);
        assert_wrong(enters(&app, &SecretString::from("0".repeat(43)), &codes[0]).await);

        let tried = begins(&app).await;
        for wrong in ["0000-0000-0000", "zzzz-zzzz-zzzz", "nonsense", "", "12345"] {
            assert_wrong(enters(&app, &tried, &wrong.into()).await);
        }
        assert_wrong(enters(&app, &tried, &codes[0]).await);
        app.clock.advance_seconds(60);
        enters(&app, &begins(&app).await, &code(&app, &setup))
            .await
            .unwrap();
        let refused = events(&app, "console.sign_in.refuse").await;
        assert!(reasons(&refused).contains(&"too_many_codes"));
        assert_eq!(app.node.keys.forget_sign_ins().await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn wrong_codes_of_an_account_are_limited_and_recovery_codes_are_not() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let (session, setup, codes) = with_factor(&app).await;
        let keys = &app.node.keys;
        let right = code(&app, &setup);
        let wrong: SecretString = if right.expose_secret() == "000000" {
            "000001".into()
        } else {
            "000000".into()
        };
        let mut refused = 0;
        let limited = loop {
            let removed = keys
                .remove_second_factor(act(), &session.person, &wrong)
                .await;
            match removed {
                Err(SecondFactorError::WrongCode) if refused < 20 => refused += 1,
                other => break other,
            }
        };
        assert!(
            matches!(limited, Err(SecondFactorError::Limited(_))),
            "{limited:?}"
        );
        assert_eq!(refused, 10);
        let begun = begins(&app).await;
        let limited = enters(&app, &begun, &right).await;
        assert!(matches!(limited, Err(SignInError::Limited(_))));
        enters(&app, &begun, &codes[0]).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_second_factor_counts_once_it_is_confirmed() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        adds(&app, ADA, UserRole::Owner).await;
        let session = signs_in(&app, ADA).await;
        let (keys, person) = (&app.node.keys, &session.person);
        let off = keys
            .confirm_second_factor(act(), person, &"123456".into())
            .await;
        assert!(matches!(off, Err(SecondFactorError::Off)));
        let old = keys.begin_second_factor(person).await.unwrap();
        signs_in(&app, ADA).await;
        assert!(keys.second_factor(person).await.unwrap().is_none());

        let setup = keys.begin_second_factor(person).await.unwrap();
        let of_old = keys
            .confirm_second_factor(act(), person, &code(&app, &old))
            .await;
        assert!(matches!(of_old, Err(SecondFactorError::WrongCode)));
        let shown = code(&app, &setup);
        keys.confirm_second_factor(act(), person, &shown)
            .await
            .unwrap();
        let begun_again = keys.begin_second_factor(person).await;
        assert!(matches!(begun_again, Err(SecondFactorError::AlreadyOn)));
        let again = keys.confirm_second_factor(act(), person, &shown).await;
        assert!(matches!(again, Err(SecondFactorError::AlreadyOn)));
        // The code that confirmed it is used up.
        assert_wrong(enters(&app, &begins(&app).await, &shown).await);
        assert_eq!(events(&app, "user.second_factor.enable").await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_second_factor_that_nobody_confirms_is_forgotten() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        adds(&app, ADA, UserRole::Owner).await;
        let session = signs_in(&app, ADA).await;
        let keys = &app.node.keys;
        keys.begin_second_factor(&session.person).await.unwrap();
        keys.sign_out(act(), &session.person).await.unwrap();
        app.clock.advance_seconds(UNCONFIRMED_SECONDS - 1);
        assert_eq!(keys.forget_sign_ins().await.unwrap(), 0);
        app.clock.advance_seconds(1);
        assert_eq!(keys.forget_sign_ins().await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn recovery_codes_are_renewed_and_the_factor_removed_by_a_code() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let (session, setup, old) = with_factor(&app).await;
        let (keys, person) = (&app.node.keys, &session.person);
        let wrong = keys
            .renew_recovery_codes(act(), person, &"zzzz-zzzz-zzzz".into())
            .await;
        assert!(matches!(wrong, Err(SecondFactorError::WrongCode)));
        let new = keys
            .renew_recovery_codes(act(), person, &old[0])
            .await
            .unwrap();
        assert_eq!(new.len(), 10);
        for void in &old {
            let removed = keys.remove_second_factor(act(), person, void).await;
            assert!(matches!(removed, Err(SecondFactorError::WrongCode)));
        }
        keys.remove_second_factor(act(), person, &code(&app, &setup))
            .await
            .unwrap();
        let off = keys.remove_second_factor(act(), person, &new[0]).await;
        assert!(matches!(off, Err(SecondFactorError::Off)));
        signs_in(&app, ADA).await;
        assert_eq!(events(&app, "user.second_factor.disable").await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_administrator_removes_the_factor_of_whom_it_may_change() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let (session, ..) = with_factor(&app).await;
        let ada = session.person.user().id;
        let keys = &app.node.keys;
        let organization = app.organization;
        let by_admin = keys
            .remove_second_factor_of(act(), Some(UserRole::Admin), organization, ada)
            .await;
        assert!(matches!(
            by_admin,
            Err(SecondFactorError::User(UserError::OwnersOnly))
        ));
        assert!(keys.second_factor(&session.person).await.unwrap().is_some());
        let by_owner = async || {
            keys.remove_second_factor_of(act(), Some(UserRole::Owner), organization, ada)
                .await
        };
        by_owner().await.unwrap();
        assert!(matches!(by_owner().await, Err(SecondFactorError::Off)));
        assert!(person(&app, &session).await.is_none());
        signs_in(&app, ADA).await;
        assert_eq!(events(&app, "user.second_factor.remove").await.len(), 1);
    })
    .await;
}
