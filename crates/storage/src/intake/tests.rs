use super::Intake;
use crate::testing::ScratchDatabase;
use crate::{Database, Engine};

async fn scratch() -> (ScratchDatabase, Database) {
    let scratch = ScratchDatabase::create(Engine::Sqlite).await;
    let database = Database::connect(scratch.url()).await.unwrap();
    (scratch, database)
}

async fn texts(intake: &mut Intake, after: i64, limit: u32) -> Vec<(i64, String)> {
    let groups = intake.after(after, limit).await.unwrap();
    groups.into_iter().map(|it| (it.id, it.rows)).collect()
}

#[tokio::test]
async fn what_is_appended_is_there_for_the_next_process_until_it_is_forgotten() {
    let (_scratch, database) = scratch().await;
    let mut intake = Intake::of(&database).unwrap();
    assert!(!intake.exists());
    let first = intake.append("[1]".into(), &[]).await.unwrap();
    let second = intake.append("[2]".into(), &[]).await.unwrap();
    assert!(intake.exists() && first < second);
    intake.close().await;

    let mut next = Intake::of(&database).unwrap();
    let both = [(first, "[1]".to_owned()), (second, "[2]".to_owned())];
    assert_eq!(texts(&mut next, 0, 10).await, both);
    assert_eq!(texts(&mut next, 0, 1).await, both[..1]);
    assert_eq!(texts(&mut next, first, 10).await, both[1..]);
    let third = next.append("[3]".into(), &[first, second]).await.unwrap();
    assert_eq!(texts(&mut next, 0, 10).await, [(third, "[3]".to_owned())]);
    next.forget(&[third]).await.unwrap();
    assert!(texts(&mut next, 0, 10).await.is_empty());
}

#[tokio::test]
async fn what_is_forgotten_twice_takes_nothing_else_with_it() {
    let (_scratch, database) = scratch().await;
    let (mut one, mut other) = (
        Intake::of(&database).unwrap(),
        Intake::of(&database).unwrap(),
    );
    let first = one.append("[1]".into(), &[]).await.unwrap();
    other.forget(&[first]).await.unwrap();
    // The file is empty again. Were the identifier the next one again, this would forget what it appends.
    let second = one.append("[2]".into(), &[first]).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(texts(&mut other, 0, 10).await, [(second, "[2]".to_owned())]);
}

#[tokio::test]
async fn a_group_that_is_refused_leaves_no_trace_and_no_lock() {
    let (_scratch, database) = scratch().await;
    let mut intake = Intake::of(&database).unwrap();
    let first = intake.append("[1]".into(), &[]).await.unwrap();
    let mut connection = intake.connection().await.unwrap();
    let sql = "create trigger no before delete on groups begin select raise(abort, 'no'); end";
    sqlx::query(sql).execute(&mut connection).await.unwrap();
    intake.connection = Some(connection);
    assert!(intake.append("[2]".into(), &[first]).await.is_err());
    let mut other = Intake::of(&database).unwrap();
    assert_eq!(texts(&mut other, 0, 10).await, [(first, "[1]".to_owned())]);
    assert!(other.append("[3]".into(), &[]).await.is_ok());
}

#[cfg(unix)]
#[tokio::test]
async fn its_files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let (_scratch, database) = scratch().await;
    let mut intake = Intake::of(&database).unwrap();
    intake.append("[1]".into(), &[]).await.unwrap();
    let file = database.file().unwrap();
    let directory = std::fs::read_dir(file.parent().unwrap()).unwrap();
    let files: Vec<_> = directory.map(|it| it.unwrap().path()).collect();
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o77, 0, "{} has {mode:o}", file.display());
    }
}

#[tokio::test]
async fn postgresql_has_none() {
    let scratch = ScratchDatabase::create(Engine::Postgres).await;
    let database = Database::connect(scratch.url()).await.unwrap();
    assert!(Intake::of(&database).is_none());
}
