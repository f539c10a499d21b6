"""The `openstack` command, as an operator types it."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CLI = "openstack (CLI)"


def typed(*words):
    """What the command says: parsed, where that was asked for."""
    command = [str(Path(sys.executable).parent / "openstack"), "--os-cloud", "sim", *words]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ)
    if ended.returncode:
        raise RuntimeError(f"{' '.join(words)}: {ended.stderr.strip()[-300:]}")
    return json.loads(ended.stdout) if "json" in words else ended.stdout


def run(cloud, table):
    """Looks first, at once; then what changes something."""
    looks = {
        "token issue": (("token", "issue"), lambda it: it["project_id"] == cloud.project),
        "catalog list": (("catalog", "list"), lambda it: "compute" in [one["Type"] for one in it]),
        "project list": (("project", "list"), lambda it: cloud.project in [one["ID"] for one in it]),
        "server list": (("server", "list"), lambda it: len(it) == 23 and it[0]["Image"]),
        "server show": (("server", "show", "web-0004"), lambda it: it["status"] == "ACTIVE"),
        "keypair list": (("keypair", "list"), lambda it: cloud.told["key_name"] in [one["Name"] for one in it]),
        "image list": (("image", "list"), lambda it: len(it) == 3),
        "volume list": (("volume", "list"), lambda it: len(it) == 49 and it[0]["Attached to"]),
        "flavor list": (("flavor", "list"), lambda it: "s3.large.2" in [one["Name"] for one in it]),
        "availability zone list": (("availability", "zone", "list", "--compute"), lambda it: it),
    }
    with ThreadPoolExecutor(2) as pool:
        told = {name: pool.submit(typed, *words, "-f", "json") for name, (words, _) in looks.items()}
    for name, (_, good) in looks.items():
        with table.call(CLI, name) as row:
            seen = told[name].result()
            row.check("what it shows", good(seen), seen)
    with table.call(CLI, "server stop, server start") as row:
        typed("server", "stop", "web-0005")
        status = typed("server", "show", "web-0005", "-f", "json")["status"]
        row.check("it stops", status in ("ACTIVE", "SHUTOFF"), status)
        typed("server", "start", "web-0005")
    with table.call(CLI, "server rebuild") as row:
        typed("server", "rebuild", "web-0006")
        status = typed("server", "show", "web-0006", "-f", "json")["status"]
        row.check("it is rebuilt", status in ("REBUILD", "ACTIVE", "SHUTOFF"), status)
