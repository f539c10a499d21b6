"""Disks, snapshots and their quota (`storage-image-kms.md`, sections 1 to 3)."""

import huaweicloudsdkevs.v2 as evs

from cloud import patiently, refusal
from parts.servers import listed as servers

SDK = "huawei.evs"


def run(cloud, table):
    """All of it."""
    volumes(cloud, table)
    quota(cloud, table)
    snapshots(cloud, table)


def listed(cloud, **query):
    """A page of disks."""
    return cloud.evs.list_volumes(evs.ListVolumesRequest(**query))


def volumes(cloud, table):
    with table.call(SDK, "ListVolumes") as row:
        every = listed(cloud, limit=1000)
        ids = [it.id for it in every.volumes]
        row.same("all of them", (len(ids), every.count), (49, 49))
        pages = [[it.id for it in listed(cloud, limit=20, offset=n).volumes] for n in (0, 20, 40, 60)]
        row.same("offset is an index", [it for page in pages for it in page], ids)
        row.same("after a marker", [it.id for it in listed(cloud, limit=3, marker=ids[9]).volumes], ids[10:13])
        server = servers(cloud, limit=1).servers[0].id
        of = listed(cloud, server_id=server).volumes
        row.same("by server", {it.attachments[0].server_id for it in of}, {server})
        row.same("by id", [it.id for it in listed(cloud, id=ids[5]).volumes], [ids[5]])
        row.same("by ids", sorted(it.id for it in listed(cloud, ids=str([ids[1], ids[2]])).volumes), sorted(ids[1:3]))
        row.same("by status", len(listed(cloud, status="available").volumes), 0)
        row.same("in use", len(listed(cloud, status="in-use", limit=100).volumes), 49)
        zone = listed(cloud, availability_zone="eu-de-02", limit=100).volumes
        row.check("by zone", zone and {it.availability_zone for it in zone} == {"eu-de-02"})
        row.same("bootable ones", len([it for it in every.volumes if it.bootable == "true"]), 23)
    with table.call(SDK, "ShowVolume") as row:
        show = lambda volume: cloud.evs.show_volume(evs.ShowVolumeRequest(volume)).volume
        row.same("its size", show(of[0].id).size, of[0].size)
        unknown = "00000000-0000-4000-8000-000000000000"
        row.same("an unknown id is 404", (refusal(lambda: show(unknown)) or [None])[0], 404)
    with table.call(SDK, "CinderListVolumeTypes") as row:
        kinds = cloud.evs.cinder_list_volume_types(evs.CinderListVolumeTypesRequest()).volume_types
        row.check("SSD", "SSD" in [it.name for it in kinds])


def quota(cloud, table):
    with table.call(SDK, "CinderListQuotas") as row:
        ask = lambda usage: cloud.evs.cinder_list_quotas(evs.CinderListQuotasRequest(cloud.project, usage)).quota_set
        seen = ask("True")
        row.same("disks", (seen.volumes.limit, seen.volumes.in_use, seen.volumes.reserved), (200, 49, 0))
        row.same("room", seen.gigabytes.limit, 50000)
        row.check("by type", seen.volumes_ssd and seen.volumes_ssd.in_use == 49, seen.volumes_ssd)


def snapshots(cloud, table):
    volume = servers(cloud, limit=1).servers[0].os_extended_volumesvolumes_attached[0].id
    list_of = lambda **q: cloud.evs.list_snapshots(evs.ListSnapshotsRequest(**q)).snapshots
    show = lambda one: cloud.evs.show_snapshot(evs.ShowSnapshotRequest(one)).snapshot
    with table.call(SDK, "CreateSnapshot") as row:
        wanted = evs.CreateSnapshotOption(volume_id=volume, name="before", force=True)
        request = evs.CreateSnapshotRequest(evs.CreateSnapshotRequestBody(wanted))
        made = cloud.evs.create_snapshot(request).snapshot
        row.same("of that disk", made.volume_id, volume)
        done = patiently(lambda: show(made.id), lambda it: it.status == "available")
        row.same("it becomes available", done.status, "available")
    with table.call(SDK, "ListSnapshots") as row:
        row.same("by disk", [it.id for it in list_of(volume_id=volume)], [made.id])
        row.same("by another disk", list_of(volume_id="00000000-0000-4000-8000-000000000000"), [])
    with table.call(SDK, "DeleteSnapshot") as row:
        cloud.evs.delete_snapshot(evs.DeleteSnapshotRequest(made.id))
        left = patiently(lambda: list_of(volume_id=volume), lambda it: not it)
        row.same("it is gone", left, [])
