"""Shows refleet at work on a real OpenStack control plane, and compares its journal with what Nova itself
has on record. Start with SHOWS at the end; tests/openstack-live/run calls this."""

import argparse
import datetime
import json
import os
import pathlib
import random
import re
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

import openstack
import yaml

PLAYBOOK = """
version: 1
name: {name}
cloud: {cloud}
limits: {{ api: {{ rate: {rate}/s, burst: 20 }}, reinstalls: {reinstalls} }}
fleets:
  web:
    hosts: {hosts}
    strategy:
      canary: {canary}
      serial: [100%]
      max_unavailable: {unavailable}
      max_failures: {max_failures}
      strict_budget: false
    steps: [{stop}, {own}validate, reinstall, wait, verify]
    reinstall: {{ image: debian-13, leave: as_found }}
    wait: {{ settle: 0s, timeout: {timeout} }}
    retry: {{ job_failed: {{ attempts: 2, delay: 1s }} }}
"""


# Nova-api's line about a request: when it was answered, by which request id, for whom, what, how, how long it took.
CALL = re.compile(r'^(\S+ \S+) \d+ INFO nova\.api\.openstack\.requestlog \[(?:\S+ )?(req-[0-9a-f-]+) (\S+) .*'
                  r'"(GET|POST) /v2\.1(/[^"?]*)[^"]*" status: (\d+) .*time: ([\d.]+)')


class Wrong(Exception):
    """Something is not as it has to be."""


def check(holds, what):
    if not holds:
        raise Wrong(what)


