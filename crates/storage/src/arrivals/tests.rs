use std::sync::Arc;
use std::time::Duration;

use super::Arrivals;
use crate::{ManualClock, SessionId, SystemClock, Timestamp};

fn ids(number: usize) -> Vec<SessionId> {
    let clock = ManualClock::at(Timestamp::from_unix_seconds(1_800_000_000));
    (0..number).map(|_| SessionId::new(&clock)).collect()
}

/// Waits on a task of its own.
fn waiting(arrivals: &Arc<Arrivals>) -> tokio::task::JoinHandle<bool> {
    let arrivals = arrivals.clone();
    tokio::spawn(async move { arrivals.settle().await.is_ok() })
}

#[tokio::test]
async fn who_waits_is_let_go_by_the_last_of_the_rows_that_had_departed() {
    let arrivals = Arc::new(Arrivals::default());
    arrivals.settle().await.unwrap();
    let rows = ids(3);
    for row in &rows[..2] {
        arrivals.depart(*row);
    }
    let waiter = waiting(&arrivals);
    arrivals.wanted().await;
    arrivals.depart(rows[2]);
    arrivals.arrive(rows[..1].iter().copied());
    // Asked again, because the first time not all had come.
    arrivals.wanted().await;
    assert!(!waiter.is_finished());
    assert_eq!(arrivals.count(), 2);
    assert!(!arrivals.has(rows[0]) && arrivals.has(rows[1]) && arrivals.has(rows[2]));
    // One that departed later does not stand for one that departed before.
    arrivals.arrive(rows[2..].iter().copied());
    arrivals.wanted().await;
    assert!(!waiter.is_finished());
    arrivals.depart(rows[2]);
    arrivals.arrive(rows[1..2].iter().copied());
    assert!(waiter.await.unwrap());
    assert!(arrivals.has(rows[2]));
}

#[tokio::test]
async fn who_waits_for_what_is_stalled_is_told_so() {
    let arrivals = Arc::new(Arrivals::default());
    let rows = ids(1);
    arrivals.depart(rows[0]);
    let waiter = waiting(&arrivals);
    arrivals.wanted().await;
    arrivals.stall(true);
    assert!(!waiter.await.unwrap());
    assert!(arrivals.is_stalled() && arrivals.settle().await.is_err());
    arrivals.arrive(rows.iter().copied());
    assert!(arrivals.settle().await.is_ok());
    arrivals.stall(false);
    assert!(!arrivals.is_stalled());
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_ever() {
    let arrivals = Arc::new(Arrivals::default());
    arrivals.depart(ids(1)[0]);
    assert!(arrivals.settle().await.unwrap_err().is_unavailable());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_waiter_sees_the_row_that_was_promised_to_it() {
    const ROWS: usize = 2_000;
    let arrivals = Arc::new(Arrivals::default());
    let (queue, mut waiting) = tokio::sync::mpsc::channel(64);
    let written: Arc<std::sync::Mutex<std::collections::HashSet<SessionId>>> = Arc::default();
    let writer = tokio::spawn({
        let (arrivals, written) = (arrivals.clone(), written.clone());
        async move {
            let mut group = Vec::new();
            while waiting.recv_many(&mut group, 100).await > 0 {
                let wanted = arrivals.wanted();
                let _ = tokio::time::timeout(Duration::from_millis(2), wanted).await;
                written.lock().unwrap().extend(group.iter().copied());
                arrivals.arrive(group.drain(..));
            }
        }
    });
    let requests = (0..8).map(|_| {
        let (arrivals, written, queue) = (arrivals.clone(), written.clone(), queue.clone());
        tokio::spawn(async move {
            for number in 0..ROWS / 8 {
                let row = SessionId::new(&SystemClock);
                let place = queue.reserve().await.unwrap();
                arrivals.depart(row);
                place.send(row);
                if number % 3 == 0 {
                    arrivals.settle().await.unwrap();
                    assert!(written.lock().unwrap().contains(&row) && !arrivals.has(row));
                }
            }
        })
    });
    for request in requests.collect::<Vec<_>>() {
        request.await.unwrap();
    }
    drop(queue);
    writer.await.unwrap();
    assert_eq!((written.lock().unwrap().len(), arrivals.count()), (ROWS, 0));
}
