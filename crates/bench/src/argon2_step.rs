//! The argon2 step of a wrong secret as the product takes it, in this process, with nothing around it: the product's
//! own bounded pool, asked by as many callers at once as there are connections.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure};
use key_admin::hashing::{Hasher, Pepper};
use key_admin::{KeyAdminSettings, MasterSecret};
use tokio::task::JoinSet;

use crate::usage;

/// The time of one measurement; the operating system counts CPU time in hundredths of a second.
const DURATION: Duration = Duration::from_secs(2);

/// The CPU time of one comparison of a wrong secret with a hash of the product's default cost, in µs. The process
/// must do nothing else meanwhile.
pub(crate) async fn cpu_micros(callers: usize) -> anyhow::Result<f64> {
    let master = MasterSecret::parse(&"0123456789abcdef".repeat(4))
        .map_err(|error| anyhow!("a master secret: {error}"))?;
    let hasher = Hasher::new(Pepper::derived(&master));
    let cost = KeyAdminSettings::default().api_key_hash;
    let stored = hasher.hash("the right one".into(), cost).await;
    let stored: Arc<str> = stored.map_err(|error| anyhow!("a hash: {error}"))?.into();
    let pid = std::process::id();
    let cpu_before = usage::cpu_time(pid)?;
    let started = Instant::now();
    let mut work = JoinSet::new();
    for caller in 0..callers {
        work.spawn(compare_until_over(
            hasher.clone(),
            stored.clone(),
            caller,
            started,
        ));
    }
    let mut count = 0;
    while let Some(done) = work.join_next().await {
        count += done??;
    }
    let cpu = usage::cpu_time(pid)?.saturating_sub(cpu_before);
    Ok(cpu.as_secs_f64() * 1e6 / f64::from(count))
}

async fn compare_until_over(
    hasher: Hasher,
    stored: Arc<str>,
    caller: usize,
    started: Instant,
) -> anyhow::Result<u32> {
    let mut count = 0;
    while started.elapsed() < DURATION {
        let secret = format!("jtn_0Hq3VbN8tRzA_{caller:020}{count:029}");
        let matched = hasher.verify(secret.into(), stored.clone()).await;
        let matched = matched.map_err(|error| anyhow!("a comparison: {error}"))?;
        ensure!(!matched, "a wrong secret matched");
        count += 1;
    }
    Ok(count)
}