class Bench:
    """The control plane, as its administrator sees it, and refleet."""

    def __init__(self, args):
        self.args = args
        os.environ["OS_CLIENT_CONFIG_FILE"] = f"{args.out}/clouds.yaml"
        self.admin = openstack.connect(cloud="bench-admin", region_name="RegionOne")
        self.user = openstack.connect(cloud="bench", region_name="RegionOne")
        self.control = pathlib.Path(args.state) / "nova" / "benchfake.json"
        self.log = pathlib.Path(args.state) / "log" / "nova-api.log"
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="refleet-openstack-"))
        self.number = 0

    def behave(self, **how):
        self.control.write_text(json.dumps(how))

    def down(self, service):
        subprocess.run(["bash", f"{self.args.bench}/down.sh", "--state", self.args.state, "--only", service],
                       check=True, stdout=subprocess.DEVNULL)

    def up(self):
        subprocess.run(["bash", f"{self.args.bench}/up.sh", "--state", self.args.state, "--out", self.args.out,
                        "--start-only"], check=True, stdout=subprocess.DEVNULL)

    def get(self, path, user=None):
        answer = (user or self.user).compute.get(path, microversion="2.96")
        check(answer.status_code == 200, f"GET {path}: {answer.status_code}")
        return answer.json()

    def act(self, server, body, user=None):
        answer = (user or self.admin).compute.post(f"/servers/{server}/action", json=body, microversion="2.96")
        check(answer.status_code < 300, f"{body} of {server}: {answer.status_code} {answer.text}")

    def servers(self):
        """Ours, by id."""
        found = self.get("/servers/detail?limit=1000")["servers"]
        return {one["id"]: one for one in found if one["name"].startswith("web-")}

    def rebuilds(self, server, since):
        """Nova's own record of rebuilds since a moment: their outcome, oldest first."""
        actions = self.get(f"/servers/{server}/os-instance-actions", self.admin)["instanceActions"]
        mine = [one for one in actions if one["action"] == "rebuild" and one["start_time"][:19] >= since]
        return [one["message"] or "Success" for one in reversed(mine)]

    def replaced(self, server, since):
        """The same, by their requests: (request, user), oldest first."""
        actions = self.get(f"/servers/{server}/os-instance-actions", self.admin)["instanceActions"]
        mine = [one for one in actions if one["action"] == "rebuild" and one["start_time"][:19] >= since]
        return [(one["request_id"], one["user_id"]) for one in reversed(mine)]

    def stops(self, server, since):
        actions = self.get(f"/servers/{server}/os-instance-actions", self.admin)["instanceActions"]
        return sum(one["action"] == "stop" and one["start_time"][:19] >= since for one in actions)

    def rebuild(self, server):
        """A colleague rebuilds a server with the image that it has, and is done with it."""
        image = self.get(f"/servers/{server}", self.admin)["server"]["image"]["id"]
        self.act(server, {"rebuild": {"imageRef": image}})
        for _ in range(600):
            shown = self.get(f"/servers/{server}", self.admin)["server"]
            if not shown["OS-EXT-STS:task_state"] and shown["status"] in ("ACTIVE", "SHUTOFF"):
                # One that was off shows ACTIVE for a moment before it is off again.
                actions = self.get(f"/servers/{server}/os-instance-actions", self.admin)["instanceActions"]
                last = next(one["request_id"] for one in actions if one["action"] == "rebuild")
                events = self.get(f"/servers/{server}/os-instance-actions/{last}", self.admin)["instanceAction"]["events"]
                if events and all(one["finish_time"] for one in events):
                    return
            time.sleep(0.1)
        raise Wrong(f"the colleague's rebuild of {server} does not end")

    def calls(self, since_line):
        """What nova-api was asked since that line of its log."""
        found = []
        for line in self.log.read_text().splitlines()[since_line:]:
            if one := CALL.match(line):
                ended = datetime.datetime.strptime(one[1], "%Y-%m-%d %H:%M:%S.%f").timestamp()
                found.append({"began": ended - float(one[7]), "ended": ended, "request": one[2], "user": one[3],
                              "method": one[4], "path": one[5], "status": int(one[6])})
        return found

    def some(self, count):
        """Ids of the first of them, by their names."""
        return [one["id"] for one in sorted(self.servers().values(), key=lambda one: one["name"])[:count]]

    def off(self):
        return [one["name"] for one in self.servers().values() if one["status"] != "ACTIVE"]

    def reset(self):
        """Every server on and at rest, whatever was done to it."""
        self.behave()
        for _ in range(90):
            bad = {}
            for server, one in self.servers().items():
                for key in [key for key in one["metadata"] if key.startswith("bench_")]:
                    self.admin.compute.delete(f"/servers/{server}/metadata/{key}", microversion="2.96")
                task = one["OS-EXT-STS:task_state"]
                if one["locked"]:
                    self.act(server, {"unlock": None})
                if one["status"] == "ACTIVE" and not task:
                    continue
                bad[server] = (one["status"], task)
                if one["status"] == "ERROR" or task in ("rebuilding", "powering-off") and one["status"] != "ACTIVE":
                    self.act(server, {"os-resetState": {"state": "active"}})
                elif one["status"] == "SHUTOFF" and not task:
                    self.act(server, {"os-start": None})
            if not bad:
                return
            time.sleep(1)
        raise Wrong(f"servers do not come to rest: {bad}")

    # refleet

    def playbook(self, **how):
        usual = {"name": "show", "cloud": "bench", "rate": 40, "reinstalls": 20, "canary": 1, "unavailable": 20,
                 "max_failures": 5, "stop": "stop", "timeout": "10m", "hosts": "[{ name: web-* }]", "own": ""}
        self.number += 1
        path = self.work / f"show-{self.number}.yaml"
        path.write_text(PLAYBOOK.format(**{**usual, **how}))
        return path

    def refleet(self, *words, wanted=None, state="state.db", **more):
        environment = {**os.environ, "REFLEET_STATE": str(self.work / state)}
        done = subprocess.run([self.args.refleet, *map(str, words)], env=environment, capture_output=True,
                              text=True, check=False, **more)
        if wanted is not None and done.returncode not in wanted:
            raise Wrong(f"refleet {words} ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done

    def start(self, *words, state="state.db"):
        environment = {**os.environ, "REFLEET_STATE": str(self.work / state)}
        log = open(self.work / "run.log", "a")
        return subprocess.Popen([self.args.refleet, *map(str, words), "--quiet"], env=environment, stdout=log,
                                stderr=log, stdin=subprocess.DEVNULL)

    def plan(self, playbook, servers=None):
        plan = playbook.with_suffix(".plan")
        plan.unlink(missing_ok=True)
        told = self.refleet("plan", playbook, "--out", plan, wanted=[0])
        planned = json.loads(plan.read_text())
        check(servers is None or len(planned["targets"]) == servers, f"{len(planned['targets'])} servers are planned")
        return plan, len(planned["targets"]), told.stdout

    def last_run(self, state="state.db"):
        with sqlite3.connect(self.work / state) as journal:
            return journal.execute("SELECT id FROM run ORDER BY id DESC LIMIT 1").fetchone()[0]

    def events(self, run, state="state.db"):
        with sqlite3.connect(self.work / state) as journal:
            rows = journal.execute("SELECT json FROM event WHERE run = ? ORDER BY seq", (run,))
            return [json.loads(row[0]) for row in rows]

    def endings(self, run, state="state.db"):
        """How each server ended; one that another run took over since counts as drifted."""
        events = self.events(run, state)
        yielded = {one["server"]: "drifted" for one in events if one["event"] == "yielded"}
        return yielded | {one["server"]: one["ending"] for one in events if one["event"] == "ended"}

    def compare(self, run, since):
        """The journal against Nova's record. Each server has one rebuild, or one more for each that failed."""
        told = {}
        for one in self.events(run):
            if one["event"] == "job_ended":
                told.setdefault(one["server"], []).append("Success" if "succeeded" in one["end"] else "Error")
        doubled = {}
        for server, ending in self.endings(run).items():
            actions = self.rebuilds(server, since)
            if "Error" not in actions and len(actions) > 1 or actions.count("Success") > 1:
                doubled[server] = actions
            if ending == "verified":
                check(actions[-1:] == ["Success"], f"{server} is verified, and Nova says {actions}")
            if ending in ("verified", "needs_support"):
                check(told.get(server) == actions, f"{server}: the journal has {told.get(server)}, Nova {actions}")
        check(not doubled, f"rebuilt more than once: {doubled}")

    def now(self):
        time.sleep(1.1)
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())

    def requests(self, since_line):
        """What nova-api was asked for since that line of its log by our user, by kind."""
        seen = {}
        for line in self.log.read_text().splitlines()[since_line:]:
            found = re.search(r'requestlog.*"(GET|POST) /v2.1(/[^"?]*)', line)
            if found and self.user.session.get_user_id() in line:
                kind = re.sub(r"(req-)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", found.group(2))
                key = f"{found.group(1)} {kind}"
                seen[key] = seen.get(key, 0) + 1
        return seen

    def lines(self):
        return len(self.log.read_text().splitlines())


