//! argon2id as the product computes it for a wrong secret, in this process, with nothing around it.

use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure};
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use key_admin::KeyAdminSettings;

use crate::usage;

/// As long as the product's.
const PEPPER: [u8; 32] = [7; 32];
/// The time of one measurement; the operating system counts CPU time in hundredths of a second.
const DURATION: Duration = Duration::from_secs(2);

/// The CPU time of one comparison of a wrong secret with a hash of the product's default cost, in µs. The process
/// must do nothing else meanwhile.
pub(crate) fn cpu_micros() -> anyhow::Result<f64> {
    let stored = stored_hash()?;
    let pid = std::process::id();
    let cpu_before = usage::cpu_time(pid)?;
    let started = Instant::now();
    let mut count = 0_u32;
    while started.elapsed() < DURATION {
        compare(&stored, &format!("jtn_0Hq3VbN8tRzA_{count:049}"))?;
        count += 1;
    }
    let cpu = usage::cpu_time(pid)?.saturating_sub(cpu_before);
    Ok(cpu.as_secs_f64() * 1e6 / f64::from(count))
}

fn stored_hash() -> anyhow::Result<String> {
    let cost = KeyAdminSettings::default().api_key_hash;
    let params = Params::new(cost.memory_kib, cost.iterations, 1, None)
        .map_err(|error| anyhow!("the default cost: {error}"))?;
    let hash = keyed(params)?
        .hash_password_with_salt(b"the right one", &[1; 16])
        .map_err(|error| anyhow!("a hash: {error}"))?;
    Ok(hash.to_string())
}

fn compare(stored: &str, secret: &str) -> anyhow::Result<()> {
    let stored = PasswordHash::new(stored).map_err(|error| anyhow!("a stored hash: {error}"))?;
    let matched = keyed(Params::DEFAULT)?.verify_password(secret.as_bytes(), &stored);
    ensure!(matched.is_err(), "a wrong secret matched");
    Ok(())
}

fn keyed(params: Params) -> anyhow::Result<Argon2<'static>> {
    Argon2::new_with_secret(&PEPPER, Algorithm::Argon2id, Version::V0x13, params)
        .map_err(|error| anyhow!("argon2: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_has_the_products_cost_and_tells_secrets_apart() {
        let stored = stored_hash().unwrap();
        assert!(
            stored.starts_with("$argon2id$v=19$m=1024,t=1,p=1$"),
            "{stored}"
        );
        compare(&stored, "a wrong one").unwrap();
        assert!(compare(&stored, "the right one").is_err());
    }
}
