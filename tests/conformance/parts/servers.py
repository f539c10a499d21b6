"""Servers, without changing any: lists, pages, filters, one alone (`ecs.md`, sections 2, 4, 8 and 9)."""

import huaweicloudsdkecs.v2 as ecs

from cloud import refusal

SDK = "huawei.ecs"


def run(cloud, table):
    """All of it."""
    every = paged(cloud, table)
    filtered(cloud, table, every)
    by_tag(cloud, table, every)
    by_marker(cloud, table, every)
    one(cloud, table, every)
    around(cloud, table)


def listed(cloud, **query):
    """A page of the v1 list."""
    return cloud.ecs.list_servers_details(ecs.ListServersDetailsRequest(**query))


def paged(cloud, table):
    with table.call(SDK, "ListServersDetails, pages") as row:
        first = listed(cloud, limit=1000)
        every = [it.id for it in first.servers]
        row.same("all of them", (len(every), first.count), (23, 23))
        pages = [[it.id for it in listed(cloud, limit=7, offset=n).servers] for n in (1, 2, 3, 4, 5)]
        row.same("sizes of pages", [len(page) for page in pages], [7, 7, 7, 2, 0])
        row.same("pages by number, from 1", [it for page in pages for it in page], every)
        row.same("page 0 is page 1", [it.id for it in listed(cloud, limit=7, offset=0).servers], pages[0])
        row.same("25 without a limit", len(listed(cloud).servers), 23)
        row.same("count is of all", listed(cloud, limit=7, offset=2).count, 23)
        after = [it.id for it in listed(cloud, limit=2, marker=every[4]).servers]
        row.same("after a marker", after, every[5:7])
        row.same("1001 is too many", (refusal(lambda: listed(cloud, limit=1001)) or [None])[0], 400)
        return first.servers


def filtered(cloud, table, every):
    with table.call(SDK, "ListServersDetails, filters") as row:
        names = lambda **query: [it.name for it in listed(cloud, limit=100, **query).servers]
        row.same("name, in part", len(names(name="web-00")), 18)
        row.same("name, a dot for any letter", names(name="w.n-1"), ["win-1"])
        row.same("name, escaped", names(name="no such näme +%&="), [])
        row.same("status", names(status="SHUTOFF"), ["db-01", "db-02", "db-03"])
        row.same("flavor", len(names(flavor="s3.xlarge.4")), 3)
        row.same("tags", len(names(tags="role=db")), 3)
        row.same("not-tags", len(names(not_tags="role=web")), 5)
        row.same("not-tags that nothing has", len(names(not_tags="__type_baremetal")), 23)
        address = next(iter(every[3].addresses.values()))[0].addr
        row.check("ip", every[3].name in names(ip=address))
        row.same("ip_eq", names(ip_eq=address), [every[3].name])
        ids = ",".join((every[2].id, every[9].id))
        row.same("server_id", sorted(names(server_id=ids)), sorted((every[2].name, every[9].name)))
        unknown = "00000000-0000-4000-8000-000000000000"
        seen = listed(cloud, server_id=unknown).servers
        row.check("an unknown server_id has id and fault only",
                  len(seen) == 1 and seen[0].id == unknown and seen[0].fault and not seen[0].status, seen)


def by_tag(cloud, table, every):
    with table.call(SDK, "ListServersByTag") as row:
        def ask(action="filter", tags=(("role", ["web"]),), **more):
            tags = [ecs.ServerTags(key, values) for key, values in tags]
            body = ecs.ListServersByTagRequestBody(action=action, tags=tags, **more)
            return cloud.ecs.list_servers_by_tag(ecs.ListServersByTagRequest(body))
        web = [it.resource_id for it in ask().resources]
        row.same("a key and a value", len(web), 18)
        row.same("values are OR", ask(tags=(("role", ["db", "win"]),)).total_count, 4)
        row.same("keys are AND", ask(tags=(("role", ["web"]), ("env", ["test"]))).total_count, 18)
        row.same("no value is any", ask(tags=(("role", []),)).total_count, 23)
        row.same("count", ask("count").total_count, 18)
        page = ask(limit="5", offset="6")
        row.same("offset is an index", [it.resource_id for it in page.resources], web[6:11])
        no = [ecs.ServerTags("role", ["db"])]
        row.same("not_tags", ask(tags=(("role", []),), not_tags=no).total_count, 20)
        match = [ecs.ServerTagMatch("resource_name", "win-1")]
        row.same("by name", ask(tags=(("role", []),), matches=match).total_count, 1)