def all_verified(bench, run, servers, ended=None):
    endings = bench.endings(run)
    counts = {}
    for ending in endings.values():
        counts[ending] = counts.get(ending, 0) + 1
    check(counts == (ended or {"verified": servers}), f"ended: {counts}")
    return counts


def verified(bench):
    """All are rebuilt, each once, and run again."""
    bench.behave(rebuild_s=10, power_off_s=3, jitter=0.3)
    since = bench.now()
    plan, n, _ = bench.plan(bench.playbook(), bench.args.servers)
    bench.refleet("apply", plan, "--confirm", n, "--quiet", wanted=[0])
    run = bench.last_run()
    all_verified(bench, run, n)
    bench.compare(run, since)
    image = {one.id for one in bench.user.image.images(name="debian-13")}
    for one in bench.servers().values():
        check(one["status"] == "ACTIVE" and one["image"]["id"] in image, f"{one['name']}: {one['status']} {one['image']}")
    return f"{n} verified, one rebuild action each"


def failures(bench):
    """Every 15th rebuild fails once, two servers always."""
    servers = sorted(bench.servers().values(), key=lambda one: one["name"])
    always = [servers[3], servers[-2]]
    for one in always:
        bench.admin.compute.post(f"/servers/{one['id']}/metadata", json={"metadata": {"bench_fail": "rebuild"}})
    bench.behave(rebuild_s=2, power_off_s=1, jitter=0.3, fail_rebuild_every=15)  # counted since nova-compute began
    since = bench.now()
    # Few at once, so that a second attempt is not the next one that is counted out.
    plan, n, _ = bench.plan(bench.playbook(unavailable=6, reinstalls=6), bench.args.servers)
    bench.refleet("apply", plan, "--confirm", n, "--quiet", wanted=[3])
    run = bench.last_run()
    all_verified(bench, run, n, {"verified": n - 2, "needs_support": 2})
    bench.compare(run, since)
    twice = sum(len(bench.rebuilds(one["id"], since)) == 2 for one in servers)
    for one in always:
        check(bench.rebuilds(one["id"], since) == ["Error", "Error"], f"{one['name']} was not tried twice")
    return f"{n - 2} verified, 2 need support; {twice} servers were tried a second time"


