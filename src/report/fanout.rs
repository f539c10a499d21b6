//! All reporters of a run as one, which never fails.

use crate::domain::{Moment, Record};

use super::{Error, Reporter};

/// Tells each of its reporters. One that fails is told no more, and its failure is kept for the
/// end of the run.
#[derive(Default)]
pub struct Reporters {
    members: Vec<Member>,
    failures: Vec<String>,
}

struct Member {
    name: String,
    reporter: Box<dyn Reporter>,
}

impl Reporters {
    /// Nobody listens yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One more, under the name that its failure is reported with.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, reporter: impl Reporter + 'static) -> Self {
        self.members.push(Member { name: name.into(), reporter: Box::new(reporter) });
        self
    }

    /// Records of before.
    pub fn catch_up(&mut self, records: &[Record]) {
        for member in &mut self.members {
            member.reporter.catch_up(records);
        }
    }

    /// New records.
    pub fn tell(&mut self, records: &[Record]) {
        self.each(|reporter| reporter.tell(records));
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Moment) {
        self.each(|reporter| reporter.tick(now));
    }

    /// The process leaves the run. Gives what failed, a sentence each.
    #[must_use]
    pub fn finish(mut self) -> Vec<String> {
        #[expect(
            clippy::redundant_closure_for_method_calls,
            reason = "the path has no lifetime to give"
        )]
        self.each(|reporter| reporter.finish());
        self.failures
    }

    fn each(&mut self, mut say: impl FnMut(&mut (dyn Reporter + 'static)) -> Result<(), Error>) {
        let failures = &mut self.failures;
        self.members.retain_mut(|member| match say(member.reporter.as_mut()) {
            Ok(()) => true,
            Err(error) => {
                failures.push(format!("{}: failed to {error}", member.name));
                false
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;
    use crate::domain::{Event, Time, Timestamp};

    struct Noting {
        to: Sender<u64>,
        breaks_at: u64,
    }

    impl Reporter for Noting {
        fn tell(&mut self, records: &[Record]) -> Result<(), Error> {
            for record in records {
                if record.seq >= self.breaks_at {
                    return Err(std::io::Error::other("the pipe is gone").into());
                }
                self.to.send(record.seq).unwrap();
            }
            Ok(())
        }
    }

    #[test]
    fn a_reporter_that_fails_is_told_no_more_and_the_others_are() {
        let record = |seq| Record { seq, at: Time(0), wall: Timestamp(0), event: Event::Resumed };
        let ((good, heard), (bad, little)) = (channel(), channel());
        let mut reporters = Reporters::new()
            .with("events", Noting { to: bad, breaks_at: 2 })
            .with("screen", Noting { to: good, breaks_at: u64::MAX });
        for seq in 1..=3 {
            reporters.tell(&[record(seq)]);
        }
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(little.try_iter().collect::<Vec<_>>(), [1]);
        assert_eq!(reporters.finish(), ["events: failed to write the report: the pipe is gone"]);
    }
}
