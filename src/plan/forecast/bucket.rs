//! The rate limit of a forecast: tokens as the run earns them while nobody throttles it.

use crate::domain::{Millis, Time};
use crate::playbook::ApiLimit;

/// One request: a token per minute gives one unit a millisecond.
const TOKEN: u64 = 60_000;

#[derive(Debug)]
pub(super) struct Bucket {
    limit: ApiLimit,
    units: u64,
    /// Taken ahead, and to be earned before the next token.
    debt: u64,
    filled_at: Time,
}

impl Bucket {
    pub(super) fn full(limit: ApiLimit) -> Self {
        Self { limit, units: u64::from(limit.burst) * TOKEN, debt: 0, filled_at: Time(0) }
    }

    pub(super) fn take(&mut self, now: Time) -> bool {
        self.fill(now);
        let taken = self.units >= TOKEN;
        if taken {
            self.units -= TOKEN;
        }
        taken
    }

    /// A wipe that would be too late takes the next token ahead of its time.
    pub(super) fn take_ahead(&mut self, now: Time) -> bool {
        self.fill(now);
        let taken = self.debt == 0;
        if taken {
            self.debt = TOKEN.saturating_sub(self.units);
            self.units = self.units.saturating_sub(TOKEN);
        }
        taken
    }

    pub(super) fn next_at(&self, now: Time) -> Time {
        let missing = (TOKEN + self.debt).saturating_sub(self.units);
        let wait = missing.div_ceil(u64::from(self.limit.per_minute.max(1)));
        now.max(self.filled_at) + Millis(wait)
    }

    fn fill(&mut self, now: Time) {
        let passed = now.since(self.filled_at).0;
        let most = u64::from(self.limit.burst.max(1)) * TOKEN;
        let earned = passed.saturating_mul(u64::from(self.limit.per_minute));
        let paid = earned.min(self.debt);
        self.debt -= paid;
        self.units = self.units.saturating_add(earned - paid).min(most);
        self.filled_at = self.filled_at.max(now);
    }
}
