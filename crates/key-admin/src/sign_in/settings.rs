use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::rate_limit::RateLimit;

/// What an operator may set about signing in to the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SignInSettings {
    /// A session that is not used for this long has ended.
    pub idle_timeout_minutes: u32,
    /// A session ends this long after the sign-in, however much it is used.
    pub max_session_hours: u32,
    /// How often one client address may fail to sign in.
    pub failed_sign_ins_per_client: RateLimit,
    /// How often signing in to one account may fail, from all addresses together. It stops those who have many
    /// addresses; a low limit would let anybody lock anybody out.
    pub failed_sign_ins_per_account: RateLimit,
}

impl Default for SignInSettings {
    fn default() -> Self {
        Self {
            idle_timeout_minutes: 60,
            max_session_hours: 12,
            failed_sign_ins_per_client: RateLimit {
                per_minute: 10,
                burst: 10,
            },
            failed_sign_ins_per_account: RateLimit {
                per_minute: 30,
                burst: 100,
            },
        }
    }
}

impl SignInSettings {
    /// The usable values of `idle_timeout_minutes`: 5 minutes to a day. The time of the last use is written down once a
    /// minute at most, so less would end sessions that are in use.
    pub const IDLE_TIMEOUT_MINUTES: RangeInclusive<u32> = 5..=24 * 60;
    /// The usable values of `max_session_hours`: up to 30 days.
    pub const MAX_SESSION_HOURS: RangeInclusive<u32> = 1..=30 * 24;

    /// The names of limits that would let nobody in.
    pub fn unusable_limits(&self) -> impl Iterator<Item = &'static str> {
        [
            (
                "failed_sign_ins_per_client",
                self.failed_sign_ins_per_client,
            ),
            (
                "failed_sign_ins_per_account",
                self.failed_sign_ins_per_account,
            ),
        ]
        .into_iter()
        .filter(|(_, limit)| limit.per_minute == 0 || limit.burst == 0)
        .map(|(name, _)| name)
    }

    pub(super) fn idle_seconds(&self) -> i64 {
        i64::from(self.idle_timeout_minutes) * 60
    }

    pub(super) fn max_seconds(&self) -> i64 {
        i64::from(self.max_session_hours) * 60 * 60
    }
}
