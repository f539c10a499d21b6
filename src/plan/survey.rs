//! What has to be read of a cloud, step by step. Says what to ask, never asks.

use indexmap::{IndexMap, IndexSet};

use crate::domain::{
    Action, AgencyState, Answer, Backup, BackupState, CloudCode, Fault, FaultClass, Features,
    ImageId, More, Page, Server, ServerId, Snapshot, Timestamp, Volume, VolumeId, WayBack,
};
use crate::fleet::Refusal;
use crate::playbook::Playbook;

use super::wants::Wants;
use super::{Inventory, Narrowing, Plan, Unread};

/// Things on a page: the most that the lists of servers and volumes give (`ecs.md`, section 2).
const PAGE: u32 = 1_000;

/// Pages that are read at most: a million servers is ten times what we were built for, and a
/// count beyond it is a mistake of somebody's.
const MAX_PAGES: u32 = 1_000;

/// Rounds through a list that changes while it is read.
const ROUNDS: u32 = 3;

/// A reading of a cloud: ask [`Survey::next`] what to send, hand each answer to [`Survey::take`],
/// until [`Survey::is_done`].
///
/// Whoever drives it repeats a request that was throttled or that failed on the way; a fault that
/// repeating does not mend goes to [`Survey::fail`].
#[derive(Clone, Debug)]
pub struct Survey<'p> {
    purpose: Purpose<'p>,
    stage: Stage,
    /// To be asked.
    due: Vec<Action>,
    /// Asked, and not answered.
    open: Vec<Action>,
    servers: IndexMap<ServerId, Server>,
    /// Servers there are, as the last page said.
    total: u32,
    /// Pages of this round that were asked for.
    pages: u32,
    round: u32,
    wants: Wants,
    /// Whether the records of what was done to each server are read too.
    records: bool,
    inventory: Inventory,
}

/// What the reading is for.
#[derive(Clone, Debug)]
enum Purpose<'p> {
    /// A plan: its servers are known once all servers are.
    Draw(&'p Playbook, &'p Narrowing),
    /// A last look at the servers of a plan, which are known.
    Recheck(IndexSet<ServerId>),
    /// The same before a wave: only what other people can take away meanwhile.
    Wave,
    /// A first playbook: what there is.
    Propose,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Which servers there are.
    Servers,
    /// Servers of a plan that no page showed, one by one.
    Missing,
    /// Disks, images, key pairs, quota.
    Parts,
    /// KMS keys, which the disks name.
    Keys,
    Done,
}

impl<'p> Survey<'p> {
    /// A reading of what is needed to plan this part of a playbook.
    #[must_use]
    pub fn new(playbook: &'p Playbook, narrowing: &'p Narrowing) -> Self {
        Self::begin(Purpose::Draw(playbook, narrowing), Wants::default())
    }

    /// The same, and where a cloud's disks cannot tell a reinstall, the records that can: a request for
    /// each server of the plan.
    #[must_use]
    pub fn of_cloud(self, features: &Features) -> Self {
        Self { records: features.tells_by_records(), ..self }
    }

    fn begin(purpose: Purpose<'p>, wants: Wants) -> Self {
        Self {
            purpose,
            stage: Stage::Servers,
            due: vec![Action::ListServers { page: Page::FIRST, limit: PAGE }],
            open: Vec::new(),
            servers: IndexMap::new(),
            total: 0,
            pages: 1,
            round: 1,
            wants,
            records: false,
            inventory: Inventory::default(),
        }
    }

    /// Everything that may be asked now, in any order and all at once. Empty while answers are
    /// awaited, and for ever once the reading is done.
    #[expect(clippy::should_implement_trait, reason = "a pause between answers is not the end")]
    pub fn next(&mut self) -> Vec<Action> {
        let due = std::mem::take(&mut self.due);
        self.open.extend(due.iter().cloned());
        due
    }

