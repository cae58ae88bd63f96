//! What the benchmarks have in common: events, rules, our engine and a peer. All of it is made up from a seed, so that two
//! runs are about the same.

mod engines;
mod events;
mod rules;

pub use engines::{Ours, Rsigma};
pub use events::{Shape, records};
pub use rules::{Spec, guide, queries, sigma, six, varied};

/// Numbers that look random (xorshift64*, Vigna 2016).
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).expect("31 bits") % end
    }

    pub(crate) fn one_of<'a>(&mut self, values: &[&'a str]) -> &'a str {
        values[self.below(values.len())]
    }
}
