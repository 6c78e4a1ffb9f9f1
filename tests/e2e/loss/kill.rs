//! `kill -9` in the middle of issuing, renewing and revoking, on one database that keeps what all rounds have left.

use std::collections::HashMap;

use jeton_verifier::Verifier;
use storage::{Engine, execute};

use super::Random;
use super::ledger::check;
use super::load::{AUDIENCES, Fact, Load, Site, Told};
use crate::support::{App, decode};

const ROUNDS: usize = 50;
/// The fewest and the most requests that are granted before a kill.
const GRANTED: (usize, usize) = (20, 160);
/// Which rounds end PostgreSQL's connections before: one of so many.
const HANG_UP_EVERY: usize = 5;

#[tokio::test]
async fn kill_9_loses_nothing_on_sqlite() {
    rounds(Engine::Sqlite, 0x5e55_1011).await;
}

#[tokio::test]
async fn kill_9_and_lost_connections_lose_nothing_on_postgresql() {
    rounds(Engine::Postgres, 0x5e55_1012).await;
}

async fn rounds(engine: Engine, seed: u64) {
    let mut app = App::start(engine).await;
    let mut site = Site::prepare(&app).await;
    let mut random = Random(seed);
    let (mut all, mut put_off) = (Vec::new(), 0);
    for round in 0..ROUNDS {
        let kill_after = GRANTED.0 + random.below(GRANTED.1 - GRANTED.0);
        let name = format!("round-{round:02}");
        let mut load = Load::start(&site, &name, None, &mut random);
        if engine == Engine::Postgres && round % HANG_UP_EVERY == 0 {
            load.reaches(kill_after / 2).await;
            hang_up(&app).await;
        }
        load.reaches(kill_after).await;
        app.server.kill();
        let seen = load.ends().await;
        eprintln!(
            "{name}: killed after {kill_after} requests, {} facts, {} requests put off",
            seen.facts.len(),
            seen.put_off
        );
        app.restart();
        (site.http, site.url) = (app.http.clone(), app.server.url());
        check(&app.services.database, &name, &seen.facts).await;
        site.still_knows(&seen.facts, &seen.revoking).await;
        assert!(engine == Engine::Postgres || seen.put_off == 0);
        put_off += seen.put_off;
        all.extend(seen.facts);
    }
    check(&app.services.database, "round-", &all).await;
    let tokens = all_verify(&app, &all).await;
    eprintln!("{engine:?}, seed {seed:#x}: {tokens} tokens in {ROUNDS} rounds, {put_off} put off");
}

/// Ends every connection to the database but this one.
async fn hang_up(app: &App) {
    let mut read = app.services.database.read().await.unwrap();
    let sql = "select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()";
    assert!(execute!(read.conn(), sql).unwrap() > 0);
}

/// The keys that signed are there as well. How many tokens there are.
async fn all_verify(app: &App, facts: &[Fact]) -> usize {
    let jwks = app.get("/orgs/acme/.well-known/jwks.json").await.text;
    let of = |audience| Verifier::new(&app.issuer(), audience, &jwks).unwrap();
    let verifiers = AUDIENCES.map(|audience| (audience, of(audience)));
    let verifiers = HashMap::from(verifiers);
    let issued = facts.iter().filter_map(|fact| match &fact.told {
        Told::Issued(held) => Some(held),
        _ => None,
    });
    issued
        .map(|held| {
            let issued_at = decode(&held.token).1["iat"].as_u64().unwrap();
            let verified = verifiers[held.audience.as_str()].verify(&held.token, issued_at);
            verified.unwrap();
        })
        .count()
}