    /// Takes in the answer to an action.
    pub fn take(&mut self, action: &Action, answer: Answer) -> Result<(), Refusal> {
        if !self.close(action) {
            return Ok(());
        }
        match (action, answer) {
            (Action::ListServers { .. }, Answer::Servers { more, servers }) => {
                self.take_servers(more, servers)?;
            }
            (Action::ShowServer { .. }, Answer::Server(server)) => {
                self.servers.insert(server.id.clone(), *server);
            }
            (Action::ListVolumes { offset, .. }, Answer::Volumes(volumes)) => {
                self.take_volumes(*offset, volumes);
            }
            (Action::ListSnapshots { offset, .. }, Answer::Snapshots(snapshots)) => {
                self.take_snapshots(*offset, snapshots);
            }
            (Action::ListVaults { offset, .. }, Answer::Vaults(vaults)) => {
                if vaults.len() >= PAGE as usize {
                    self.due.push(Action::ListVaults { offset: offset + PAGE, limit: PAGE });
                }
                self.inventory.vaults.extend(vaults);
            }
            (Action::ListBackups { offset, .. }, Answer::Backups(backups)) => {
                self.take_backups(*offset, backups);
            }
            (Action::ShowQuota, Answer::Quota(quota)) => self.inventory.quota = Some(quota),
            (Action::ShowImage { image }, Answer::Image(found)) => {
                self.inventory.images.insert(image.clone(), found.map(|image| *image));
            }
            (Action::FindImages { name }, Answer::Images(found)) => {
                self.inventory.named_images.insert(name.clone(), found);
            }
            (Action::ShowKeyPair { name }, Answer::KeyPair(found)) => {
                self.inventory.key_pairs.insert(name.clone(), found);
            }
            (Action::ShowKey { .. }, Answer::Key(found)) => self.inventory.keys.extend(found),
            (Action::ListKeys, Answer::Keys(keys)) => self.inventory.keys.extend(keys),
            (Action::ShowAgency, Answer::Agency { state, id }) => {
                self.inventory.agency = Some(state);
                self.due.extend(id.map(|agency| Action::ListAgencyRoles { agency }));
            }
            (Action::ListAgencyRoles { .. }, Answer::AgencyRoles(roles)) => {
                self.take_roles(roles.as_deref());
            }
            (Action::ListTraces { server, .. }, Answer::Traces(traces)) => {
                let requests = traces.into_iter().filter_map(|trace| trace.job).collect();
                self.inventory.replaced_by.insert(server.clone(), requests);
            }
            (action, answer) => return Err(odd_answer(action, &answer)),
        }
        self.advance();
        Ok(())
    }

    /// Takes in that an action cannot be answered. Where that is an answer of its own, such as
    /// "there is none" or "you may not know", the reading goes on.
    pub fn fail(&mut self, action: &Action, fault: &Fault) -> Result<(), Refusal> {
        use FaultClass::{Forbidden, Invalid, NotFound};
        match (action, fault.class) {
            (Action::ShowServer { .. } | Action::ShowKey { .. }, NotFound)
            | (Action::ListAgencyRoles { .. }, NotFound | Forbidden) => {}
            (Action::ShowImage { image }, NotFound) => {
                self.inventory.images.insert(image.clone(), None);
            }
            (Action::FindImages { name }, NotFound) => {
                self.inventory.named_images.insert(name.clone(), Vec::new());
            }
            (Action::ShowKeyPair { name }, NotFound) => {
                self.inventory.key_pairs.insert(name.clone(), None);
            }
            // The server that the page begins behind may be gone: begin again.
            (Action::ListServers { page: Page::After(_), .. }, NotFound | Invalid)
                if self.round < ROUNDS =>
            {
                self.round += 1;
                self.pages = 1;
                self.due.push(Action::ListServers { page: Page::FIRST, limit: PAGE });
            }
            (Action::ShowQuota, NotFound | Forbidden) => self.unread(Unread::Quota),
            (Action::ListSnapshots { .. }, NotFound | Forbidden) => {
                self.unread(Unread::Snapshots);
            }
            (Action::ListVaults { .. }, NotFound | Forbidden) => self.unread(Unread::Vaults),
            // Nothing that is done rests on it, so a cloud without the service is no obstacle.
            (Action::ListBackups { .. }, class) if class != FaultClass::Unauthorised => {
                self.unread(Unread::Backups);
            }
            (Action::ShowKey { .. }, Forbidden) | (Action::ListKeys, NotFound | Forbidden) => {
                self.unread(Unread::Keys);
            }
            (Action::ListTraces { .. }, NotFound | Forbidden) => self.unread(Unread::Records),
            (Action::ShowAgency, NotFound | Forbidden) => {
                self.inventory.agency = Some(AgencyState::Unknown);
            }
            _ => return Err(cannot_read(action, fault)),
        }
        if self.close(action) {
            self.advance();
        }
        Ok(())
    }

    /// Whether everything was read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// What was read.
    #[must_use]
    pub fn into_inventory(mut self) -> Inventory {
        if self.inventory.servers.is_empty() {
            self.inventory.servers = self.servers.into_values().collect();
        }
        self.inventory
    }