def killed(bench):
    """kill -9, ten times."""
    bench.behave(rebuild_s=4, power_off_s=1, jitter=0.5, fail_rebuild_every=25)
    since = bench.now()
    plan, n, _ = bench.plan(bench.playbook(unavailable=8, reinstalls=8), bench.args.servers)
    chance = random.Random(5)
    process, kills, run = bench.start("apply", plan, "--confirm", n), 0, None
    while kills < 10:
        time.sleep(chance.uniform(2.5, 5.0))
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
        run = bench.last_run()
        process = bench.start("resume", run)
    code = process.wait()
    check(kills == 10 or bench.args.servers < 60, f"the run was over after {kills} kills")
    check(code in (0, 3), f"resumed, it ended with {code}")
    endings = bench.endings(run)
    check(len(endings) == n, f"{len(endings)} of {n} servers ended")
    bench.compare(run, since)
    return f"killed {kills} times; {sorted(set(endings.values()))}; no server rebuilt twice"


def outage(bench):
    """nova-compute goes away in the middle and comes back."""
    bench.behave(rebuild_s=4, power_off_s=1, jitter=0.3)
    since = bench.now()
    plan, n, _ = bench.plan(bench.playbook(timeout="1m", max_failures=20, unavailable=8, reinstalls=8, rate=20),
                            bench.args.servers)
    process = bench.start("apply", plan, "--confirm", n)
    time.sleep(15)
    bench.down("nova-compute")
    time.sleep(20)
    bench.up()
    code = process.wait()
    run = bench.last_run()
    endings = bench.endings(run)
    pending = n - len(endings)
    counts = {}
    for ending in endings.values():
        counts[ending] = counts.get(ending, 0) + 1
    bench.compare(run, since)
    stuck = [one["name"] for one in bench.servers().values() if one["status"] == "REBUILD"]
    unknown = [server for server, ending in endings.items() if ending == "unknown"]
    check(len(stuck) == len(unknown), f"{stuck} are stuck, and {unknown} are unknown")
    return f"exit {code}; {counts}, {pending} never begun; stuck in REBUILD and unknown: {len(stuck)}"


def keystone(bench):
    """Keystone is restarted in the middle."""
    bench.behave(rebuild_s=4, power_off_s=1, jitter=0.3)
    since = bench.now()
    plan, n, _ = bench.plan(bench.playbook(unavailable=8, reinstalls=8), bench.args.servers)
    process = bench.start("apply", plan, "--confirm", n)
    time.sleep(8)
    bench.down("keystone")
    time.sleep(10)
    bench.up()
    code = process.wait()
    run = bench.last_run()
    if code == 5:
        bench.refleet("resume", run, "--quiet", wanted=[0])
    all_verified(bench, run, n)
    bench.compare(run, since)
    return f"{n} verified{', after a pause' if code == 5 else ''}"


def twice(bench):
    """Two runs at once over fleets that overlap."""
    bench.behave(rebuild_s=3, power_off_s=1, jitter=0.3)
    since = bench.now()
    ids = sorted(bench.servers())
    half = len(ids) // 2
    first = ids[:half + 3]
    second = ids[half - 3:]
    books = [bench.playbook(name=name, hosts=hosts(part))
             for name, part in (("first", first), ("second", second))]
    plans = [bench.plan(book) for book in books]
    runs = [bench.start("apply", plan, "--confirm", n) for plan, n, _ in plans]
    codes = [run.wait() for run in runs]
    for server in ids:
        actions = bench.rebuilds(server, since)
        check(len(actions) <= 1, f"{server} was rebuilt by both: {actions}")
    check(sorted(codes) in ([0, 1], [0, 0]), f"they ended with {codes}")
    check(codes != [0, 0], "both ran over the same servers")
    return f"exit codes {codes}; no server rebuilt twice"


def hosts(ids):
    return json.dumps([{"id": one} for one in ids])


