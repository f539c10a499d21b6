//! Reading the cloud before there is a run: a few requests at once, with patience.
//!
//! Start with [`survey`]. Only requests that change nothing may go this way, so an answer that did
//! not come is simply asked for again.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::cloud::Cloud;
use crate::domain::{Action, Answer, CostClass, Fault, Millis, Remedy, Reply};
use crate::plan::Survey;

use super::{Clock, SurveyError};

/// Who wants to know something about the cloud.
pub trait Reads {
    /// Reads that can be sent now; each is given once.
    fn next(&mut self) -> Vec<Action>;
    /// The answer to one of them, or why it makes no sense.
    fn take(&mut self, action: &Action, answer: Answer) -> Result<(), String>;
    /// One of them has no answer, and asking again would not help. Where that is an answer of its
    /// own, such as "you may not know", the reading goes on.
    fn fail(&mut self, action: &Action, fault: Fault) -> Result<(), Fault> {
        let _ = action;
        Err(fault)
    }
    /// Whether everything is known.
    fn is_done(&self) -> bool;
}

impl Reads for Survey<'_> {
    fn next(&mut self) -> Vec<Action> {
        Survey::next(self)
    }

    fn take(&mut self, action: &Action, answer: Answer) -> Result<(), String> {
        Survey::take(self, action, answer).map_err(|refusal| refusal.to_string())
    }

    fn fail(&mut self, action: &Action, fault: Fault) -> Result<(), Fault> {
        Survey::fail(self, action, &fault).map_err(|_| fault)
    }

    fn is_done(&self) -> bool {
        Survey::is_done(self)
    }
}

/// Enough to read ten thousand servers in seconds, few enough for nobody to notice.
const AT_ONCE: usize = 8;
/// With the waits between them: about a minute of a cloud that is unwell.
const ATTEMPTS: u32 = 7;
const FIRST_WAIT: Millis = Millis::secs(1);
const LONGEST_WAIT: Millis = Millis::secs(30);

/// Sends what `reads` wants until it knows everything.
pub async fn survey<C, K, R>(
    cloud: &Arc<C>,
    clock: &Arc<K>,
    reads: &mut R,
) -> Result<(), SurveyError>
where
    C: Cloud + 'static,
    K: Clock + 'static,
    R: Reads,
{
    let mut waiting = VecDeque::new();
    let mut flying = JoinSet::new();
    while !reads.is_done() {
        waiting.extend(reads.next());
        while flying.len() < AT_ONCE
            && let Some(action) = waiting.pop_front()
        {
            flying.spawn(patiently(Arc::clone(cloud), Arc::clone(clock), action));
        }
        let Some(Ok((action, reply))) = flying.join_next().await else {
            return Err(SurveyError::Stuck);
        };
        match reply {
            Ok(answer) => reads
                .take(&action, answer)
                .map_err(|reason| SurveyError::Answer { what: describe(&action), reason })?,
            Err(fault) => reads
                .fail(&action, fault)
                .map_err(|fault| SurveyError::Fault { what: describe(&action), fault })?,
        }
    }
    Ok(())
}

async fn patiently<C: Cloud, K: Clock>(
    cloud: Arc<C>,
    clock: Arc<K>,
    action: Action,
) -> (Action, Reply) {
    let mut wait = FIRST_WAIT;
    for _ in 1..ATTEMPTS {
        let fault = match cloud.call(action.clone()).await {
            Err(fault) if is_worth_another(&action, &fault) => fault,
            reply => return (action, reply),
        };
        let pause = fault.retry_after.unwrap_or(wait).min(LONGEST_WAIT);
        clock.sleep_until(clock.now().at + pause).await;
        wait = Millis(wait.0 * 2).min(LONGEST_WAIT);
    }
    let reply = cloud.call(action.clone()).await;
    (action, reply)
}

fn is_worth_another(action: &Action, fault: &Fault) -> bool {
    action.is_repeatable() && matches!(fault.class.remedy(CostClass::Reading), Remedy::Retry(_))
}