def by_marker(cloud, table, every):
    ids = [it.id for it in every]
    with table.call(SDK, "ListCloudServers") as row:
        ask = lambda **q: cloud.ecs.list_cloud_servers(ecs.ListCloudServersRequest(**q))
        first = ask(limit=9)
        row.same("the first nine", [it.id for it in first.servers], ids[:9])
        row.check("a link to the next", first.servers_links)
        row.same("after a marker", [it.id for it in ask(limit=9, marker=ids[8]).servers], ids[9:18])
        row.same("10 without a limit", len(ask().servers), 10)
        row.same("by name", [it.name for it in ask(name="win-1").servers], ["win-1"])
    with table.call(SDK, "NovaListServersDetails") as row:
        seen, marker, turns = [], None, 0
        while turns < 10:
            request = ecs.NovaListServersDetailsRequest(limit=7, marker=marker)
            answer = cloud.ecs.nova_list_servers_details(request)
            seen += [it.id for it in answer.servers]
            turns += 1
            if not answer.servers_links:
                break
            marker = seen[-1]
        row.same("by marker until no link is left", (seen, turns), (ids, 4))
        wrong = ecs.NovaListServersDetailsRequest(marker="nobody")
        refused = refusal(lambda: cloud.ecs.nova_list_servers_details(wrong))
        row.same("an unknown marker is 400", (refused or [None])[0], 400)


def one(cloud, table, every):
    server, windows = every[0], next(it for it in every if it.name == "win-1")
    with table.call(SDK, "ShowServer") as row:
        seen = cloud.server(server.id)
        row.same("status", (seen.status, seen.os_ext_st_svm_state), ("ACTIVE", "active"))
        disks = seen.os_extended_volumesvolumes_attached
        row.same("bootIndex", sorted(it.boot_index for it in disks), ["0", "1"])
        row.check("a key pair", seen.key_name)
        row.same("the image, twice", seen.metadata["metering.image_id"], seen.image.id)
        row.same("os_type", cloud.server(windows.id).metadata["os_type"], "Windows")
        unknown = "00000000-0000-4000-8000-000000000000"
        row.same("an unknown id", refusal(lambda: cloud.server(unknown)), (404, "Ecs.0114"))
    with table.call(SDK, "NovaShowServer") as row:
        native = cloud.ecs.nova_show_server(ecs.NovaShowServerRequest(server.id)).server
        row.same("the same server", (native.name, native.image.id), (seen.name, seen.image.id))
    with table.call(SDK, "ListServerBlockDevices") as row:
        answer = cloud.ecs.list_server_block_devices(ecs.ListServerBlockDevicesRequest(server.id))
        have = {it.volume_id: it.boot_index for it in answer.volume_attachments}
        row.same("the disks of the server, with numbers", have, {it.id: int(it.boot_index) for it in disks})
        row.check("what can be attached", answer.attachable_quantity.free_disk)
    with table.call(SDK, "ShowServerBlockDevice") as row:
        request = ecs.ShowServerBlockDeviceRequest(server.id, disks[0].id)
        row.same("one", cloud.ecs.show_server_block_device(request).volume_attachment.volume_id, disks[0].id)
    with table.call(SDK, "ListServerVolumeAttachments") as row:
        request = ecs.ListServerVolumeAttachmentsRequest(server.id)
        have = [it.volume_id for it in cloud.ecs.list_server_volume_attachments(request).volume_attachments]
        row.same("the same disks", sorted(have), sorted(it.id for it in disks))
    with table.call(SDK, "ListServerInterfaces") as row:
        answer = cloud.ecs.list_server_interfaces(ecs.ListServerInterfacesRequest(server.id))
        have = [it.fixed_ips[0].ip_address for it in answer.interface_attachments]
        fixed = [it for them in seen.addresses.values() for it in them if it.os_ext_ip_stype == "fixed"]
        row.same("its addresses", have, [it.addr for it in fixed])
    with table.call(SDK, "ShowServerTags") as row:
        tags = cloud.ecs.show_server_tags(ecs.ShowServerTagsRequest(server.id)).tags
        row.same("its tags", {it.key: it.value for it in tags}, {"role": "web", "env": "test"})


def around(cloud, table):
    with table.call(SDK, "ListServerTags") as row:
        tags = cloud.ecs.list_server_tags(ecs.ListServerTagsRequest()).tags
        have = {it.key: sorted(it.values) for it in tags}
        row.same("of the project", have, {"env": ["test"], "role": ["db", "old", "web", "win"]})
    with table.call(SDK, "ShowServerLimits") as row:
        limits = cloud.ecs.show_server_limits(ecs.ShowServerLimitsRequest()).absolute
        row.same("used", limits.total_instances_used, 23)
    with table.call(SDK, "ListFlavors") as row:
        flavors = cloud.ecs.list_flavors(ecs.ListFlavorsRequest()).flavors
        row.check("those in use", {"s3.large.2", "s3.xlarge.4"} <= {it.id for it in flavors}, flavors)
    with table.call(SDK, "NovaListAvailabilityZones") as row:
        request = ecs.NovaListAvailabilityZonesRequest()
        zones = cloud.ecs.nova_list_availability_zones(request).availability_zone_info
        row.check("those in use", "eu-de-01" in [it.zone_name for it in zones], zones)
