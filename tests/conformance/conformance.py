"""Real clients against the simulator: every call, what was checked, and whether it held.

With `--lies`, the proof that this would be seen: an honest proxy changes nothing, and each of ten
liars is caught at the check that is meant for it."""

import argparse
import importlib
import importlib.metadata
import json
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import lies  # noqa: E402
import wire  # noqa: E402
from cloud import Cloud  # noqa: E402
from liar import Liar  # noqa: E402
from table import Table  # noqa: E402

PARTS = ("identity", "servers", "images", "keys", "disks", "backups", "reinstall",
         "openstack_sdk", "openstack_cli")


def versions():
    """What the clients are."""
    wanted = Path(__file__).with_name("requirements.txt").read_text().split()
    names = [line.split("==")[0] for line in wanted if "==" in line]
    print(f"Python {sys.version.split()[0]}")
    for name in names:
        print(f"{name} {importlib.metadata.version(name)}")


def clouds_yaml(cloud):
    """The simulator's clouds.yaml, leading to the proxy where there is one."""
    text = Path(cloud.told["clouds_file"]).read_text()
    file = Path(tempfile.mkdtemp(prefix="conformance-")) / "clouds.yaml"
    file.write_text(text.replace(cloud.told["endpoint"], cloud.endpoint))
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(file)


def run(cloud, parts):
    """Those parts, each in a fresh world."""
    table = Table()
    clouds_yaml(cloud)
    for part in parts:
        cloud.reset()
        with table.whole(part):
            importlib.import_module(f"parts.{part}").run(cloud, table)
    return table


def prove(told, speed):
    """Whether every lie is caught where it is meant to be."""
    proven = True
    for lie in lies.ALL:
        with Liar(told, lie.tell) as liar:
            cloud = Cloud(told, liar.endpoint)
            cloud.speed = speed
            begin = time.monotonic()
            failed = run(cloud, lie.parts).failed()
        caught = lie.caught_by in failed if lie.caught_by else not failed
        proven &= caught
        mark = "ok    " if caught else "FAILED"
        meant = f"caught by `{lie.caught_by}`" if lie.caught_by else "green"
        print(f"{mark} {lie.name}: {meant if caught else f'NOT {meant}'}; "
              f"{len(failed)} checks failed, {time.monotonic() - begin:.0f} s")
        if not caught or os.environ.get("CONFORMANCE_VERBOSE"):
            for check, why in failed.items():
                print(f"         {check}: {why}")
        sys.stdout.flush()
    return proven


def main():
    """Exit code 0: all of it held."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--first-line", required=True, help="the file with the simulator's first line")
    reader.add_argument("--speed", type=float, required=True, help="the simulator's")
    reader.add_argument("--part", action="append", choices=PARTS, help="only that")
    reader.add_argument("--lies", action="store_true", help="the ten lies instead")
    given = reader.parse_args()
    told = json.loads(Path(given.first_line).read_text().splitlines()[0])
    os.environ["NO_PROXY"] = "127.0.0.1"
    wire.listen()
    if given.lies:
        return 0 if prove(told, given.speed) else 1
    versions()
    cloud = Cloud(told)
    cloud.speed = given.speed
    table = run(cloud, given.part or PARTS)
    table.show()
    return 1 if table.failed() else 0


if __name__ == "__main__":
    sys.exit(main())
