//! Whether a server can be backed up before it is stopped (`storage-image-kms.md`, section 4).

use crate::domain::{Server, Vault, list_some};
use crate::playbook::BackupSpec;

use super::judge::{Finding, obstacle};
use super::{Inventory, PlannedBackup, Unread};

impl PlannedBackup {
    /// The backup that is asked for, with its vault by id.
    pub(super) fn find(inventory: &Inventory, spec: &BackupSpec) -> Finding<Self> {
        let Vault { id, name, .. } = vault(inventory, &spec.vault)?;
        Ok(Self { vault: id.clone(), name: name.clone(), timeout: spec.timeout })
    }
}

/// The one vault of that id or name.
fn vault<'i>(inventory: &'i Inventory, wanted: &str) -> Finding<&'i Vault> {
    let by_id = inventory.vaults.iter().filter(|vault| vault.id == wanted);
    let by_name = inventory.vaults.iter().filter(|vault| vault.name == wanted);
    let found: Vec<&Vault> = by_id.clone().chain(by_name.filter(|it| it.id != wanted)).collect();
    match found.as_slice() {
        [vault] => Ok(vault),
        [] if inventory.unread.contains(&Unread::Vaults) => obstacle(
            "N2",
            format!("vault {wanted} could not be looked up: not allowed to list vaults"),
            "grant the acting user the right to list vaults of CBR, or take `backup` out",
        ),
        [] => obstacle(
            "N2",
            format!("there is no vault {wanted}"),
            "correct `backup.vault`, or create a server backup vault in the console of CBR",
        ),
        several => {
            let ids: Vec<&String> = several.iter().map(|vault| &vault.id).collect();
            obstacle(
                "N2",
                format!("{} vaults are named {wanted}: {}", ids.len(), list_some(&ids, 8)),
                "write the id of the one that is meant in `backup.vault`",
            )
        }
    }
}

/// N2: what would keep the backup from being taken, before anything is touched.
pub(super) fn takes(inventory: &Inventory, spec: &BackupSpec, server: &Server) -> Finding<()> {
    let vault = vault(inventory, &spec.vault)?;
    if !vault.takes_servers {
        return obstacle(
            "N2",
            format!("vault {} is not one for backups of servers", vault.name),
            "name a server backup vault in `backup.vault`",
        );
    }
    if let Some(why) = shut(vault) {
        return obstacle(
            why.0,
            why.1,
            "whoever runs the vault can bring it in order or enlarge it",
        );
    }
    if !vault.servers.contains(&server.id) {
        return obstacle(
            "BackupService.0001",
            format!("it is not associated with vault {} ({})", vault.name, vault.id),
            "associate it in the console of CBR (refleet never does), or take `backup` out for it",
        );
    }
    if server.system_volume().is_some_and(|disk| vault.left_out.contains(disk)) {
        return obstacle(
            "N2",
            format!("vault {} leaves its system disk out of its backups", vault.name),
            "take the disk in, in the console of CBR: a backup without it is no way back",
        );
    }
    Ok(())
}

/// Why a vault takes no backups now, with the code that the cloud would give.
pub(super) fn shut(vault: &Vault) -> Option<(&'static str, String)> {
    if vault.status != "available" {
        let why = format!("vault {} is `{}`, not `available`", vault.name, vault.status);
        return Some(("BackupService.6113", why));
    }
    (vault.free_mib() == 0).then(|| ("BackupService.6114", format!("vault {} is full", vault.name)))
}
