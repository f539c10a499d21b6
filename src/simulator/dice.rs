//! Everything random of a world, from one seed.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Span;
use crate::domain::Millis;

/// One stream of chance. Different streams of one seed do not disturb each other, so that a world
/// with faults has the same servers as the world without.
#[derive(Clone, Debug)]
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream of that number.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// Whether something of that probability happens now.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.0.random_bool(probability.min(1.0))
    }

    /// A length within the span.
    pub(super) fn length(&mut self, span: Span) -> Millis {
        let (least, most) = (span.least(), span.most());
        Millis(if least.0 >= most.0 { least.0 } else { self.0.random_range(least.0..=most.0) })
    }

    /// A number below `n`; 0 if `n` is 0.
    pub(super) fn below(&mut self, n: usize) -> usize {
        if n == 0 { 0 } else { self.0.random_range(0..n) }
    }

    /// An id in the form of a UUID.
    pub(super) fn uuid(&mut self) -> String {
        let (a, b) = (self.0.next_u64(), self.0.next_u64());
        let (head, tail) = (a >> 32, b & 0xffff_ffff_ffff);
        let (x, y) = ((a >> 16) & 0xffff, a & 0x0fff);
        format!("{head:08x}-{x:04x}-4{y:03x}-8{:03x}-{tail:012x}", (b >> 48) & 0x0fff)
    }

    /// That many bytes.
    pub(super) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// An id of 32 hex digits.
    pub(super) fn hex(&mut self) -> String {
        format!("{:016x}{:016x}", self.0.next_u64(), self.0.next_u64())
    }
}
