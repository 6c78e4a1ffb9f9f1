//! What the issuer counts for the operator: how long its steps take, and what waits.

use storage::metrics::{CacheUse, Histogram, HistogramSnapshot};

use crate::issuance::TokenIssuer;

/// How long the steps of issuing took. The step before them, authenticating the caller, is counted where it happens:
/// [`key_admin::KeyAdmin::authentications`].
#[derive(Debug)]
pub(crate) struct Steps {
    /// Deciding, whatever the decision; previews included.
    pub(crate) decide: Histogram,
    /// Signing and, where the audience asks, encrypting.
    pub(crate) sign: Histogram,
    /// From the signed token to its committed row, waiting included.
    pub(crate) record: Histogram,
}

impl Steps {
    pub(crate) fn new() -> Self {
        Self {
            decide: Histogram::of_times(),
            sign: Histogram::of_times(),
            record: Histogram::of_times(),
        }
    }
}

/// Rows that wait to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueUse {
    /// How many wait now.
    pub waiting: u64,
    /// How many may.
    pub capacity: u64,
}

impl TokenIssuer {
    /// How long the steps of issuing took, by their names.
    pub fn steps(&self) -> [(&'static str, HistogramSnapshot); 3] {
        [
            ("decide", self.steps.decide.snapshot()),
            ("sign", self.steps.sign.snapshot()),
            ("record", self.steps.record.snapshot()),
        ]
    }

    /// The session rows that wait to be written.
    pub fn record_queue(&self) -> QueueUse {
        self.recorder.queue_use()
    }

    /// How the caches of audiences and of cutoffs are used, by their names.
    pub fn caches(&self) -> [(&'static str, CacheUse); 2] {
        [
            ("audiences", self.rings.usage()),
            ("cutoffs", self.revocations.usage()),
        ]
    }
}
