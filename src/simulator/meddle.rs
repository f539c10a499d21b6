//! Other people: what somebody else does to servers while a run is under way, one by one and in
//! bulk.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::commands::{StopFirst, Wipe};
use super::history::{By, What};
use super::knobs::millis;
use super::tasks::{Event, Step};
use super::world::World;
use crate::domain::{ImageId, InstallCall, Millis, Server, ServerId, StopMode};

/// What somebody else does to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Meddling {
    /// The tag that protects it is put on.
    Protect,
    /// It is locked.
    Lock,
    /// It gets another name.
    Rename,
    /// It is started, if it is off and at rest, and has a system that can start.
    Start,
    /// It is deleted.
    Delete,
    /// A task of the operator's is shown on it from now on, without an end.
    Occupy,
    /// It gets a tag that protects nothing.
    Tag,
    /// The tag that protects it is taken off.
    Unprotect,
    /// It is unlocked.
    Unlock,
    /// It is asked to shut down, as through the cloud's calls.
    Stop,
    /// It is reinstalled with the image that it has, as through the cloud's calls.
    Rebuild,
    /// A snapshot of its system disk is made.
    Snapshot,
    /// Its key pair is replaced by another of the same name.
    ReplaceKeyPair,
    /// The name of its image goes to a newer image.
    ReplaceImage,
}

impl Meddling {
    /// The task that is shown on a server which somebody else is busy with.
    pub const TASK: &'static str = "migrating";

    /// Those that a seed of old draws from.
    pub const ALL: [Self; 6] =
        [Self::Protect, Self::Lock, Self::Rename, Self::Start, Self::Delete, Self::Occupy];

    /// All of them.
    pub const EVERY: [Self; 14] = [
        Self::Protect,
        Self::Lock,
        Self::Rename,
        Self::Start,
        Self::Delete,
        Self::Occupy,
        Self::Tag,
        Self::Unprotect,
        Self::Unlock,
        Self::Stop,
        Self::Rebuild,
        Self::Snapshot,
        Self::ReplaceKeyPair,
        Self::ReplaceImage,
    ];
}

/// What somebody else does, to which servers, and when: an entry of `people` in a world's file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Visit {
    /// Simulated seconds since the world began.
    #[schemars(range(min = 0))]
    pub at: f64,
    /// Names of servers; a `*` stands for any text.
    pub servers: String,
    /// What is done to each of them.
    pub does: Meddling,
}

#[expect(clippy::derivable_impls, reason = "the default is one of many, and not the first by rank")]
impl Default for Meddling {
    fn default() -> Self {
        Self::Tag
    }
}

impl World {
    /// What is in the file comes true at its time. Servers are those that have the name at the
    /// beginning.
    pub(super) fn expect_visits(&mut self, people: &[Visit]) {
        for visit in people {
            let task = self.people.len() as u64;
            self.people.push(visit.does);
            let named = self.machines.iter().enumerate();
            let named = named.filter(|(_, it)| is_named(&visit.servers, &it.server.name));
            for machine in named.map(|(index, _)| index).collect::<Vec<_>>() {
                self.plan(millis(visit.at), Event { machine, task, step: Step::Visited });
            }
        }
    }

    /// What was expected comes true.
    pub(super) fn visited(&mut self, at: Millis, index: usize, number: usize) {
        let id = self.machines[index].server.id.clone();
        if let Some(meddling) = self.people.get(number).copied() {
            self.meddle(at, &id, meddling);
        }
    }

    /// Somebody else does that to a server at that moment; nothing, if it is not there.
    pub fn meddle(&mut self, now: Millis, id: &ServerId, meddling: Meddling) {
        self.advance(now);
        let Some(index) = self.by_id.get(id).copied() else { return };
        let before = std::mem::take(&mut self.asking);
        self.asked_by(By::Colleague);
        self.write_down(now, id, What::Changed(meddling));
        self.meddle_with(now, (index, id), meddling);
        self.asking = before;
    }