def colleague(bench):
    """A colleague rebuilds servers of a plan: one that waits for its turn, and one between its stop and its wipe."""
    told = []
    for stop in ("stop", "{ stop: skip }"):
        bench.reset()
        bench.behave(rebuild_s=3, power_off_s=1, jitter=0.3)
        since = bench.now()
        ids = bench.some(6)
        waiting, between = ids[-1], ids[-2]
        # A step of the playbook's own between the stop and the last look: for one server it waits for the colleague.
        wish, step = bench.work / "wish", bench.work / "step.sh"
        step.write_text(f'#!/bin/sh\n[ "$1" = {between} ] || exit 0\ntouch {wish}\n'
                        f'while [ -e {wish} ]; do sleep 0.1; done\n')
        step.chmod(0o755)
        own = f'{{ run: [{step}, "{{{{ host.id }}}}"] }}, '
        book = bench.playbook(stop=stop, own=own, unavailable=2, reinstalls=2, hosts=hosts(ids))
        plan, n, _ = bench.plan(book, len(ids))
        process = bench.start("apply", plan, "--confirm", n)
        while not any(bench.rebuilds(server, since) for server in ids[:2]):
            check(process.poll() is None, "the run ended before its canary was rebuilt")
            time.sleep(0.2)
        bench.rebuild(waiting)
        while not wish.exists():
            check(process.poll() is None, "the run ended before the step of the other server")
            time.sleep(0.1)
        bench.rebuild(between)
        wish.unlink()
        code = process.wait()
        endings, ours = bench.endings(bench.last_run()), bench.user.session.get_user_id()
        for server in (waiting, between):
            users = [user for _, user in bench.replaced(server, since)]
            check(len(users) == 1 and ours not in users, f"{server} was rebuilt by {users}; {endings.get(server)}")
            check(endings.get(server) == "drifted", f"{server} ended {endings.get(server)}")
        check(bench.stops(waiting, since) == 0, f"{waiting} was stopped after the colleague's rebuild")
        for server in ids[:-2]:
            check(bench.rebuilds(server, since) == ["Success"], f"{server}: {bench.rebuilds(server, since)}")
        check(code == 3 and not bench.off(), f"exit {code}; off at the end: {bench.off()}")
        told.append(f"{stop}: {n - 2} verified, the colleague's two drifted, rebuilt by nobody else")
    return "; ".join(told)


def after_another_run(bench):
    """A run that is resumed leaves alone what another run has rebuilt since: paused by its playbook, and killed."""
    told = []
    for how in ("paused", "killed"):
        bench.reset()
        bench.behave(rebuild_s=3, power_off_s=1, jitter=0.3)
        since = bench.now()
        ids = bench.some(8)
        book = bench.playbook(unavailable=2, reinstalls=2, hosts=hosts(ids))
        if how == "paused":
            book.write_text(book.read_text().replace("canary: 1", "canary: 1\n      pause: after_canary"))
        plan, n, _ = bench.plan(book, len(ids))
        process = bench.start("apply", plan, "--confirm", n)
        if how == "killed":
            while sum(len(bench.rebuilds(server, since)) for server in ids) < 3:
                check(process.poll() is None, "the run ended early")
                time.sleep(0.2)
            process.send_signal(signal.SIGKILL)
        code = process.wait()
        check(how == "killed" or code == 5, f"it did not pause: {code}")
        first = bench.last_run()
        others = ids[-3:]
        check(not any(bench.rebuilds(server, since) for server in others), "the run began with its last servers")
        second, m, _ = bench.plan(bench.playbook(hosts=hosts(others)), 3)
        bench.refleet("apply", second, "--confirm", m, "--quiet", wanted=[0])
        middle = bench.now()
        if how == "paused":
            bench.refleet("approve", first, wanted=[0])
        code = bench.start("resume", first).wait()
        endings = bench.endings(first)
        for server in others:
            check(len(bench.rebuilds(server, since)) == 1, f"{server} was rebuilt again: {bench.rebuilds(server, since)}")
            check(bench.stops(server, middle) == 0, f"{server} was stopped after the other run")
            check(endings.get(server) == "drifted", f"{server} ended {endings.get(server)}")
        bench.compare(first, since)
        check(code == 3 and not bench.off(), f"exit {code}; off at the end: {bench.off()}")
        told.append(f"{how}: the other run's 3 were left alone, {list(endings.values()).count('verified')} verified")
    return "; ".join(told)


