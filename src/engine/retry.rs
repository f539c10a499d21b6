//! How long to wait before trying again: a pure function, so that a seed decides it.

use crate::domain::{Jitter, Millis, RetryPolicy};

/// An announced wait is kept up to this. Windows of this cloud are minutes long
/// (`errors-and-limits.md`, section 5); an answer that asks for a day is a mistake of somebody's.
pub(crate) const LONGEST_HOLD: Millis = Millis::mins(10);

/// The wait before attempt `put_off + 1`, where `put_off` counts from 1. `draw` is what jitter is
/// drawn from; `at_least` is what the answer itself asked for.
pub(crate) fn delay(
    policy: &RetryPolicy,
    put_off: u32,
    draw: u64,
    at_least: Option<Millis>,
) -> Millis {
    let exponent = i32::try_from(put_off.saturating_sub(1)).unwrap_or(i32::MAX);
    #[expect(clippy::cast_precision_loss, reason = "delays are far below 2^53 ms")]
    let grown = policy.delay.0 as f64 * policy.backoff.powi(exponent);
    #[expect(clippy::cast_precision_loss, reason = "delays are far below 2^53 ms")]
    let bound = grown.min(policy.max_delay.0 as f64).max(0.0);
    let waited = match policy.jitter {
        Jitter::None => bound,
        Jitter::Full => bound * fraction(draw),
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 ≤ waited ≤ max_delay"
    )]
    let waited = Millis(waited as u64);
    waited.max(at_least.unwrap_or_default().min(LONGEST_HOLD))
}

/// Anything from 0 to 1, spread evenly over `draw`.
fn fraction(draw: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let numerator = (draw >> 11) as f64;
    numerator / 9_007_199_254_740_992.0
}

/// Mixes a seed with what it is drawn for. No generator with a state: a replayed run draws the same.
pub(crate) fn mix(seed: u64, target: usize, round: u64) -> u64 {
    let mut x = seed
        .wrapping_add((target as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .wrapping_add(round.wrapping_mul(0xd1b5_4a32_d192_ed03));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::RetryPolicies;

    #[test]
    fn waits_grow_to_their_bound_and_stay_there() {
        let policy = RetryPolicy { jitter: Jitter::None, ..RetryPolicies::default().throttled };
        let waits: Vec<u64> = (1..=7).map(|n| delay(&policy, n, 0, None).0 / 1_000).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn full_jitter_fills_the_whole_range_below_the_bound() {
        let policy = RetryPolicies::default().throttled;
        let waits: Vec<u64> = (0..1_000).map(|n| delay(&policy, 5, mix(7, n, 1), None).0).collect();
        assert!(waits.iter().all(|wait| *wait <= 32_000));
        assert!(waits.iter().any(|wait| *wait < 1_000) && waits.iter().any(|wait| *wait > 31_000));
    }

    #[test]
    fn an_announced_wait_is_kept_even_if_the_draw_is_shorter() {
        let policy = RetryPolicies::default().throttled;
        assert_eq!(delay(&policy, 1, 0, Some(Millis::secs(45))), Millis::secs(45));
        assert_eq!(delay(&policy, 1, 0, Some(Millis::mins(1_440))), LONGEST_HOLD);
    }
}
