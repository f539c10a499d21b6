"""Stop, reinstall, start: jobs to their end, and what they leave behind (`ecs.md`, sections 3 to 12)."""

import time

import huaweicloudsdkecs.v2 as ecs
import huaweicloudsdkevs.v2 as evs

from cloud import patiently, refusal
from parts.servers import listed

SDK = "huawei.ecs"


def run(cloud, table):
    """All of it."""
    found = {it.name: it.id for it in listed(cloud, limit=100).servers}
    stopping(cloud, table, [found["web-0001"], found["web-0002"]])
    wiping(cloud, table, found["web-0001"])
    without_cloud_init(cloud, table, found["old-1"])
    starting(cloud, table, found["web-0002"])
    refused(cloud, table, found["web-0003"])
    counted(cloud, table, found)


def stop(cloud, servers, how="SOFT"):
    """The job of a stop."""
    option = ecs.BatchStopServersOption([ecs.ServerId(it) for it in servers], how)
    body = ecs.BatchStopServersRequestBody(option)
    return cloud.ecs.batch_stop_servers(ecs.BatchStopServersRequest(body)).job_id


def start(cloud, servers):
    """The job of a start."""
    body = ecs.BatchStartServersRequestBody(ecs.BatchStartServersOption([ecs.ServerId(it) for it in servers]))
    return cloud.ecs.batch_start_servers(ecs.BatchStartServersRequest(body)).job_id


def reinstall(cloud, server, **wanted):
    """The job of a reinstall with cloud-init."""
    option = ecs.ReinstallServerWithCloudInitOption(**wanted)
    body = ecs.ReinstallServerWithCloudInitRequestBody(option)
    return cloud.ecs.reinstall_server_with_cloud_init(
        ecs.ReinstallServerWithCloudInitRequest(server, body)).job_id


def with_key(cloud):
    """The user's own key pair."""
    return {"keyname": cloud.told["key_name"], "userid": cloud.told["user_id"]}


def stopping(cloud, table, servers):
    with table.call(SDK, "BatchStopServers") as row:
        job = stop(cloud, servers)
        seen = cloud.server(servers[0])
        shown = cloud.job(job)
        row.check("the job runs on after a look at the server", shown.status in ("INIT", "RUNNING"), shown)
        row.same("meanwhile ACTIVE, powering-off",
                 (seen.status, seen.os_ext_st_stask_state), ("ACTIVE", "powering-off"))
    with table.call(SDK, "ShowJob, of a batch") as row:
        row.same("no end time while it runs", shown.end_time, "")
        raw = row_json(cloud, job)
        if raw.get("status") == "RUNNING":
            row.check("no error_code while it runs", "error_code" not in raw, raw)
        parts = shown.entities.sub_jobs
        row.same("a part for each", sorted(it.entities.server_id for it in parts), sorted(servers))
        row.same("as many as it says", shown.entities.sub_jobs_total, 2)
        done = cloud.end_of(job)
        row.same("it ends", done.status, "SUCCESS")
        row.check("with a time", done.end_time)
        row.same("all parts do", {it.status for it in done.entities.sub_jobs}, {"SUCCESS"})
        seen = cloud.server(servers[0])
        row.same("then SHUTOFF", (seen.status, seen.os_ext_st_stask_state), ("SHUTOFF", None))
        unknown = refusal(lambda: cloud.job("ff80808200000000000000000000dead"))
        row.same("an unknown job", unknown, (400, "Common.0011"))


def row_json(cloud, job):
    """The job as JSON, whatever a model makes of it."""
    return cloud.get("/v1/{p}/jobs/" + job, **{"X-Auth-Token": cloud.token()}).json()


def system(server):
    """Id of the system disk."""
    found = [it.id for it in server.os_extended_volumesvolumes_attached if it.boot_index == "0"]
    return found[0] if found else None


def data(server):
    """Ids of the others."""
    return [it.id for it in server.os_extended_volumesvolumes_attached if it.boot_index != "0"]


def snapshot_of(cloud, volume, name):
    """Takes a snapshot and waits for it."""
    wanted = evs.CreateSnapshotOption(volume_id=volume, name=name, force=True)
    made = cloud.evs.create_snapshot(evs.CreateSnapshotRequest(evs.CreateSnapshotRequestBody(wanted))).snapshot
    show = lambda: cloud.evs.show_snapshot(evs.ShowSnapshotRequest(made.id)).snapshot
    patiently(show, lambda it: it.status == "available")
    return made.id