def second_user(bench):
    """Another member of the project, so that nova-api's log tells two runs apart."""
    name, password = "second", "second-" + "".join(random.choices("abcdefghjkmnpqrstuvwxyz", k=16))
    user = bench.admin.identity.find_user(name)
    if user:
        bench.admin.identity.update_user(user, password=password)
    else:
        user = bench.admin.identity.create_user(name=name, password=password, domain_id="default")
    member, demo = bench.admin.identity.find_role("member"), bench.admin.identity.find_project("demo")
    bench.admin.identity.assign_project_role_to_user(demo, user, member)
    clouds = yaml.safe_load(pathlib.Path(f"{bench.args.out}/clouds.yaml").read_text())
    entry = json.loads(json.dumps(clouds["clouds"]["bench"]))
    entry["auth"].update(username=name, password=password)
    clouds["clouds"]["bench-second"] = entry
    path = bench.work / "two-clouds.yaml"
    path.write_text(yaml.safe_dump(clouds))
    path.chmod(0o600)
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(path)
    return user.id


def looks_of(calls, wipe, server):
    """What the run behind a wipe read of that server before it: the last of each kind."""
    last = {}
    for one in calls:
        kind = {"/servers/detail": "server", f"/servers/{server}": "server",
                f"/servers/{server}/os-instance-actions": "actions"}.get(one["path"])
        if kind and one["method"] == "GET" and one["user"] == wipe["user"] and one["ended"] <= wipe["began"]:
            last[kind] = max(last.get(kind, 0), one["began"])
    return last


def two_state_files(bench):
    """Two runs of two state files over the same servers, with plans drawn together."""
    told = []
    usual = os.environ["OS_CLIENT_CONFIG_FILE"]
    users = [bench.user.session.get_user_id(), second_user(bench)]
    try:
        for how, apart in (("one after the other", None), ("15 s apart", 15), ("at the same moment", 0)):
            bench.reset()
            bench.behave(rebuild_s=0 if apart == 0 else 3, power_off_s=0 if apart == 0 else 1, jitter=0.3)
            since, line = bench.now(), bench.lines()
            runs = [(cloud, f"{cloud}-{len(told)}.db") for cloud in ("bench", "bench-second")]
            books = [bench.playbook(cloud=cloud, unavailable=5, reinstalls=5, max_failures=20) for cloud, _ in runs]
            plans = [bench.plan(book, bench.args.servers) for book in books]
            processes = []
            for (plan, n, _), (_, state) in zip(plans, runs):
                processes.append(bench.start("apply", plan, "--confirm", n, state=state))
                if apart is None:
                    processes[-1].wait()
                elif len(processes) == 1:
                    time.sleep(apart)
            codes = [process.wait() for process in processes]
            calls = bench.calls(line)
            by_request = {one["request"]: one for one in calls}
            twice, unseen, widths = 0, [], []
            for server in bench.servers():
                wipes = [by_request[request] for request, user in bench.replaced(server, since) if request in by_request]
                wipes.sort(key=lambda one: one["began"])
                check(all(wipe["user"] in users for wipe in wipes), "somebody else rebuilt a server")
                looks = [looks_of(calls, wipe, server) for wipe in wipes]
                widths += [wipe["began"] - min(look.values()) for wipe, look in zip(wipes, looks)]
                if len({wipe["user"] for wipe in wipes}) < len(wipes):
                    raise Wrong(f"{how}: one run rebuilt {server} twice")
                if len(wipes) == 2:
                    twice += 1
                    # The later one rests on looks that were asked for before the earlier one was answered.
                    if max(looks[1].values()) >= wipes[0]["ended"]:
                        unseen.append((server, max(looks[1].values()) - wipes[0]["ended"]))
            check(apart == 0 or twice == 0, f"{how}: {twice} servers were rebuilt by both")
            check(not unseen, f"{how}: rebuilt again after a look that could have seen it: {unseen}")
            ended = [sorted(bench.endings(bench.last_run(state), state).values()) if pathlib.Path(
                bench.work / state).exists() else [] for _, state in runs]
            counts = [{ending: some.count(ending) for ending in set(some)} for some in ended]
            width = f"{statistics.median(widths):.2f} s median, {max(widths):.2f} s at most" if widths else "none"
            told.append(f"{how}: exit {codes}, {counts}, {len(widths)} rebuilds, {twice} servers by both, off {bench.off()}; "
                        f"look to send {width}")
            print(told[-1], flush=True)
    finally:
        os.environ["OS_CLIENT_CONFIG_FILE"] = usual
    return "; ".join(told)


