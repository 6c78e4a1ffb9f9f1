//! Random choices that can be had again from their seed.

/// `SplitMix64`: small, and good enough to choose test data.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number from 0 to `limit - 1`.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    pub(super) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub(super) fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// One, or nothing.
    pub(super) fn maybe<T: Clone>(&mut self, chance: usize, of: &[T]) -> Option<T> {
        (!of.is_empty() && self.percent(chance)).then(|| self.one(of))
    }

    /// From `least` to `most` of them in any order, none twice.
    pub(super) fn some<T: Clone>(&mut self, of: &[T], least: usize, most: usize) -> Vec<T> {
        let mut left = of.to_vec();
        self.shuffle(&mut left);
        left.truncate(least + self.below(most - least + 1));
        left
    }

    pub(super) fn shuffle<T>(&mut self, list: &mut [T]) {
        for index in (1..list.len()).rev() {
            list.swap(index, self.below(index + 1));
        }
    }
}
