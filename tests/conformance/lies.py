"""Ten ways in which a simulated cloud could be wrong, each told by the proxy of `liar.py`.

A lie names the part of the suite that must see it and the very check that must fall. The first is no
lie: through an honest proxy everything holds."""

import json
import re
import uuid
from dataclasses import dataclass
from typing import Callable
from urllib.parse import parse_qs, urlsplit


@dataclass
class Lie:
    """One of them."""

    name: str
    parts: tuple
    caught_by: str
    tell: Callable


def is_call(exchange, method, pattern):
    """Whether it is that call of the cloud, and it went well."""
    return exchange.method == method and re.fullmatch(pattern, exchange.path) and exchange.status < 300


V1_LIST = r"/v1/[0-9a-f]+/cloudservers/detail"
V1_SERVER = r"/v1/[0-9a-f]+/cloudservers/[0-9a-f-]{36}"
JOB = r"/v1/[0-9a-f]+/jobs/[0-9a-f-]+"
REINSTALL = r"/v[12]/[0-9a-f]+/cloudservers/[0-9a-f-]{36}/reinstallos"


def honest(_exchange):
    """Changes nothing."""


def wrong_paging(exchange):
    """`offset` is taken for an index, as other lists have it."""
    query = parse_qs(urlsplit(exchange.target).query)
    if not is_call(exchange, "GET", V1_LIST) or "offset" not in query:
        return
    every = exchange.liar.ask(exchange.path + "?limit=1000")["servers"]
    offset, limit = int(query["offset"][0]), int(query.get("limit", ["25"])[0])
    exchange.json = {**exchange.json, "servers": every[offset:offset + limit]}


def missing_field(exchange):
    """A server does not say what is being done to it."""
    if is_call(exchange, "GET", V1_SERVER):
        body = exchange.json
        body["server"].pop("OS-EXT-STS:task_state")
        exchange.json = body


def wrong_type(exchange):
    """`bootIndex` is a number where it is a text."""
    if is_call(exchange, "GET", V1_SERVER):
        body = exchange.json
        for disk in body["server"]["os-extended-volumes:volumes_attached"]:
            disk["bootIndex"] = int(disk["bootIndex"])
        exchange.json = body


def with_own_token(exchange, header):
    """Lets in whoever was refused with that header, or without it."""
    names = {name.lower() for name, _ in exchange.headers}
    if exchange.status != 401 or exchange.path.startswith("/v3") or (header in names) != (header == "x-auth-token"):
        return
    kept = [(name, value) for name, value in exchange.headers
            if name.lower() not in ("authorization", "x-auth-token", "x-sdk-date", "x-security-token")]
    exchange.send([*kept, ("X-Auth-Token", exchange.liar.token())])


def unsigned_accepted(exchange):
    """Who does not sign is let in."""
    with_own_token(exchange, "authorization")


def token_ignored(exchange):
    """Any text is a token."""
    with_own_token(exchange, "x-auth-token")


def job_never_ends(exchange):
    """Jobs run for ever."""
    if is_call(exchange, "GET", JOB):
        body = exchange.json
        body.update(status="RUNNING", end_time="")
        for key in ("error_code", "fail_reason"):
            body.pop(key, None)
        exchange.json = body


def second_reinstall(exchange):
    """A reinstall is taken while one runs."""
    if exchange.method == "POST" and re.fullmatch(REINSTALL, exchange.path) and exchange.status in (400, 501):
        if json.loads(exchange.answer).get("error", {}).get("code") == "Ecs.0603":
            exchange.status, exchange.json = 200, {"job_id": uuid.uuid4().hex}


def wrong_status(exchange):
    """A server that is stopping says that it is stopped."""
    if is_call(exchange, "GET", V1_SERVER):
        body = exchange.json
        if body["server"]["OS-EXT-STS:task_state"] == "powering-off":
            body["server"]["status"] = "SHUTOFF"
        exchange.json = body


def same_volume(exchange):
    """A reinstalled server has the system disk that it had before."""
    if is_call(exchange, "GET", V1_SERVER):
        body = exchange.json
        disks = body["server"]["os-extended-volumes:volumes_attached"]
        for disk in disks:
            if disk["bootIndex"] == "0":
                disk["id"] = exchange.liar.memory.setdefault(body["server"]["id"], disk["id"])
        exchange.json = body


def snapshots_kept(exchange):
    """A snapshot that was there is there for ever."""
    if is_call(exchange, "GET", r"/v2/[0-9a-f]+/cloudsnapshots/[0-9a-f-]{36}"):
        seen = exchange.json["snapshot"]
        exchange.liar.memory[seen["id"]] = seen
    if is_call(exchange, "GET", r"/v2/[0-9a-f]+/cloudsnapshots/detail"):
        body = exchange.json
        have = {it["id"] for it in body["snapshots"]}
        body["snapshots"] += [it for key, it in exchange.liar.memory.items() if key not in have]
        exchange.json = body


ALL = (
    Lie("an honest proxy", ("identity", "servers", "reinstall"), "", honest),
    Lie("wrong paging", ("servers",), "ListServersDetails, pages: pages by number, from 1", wrong_paging),
    Lie("missing field", ("servers",), "ShowServer: fields", missing_field),
    Lie("wrong type", ("servers",), "ShowServer: JSON types", wrong_type),
    Lie("unsigned accepted", ("identity",), "signed requests: an unsigned request is refused", unsigned_accepted),
    Lie("token ignored", ("identity",), "GET cloudservers with a token: a made-up token is refused", token_ignored),
    Lie("job never ends", ("reinstall",), "ShowJob, of a batch: it ends", job_never_ends),
    Lie("second reinstall accepted while one runs", ("reinstall",),
        "ReinstallServerWithCloudInit: a second one meanwhile is refused", second_reinstall),
    Lie("wrong status while stopping", ("reinstall",),
        "BatchStopServers: meanwhile ACTIVE, powering-off", wrong_status),
    Lie("volume id unchanged", ("reinstall",),
        "ShowServer, after a reinstall: another system disk", same_volume),
    Lie("snapshots kept", ("reinstall",),
        "ListSnapshots, after a reinstall: those of the system disk are gone", snapshots_kept),
)
