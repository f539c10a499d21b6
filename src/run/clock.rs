//! The one place that reads clocks and waits.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::domain::{Millis, Moment, Time, Timestamp};

/// Says what time it is, and waits.
pub trait Clock: Send + Sync {
    /// Now. Never earlier than what it said before.
    fn now(&self) -> Moment;

    /// Waits until that moment of the run.
    fn sleep_until(&self, at: Time) -> impl Future<Output = ()> + Send;
}

impl<K: Clock> Clock for std::sync::Arc<K> {
    fn now(&self) -> Moment {
        K::now(self)
    }

    fn sleep_until(&self, at: Time) -> impl Future<Output = ()> + Send {
        K::sleep_until(self, at)
    }
}

/// No wait is longer, so that a machine that slept is soon noticed.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The clock of the machine.
///
/// The time of the run is the larger of two: what a steady clock counted since this process began,
/// and what the wall clock says has passed since the run began. A steady clock stands still while a
/// laptop sleeps, and an observation of before must not look young afterwards (`safety.md`, S13);
/// a wall clock that is set back must not turn the run back.
#[derive(Debug)]
pub struct RealClock {
    began: Timestamp,
    speed: u32,
    origin: Instant,
    base: Time,
    latest: AtomicU64,
}

impl RealClock {
    /// The clock of a run that began at `began` and whose last record is of `floor`. A rehearsal
    /// may go `speed` times faster than the world.
    #[must_use]
    pub fn start(began: Timestamp, floor: Time, speed: u32) -> Self {
        let speed = speed.max(1);
        let base = scaled(Self::wall().since(began), speed).max(floor);
        Self { began, speed, origin: Instant::now(), base, latest: AtomicU64::new(base.0) }
    }

    /// What the wall clock says: for a run that is about to begin, and for everything outside one.
    #[must_use]
    pub fn wall() -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the one clock")]
        let now = SystemTime::now();
        let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
    }

    fn at(&self, wall: Timestamp) -> Time {
        let steady = self.base + Millis(scaled(millis(self.origin.elapsed()), self.speed).0);
        let seen = steady.max(scaled(wall.since(self.began), self.speed));
        Time(self.latest.fetch_max(seen.0, Ordering::Relaxed).max(seen.0))
    }
}

fn scaled(length: Millis, speed: u32) -> Time {
    Time(length.0.saturating_mul(u64::from(speed)))
}

fn millis(length: Duration) -> Millis {
    Millis(u64::try_from(length.as_millis()).unwrap_or(u64::MAX))
}

impl Clock for RealClock {
    fn now(&self) -> Moment {
        let wall = Self::wall();
        Moment { at: self.at(wall), wall }
    }

    async fn sleep_until(&self, at: Time) {
        loop {
            let left = at.since(self.now().at);
            if left == Millis(0) {
                return;
            }
            let left = Duration::from_micros(left.0.saturating_mul(1_000) / u64::from(self.speed));
            // At least what the timer can tell apart, or the last steps would not wait at all.
            let wait = left.clamp(Duration::from_millis(1), LONGEST_WAIT);
            #[expect(clippy::disallowed_methods, reason = "the one place that waits")]
            tokio::time::sleep(wait).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_clock_starts_at_the_wall_or_at_the_last_record_whichever_is_later() {
        let began = Timestamp(RealClock::wall().0 - 60_000);
        let near = |clock: &RealClock, want: u64| {
            let at = clock.now().at.0;
            assert!((want..want + 5_000).contains(&at), "{at} is not about {want}");
        };
        near(&RealClock::start(began, Time(0), 1), 60_000);
        near(&RealClock::start(began, Time(90_000), 1), 90_000);
        near(&RealClock::start(began, Time(0), 60), 3_600_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_began_in_the_future_still_goes_forward() {
        let clock = RealClock::start(Timestamp(RealClock::wall().0 + 60_000), Time(7), 1);
        clock.sleep_until(Time(50)).await;
        assert!(clock.now().at >= Time(50));
    }

    #[tokio::test(start_paused = true)]
    async fn a_fast_clock_waits_less() {
        let clock = RealClock::start(RealClock::wall(), Time(0), 100);
        let before = Instant::now();
        clock.sleep_until(Time(100_000)).await;
        assert!(clock.now().at >= Time(100_000));
        assert!(before.elapsed() <= Duration::from_millis(1_100), "{:?}", before.elapsed());
    }
}
