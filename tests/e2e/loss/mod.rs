//! What was answered is not lost: not when the server is killed, not when its database hangs up, not when the power fails.
//!
//! | module | what it gives |
//! |---|---|
//! | [`load`] | clients that issue, renew and revoke side by side, and remember what they were told |
//! | [`ledger`] | whether a database, and a server on it, still know all that |
//! | [`kill`] | rounds of `kill -9` under load, on both engines |
//! | [`recording`] | what the server does to its files, call by call |
//! | [`disk`] | what the disk may hold of that when the power fails |
//! | [`power_cut`] | power cuts under load, on SQLite |
//! | [`simulator`] | the power cuts are real: they take from SQLite what it does not promise to keep |

mod disk;
mod kill;
mod ledger;
mod load;
mod power_cut;
mod recording;
mod simulator;

/// Numbers that are the same for the same seed: `SplitMix64`.
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to one less than `end`.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    /// Of a hundred tries, so many say yes.
    fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}