def requests(bench):
    """What a run costs, with everything and with `stop: skip`, counted in nova-api's own log."""
    told = []
    for stop, most in (("stop", 5.5), ("stop: skip", 3.5)):
        bench.behave()
        since = bench.now()
        stop = stop if stop == "stop" else "{ stop: skip }"
        image = "debian-12" if stop != "stop" else "debian-13"
        book = bench.playbook(unavailable=100, reinstalls=50, stop=stop, rate=20, canary=1,
                              hosts=hosts(bench.some(bench.args.servers)))
        book.write_text(book.read_text().replace("debian-13", image))
        line = bench.lines()
        plan, n, _ = bench.plan(book, bench.args.servers)
        drawn = sum(bench.requests(line).values()) / n
        check(drawn < 1.2, f"the plan takes {drawn:.2f} requests a server")
        line, began = bench.lines(), time.monotonic()
        bench.refleet("apply", plan, "--confirm", n, "--quiet", wanted=[0])
        took = time.monotonic() - began
        seen = bench.requests(line)
        all_verified(bench, bench.last_run(), n)
        bench.compare(bench.last_run(), since)
        each = sum(seen.values()) / n
        told.append(f"{stop}: {drawn:.2f} requests a server for the plan, {each:.2f} for the run "
                    f"in {took:.0f} s {seen}")
        print(told[-1], flush=True)
        check(each < most, f"{each:.2f} requests a server, and {most} are allowed: {seen}")
        check(seen.get("GET /servers/detail", 0) <= took + 3, "lists are asked for more often than each second")
    return "; ".join(told)


def ways(bench):
    """Other ways in, and what is refused before anything is touched."""
    book = bench.playbook(cloud="bench-appcred", hosts="[{ name: web-01 }]")
    bench.plan(book, 1)
    book = bench.playbook(cloud="bench-reader", hosts="[{ name: web-01 }]")
    plan, n, _ = bench.plan(book, 1)
    done = bench.refleet("apply", plan, "--confirm", n, "--quiet")
    check(done.returncode in (3, 4) and "403" in done.stdout + done.stderr or "orbidden" in done.stdout + done.stderr,
          f"a reader: {done.returncode} {done.stderr[-500:]}")
    clouds = yaml.safe_load(pathlib.Path(f"{bench.args.out}/clouds.yaml").read_text())
    clouds["clouds"]["bench"]["region_name"] = "Nowhere"
    (bench.work / "clouds.yaml").write_text(yaml.safe_dump(clouds))
    usual, os.environ["OS_CLIENT_CONFIG_FILE"] = os.environ["OS_CLIENT_CONFIG_FILE"], str(bench.work / "clouds.yaml")
    done = bench.refleet("plan", bench.playbook(), wanted=[1])
    os.environ["OS_CLIENT_CONFIG_FILE"] = usual
    check("RegionOne" in done.stderr, f"a wrong region: {done.stderr}")
    for extra, said in (("license: byol", "license"), ("encryption: { kms_key: evs/default }", "encryption")):
        book = bench.playbook(hosts="[{ name: web-01 }]")
        book.write_text(book.read_text().replace("leave: as_found", f"leave: as_found, {extra}"))
        done = bench.refleet("plan", book)
        check("cannot be done here" in done.stdout + done.stderr, f"{said}: {done.stdout[-800:]}{done.stderr[-800:]}")
    return "an application credential plans; a reader, a wrong region, a licence and encryption are refused"


SHOWS = {show.__name__.replace("_", "-"): show for show in (
    ways, verified, failures, killed, outage, keystone, twice, colleague, after_another_run, two_state_files, requests)}


def main():
    parser = argparse.ArgumentParser()
    for name in ("bench", "state", "out", "refleet"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--servers", type=int, required=True)
    parser.add_argument("shows", nargs="+", choices=SHOWS)
    args = parser.parse_args()
    bench = Bench(args)
    failed = 0
    for name in args.shows:
        bench.reset()
        began = time.monotonic()
        try:
            told = SHOWS[name](bench)
            print(f"ok      {name} ({time.monotonic() - began:.0f} s): {told}", flush=True)
        except Wrong as wrong:
            failed += 1
            print(f"FAILED  {name} ({time.monotonic() - began:.0f} s): {wrong}", flush=True)
    bench.reset()
    sys.exit(1 if failed else 0)


main()
