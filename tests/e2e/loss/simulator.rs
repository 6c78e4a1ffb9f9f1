//! The power cuts are real. `synchronous = NORMAL` lets SQLite commit without a sync, and so a cut takes rows whose commit was
//! reported; `FULL` does not. Were the simulator blind, it would find no loss in either.

use std::process::Command;

use storage::{Database, StorageError, fetch_one};

use super::Random;
use super::disk::{Disk, Survival};
use super::recording::{Files, Recorded};
use crate::support::{python, repository};

const ROWS: usize = 300;
const CUTS: usize = 30;
const DATABASE: &str = "rows.db";

#[tokio::test]
async fn the_simulator_takes_committed_rows_that_were_not_synced() {
    let lossy = cuts_with_loss("NORMAL").await;
    eprintln!("synchronous = NORMAL: {lossy} of {CUTS} cuts took committed rows");
    assert!(lossy > 0, "a simulator that takes nothing shows nothing");
}

#[tokio::test]
async fn the_simulator_takes_no_committed_row_that_was_synced() {
    assert_eq!(cuts_with_loss("FULL").await, 0);
}

/// Commits rows, and cuts the power at places of all kinds.
async fn cuts_with_loss(synchronous: &str) -> usize {
    let recorded = Recorded::with(&format!("simulator-{synchronous}"), &Files::new());
    let committed = commit_rows(&recorded, synchronous);
    let records = recorded.records();
    let mut random = Random(0x0051_3b1a);
    let mut places: Vec<usize> = (0..CUTS).map(|_| 1 + random.below(records.len())).collect();
    places.sort_unstable();
    let (mut disk, mut done, mut lossy) = (Disk::default(), 0, 0);
    for (number, place) in places.into_iter().enumerate() {
        disk.apply(&records[done..place]);
        done = place;
        let survival = [
            Survival::Nothing,
            Survival::Sectors(50),
            Survival::Calls(50),
        ][number % 3];
        let files = disk.after_cut(survival, &mut random);
        let at = records[place - 1].end;
        let certain = committed.iter().take_while(|&&log| log <= at).count();
        lossy += usize::from(rows_of(&recorded, &files).await < certain);
    }
    disk.apply(&records[done..]);
    assert!(disk.seen() == recorded.files(), "calls are missing");
    lossy
}

/// How long the record was when the commit of each row was reported.
fn commit_rows(recorded: &Recorded, synchronous: &str) -> Vec<u64> {
    let output = Command::new(python())
        .arg(repository().join("tests/power-cut/commits.py"))
        .args([&recorded.path(DATABASE), synchronous, &ROWS.to_string()])
        .envs(recorded.environment())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let committed: Vec<u64> = lines.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(committed.len(), ROWS);
    committed
}

/// How many rows are left; they are the first ones. Whatever was lost, the database must be sound.
async fn rows_of(recorded: &Recorded, files: &Files) -> usize {
    let directory = recorded.lay_out("after", files);
    let url = format!("sqlite:{}", directory.join(DATABASE).display());
    let database = Database::connect(&url).await.unwrap();
    let mut read = database.read().await.unwrap();
    let sound = fetch_one!(read.conn(), (String,), "pragma integrity_check");
    assert_eq!(sound.unwrap().0, "ok");
    let sql = "select count(*), coalesce(max(id) + 1, 0) from rows";
    let rows = match fetch_one!(read.conn(), (i64, i64), sql) {
        Ok((rows, last)) => {
            assert_eq!(rows, last, "the rows before a row that is kept are kept");
            rows
        }
        // The table, too, came with a commit.
        Err(StorageError::Unexpected(_)) => 0,
        Err(error) => panic!("{error}"),
    };
    drop(read);
    database.close().await;
    std::fs::remove_dir_all(directory).unwrap();
    usize::try_from(rows).unwrap()
}
