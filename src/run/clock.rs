//! The one place that reads clocks and waits.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::domain::{Millis, Moment, Time, Timestamp};

/// Says what time it is, and waits.
pub trait Clock: Send + Sync {
    /// Now. Never earlier than what it said before.
    fn now(&self) -> Moment;

    /// Real time since this clock was made, also where the run's own time goes faster.
    fn elapsed(&self) -> Millis;

    /// Waits until that moment of the run.
    fn sleep_until(&self, at: Time) -> impl Future<Output = ()> + Send;
}

impl<K: Clock> Clock for std::sync::Arc<K> {
    fn now(&self) -> Moment {
        K::now(self)
    }

    fn elapsed(&self) -> Millis {
        K::elapsed(self)
    }

    fn sleep_until(&self, at: Time) -> impl Future<Output = ()> + Send {
        K::sleep_until(self, at)
    }
}

/// No wait is longer, so that a machine that slept is soon noticed.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A clock that only goes forward, and that counts while the machine is suspended: an observation
/// from before must not look young afterwards (`safety.md`, S13).
#[cfg(any(target_os = "linux", target_os = "android"))]
const STEADY: ClockId = ClockId::Boottime;
/// The steady clock of other systems; the one of macOS counts while the machine sleeps.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const STEADY: ClockId = ClockId::Monotonic;

/// The clock of the machine.
///
/// The time of a run is what a steady clock counts: from zero when the run begins, and from its last
/// record when it is resumed. The wall clock stamps records and decides nothing: people and time
/// servers set it, forwards and back.
#[derive(Debug)]
pub struct RealClock {
    speed: u32,
    origin: Duration,
    base: Time,
    latest: AtomicU64,
}

impl RealClock {
    /// The clock of a run whose last record is of `base`. A rehearsal may go `speed` times faster
    /// than the world.
    #[must_use]
    pub fn start(base: Time, speed: u32) -> Self {
        Self { speed: speed.max(1), origin: steady(), base, latest: AtomicU64::new(base.0) }
    }

    /// What the wall clock says: for stamps, and for what outlives this process or belongs to others.
    #[must_use]
    pub fn wall() -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the one clock")]
        let now = SystemTime::now();
        let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
    }

    fn at(&self, steady: Duration) -> Time {
        let passed = millis(steady.saturating_sub(self.origin));
        let at = self.base + Millis(passed.0.saturating_mul(u64::from(self.speed)));
        Time(self.latest.fetch_max(at.0, Ordering::Relaxed).max(at.0))
    }
}

/// What the steady clock counts, from some moment before this process began.
fn steady() -> Duration {
    let now = clock_gettime(STEADY);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or_default())
}

fn millis(length: Duration) -> Millis {
    Millis(u64::try_from(length.as_millis()).unwrap_or(u64::MAX))
}

impl Clock for RealClock {
    fn now(&self) -> Moment {
        Moment { at: self.at(steady()), wall: Self::wall() }
    }

    fn elapsed(&self) -> Millis {
        millis(steady().saturating_sub(self.origin))
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

    #[test]
    fn a_run_that_is_resumed_goes_on_from_its_last_record() {
        let clock = RealClock::start(Time(90_000), 1);
        assert_eq!(clock.at(clock.origin), Time(90_000));
        assert_eq!(clock.at(clock.origin + Duration::from_secs(5)), Time(95_000));
        assert_eq!(clock.at(clock.origin), Time(95_000), "never earlier than it said before");
        let fast = RealClock::start(Time(0), 60);
        assert_eq!(fast.at(fast.origin + Duration::from_secs(60)), Time(3_600_000));
    }

    #[test]
    fn b2_the_wall_clock_moves_no_deadline() {
        let clock = RealClock::start(Time(0), 1);
        let now = clock.now();
        assert!(now.at < Time(60_000), "{}: the run has just begun", now.at);
        assert!(now.wall > Timestamp(1_600_000_000_000));
    }

    #[tokio::test]
    async fn a_wait_ends_when_its_moment_has_come() {
        let clock = RealClock::start(Time(7), 1);
        clock.sleep_until(Time(50)).await;
        assert!(clock.now().at >= Time(50));
    }

    #[tokio::test]
    async fn a_fast_clock_waits_less() {
        let clock = RealClock::start(Time(0), 1_000);
        clock.sleep_until(Time(100_000)).await;
        assert!(clock.now().at >= Time(100_000));
        assert!(clock.elapsed() >= Millis(100), "{}", clock.elapsed());
        assert!(clock.elapsed() < Millis::secs(60), "{}", clock.elapsed());
    }
}