/// The action, for the sentence "failed to …".
fn describe(action: &Action) -> String {
    match action {
        Action::Stop { .. } => "stop servers".to_owned(),
        Action::Start { .. } => "start servers".to_owned(),
        Action::Reinstall { server, .. } => format!("reinstall server {server}"),
        Action::Backup { server, .. } => format!("back up server {server}"),
        Action::ListVaults { .. } => "list the vaults for backups".to_owned(),
        Action::ListBackups { .. } => "list the backups of servers".to_owned(),
        Action::ListServers { .. } => "list the servers".to_owned(),
        Action::ShowServer { server } => format!("look at server {server}"),
        Action::ShowJob { job } => format!("look at job {job}"),
        Action::ListVolumes { .. } => "list the disks".to_owned(),
        Action::ListSnapshots { .. } => "list the snapshots of disks".to_owned(),
        Action::ShowQuota => "look at the disk quota".to_owned(),
        Action::ShowImage { image } => format!("look at image {image}"),
        Action::FindImages { name } => format!("look for images named {name}"),
        Action::ShowKeyPair { name } => format!("look at key pair {name}"),
        Action::ShowKey { key } => format!("look at KMS key {key}"),
        Action::ListKeys => "list the KMS keys".to_owned(),
        Action::ShowAgency => "look whether EVS may use KMS".to_owned(),
        Action::ListAgencyRoles { .. } => "look what EVS may do with KMS".to_owned(),
        Action::ShowPassword { server } => {
            format!("look whether server {server} has a password to fetch")
        }
        Action::ListTraces { server, .. } => format!("list the audit log of server {server}"),
        Action::Probe { server, .. } => format!("probe server {server}"),
        Action::Run { server, call } => format!("run step {} of server {server}", call.step),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use crate::domain::{FaultClass, Moment, More, Page, Server, Time, Timestamp};

    use super::*;

    /// Wants so many pages, and all at once.
    struct Pages {
        asked: bool,
        left: u32,
        complaint: Option<&'static str>,
    }

    /// Can do without what it may not know.
    struct Modest(Pages);

    impl Reads for Modest {
        fn next(&mut self) -> Vec<Action> {
            self.0.next()
        }

        fn take(&mut self, action: &Action, answer: Answer) -> Result<(), String> {
            self.0.take(action, answer)
        }

        fn fail(&mut self, _: &Action, fault: Fault) -> Result<(), Fault> {
            self.0.left -= 1;
            if fault.class == FaultClass::Forbidden { Ok(()) } else { Err(fault) }
        }

        fn is_done(&self) -> bool {
            self.0.is_done()
        }
    }

    impl Reads for Pages {
        fn next(&mut self) -> Vec<Action> {
            let pages = if self.asked { 0 } else { self.left };
            self.asked = true;
            (1..=pages)
                .map(|page| Action::ListServers { page: Page::Number(page), limit: 1 })
                .collect()
        }

        fn take(&mut self, _: &Action, _: Answer) -> Result<(), String> {
            self.left -= 1;
            self.complaint.map_or(Ok(()), |complaint| Err(complaint.to_owned()))
        }

        fn is_done(&self) -> bool {
            self.left == 0
        }
    }

    /// Refuses each page so often, and counts.
    #[derive(Default)]
    struct Refusing {
        times: u32,
        class: Option<FaultClass>,
        seen: Mutex<Seen>,
    }

    #[derive(Default)]
    struct Seen {
        tries: BTreeMap<u32, u32>,
        flying: usize,
        most: usize,
    }

    impl Cloud for Refusing {
        async fn call(&self, action: Action) -> Reply {
            let Action::ListServers { page: Page::Number(page), .. } = action else {
                panic!("not asked for")
            };
            let tries = {
                let mut seen = self.seen.lock().unwrap();
                seen.flying += 1;
                seen.most = seen.most.max(seen.flying);
                *seen.tries.entry(page).and_modify(|n| *n += 1).or_insert(1)
            };
            tokio::task::yield_now().await;
            self.seen.lock().unwrap().flying -= 1;
            match self.class {
                Some(class) if tries <= self.times => Err(Fault {
                    class,
                    code: "APIGW.0308".to_owned(),
                    message: "slow down".to_owned(),
                    request_id: None,
                    retry_after: None,
                }),
                _ => Ok(Answer::Servers { more: More::Nothing, servers: Vec::<Server>::new() }),
            }
        }
    }

    #[derive(Default)]
    struct Counting(Mutex<u64>);

    impl Clock for Counting {
        fn now(&self) -> Moment {
            Moment { at: Time(*self.0.lock().unwrap()), wall: Timestamp(0) }
        }

        fn elapsed(&self) -> Millis {
            Millis(*self.0.lock().unwrap())
        }

        async fn sleep_until(&self, at: Time) {
            let mut now = self.0.lock().unwrap();
            *now = at.0.max(*now);
        }
    }

    async fn read(cloud: Refusing, pages: u32) -> (Result<(), SurveyError>, Seen, u64) {
        let (cloud, clock) = (Arc::new(cloud), Arc::new(Counting::default()));
        let mut reads = Pages { asked: false, left: pages, complaint: None };
        let result = survey(&cloud, &clock, &mut reads).await;
        let seen = std::mem::take(&mut *cloud.seen.lock().unwrap());
        let waited = *clock.0.lock().unwrap();
        (result, seen, waited)
    }

    #[tokio::test]
    async fn no_more_than_a_few_reads_are_under_way() {
        let (result, seen, waited) = read(Refusing::default(), 50).await;
        assert!(result.is_ok());
        assert_eq!((seen.tries.len(), seen.most, waited), (50, AT_ONCE, 0));
    }

    #[tokio::test]
    async fn a_cloud_that_is_unwell_is_asked_again_later_and_later() {
        for class in [FaultClass::Throttled, FaultClass::Transient, FaultClass::Lost] {
            let cloud = Refusing { times: 3, class: Some(class), ..Refusing::default() };
            let (result, seen, waited) = read(cloud, 1).await;
            assert!(result.is_ok());
            assert_eq!((seen.tries[&1], waited), (4, 7_000));
        }
    }

    #[tokio::test]
    async fn patience_has_an_end() {
        let class = Some(FaultClass::Throttled);
        let cloud = Refusing { times: 99, class, ..Refusing::default() };
        let (result, seen, _) = read(cloud, 1).await;
        assert_eq!(result.unwrap_err().to_string(), "list the servers: APIGW.0308: slow down");
        assert_eq!(seen.tries[&1], ATTEMPTS);
    }

    #[tokio::test]
    async fn a_refusal_is_final() {
        let class = Some(FaultClass::Forbidden);
        let cloud = Refusing { times: 1, class, ..Refusing::default() };
        let (result, seen, waited) = read(cloud, 1).await;
        assert!(matches!(result, Err(SurveyError::Fault { .. })));
        assert_eq!((seen.tries[&1], waited), (1, 0));
    }

    #[tokio::test]
    async fn a_refusal_may_be_an_answer_of_its_own() {
        let class = Some(FaultClass::Forbidden);
        let cloud = Arc::new(Refusing { times: 1, class, ..Refusing::default() });
        let clock = Arc::new(Counting::default());
        let mut reads = Modest(Pages { asked: false, left: 2, complaint: None });
        assert!(survey(&cloud, &clock, &mut reads).await.is_ok());
    }

    #[tokio::test]
    async fn an_answer_that_makes_no_sense_and_a_survey_that_asks_nothing_are_errors() {
        let (cloud, clock) = (Arc::new(Refusing::default()), Arc::new(Counting::default()));
        let mut reads = Pages { asked: false, left: 1, complaint: Some("page 1 is empty") };
        let error = survey(&cloud, &clock, &mut reads).await.unwrap_err();
        assert_eq!(error.to_string(), "list the servers: page 1 is empty");
        let mut reads = Pages { asked: true, left: 1, complaint: None };
        let error = survey(&cloud, &clock, &mut reads).await.unwrap_err();
        assert!(matches!(error, SurveyError::Stuck));
    }
}