    fn meddle_with(&mut self, now: Millis, (index, id): (usize, &ServerId), meddling: Meddling) {
        let at_rest = self.machines[index].task.is_none();
        match meddling {
            Meddling::Protect => {
                self.change(now, index).tags.set("reinstall", "never");
            }
            Meddling::Unprotect => {
                let server = self.change(now, index);
                let kept = server.tags.iter().filter(|(key, _)| *key != "reinstall");
                let kept = kept.map(|(key, value)| (key.to_owned(), value.to_owned()));
                server.tags = kept.collect();
            }
            Meddling::Tag => {
                self.change(now, index).tags.set("seen", "by-a-colleague");
            }
            Meddling::Lock => self.change(now, index).locked = true,
            Meddling::Unlock => self.change(now, index).locked = false,
            Meddling::Rename => self.change(now, index).name.push_str("-renamed"),
            Meddling::Start => {
                let machine = &self.machines[index];
                if at_rest && machine.server.is_stopped() && !machine.last_failed {
                    "ACTIVE".clone_into(&mut self.change(now, index).status);
                    self.power_is(now, index, (true, self.asking));
                }
            }
            Meddling::Stop => {
                let _perhaps_refused = self.stop(now, std::slice::from_ref(id), StopMode::Soft);
            }
            Meddling::Rebuild => {
                let wipe = self.own_wipe(&self.machines[index].server);
                let _perhaps_refused = self.reinstall(now, id, &wipe);
            }
            Meddling::Delete => {
                self.machines[index].gone = true;
                self.by_id.remove(id);
            }
            Meddling::Occupy => {
                if at_rest {
                    self.change(now, index).task_state = Some(Meddling::TASK.to_owned());
                }
            }
            Meddling::Snapshot => {
                let disk = self.machines[index].server.system_volume().cloned();
                if let Some(disk) = disk {
                    let _perhaps_refused =
                        self.create_snapshot(now, &disk, ("by-a-colleague", None));
                }
            }
            Meddling::ReplaceKeyPair => {
                let name = self.machines[index].server.key_name.clone();
                let digits = self.dice.hex();
                let pairs: Vec<&str> = (0..16).map(|at| &digits[at * 2..at * 2 + 2]).collect();
                let same = self.key_pairs.iter_mut().find(|pair| Some(&pair.name) == name.as_ref());
                if let Some(pair) = same {
                    pair.fingerprint = pairs.join(":");
                }
            }
            Meddling::ReplaceImage => self.replace_image(index),
        }
    }

    fn replace_image(&mut self, index: usize) {
        let newer = ImageId::new(self.dice.uuid());
        let Some(image) = self.images.get_mut(&self.machines[index].server.image) else { return };
        let made = crate::domain::Image { id: newer.clone(), ..image.clone() };
        image.name.push_str("-old");
        self.images.insert(newer, made);
    }

    /// How somebody else reinstalls a server: with the image and the key pair that it has.
    fn own_wipe(&self, server: &Server) -> Wipe {
        let image = self.images.get(&server.image);
        let owner = self.key_pairs.iter().find(|pair| Some(&pair.name) == server.key_name.as_ref());
        let key_pair = owner.map(|pair| {
            let user =
                pair.user.as_ref().map_or(self.account.user_id.as_str(), |user| user.as_str());
            (pair.name.clone(), user.to_owned())
        });
        Wipe {
            call: if image.is_none_or(|it| it.cloud_init) {
                InstallCall::V2
            } else {
                InstallCall::V1
            },
            user_data: key_pair.is_none(),
            key_pair,
            password: false,
            byol: false,
            new_image: None,
            disk_key: None,
            stop_first: StopFirst::Yes,
        }
    }
}

