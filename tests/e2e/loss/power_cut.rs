//! Power cuts in the middle of issuing, renewing and revoking, on SQLite.
//!
//! One server runs under load while its file calls are recorded. Each cut takes a place in that record, makes the directory
//! that a disk may hold if the power fails there, and starts the product on it. An answer that had arrived when the record
//! was no longer than at the cut must hold.

use std::path::PathBuf;

use storage::{Database, Engine, fetch_one};

use super::Random;
use super::disk::{Disk, Survival};
use super::ledger::check;
use super::load::{Load, Seen, Site, Told};
use super::recording::{Change, Files, Record, Recorded, files_of};
use crate::support::{App, Jeton};

const CUTS: usize = 30;
/// Requests that are granted before the end. Enough for several checkpoints.
const GRANTED: usize = 8_000;
const SEED: u64 = 0x90_3e7c;

const DATABASE: &str = "jeton.db";
const LOG: &str = "jeton.db-wal";
const INTAKE: &str = "jeton.db.intake";
const INTAKE_LOG: &str = "jeton.db.intake-wal";

#[tokio::test]
async fn a_power_cut_takes_no_answered_token() {
    let mut app = App::start(Engine::Sqlite).await;
    let mut site = Site::prepare(&app).await;
    app.server.kill();
    app.services.database.close().await;
    let before = files_of(&directory(&app));
    let recorded = Recorded::with("power-cut", &before);
    let mut random = Random(SEED);
    let seen = run(&app, &mut site, &recorded, &mut random).await;

    let records = recorded.records();
    let mut disk = Disk::holding(before.clone());
    disk.apply(&records);
    assert!(disk.seen() == recorded.files(), "calls are missing");

    let (mut disk, mut done, mut certain) = (Disk::holding(before), 0, 0);
    for (number, place) in places(&records, &mut random).into_iter().enumerate() {
        disk.apply(&records[done..place]);
        done = place;
        let survival = [
            Survival::Nothing,
            Survival::Sectors(50),
            Survival::Calls(70),
            Survival::Everything,
            Survival::Sectors(90),
        ][number % 5];
        let files = disk.after_cut(survival, &mut random);
        let at = records[place - 1].end;
        certain += survives(&app, &mut site, &seen, (&recorded, files, at)).await;
        eprintln!(
            "cut {number} after {place} of {} calls ({} of {}): {survival:?} survives",
            records.len(),
            kind(&records[place - 1]),
            records[place - 1].name,
        );
    }
    assert!(certain > 0, "nothing was answered before a cut");
    eprintln!("seed {SEED:#x}: {certain} answered tokens looked for after {CUTS} cuts, 0 lost");
}

fn directory(app: &App) -> PathBuf {
    let file = PathBuf::from(app.database_file());
    file.parent().unwrap().to_owned()
}

/// Starts a server on another database with the same keys.
fn start(app: &App, site: &mut Site, database: &str, further: &[(&str, &str)]) -> Jeton {
    let url = format!("sqlite:{database}");
    let mut environment = app.environment();
    environment.retain(|it| it.0 != "JETON_DATABASE_URL");
    environment.push(("JETON_DATABASE_URL", &url));
    environment.extend(further);
    let server = Jeton::start(&["serve"], &environment);
    site.url = server.url();
    server
}

async fn run(app: &App, site: &mut Site, recorded: &Recorded, random: &mut Random) -> Seen {
    let database = recorded.path(DATABASE);
    let mut server = start(app, site, &database, &recorded.environment());
    let mut load = Load::start(site, "cut", Some(recorded.log()), random);
    load.reaches(GRANTED).await;
    server.kill();
    load.ends().await
}

/// Where the power fails: after so many calls, in ascending order. The dangerous places are rare, so each kind is sought.
fn places(records: &[Record], random: &mut Random) -> Vec<usize> {
    let after = |wanted: &dyn Fn(&Record) -> bool| -> Vec<usize> {
        let found = records.iter().enumerate().filter(|it| wanted(it.1));
        found.map(|(index, _)| index + 1).collect()
    };
    let is_sync = |record: &Record| record.change == Change::Sync;
    let restarts = |record: &Record| matches!(record.change, Change::Write { offset: 0, .. });
    let in_log = |log: &str| after(&|it| it.name == log && !is_sync(it));
    let synced = |file: &str| after(&|it| it.name == file && is_sync(it));
    let kinds = [
        ("anywhere", 4, after(&|_| true)),
        ("a sync of the intake's log", 5, synced(INTAKE_LOG)),
        ("in a commit to the intake", 5, in_log(INTAKE_LOG)),
        ("a sync of the log", 4, synced(LOG)),
        ("in a commit", 4, in_log(LOG)),
        ("in a checkpoint", 3, in_log(DATABASE)),
        ("a checkpoint's end", 1, synced(DATABASE)),
        ("in a checkpoint of the intake", 2, in_log(INTAKE)),
        ("the end of one", 1, synced(INTAKE)),
        (
            "a log starts anew",
            1,
            after(&|it| it.name.ends_with("-wal") && restarts(it)),
        ),
    ];
    let mut places = Vec::with_capacity(CUTS);
    for (kind, cuts, found) in kinds {
        eprintln!("{kind}: {} places", found.len());
        assert!(found.len() > 1, "the load was too short for {kind}");
        places.extend((0..cuts).map(|_| *random.one_of(&found)));
    }
    places.sort_unstable();
    assert_eq!(places.len(), CUTS);
    places
}

fn kind(record: &Record) -> &'static str {
    match record.change {
        Change::Create => "creation",
        Change::Write { .. } => "a write",
        Change::Truncate(_) => "truncation",
        Change::Sync => "a sync",
        Change::Unlink => "removal",
    }
}

/// The product starts on what is left, and still knows what it had answered by then. How many tokens these were.
async fn survives(
    app: &App,
    site: &mut Site,
    seen: &Seen,
    (recorded, files, at): (&Recorded, Files, u64),
) -> usize {
    let mut facts = seen.facts.clone();
    facts.retain(|fact| fact.recorded <= at);
    let directory = recorded.lay_out("after", &files);
    let database = directory.join(DATABASE);
    let mut server = start(app, site, database.to_str().unwrap(), &[]);
    site.still_knows(&facts, &seen.revoking).await;
    server.kill();

    let url = format!("sqlite:{}", database.display());
    let database = Database::open(&url).await.unwrap();
    let mut read = database.read().await.unwrap();
    let sound = fetch_one!(read.conn(), (String,), "pragma integrity_check");
    assert_eq!(sound.unwrap().0, "ok");
    drop(read);
    check(&database, "cut-", &facts).await;
    database.close().await;
    std::fs::remove_dir_all(directory).unwrap();
    let issued = facts.iter().filter(|it| matches!(it.told, Told::Issued(_)));
    issued.count()
}