    /// Whether the action was waited for; a second answer to it is not.
    fn close(&mut self, action: &Action) -> bool {
        let position = self.open.iter().position(|open| open == action);
        position.map(|position| self.open.swap_remove(position)).is_some()
    }

    fn unread(&mut self, what: Unread) {
        if !self.inventory.unread.contains(&what) {
            self.inventory.unread.push(what);
        }
    }

    fn take_servers(&mut self, more: More, servers: Vec<Server>) -> Result<(), Refusal> {
        // Pages shift when servers come and go between two requests: the id decides, not the page.
        self.servers.extend(servers.into_iter().map(|server| (server.id.clone(), server)));
        match more {
            More::Total(total) => self.take_total(total),
            // Each page names the next, so none is left out: what there is, is what was seen.
            More::After(_) if self.pages >= MAX_PAGES => Err(too_many(self.servers.len())),
            More::After(server) => {
                self.pages += 1;
                self.due.push(Action::ListServers { page: Page::After(server), limit: PAGE });
                Ok(())
            }
            More::Nothing => {
                self.total = u32::try_from(self.servers.len()).unwrap_or(u32::MAX);
                Ok(())
            }
        }
    }

    fn take_total(&mut self, total: u32) -> Result<(), Refusal> {
        self.total = total;
        let pages = total.div_ceil(PAGE);
        if pages > MAX_PAGES {
            return Err(too_many(total as usize));
        }
        if let Purpose::Recheck(targets) = &self.purpose
            && self.pages == 1
        {
            // A few servers far down a long list are asked for one by one: that is cheaper.
            let missing = targets.iter().filter(|id| !self.servers.contains_key(*id)).count();
            if missing < (pages as usize).saturating_sub(1) {
                return Ok(());
            }
        }
        for page in self.pages + 1..=pages {
            self.due.push(Action::ListServers { page: Page::Number(page), limit: PAGE });
        }
        self.pages = self.pages.max(pages);
        Ok(())
    }

    fn take_volumes(&mut self, offset: u32, volumes: Vec<Volume>) {
        let full = volumes.len() >= PAGE as usize;
        for volume in volumes {
            if self.wants.volumes.contains(&volume.id) {
                self.inventory.volumes.insert(volume.id.clone(), volume);
            }
        }
        if full && self.inventory.volumes.len() < self.wants.volumes.len() {
            self.due.push(Action::ListVolumes { offset: offset + PAGE, limit: PAGE });
        }
    }

    fn take_snapshots(&mut self, offset: u32, snapshots: Vec<Snapshot>) {
        if snapshots.len() >= PAGE as usize {
            self.due.push(Action::ListSnapshots { offset: offset + PAGE, limit: PAGE });
        }
        let wiped = |snapshot: &Snapshot| self.wants.wiped.contains(&snapshot.volume);
        self.inventory.snapshots.extend(snapshots.into_iter().filter(wiped));
    }

    fn take_backups(&mut self, offset: u32, backups: Vec<Backup>) {
        if backups.len() >= PAGE as usize {
            let server = None;
            self.due.push(Action::ListBackups { server, offset: offset + PAGE, limit: PAGE });
        }
        for backup in backups {
            let usable = backup.state == BackupState::Available && backup.has_system_disk;
            let Some(made) = backup.created.filter(|_| usable) else { continue };
            let newest = self.inventory.backups.get(&backup.server);
            if self.wants.servers.contains(&backup.server)
                && newest.is_none_or(|newest| newest.made < made)
            {
                self.inventory.backups.insert(backup.server, WayBack { id: backup.id, made });
            }
        }
    }

    /// An agency without a role for KMS does not help. Which role it has to be is not documented,
    /// so any that names KMS will do.
    fn take_roles(&mut self, roles: Option<&[String]>) {
        let names_kms = |role: &String| role.to_ascii_lowercase().contains("kms");
        if roles.is_some_and(|roles| !roles.iter().any(names_kms)) {
            self.inventory.agency = Some(AgencyState::Powerless);
        }
    }

    /// Goes on to the next stage that has something to ask, once all of this one is answered.
    fn advance(&mut self) {
        while self.due.is_empty() && self.open.is_empty() && self.stage != Stage::Done {
            self.stage = match self.stage {
                Stage::Servers => self.after_servers(),
                Stage::Missing => self.begin_parts(),
                Stage::Parts if matches!(self.purpose, Purpose::Wave) => Stage::Done,
                Stage::Parts => self.begin_keys(),
                Stage::Keys | Stage::Done => Stage::Done,
            };
        }
    }

