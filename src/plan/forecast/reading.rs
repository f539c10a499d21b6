//! How much there is to read: what the looks of a run cost, before and between its waves.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::domain::{AgencyState, ImageId, ServerId};

use super::super::survey::is_key_id;
use super::super::wants::Wants;
use super::super::{Inventory, Plan, Target, Wave};

/// Things on a page of a list.
pub(super) const PAGE: usize = 1_000;

/// The project, as far as it costs requests.
#[derive(Debug)]
pub(super) struct Reading {
    /// Pages of a list of all servers.
    pub(super) pages: u32,
    /// On which of them each target is, if there are several.
    page_of: Vec<u32>,
    /// Pages of a list of all disks.
    pub(super) disk_pages: u32,
    /// Requests of the preflight, stage by stage.
    pub(super) preflight: Vec<u32>,
}

impl Reading {
    pub(super) fn of(plan: &Plan, inventory: &Inventory) -> Self {
        let pages = count(inventory.servers.len().div_ceil(PAGE).max(1));
        let disks: usize = inventory.servers.iter().map(|server| server.volumes.len()).sum();
        let disk_pages = count(disks / PAGE + 1);
        let page_of = if pages > 1 { pages_of(plan, inventory) } else { Vec::new() };
        let beyond = count(page_of.iter().filter(|page| **page > 1).count());
        let wants = Wants::of_plan(plan);
        // The last page of disks is not read if all that matter were on those before.
        let vaults = u32::from(wants.backups);
        let disks = if wants.volumes.is_empty() { 0 } else { disk_pages };
        let around = if wants.wiped.is_empty() { 0 } else { 2 + vaults };
        let parts = disks + around + count(wants.images.len() + wants.key_pairs.len());
        let preflight = vec![1, beyond.min(pages - 1), parts, keys(&wants, inventory)];
        Self { pages, page_of, disk_pages, preflight }
    }

    /// On which page of a list of all servers a target is, counted from 1.
    pub(super) fn page_of(&self, target: usize) -> u32 {
        self.page_of.get(target).copied().unwrap_or(1)
    }
}

/// Requests of the look before a wave: quota and snapshots, if volumes are made, and each image and
/// each key pair once.
pub(super) fn look_before(plan: &Plan, wave: &Wave) -> u32 {
    let targets = || wave.servers.iter().filter_map(|server| plan.targets.get(server));
    let images: BTreeSet<&ImageId> = targets().map(Target::image).collect();
    let key_pairs: BTreeSet<&str> =
        targets().filter_map(|target| target.own_key_pair(plan)).collect();
    let quota = targets().any(|target| !target.found.system_volume.is_local());
    // Where a volume is wiped, its snapshots are looked for too.
    count(2 * usize::from(quota) + images.len() + key_pairs.len())
}

fn pages_of(plan: &Plan, inventory: &Inventory) -> Vec<u32> {
    let listed = inventory.servers.iter().enumerate();
    let listed: IndexMap<&ServerId, usize> = listed.map(|(at, server)| (&server.id, at)).collect();
    let page = |id| listed.get(id).map_or(1, |at| count(at / PAGE + 1));
    plan.targets.keys().map(page).collect()
}

/// Requests for the KMS keys and for the agency that lets EVS use them.
fn keys(wants: &Wants, inventory: &Inventory) -> u32 {
    let images = wants.images.iter().filter_map(|id| inventory.images.get(id)?.as_ref());
    let sealed = images.filter_map(|image| image.key.as_ref());
    let keys: BTreeSet<&String> = sealed.chain(&wants.keys).collect();
    if keys.is_empty() {
        return 0;
    }
    let listed = !keys.iter().all(|key| is_key_id(key));
    let agency = matches!(inventory.agency, Some(AgencyState::Granted | AgencyState::Powerless));
    1 + u32::from(agency) + if listed { 1 } else { count(keys.len()) }
}

pub(super) fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
