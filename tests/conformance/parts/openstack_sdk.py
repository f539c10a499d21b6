"""openstacksdk with otcextensions, by the password of the clouds.yaml that the simulator wrote."""

import openstack
from openstack import exceptions
from otcextensions import sdk as otc

from cloud import patiently

SDK = "openstack"


def connect(cloud):
    """A connection by `OS_CLIENT_CONFIG_FILE`, as an operator makes one."""
    connection = openstack.connect(cloud="sim")
    otc.register_otc_extensions(connection)
    return connection


def run(cloud, table):
    """All of it."""
    with table.call(SDK, "connect") as row:
        connection = connect(cloud)
        row.check("a token", connection.authorize())
        row.same("the project", connection.current_project_id, cloud.project)
        row.check("compute of the catalog", connection.endpoint_for("compute"))
        for kind in ("identity", "image", "block-storage"):
            row.check(f"{kind} of the catalog", connection.endpoint_for(kind), kind)
    servers(connection, table)
    power(connection, table)
    key_pairs(cloud, connection, table)
    others(cloud, connection, table)
    extensions(connection, table)


def servers(connection, table):
    with table.call(SDK, "compute.servers") as row:
        every = list(connection.compute.servers())
        row.same("all of them", len(every), 23)
        paged = [it.id for it in connection.compute.servers(limit=7)]
        row.same("seven at a time", paged, [it.id for it in every])
        row.same("by name", [it.name for it in connection.compute.servers(name="win-1")], ["win-1"])
    with table.call(SDK, "compute.get_server") as row:
        one = connection.compute.get_server(every[0].id)
        row.same("the same", (one.name, one.status), (every[0].name, every[0].status))
        row.check("its disks", len(one.attached_volumes) == 2, one.attached_volumes)
        row.check("its addresses", one.addresses)
    with table.call(SDK, "compute.find_server") as row:
        row.same("by name", connection.compute.find_server("win-1").name, "win-1")
        row.check("nobody", connection.compute.find_server("no-such-server") is None)
    with table.call(SDK, "compute.flavors") as row:
        row.check("those in use", "s3.large.2" in [it.name for it in connection.compute.flavors()])
    with table.call(SDK, "compute.availability_zones") as row:
        row.check("those in use", "eu-de-01" in [it.name for it in connection.compute.availability_zones()])


def power(connection, table):
    compute = connection.compute
    server = compute.find_server("web-0009")
    reach = lambda status: patiently(lambda: compute.get_server(server.id), lambda it: it.status == status)
    with table.call(SDK, "compute.stop_server") as row:
        compute.stop_server(server)
        seen = compute.get_server(server.id)
        row.same("ACTIVE at first", (seen.status, seen.task_state), ("ACTIVE", "powering-off"))
        row.same("then SHUTOFF", reach("SHUTOFF").status, "SHUTOFF")
    with table.call(SDK, "compute.start_server") as row:
        compute.start_server(server)
        row.same("ACTIVE", reach("ACTIVE").status, "ACTIVE")
    with table.call(SDK, "compute.reboot_server") as row:
        compute.reboot_server(server, "SOFT")
        seen = compute.get_server(server.id)
        row.same("REBOOT at first", seen.status, "REBOOT")
        row.same("then ACTIVE", reach("ACTIVE").status, "ACTIVE")
    with table.call(SDK, "compute.rebuild_server") as row:
        compute.stop_server(server)
        reach("SHUTOFF")
        compute.rebuild_server(server.id, image=server.image.id)
        seen = compute.get_server(server.id)
        row.same("REBUILD at first", seen.status, "REBUILD")
        again = None
        try:
            compute.rebuild_server(server.id, image=server.image.id)
        except exceptions.ConflictException as error:
            again = error.status_code
        row.same("a second one meanwhile is 409", again, 409)
        done = patiently(lambda: compute.get_server(server.id), lambda it: it.status != "REBUILD")
        row.check("it ends", done.status in ("ACTIVE", "SHUTOFF"), done.status)
    with table.call(SDK, "compute.server_actions") as row:
        kept = [it.action for it in compute.server_actions(server.id)]
        row.same("the newest first", kept[:4], ["rebuild", "stop", "reboot", "start"])


def key_pairs(cloud, connection, table):
    with table.call(SDK, "compute.keypairs") as row:
        row.check("our own", cloud.told["key_name"] in [it.name for it in connection.compute.keypairs()])
        made = connection.compute.create_keypair(name="made-there")
        row.check("made, with its private key", made.private_key)
        row.same("found", connection.compute.get_keypair("made-there").name, "made-there")
        connection.compute.delete_keypair("made-there")
        row.check("deleted", connection.compute.find_keypair("made-there") is None)


def others(cloud, connection, table):
    with table.call(SDK, "image.images") as row:
        every = list(connection.image.images())
        row.same("all of them", len(every), 3)
        row.same("one", connection.image.get_image(every[0].id).name, every[0].name)
        row.same("by name", connection.image.find_image("windows").name, "windows")
    with table.call(SDK, "block_storage.volumes") as row:
        every = list(connection.block_storage.volumes())
        row.same("all of them", len(every), 49)
        row.same("one", connection.block_storage.get_volume(every[0].id).id, every[0].id)
    with table.call(SDK, "block_storage.get_quota_set") as row:
        row.same("disks", connection.block_storage.get_quota_set(cloud.project).volumes, 200)
    with table.call(SDK, "block_storage.get_limits") as row:
        row.same("disks", connection.block_storage.get_limits().absolute.max_total_volumes, 200)
    with table.call(SDK, "compute.get_limits") as row:
        row.same("servers", connection.compute.get_limits().absolute.instances_used, 23)
    with table.call(SDK, "identity.projects") as row:
        row.check("the project", cloud.project in [it.id for it in connection.identity.projects()])


def extensions(connection, table):
    with table.call("otcextensions", "imsv2.images") as row:
        row.same("all of them", len(list(connection.imsv2.images())), 3)
    with table.call("otcextensions", "kms.keys") as row:
        row.same("all of them", len(list(connection.kms.keys())), 3)
    with table.call("otcextensions", "cbr.vaults") as row:
        row.check("a list", isinstance(list(connection.cbr.vaults()), list))
