//! Keys that are wrong in one way and another, driven in turn: does an answer's cost tell more than it should?

use std::time::Instant;

use anyhow::{Context, ensure};
use key_admin::KeyAdminSettings;
use serde_json::Value;

use crate::failure_report::FailureReport;
use crate::installation::{Installation, Server};
use crate::load::{Load, Round, Target};
use crate::product::request;
use crate::scratch::Scratch;
use crate::{LoadArgs, argon2_step, output, product, wrong_keys};

/// More failures than can be sent: 1,000,000 in a second.
const NO_LIMIT: [(&str, &str); 2] = [
    ("JETON_KEYS__FAILED_CREDENTIALS__PER_MINUTE", "60000000"),
    ("JETON_KEYS__FAILED_CREDENTIALS__BURST", "1000000"),
];

/// The three kinds of failing requests.
struct Kinds {
    unknown_id: Target,
    wrong_secret: Target,
    limited: Target,
}

/// What the server with the default limit has looked at.
struct Limited {
    since: Instant,
    looked_at: u32,
}

/// Measures, returns the table, leaves nothing behind.
pub(crate) async fn measure(args: &LoadArgs) -> anyhow::Result<String> {
    let scratch = Scratch::create()?;
    let embedded = format!("sqlite:{}", scratch.path().join("jeton.db").display());
    let database_url = args.database_url.as_deref().unwrap_or(&embedded);
    let engine = product::prepare(database_url).await?;
    let installation = Installation::create(scratch.path(), database_url)?;
    let unlimited = installation.serve("without-limit", &NO_LIMIT).await?;
    let default = installation.serve("default-limit", &[]).await?;
    let kinds = Kinds::new(&installation, &unlimited, &default)?;
    same_document(&kinds).await?;

    let (warm_up, load) = args.loads();
    let mut limited = Limited {
        since: Instant::now(),
        looked_at: 0,
    };
    kinds.drive(warm_up, &mut limited).await?;
    argon2_step::cpu_micros(args.connections.into()).await?;
    let mut report = FailureReport::default();
    for round in 1..=args.rounds {
        let rounds = kinds.drive(load, &mut limited).await?;
        let left = report.add(
            &rounds,
            argon2_step::cpu_micros(args.connections.into()).await?,
        )?;
        output::talk(&format!(
            "round {round}: {left:.1} µs of CPU per request between the two 401s that argon2id does not explain"
        ));
    }
    unlimited.stop().await?;
    default.stop().await?;
    let sessions = product::count_sessions(database_url).await?;
    ensure!(sessions == 0, "{sessions} sessions were issued");
    Ok(format!(
        "failures on {engine:?}: {} cores, {} connections, {} rounds of {} s for each kind\n\n{}\n\n\
         the two kinds of 401 are one document; no session was recorded",
        std::thread::available_parallelism()?,
        args.connections,
        args.rounds,
        args.seconds,
        report.table(),
    ))
}

impl Kinds {
    fn new(
        installation: &Installation,
        unlimited: &Server,
        default: &Server,
    ) -> anyhow::Result<Self> {
        let wrong_secret = target(
            "the server without limit",
            unlimited,
            wrong_keys::with_wrong_secrets(&installation.api_key)?,
            &[401],
        );
        Ok(Self {
            unknown_id: target(
                wrong_secret.name,
                unlimited,
                wrong_keys::with_unknown_ids(),
                wrong_secret.expected,
            ),
            limited: Target {
                name: "the server with the default limit",
                pid: default.pid(),
                address: default.address,
                requests: wrong_secret.requests.clone(),
                expected: &[401, 429],
            },
            wrong_secret,
        })
    }

    /// Each in turn.
    async fn drive(&self, load: Load, limited: &mut Limited) -> anyhow::Result<[Round; 3]> {
        let unknown_id = self.unknown_id.drive(load).await?;
        let wrong_secret = self.wrong_secret.drive(load).await?;
        let under_limit = self.limited.drive(load).await?;
        limited.add(&under_limit)?;
        Ok([unknown_id, wrong_secret, under_limit])
    }
}

impl Limited {
    /// Fails when more was looked at than the default limit allows, or when it was not what refused.
    fn add(&mut self, round: &Round) -> anyhow::Result<()> {
        let count = |status| round.statuses.get(&status).copied().unwrap_or_default();
        ensure!(count(429) > 0, "the default limit refused nothing");
        self.looked_at += count(401);
        let limit = KeyAdminSettings::default().failed_credentials;
        let refilled = self.since.elapsed().as_secs_f64() / 60.0 * f64::from(limit.per_minute);
        let most = f64::from(limit.burst) + refilled;
        ensure!(
            f64::from(self.looked_at) <= most,
            "{} keys were looked at under a limit that allows {most:.0}",
            self.looked_at
        );
        Ok(())
    }
}

fn target(
    name: &'static str,
    server: &Server,
    keys: impl Iterator<Item = String>,
    expected: &'static [u16],
) -> Target {
    Target {
        name,
        pid: server.pid(),
        address: server.address,
        requests: keys.map(|key| request(&key)).collect(),
        expected,
    }
}

/// Makes sure that a caller cannot tell an unknown id from a wrong secret by reading.
async fn same_document(kinds: &Kinds) -> anyhow::Result<()> {
    let unknown_id = document(&kinds.unknown_id.ask().await?)?;
    let wrong_secret = document(&kinds.wrong_secret.ask().await?)?;
    ensure!(
        unknown_id == wrong_secret,
        "an unknown id and a wrong secret are not answered the same:\n{unknown_id}\n{wrong_secret}"
    );
    Ok(())
}

/// An answer's document without the request's own id.
fn document(body: &[u8]) -> anyhow::Result<Value> {
    let mut document: Value = serde_json::from_slice(body)?;
    let members = document.as_object_mut().context("no JSON object")?;
    members.remove("request_id").context("no request id")?;
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_request_id_may_differ() {
        let read = |text: &str| document(text.as_bytes()).unwrap();
        let one = read(r#"{"code":"a","request_id":"req_1"}"#);
        assert_eq!(one, read(r#"{"request_id":"req_2","code":"a"}"#));
        assert_ne!(one, read(r#"{"request_id":"req_2","code":"b"}"#));
        assert!(document(br#"{"code":"a"}"#).is_err());
    }
}
