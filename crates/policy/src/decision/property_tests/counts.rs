//! That every kind of answer is asked for often.

use std::cell::Cell;

use super::{BEARERS, KEYS, QUESTIONS_PER_BEARER, REQUESTS_PER_KEY};
use crate::access::AccessReason;

/// How many answers there were of each kind.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) policies: Cell<usize>,
    pub(super) ambiguous: Cell<usize>,
    pub(super) deepest: Cell<usize>,
    pub(super) granted: Cell<usize>,
    pub(super) refused: Cell<usize>,
    pub(super) allowed: Cell<usize>,
    pub(super) denied: Cell<usize>,
    pub(super) not_allowed: Cell<usize>,
    pub(super) otherwise: Cell<usize>,
}

pub(super) fn count(cell: &Cell<usize>) {
    cell.set(cell.get() + 1);
}

impl Counts {
    /// Much rarer than they are would mean that a kind of answer is hardly asked for.
    pub(super) fn assert_all_frequent(&self, policies: usize) {
        let (decides, asks) = (KEYS * REQUESTS_PER_KEY, BEARERS * QUESTIONS_PER_BEARER);
        assert_eq!(self.policies.get(), policies);
        let decided = self.granted.get() + self.refused.get();
        assert_eq!(decided, policies * decides);
        assert!(self.granted.get() * 10 > decided, "{}", self.granted.get());
        assert!(self.refused.get() * 10 > decided, "{}", self.refused.get());
        let denials = [&self.denied, &self.not_allowed, &self.otherwise].map(Cell::get);
        let asked = self.allowed.get() + denials.iter().sum::<usize>();
        assert_eq!(asked, policies * asks);
        assert!(self.allowed.get() * 10 > asked, "{}", self.allowed.get());
        for kind in denials {
            assert!(kind * 50 > asked, "{denials:?}");
        }
    }
}

impl Counts {
    pub(super) fn add(&self, reason: AccessReason) {
        count(match reason {
            AccessReason::Allowed => &self.allowed,
            AccessReason::Denied => &self.denied,
            AccessReason::NotAllowed => &self.not_allowed,
            AccessReason::UnknownRole | AccessReason::OtherResource => &self.otherwise,
        });
    }
}
