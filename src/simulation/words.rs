//! *`TrueWords`*: what a run says of its servers, against what the world's own record says.

use crate::domain::{Deed, Ending, Event, JobEnd, LeftOff, PauseCause, ServerId, Verdict};

use super::checkers::Checker;
use super::laws::{Laws, client};
use super::truth::Wipe;

impl Laws {
    /// Takes in one record of a run.
    pub(super) fn judge(&mut self, run: usize, event: &Event) {
        if let Event::PutOff { call, deed: Deed::Reinstall, servers, .. }
        | Event::Refused { call, deed: Deed::Reinstall, servers, .. } = event
        {
            let number = self.runs[run].sent.get(call).copied();
            for server in servers {
                self.was_not_done(run, server, number);
            }
        } else if let Event::Intended { call, deed: Deed::Reinstall, servers, .. } = event {
            let last = &mut self.runs[run].last_wipe;
            last.extend(servers.iter().map(|server| (server.clone(), *call)));
        } else if let Event::Resolved { server, deed: Deed::Reinstall, verdict, .. } = event {
            self.resolved(run, server, verdict);
        } else if let Event::JobEnded { server, end, .. } = event {
            self.job_ended(run, server, end);
        } else if let Event::Stopped { servers } = event {
            for server in servers {
                self.has_power(run, server, (false, "is off"));
            }
        } else if let Event::StartedBack { servers } = event {
            // Of one that nothing was sent to it says that it is left as it is.
            for server in servers {
                if self.has_touched(run, server) {
                    self.has_power(run, server, (true, "runs again"));
                }
            }
        } else if let Event::NotStartedBack { server, why, .. } = event {
            self.not_started_back(run, server, *why);
        } else if let Event::Ended { server, ending, .. } = event {
            self.ended(run, server, *ending);
        } else if let Event::Yielded { server, .. } = event {
            self.runs[run].let_go.insert(server.clone());
        } else if let Event::Abandoned { server, .. } = event {
            self.runs[run].endings.insert(server.clone(), Ending::Unknown);
            self.runs[run].let_go.insert(server.clone());
        } else if let Event::Paused { cause } = event {
            if !matches!(cause, PauseCause::LockedOut { .. }) {
                self.goes_away(run, "pauses");
            }
        } else if let Event::RunEnded { .. } = event {
            self.goes_away(run, "ends");
            self.runs[run].over = true;
        }
    }

    fn untrue(&mut self, run: usize, server: &ServerId, claim: &str) {
        let wipes = self.truths.get(server).wipes;
        let detail = format!("run {run} says of {server}: {claim}; the world has {wipes:?}");
        self.find(Checker::TrueWords, detail);
    }

    /// "Nothing was done": the request of that number was not taken.
    fn was_not_done(&mut self, run: usize, server: &ServerId, number: Option<u64>) {
        let truth = self.truths.get(server);
        let of = |wipe: &Wipe| Some(wipe.asking.number) == number;
        if truth.wipes_of(client(run)).any(of) {
            self.untrue(run, server, "nothing was done");
        }
    }

    fn resolved(&mut self, run: usize, server: &ServerId, verdict: &Verdict) {
        let seen = &self.runs[run];
        let call = seen.last_wipe.get(server);
        // Without a number it was never sent: whoever should have sent it died before that.
        let number = call.and_then(|call| seen.sent.get(call)).copied();
        let number = number.unwrap_or(u64::MAX);
        let truth = self.truths.get(server);
        let mut wipes = truth.wipes_of(client(run));
        match verdict {
            Verdict::Happened { .. } => {
                if self.wipes_meanwhile(run, server).next().is_none() {
                    self.untrue(run, server, "it was done");
                }
            }
            Verdict::DidNot => {
                let seen_by_now = wipes.any(|wipe| {
                    let late = wipe.asking.copy && !self.was_visible(wipe.began);
                    wipe.asking.number == number && !late
                });
                if seen_by_now {
                    self.untrue(run, server, "it was not done");
                }
            }
            Verdict::AtWork | Verdict::Unknown => {}
        }
    }

    fn job_ended(&mut self, run: usize, server: &ServerId, end: &JobEnd) {
        let truth = self.truths.get(server);
        let last = truth.wipes_of(client(run)).next_back();
        match end {
            JobEnd::Succeeded { .. } => {
                let done = self.wipes_meanwhile(run, server).any(|wipe| wipe.end == Some(true));
                if !done {
                    self.untrue(run, server, "its reinstall succeeded");
                }
            }
            JobEnd::Failed { wiped: false, .. } => {
                if last.is_some_and(|wipe| wipe.wiped) {
                    self.untrue(run, server, "its failed reinstall has not wiped it");
                }
            }
            JobEnd::Failed { .. } => {}
        }
    }

    fn not_started_back(&mut self, run: usize, server: &ServerId, why: LeftOff) {
        let seen = &mut self.runs[run];
        match why {
            LeftOff::Locked => {
                seen.not_back.insert(server.clone());
            }
            LeftOff::Failed => {
                // That it was not seen running says nothing of where it is.
                seen.not_back.insert(server.clone());
                return;
            }
            LeftOff::AsPlanned => {}
            LeftOff::TakenOver => {
                seen.let_go.insert(server.clone());
                return;
            }
        }
        self.has_power(run, server, (false, "stays off"));
    }

    /// The server has that power, had it a moment ago, or is shown so by a cloud that hides its work.
    fn has_power(&mut self, run: usize, server: &ServerId, (on, claim): (bool, &str)) {
        let truth = self.truths.get(server);
        let shown = self.is_shown(run, server, on);
        if !truth.gone && truth.on != on && !shown && self.was_visible(truth.power_since) {
            self.untrue(run, server, claim);
        }
    }

    fn ended(&mut self, run: usize, server: &ServerId, ending: Ending) {
        self.runs[run].endings.insert(server.clone(), ending);
        let truth = self.truths.get(server);
        let mut wipes = truth.wipes_of(client(run));
        match ending {
            Ending::Verified => {
                let done = self.wipes_meanwhile(run, server).any(|wipe| wipe.end == Some(true));
                if !done {
                    self.untrue(run, server, "it is verified");
                }
            }
            Ending::Drifted | Ending::Protected | Ending::Skipped => {
                let any = wipes.any(|wipe| {
                    let late = wipe.asking.copy && !self.was_visible(wipe.began);
                    (wipe.end != Some(false) || wipe.wiped) && !late
                });
                if any {
                    self.untrue(run, server, &format!("it was not wiped ({ending})"));
                }
            }
            Ending::Failed | Ending::Unknown | Ending::NeedsSupport => {}
        }
    }
}
