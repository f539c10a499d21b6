//! The rate limiter: a token bucket in the run's own time, slower after a throttle and faster again
//! while all goes well.

use crate::domain::{Millis, Time};
use crate::playbook::ApiLimit;

use super::retry::LONGEST_HOLD;

/// One request, in the bucket's unit: a token per minute gives one unit a millisecond.
const TOKEN: u64 = 60_000;

/// After a cut the rate grows by this share of its bound a minute: back up in ten minutes.
const REGROWTH_PARTS: u64 = 10;

/// The rate is never cut below this share of its bound, or the run would stand still.
const FLOOR_PARTS: u64 = 50;

/// The rate is not cut twice within this time: requests that were in flight together fail together.
const CUT_ONCE_IN: Millis = Millis::secs(5);

/// A token bucket.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    limit: ApiLimit,
    per_minute: u64,
    units: u64,
    /// Taken ahead, and to be earned before the next token.
    debt: u64,
    filled_at: Time,
    cut_at: Option<Time>,
    hold_until: Time,
}

impl Bucket {
    /// A full bucket, for a run that begins.
    pub(crate) fn full(limit: ApiLimit) -> Self {
        Self {
            limit,
            per_minute: u64::from(limit.per_minute),
            units: u64::from(limit.burst) * TOKEN,
            debt: 0,
            filled_at: Time(0),
            cut_at: None,
            hold_until: Time(0),
        }
    }

    /// An empty bucket at a rate learnt before, for a run that goes on: twenty restarts are not
    /// twenty bursts.
    pub(crate) fn empty(limit: ApiLimit, per_minute: Option<u32>, now: Time) -> Self {
        Self {
            per_minute: u64::from(per_minute.unwrap_or(limit.per_minute)),
            units: 0,
            filled_at: now,
            // A rate that was cut grows back from here.
            cut_at: per_minute.map(|_| now),
            ..Self::full(limit)
        }
    }

    /// Takes one token, if there is one.
    pub(crate) fn take(&mut self, now: Time) -> bool {
        self.fill(now);
        let taken = now >= self.hold_until && self.units >= TOKEN;
        if taken {
            self.units -= TOKEN;
        }
        taken
    }

    /// Takes the next token ahead of its time, one at a time: for a request that would be too late
    /// if it waited. The rate in the long run stays what it is.
    pub(crate) fn take_ahead(&mut self, now: Time) -> bool {
        self.fill(now);
        let taken = now >= self.hold_until && self.debt == 0;
        if taken {
            self.debt = TOKEN.saturating_sub(self.units);
            self.units = self.units.saturating_sub(TOKEN);
        }
        taken
    }

    /// When there will be a token.
    pub(crate) fn next_at(&self, now: Time) -> Time {
        let missing = (TOKEN + self.debt).saturating_sub(self.units);
        let from = now.max(self.filled_at);
        (from + Millis(missing.div_ceil(self.per_minute.max(1)))).max(self.hold_until)
    }

    /// The cloud throttled: half the rate, and nothing at all before `hold`. Gives the new rate if
    /// it changed.
    pub(crate) fn cut(&mut self, now: Time, hold: Option<Millis>) -> Option<u32> {
        if let Some(hold) = hold {
            self.hold_until = self.hold_until.max(now + hold.min(LONGEST_HOLD));
        }
        if self.cut_at.is_some_and(|at| now.since(at) < CUT_ONCE_IN) {
            return None;
        }
        self.fill(now);
        self.cut_at = Some(now);
        let floor = (u64::from(self.limit.per_minute) / FLOOR_PARTS).max(1);
        self.per_minute = (self.per_minute / 2).max(floor);
        self.units = self.units.min(TOKEN);
        u32::try_from(self.per_minute).ok()
    }

    fn fill(&mut self, now: Time) {
        let passed = now.since(self.filled_at).0;
        let most = u64::from(self.limit.burst.max(1)) * TOKEN;
        let earned = passed.saturating_mul(self.per_minute);
        let paid = earned.min(self.debt);
        self.debt -= paid;
        self.units = self.units.saturating_add(earned - paid).min(most);
        self.filled_at = self.filled_at.max(now);
        let bound = u64::from(self.limit.per_minute);
        if self.per_minute < bound && self.cut_at.is_some_and(|at| now.since(at) >= Millis::mins(1))
        {
            self.per_minute = (self.per_minute + (bound / REGROWTH_PARTS).max(1)).min(bound);
            self.cut_at = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: ApiLimit = ApiLimit { per_minute: 60, burst: 3 };

    fn taken(bucket: &mut Bucket, now: Time) -> usize {
        std::iter::from_fn(|| bucket.take(now).then_some(())).count()
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let mut bucket = Bucket::full(LIMIT);
        assert_eq!(taken(&mut bucket, Time(0)), 3);
        assert_eq!(bucket.next_at(Time(0)), Time(1_000));
        assert_eq!(taken(&mut bucket, Time(999)), 0);
        assert_eq!(taken(&mut bucket, Time(1_000)), 1);
        assert_eq!(taken(&mut bucket, Time(60_000)), 3);
    }

    #[test]
    fn a_resumed_run_has_no_burst() {
        let mut bucket = Bucket::empty(LIMIT, None, Time(50_000));
        assert_eq!(taken(&mut bucket, Time(50_000)), 0);
        assert_eq!(taken(&mut bucket, Time(51_000)), 1);
    }

    #[test]
    fn a_resumed_run_gets_its_rate_back() {
        let mut bucket = Bucket::empty(LIMIT, Some(6), Time(0));
        for minute in 1..=10 {
            let _ = taken(&mut bucket, Time(minute * 60_000));
        }
        assert_eq!(bucket.per_minute, 60);
    }

    #[test]
    fn a_token_taken_ahead_is_earned_before_the_next() {
        let mut bucket = Bucket::empty(LIMIT, None, Time(0));
        assert!(bucket.take_ahead(Time(500)));
        assert!(!bucket.take_ahead(Time(600)), "one at a time");
        assert_eq!(bucket.next_at(Time(600)), Time(2_000));
        assert_eq!(taken(&mut bucket, Time(1_999)), 0);
        assert_eq!(taken(&mut bucket, Time(2_000)), 1);
    }

    #[test]
    fn nothing_is_taken_ahead_while_the_cloud_said_to_wait() {
        let mut bucket = Bucket::full(LIMIT);
        let _ = bucket.cut(Time(0), Some(Millis::secs(30)));
        assert!(!bucket.take_ahead(Time(29_999)));
    }

    #[test]
    fn a_throttle_halves_the_rate_once_for_all_that_failed_together() {
        let mut bucket = Bucket::full(LIMIT);
        assert_eq!(bucket.cut(Time(10), None), Some(30));
        assert_eq!(bucket.cut(Time(20), None), None);
        assert_eq!(bucket.cut(Time(10_000), None), Some(15));
    }

    #[test]
    fn an_announced_wait_holds_every_request() {
        let mut bucket = Bucket::full(LIMIT);
        let _ = bucket.cut(Time(0), Some(Millis::secs(30)));
        assert_eq!(taken(&mut bucket, Time(29_999)), 0);
        assert_eq!(bucket.next_at(Time(29_999)), Time(30_000));
        assert!(bucket.take(Time(30_000)));
    }

    #[test]
    fn the_rate_comes_back_while_all_goes_well() {
        let mut bucket = Bucket::full(LIMIT);
        let _ = bucket.cut(Time(0), None);
        for minute in 1..=10 {
            let _ = taken(&mut bucket, Time(minute * 60_000));
        }
        assert_eq!(bucket.per_minute, 60);
    }
}
