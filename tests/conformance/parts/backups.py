"""Vaults, checkpoints and backups (`storage-image-kms.md`, section 4)."""

import huaweicloudsdkcbr.v1 as cbr

from cloud import patiently, refusal
from parts.servers import listed

SDK = "huawei.cbr"


def run(cloud, table):
    """All of it."""
    found = {it.name: it.id for it in listed(cloud, limit=100).servers}
    kept, other = found["web-0010"], found["web-0001"]
    vault = vaults(cloud, table, kept)
    checkpoints(cloud, table, (vault, kept, other))


def vaults(cloud, table, server):
    with table.call(SDK, "ListVault") as row:
        ask = lambda **q: cloud.cbr.list_vault(cbr.ListVaultRequest(**q)).vaults
        found = ask(object_type="server", resource_ids=server)
        row.same("that of the server", len(found), 1)
        row.same("it is usable", found[0].billing.status, "available")
        row.check("the server is in it", server in [it.id for it in found[0].resources])
        unknown = "00000000-0000-4000-8000-000000000000"
        row.same("none of another server", ask(object_type="server", resource_ids=unknown), [])
    with table.call(SDK, "ShowVault") as row:
        seen = cloud.cbr.show_vault(cbr.ShowVaultRequest(found[0].id)).vault
        row.same("the same", seen.name, found[0].name)
    return found[0].id


def checkpoints(cloud, table, names):
    vault, server, other = names

    def ask(*servers):
        parameters = cbr.CheckpointParam(auto_trigger=False, incremental=True, name="before", resources=list(servers))
        body = cbr.VaultBackupReq(cbr.VaultBackup(parameters=parameters, vault_id=vault))
        return cloud.cbr.create_checkpoint(cbr.CreateCheckpointRequest(body)).checkpoint

    with table.call(SDK, "CreateCheckpoint") as row:
        made = ask(server)
        row.check("it has an id", made.id)
        row.same("nothing skipped", made.vault.skipped_resources or [], [])
    with table.call(SDK, "ShowCheckpoint") as row:
        show = lambda: cloud.cbr.show_checkpoint(cbr.ShowCheckpointRequest(made.id)).checkpoint
        row.same("it becomes available", patiently(show, lambda it: it.status == "available").status, "available")
    with table.call(SDK, "ListBackups") as row:
        found = cloud.cbr.list_backups(cbr.ListBackupsRequest(checkpoint_id=made.id)).backups
        row.same("of the server", [it.resource_id for it in found], [server])
        row.same("available", {it.status for it in found}, {"available"})
    with table.call(SDK, "ShowBackup") as row:
        seen = cloud.cbr.show_backup(cbr.ShowBackupRequest(found[0].id)).backup
        row.same("the same", seen.checkpoint_id, made.id)
    with table.call(SDK, "ListOpLogs") as row:
        logs = cloud.cbr.list_op_logs(cbr.ListOpLogsRequest(resource_id=server)).operation_logs
        row.check("a line of success", "success" in [it.status for it in logs], logs)
    with table.call(SDK, "CreateCheckpoint, of a server that is not in the vault") as row:
        told = refusal(lambda: row.__setattr__("made", ask(other)))
        made = getattr(row, "made", None)
        row.check("refused, or told as skipped", told or (made and made.vault.skipped_resources), told)
