//! Random bytes from the operating system, the only source for secrets.

use rand::TryRng;
use rand::rngs::SysRng;

/// The operating system gave no randomness. Nothing secret can be made; the caller fails.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the operating system's random generator failed")]
pub struct NoRandomness;

/// `N` random bytes.
pub fn bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(|_| NoRandomness)?;
    Ok(bytes)
}