/// Whether a server's name is one of those meant.
fn is_named(pattern: &str, name: &str) -> bool {
    let Some((begin, end)) = pattern.split_once('*') else { return pattern == name };
    name.len() >= begin.len() + end.len() && name.starts_with(begin) && name.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::super::trial::{self, calm, ids, job, reinstall_of, stop_of};
    use super::super::{Entry, Faults};
    use super::*;
    use crate::domain::{Action, Deed};

    fn what(world: &World) -> Vec<&What> {
        world.history().iter().map(|Entry { what, .. }| what).collect()
    }

    #[test]
    fn what_a_worlds_file_says_of_other_people_comes_true() {
        let text = "servers: [{ count: 3, name: web-# }, { name: db }]\n\
                    people: [{ at: 30, servers: web-*, does: protect }, { at: 60, servers: db, does: stop }]";
        let mut world = trial::world(text, calm());
        let tagged = |world: &World| world.servers().filter(|it| !it.tags.is_empty()).count();
        world.advance(Millis::secs(29));
        assert_eq!(tagged(&world), 0);
        world.advance(Millis::secs(30));
        assert_eq!(tagged(&world), 3);
        world.advance(Millis::secs(200));
        let off: Vec<&str> =
            world.servers().filter(|it| it.is_stopped()).map(|it| it.name.as_str()).collect();
        assert_eq!(off, ["db"]);
        let theirs = |what: &What| matches!(what, What::Power { on: false, asking } if asking.by == By::Colleague);
        assert!(what(&world).into_iter().any(theirs), "{:?}", what(&world));
    }

    #[test]
    fn who_is_behind_a_reinstall_is_on_record() {
        let mut world = trial::world("servers: [{ count: 1 }]", calm());
        let id = ids(&world).remove(0);
        world.meddle(Millis(0), &id, Meddling::Rebuild);
        world.advance(Millis::secs(600));
        assert_eq!(world.reinstalls(&id).accepted, 0, "no client of ours asked for it");
        let ended = |by| {
            let by =
                move |what: &&&What| matches!(what, What::WipeEnded(asking) if asking.by == by);
            what(&world).iter().filter(by).count()
        };
        assert_eq!((ended(By::Colleague), ended(By::Client(0))), (1, 0));
        job(&mut world, 700, &stop_of(&id, StopMode::Hard));
        let wipe = reinstall_of(&world, &id);
        let _served = world.serve_for(1, Millis::secs(800), &wipe);
        world.advance(Millis::secs(1_600));
        assert_eq!(world.reinstalls_by(1, &id).completed, 1);
        assert_eq!(world.reinstalls_by(0, &id).completed, 0);
    }

    #[test]
    fn what_a_gateway_repeats_or_delivers_late_has_the_number_of_its_request() {
        let asked = |faults: &str| {
            let mut world = trial::world("servers: [{ count: 1, status: SHUTOFF }]", calm());
            world.set_faults(Faults::from_yaml(faults).expect(faults));
            let id = ids(&world).remove(0);
            let wipe = reinstall_of(&world, &id);
            let served = world.serve(Millis::secs(1), &wipe);
            world.advance(Millis::secs(120));
            let seen = what(&world).into_iter().filter_map(|what| match what {
                What::Asked { asking, deed: Deed::Reinstall, refused } => {
                    Some((asking.number, asking.copy, refused.is_none()))
                }
                What::Asked { .. }
                | What::Power { .. }
                | What::WipeBegan(_)
                | What::Wiped(_)
                | What::WipeEnded(_)
                | What::WipeFailed(_)
                | What::Changed(_) => None,
            });
            (seen.collect::<Vec<_>>(), served.reply.is_some_and(|reply| reply.is_ok()))
        };
        assert_eq!(asked("repeated: 1.0"), (vec![(1, false, true), (1, true, false)], false));
        assert_eq!(asked("late: 1.0"), (vec![(1, true, true)], false));
        assert_eq!(asked("error_503_after: 1.0"), (vec![(1, false, true)], false));
        assert_eq!(asked("conflict_after: 1.0"), (vec![(1, false, true)], false));
    }

    #[test]
    fn clocks_of_the_cloud_differ_as_they_are_told_to() {
        let text = "servers: [{ count: 1, status: SHUTOFF }]\n\
                    knobs: { clocks: { log: -20, servers: 5, steps_at: 100, step: 30 } }";
        let spec = super::super::WorldSpec::from_yaml(text).expect(text);
        let mut world = World::new(&spec, Faults::default(), 1);
        let id = ids(&world).remove(0);
        let wipe = reinstall_of(&world, &id);
        job(&mut world, 10, &wipe);
        let dated = world.server(&id).expect("there").updated.expect("changed");
        assert_eq!(dated, world.wall(Millis::secs(10)) + Millis::secs(5));
        let (_, line) = world.traces[&id].last().expect("a line");
        assert_eq!(line.time + Millis::secs(20), world.wall(Millis::secs(10)));
        let _refused = world.serve(Millis::secs(100), &Action::Start { servers: vec![id.clone()] });
        assert_eq!(world.log_clock(Millis::secs(100)), world.wall(Millis::secs(110)));
    }
}