    fn after_servers(&mut self) -> Stage {
        match &self.purpose {
            Purpose::Recheck(targets) => {
                let missing = targets.iter().filter(|id| !self.servers.contains_key(*id));
                // So many that are not there are no slip of paging: they are gone.
                let missing: Vec<_> = missing.take(PAGE as usize + 1).collect();
                if missing.len() <= PAGE as usize {
                    let show = |id: &ServerId| Action::ShowServer { server: id.clone() };
                    self.due.extend(missing.into_iter().map(show));
                }
                Stage::Missing
            }
            Purpose::Draw(..) if self.servers.len() < self.total as usize => {
                if self.round == ROUNDS {
                    self.unread(Unread::SomeServers);
                    return self.begin_parts();
                }
                self.round += 1;
                self.pages = 1;
                self.due.push(Action::ListServers { page: Page::FIRST, limit: PAGE });
                Stage::Servers
            }
            Purpose::Draw(..) | Purpose::Wave | Purpose::Propose => self.begin_parts(),
        }
    }

    fn begin_parts(&mut self) -> Stage {
        self.inventory.servers = std::mem::take(&mut self.servers).into_values().collect();
        if let Purpose::Draw(playbook, narrowing) = self.purpose {
            // What is wrong with the selection is said by `draw`, from the same servers.
            let Ok(wants) = Wants::of_playbook(playbook, narrowing, &self.inventory.servers) else {
                return Stage::Done;
            };
            self.wants = wants;
            if self.records {
                let since = Timestamp(0);
                let servers = self.wants.servers.iter().cloned();
                self.due.extend(servers.map(|server| Action::ListTraces { server, since }));
            }
        }
        if matches!(self.purpose, Purpose::Propose) {
            self.wants = Wants::of_servers(&self.inventory.servers);
        } else {
            if !self.wants.volumes.is_empty() {
                self.due.push(Action::ListVolumes { offset: 0, limit: PAGE });
            }
            // Where no volume is wiped, there is none to lose and none to make.
            if !self.wants.wiped.is_empty() {
                self.due.push(Action::ListSnapshots { offset: 0, limit: PAGE });
                self.due.push(Action::ShowQuota);
                self.begin_backups();
            }
        }
        let images = self.wants.images.iter().cloned();
        self.due.extend(images.map(|image: ImageId| Action::ShowImage { image }));
        let names = self.wants.image_names.iter().cloned();
        self.due.extend(names.map(|name| Action::FindImages { name }));
        let names = self.wants.key_pairs.iter().cloned();
        self.due.extend(names.map(|name| Action::ShowKeyPair { name }));
        Stage::Parts
    }

    fn begin_backups(&mut self) {
        if self.wants.backups {
            self.due.push(Action::ListVaults { offset: 0, limit: PAGE });
        }
        if !self.wants.servers.is_empty() {
            self.due.push(Action::ListBackups { server: None, offset: 0, limit: PAGE });
        }
    }

    fn begin_keys(&mut self) -> Stage {
        let kept = self.wants.kept.iter().filter_map(|disk: &VolumeId| {
            self.inventory.volumes.get(disk).and_then(|volume| volume.key.clone())
        });
        let named = self.inventory.named_images.values().flatten();
        let images = self.inventory.images.values().flatten().chain(named);
        let sealed = images.filter_map(|image| image.key.clone());
        let written = self.wants.keys.iter().cloned();
        let keys: IndexSet<String> = kept.chain(sealed).chain(written).collect();
        if keys.is_empty() {
            return Stage::Done;
        }
        if keys.iter().all(|key| is_key_id(key)) {
            self.due.extend(keys.into_iter().map(|key| Action::ShowKey { key }));
        } else {
            self.due.push(Action::ListKeys);
        }
        self.due.push(Action::ShowAgency);
        Stage::Keys
    }
}