def wiping(cloud, table, server):
    before = cloud.server(server)
    with table.call(SDK, "ReinstallServerWithCloudInit") as row:
        of_system = snapshot_of(cloud, system(before), "of the system disk")
        of_data = snapshot_of(cloud, data(before)[0], "of a data disk")
        job = reinstall(cloud, server, **with_key(cloud))
        again = refusal(lambda: reinstall(cloud, server, **with_key(cloud)))
        row.check("it is running", cloud.job(job).status in ("INIT", "RUNNING"))
        row.check("a second one meanwhile is refused",
                  again in ((501, "Ecs.0603"), (400, "Ecs.0100"), (400, "Ecs.0605")), again)
    with table.call(SDK, "ShowJob, of a reinstall") as row:
        done = cloud.end_of(job)
        row.same("it ends", done.status, "SUCCESS")
        row.same("whose it is", done.entities.server_id, server)
        row.check("with a time", done.end_time and done.begin_time < done.end_time)
    with table.call(SDK, "ShowServer, after a reinstall") as row:
        after = cloud.server(server)
        row.check("another system disk", system(after) and system(after) != system(before), system(after))
        row.same("the same data disks", data(after), data(before))
        row.same("the same addresses", str(after.addresses), str(before.addresses))
        row.same("the key pair", after.key_name, cloud.told["key_name"])
        row.same("it was started", after.status, "ACTIVE")
    with table.call("huawei.evs", "ListVolumes, after a reinstall") as row:
        have = {it.id for it in cloud.evs.list_volumes(evs.ListVolumesRequest(server_id=server)).volumes}
        row.same("the new disk and the old data", have, {system(after), *data(before)})
        gone = refusal(lambda: cloud.evs.show_volume(evs.ShowVolumeRequest(system(before))))
        row.same("the old disk is gone", (gone or [None])[0], 404)
    with table.call("huawei.evs", "ListSnapshots, after a reinstall") as row:
        left = {it.id for it in cloud.evs.list_snapshots(evs.ListSnapshotsRequest()).snapshots}
        row.check("those of the system disk are gone", of_system not in left, left)
        row.check("those of the data disk are there", of_data in left, left)
    inject(cloud)


def inject(cloud):
    """Waits until cloud-init has done its work: whoever touches a server earlier is counted."""
    time.sleep(60 / cloud.speed + 0.3)


def without_cloud_init(cloud, table, server):
    with table.call(SDK, "ReinstallServerWithoutCloudInit") as row:
        cloud.end_of(stop(cloud, [server], "HARD"))
        before = cloud.server(server)
        option = ecs.ReinstallServerWithoutCloudInitOption(adminpass="Sesame-2026!x")
        body = ecs.ReinstallServerWithoutCloudInitRequestBody(option)
        request = ecs.ReinstallServerWithoutCloudInitRequest(server, body)
        done = cloud.end_of(cloud.ecs.reinstall_server_without_cloud_init(request).job_id)
        row.same("it ends", done.status, "SUCCESS")
        after = cloud.server(server)
        row.check("another system disk", system(after) != system(before))
        inject(cloud)


def starting(cloud, table, server):
    with table.call(SDK, "BatchStartServers") as row:
        row.same("it was stopped", cloud.server(server).status, "SHUTOFF")
        done = cloud.end_of(start(cloud, [server]))
        row.same("the job ends", done.status, "SUCCESS")
        row.same("it is running", cloud.server(server).status, "ACTIVE")
    with table.call(SDK, "BatchRebootServers") as row:
        option = ecs.BatchRebootSeversOption([ecs.ServerId(server)], "SOFT")
        request = ecs.BatchRebootServersRequest(ecs.BatchRebootServersRequestBody(option))
        done = cloud.end_of(cloud.ecs.batch_reboot_servers(request).job_id)
        row.same("the job ends", done.status, "SUCCESS")
        row.same("it is running", cloud.server(server).status, "ACTIVE")
    with table.call(SDK, "ShowServerPassword") as row:
        request = ecs.ShowServerPasswordRequest(server)
        row.same("none for Linux", cloud.ecs.show_server_password(request).password, "")
    with table.call(SDK, "ShowResetPasswordFlag") as row:
        request = ecs.ShowResetPasswordFlagRequest(server)
        flag = cloud.ecs.show_reset_password_flag(request).resetpwd_flag
        row.check("a text", flag in ("True", "False"), flag)


def refused(cloud, table, server):
    with table.call(SDK, "refused requests") as row:
        ask = lambda **q: refusal(lambda: reinstall(cloud, server, **q))
        row.same("a reinstall of a running server", ask(**with_key(cloud)), (400, "Ecs.0100"))
        row.same("a key pair without its owner", (ask(keyname="sim-key") or [None])[0], 400)
        row.same("neither key, password nor user data", (ask() or [None])[0], 400)
        unknown = "00000000-0000-4000-8000-000000000000"
        row.same("a stop of a server that is not there",
                 (refusal(lambda: stop(cloud, [unknown])) or [None])[0], 404)
        gone = refusal(lambda: reinstall(cloud, unknown, **with_key(cloud)))
        row.same("a reinstall of one", (gone or [None])[0], 404)


def counted(cloud, table, found):
    with table.call("simulator", "GET /_refleet/stats") as row:
        stats = cloud.stats()
        wiped = {name for name, it in found.items() if stats["reinstalls"][it]["accepted"]}
        row.same("what was reinstalled", wiped, {"web-0001", "old-1"})
        row.same("nothing that a careful client does not do", stats["violations"], [])