impl Survey<'static> {
    /// A look at what a project has, for a first playbook: its servers, their images and key pairs.
    #[must_use]
    pub fn for_proposal() -> Self {
        Self::begin(Purpose::Propose, Wants::default())
    }

    /// A last look, before anything is touched, at everything that a plan rests on. What it gives
    /// goes to [`recheck`](super::recheck).
    #[must_use]
    pub fn for_plan(plan: &Plan) -> Self {
        Self::for_part(plan, plan.targets.keys().cloned())
    }

    /// The same for a part of its servers: the others are not looked for where a list does not show
    /// them.
    #[must_use]
    pub fn for_part(plan: &Plan, servers: impl Iterator<Item = ServerId>) -> Self {
        Self::begin(Purpose::Recheck(servers.collect()), Wants::of_plan(plan))
    }

    /// A look before these servers of a plan are stopped, at what may have come or gone since: the room
    /// for new disks, snapshots that would be lost, and each of their images once. What it gives goes to
    /// [`recheck_image`](super::recheck_image).
    #[must_use]
    pub fn for_wave<'s>(plan: &Plan, servers: impl Iterator<Item = &'s ServerId>) -> Self {
        let targets: Vec<_> = servers.filter_map(|server| plan.targets.get(server)).collect();
        let volumes = targets.iter().any(|target| !target.found.system_volume.is_local());
        let images: IndexSet<&ImageId> = targets.iter().map(|target| target.image()).collect();
        let mut survey = Self::begin(Purpose::Wave, Wants::default());
        survey.stage = Stage::Parts;
        survey.wants.wiped = targets
            .iter()
            .map(|target| target.found.system_volume.clone())
            .filter(|disk| !disk.is_local())
            .collect();
        let snapshots = Action::ListSnapshots { offset: 0, limit: PAGE };
        survey.due = if volumes { vec![Action::ShowQuota, snapshots] } else { Vec::new() };
        let show = |image: &ImageId| Action::ShowImage { image: image.clone() };
        survey.due.extend(images.into_iter().map(show));
        let names: IndexSet<&str> =
            targets.iter().filter_map(|target| target.own_key_pair(plan)).collect();
        let show = |name: &str| Action::ShowKeyPair { name: name.to_owned() };
        survey.due.extend(names.into_iter().map(show));
        survey
    }
}

/// Ids of KMS keys have 36 characters and no slash (`storage-image-kms.md`, section 7); anything
/// else is an alias, which only a list can resolve.
pub(super) fn is_key_id(text: &str) -> bool {
    text.len() == 36 && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

fn too_many(servers: usize) -> Refusal {
    let message = format!("the project has {servers} servers or more");
    let help = "more than a million servers in one project are not supported";
    Refusal::new("too_many_servers", message, help)
}

fn odd_answer(action: &Action, answer: &Answer) -> Refusal {
    let message = format!("the answer to {action:?} is not one to it: {answer:.60?}");
    Refusal::new("odd_answer", message, "this is a mistake in refleet: please report it")
}

fn cannot_read(action: &Action, fault: &Fault) -> Refusal {
    let help = match CloudCode::of(&fault.code) {
        Some(known) => known.mend,
        None if fault.class == FaultClass::Invalid || fault.class == FaultClass::NotFound => {
            "check the cloud's endpoint, region and project"
        }
        None => fault.class.advice(),
    };
    Refusal::new("cannot_read", format!("failed to {}: {fault}", deed(action)), help)
}

fn deed(action: &Action) -> String {
    match action {
        Action::ListServers { .. } => "list the servers".to_owned(),
        Action::ShowServer { server } => format!("look at server {server}"),
        Action::ListVolumes { .. } => "list the disks".to_owned(),
        Action::ListSnapshots { .. } => "list the snapshots of disks".to_owned(),
        Action::ShowQuota => "read the EVS quota".to_owned(),
        Action::ListVaults { .. } => "list the vaults for backups".to_owned(),
        Action::ListBackups { .. } => "list the backups of servers".to_owned(),
        Action::ShowImage { image } => format!("look at image {image}"),
        Action::FindImages { name } => format!("look for images named {name}"),
        Action::ShowKeyPair { name } => format!("look at key pair {name}"),
        Action::ShowKey { key } => format!("look at KMS key {key}"),
        Action::ListKeys => "list the KMS keys".to_owned(),
        Action::ShowAgency => "look at the agency EVSAccessKMS".to_owned(),
        Action::ListAgencyRoles { .. } => "look at the roles of the agency EVSAccessKMS".to_owned(),
        Action::ListTraces { server, .. } => format!("read what was done to server {server}"),
        Action::ShowJob { .. }
        | Action::ShowPassword { .. }
        | Action::Probe { .. }
        | Action::Run { .. }
        | Action::Stop { .. }
        | Action::Start { .. }
        | Action::Backup { .. }
        | Action::Reinstall { .. } => "do what no survey asks for".to_owned(),
    }
}
