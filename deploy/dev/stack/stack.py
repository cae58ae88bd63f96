#!/usr/bin/env python3
"""Brings up docker-compose.yml from nothing, attacks it, kills its services one after the other under load, and takes it down.

Usage: stack.py [--keep]      --keep leaves it running
Needs a Docker engine, Compose 1.29 or later, and kcat; deploy/dev/images.sh makes images that cannot be pulled.
An image that is not there and cannot be had is passed over by name. Prints a transcript; the last line is "N passed, M failed".
Exit: 0 all passed.
"""

import hashlib
import hmac
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[3]
PROJECT = "tidewatch-stack-test"
PORTS = dict(
    INGEST_PORT=18080, KAFKA_PORT=19092, S3_PORT=19000, PROMETHEUS_PORT=19090, ALERTMANAGER_PORT=19093, GRAFANA_PORT=13000, RECEIVER_PORT=18000
)
SERVICES = ["ingest", "detector", "alerter", "archiver"]
# Each is killed once, a while after the load began, and started again after a while.
KILLED = [*SERVICES, "s3", "kafka"]
LOAD_SECONDS, KILLED_AFTER, DOWN_SECONDS = 25, 6, 5
PATIENCE = 180
# Version 2 is a command of docker's, version 1 one of its own.
HAS_V2 = subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0
COMPOSE = ["docker", "compose"] if HAS_V2 else ["docker-compose"]

began = time.monotonic()
outcomes = []


def tell(line):
    print(f"[{time.monotonic() - began:6.1f} s] {line}", flush=True)


def check(what, holds, found=""):
    outcomes.append(bool(holds))
    tell(f"{'ok  ' if holds else 'FAIL'} {what}" + (f": {found}" if found != "" else ""))


def wait_for(what, find, patience=PATIENCE):
    """What `find` finds, as soon as it is something; nothing after a while, which the caller checks."""
    until = time.monotonic() + patience
    found = find()
    while not found and time.monotonic() < until:
        time.sleep(0.5)
        found = find()
    if not found:
        tell(f"waited {patience} s in vain for {what}")
    return found


class Stack:
    def __init__(self, scratch):
        self.secrets = scratch / "secrets"
        subprocess.run([ROOT / "deploy/compose/init.sh", self.secrets], check=True, capture_output=True)
        url = self.secrets / "webhook_url"
        url.chmod(0o644)
        url.write_text("http://receiver:8000/")
        self.environment = os.environ | {name: str(port) for name, port in PORTS.items()}
        self.environment |= {"COMPOSE_PROJECT_NAME": PROJECT, "SECRETS_DIR": str(self.secrets)}

    def compose(self, *arguments, check=True):
        files = ["-f", "docker-compose.yml", "-f", "deploy/dev/stack/overlay.yml"]
        run = subprocess.run(
            [*COMPOSE, *files, *arguments], cwd=ROOT, env=self.environment, capture_output=True, text=True
        )
        if check and run.returncode != 0:
            sys.exit(f"compose {' '.join(arguments)}: {run.stderr[-3000:]}")
        return run.stdout

    def secret(self, name):
        return (self.secrets / name).read_text()

    def state(self, service):
        """How its newest container is: healthy, starting, exited …"""
        container = self.compose("ps", "-q", service, check=False).strip()
        if not container:
            return "absent"
        form = "{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}"
        return subprocess.run(["docker", "inspect", "-f", form, container], capture_output=True, text=True).stdout.strip()

    def healthy(self, services, patience=PATIENCE):
        states = {}

        def all_are():
            states.update({service: self.state(service) for service in services})
            return all(state == "healthy" for state in states.values())

        wait_for(f"{services} to be healthy", all_are, patience)
        return states


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{PORTS[port]}{path}", timeout=10) as answer:
        return json.load(answer)


def received():
    return get("RECEIVER_PORT", "/received")


def opened(alerts):
    return [alert for alert in alerts if alert["status"] == "opened"]


def of_receiver():
    return [hook["body"]["data"] for hook in received()]


def topic(name):
    """All committed records of a topic, and where each partition ends."""
    arguments = ["-b", f"127.0.0.1:{PORTS['KAFKA_PORT']}", "-t", f"tidewatch.{name}", "-X", "isolation.level=read_committed"]
    run = subprocess.run(
        ["kcat", "-C", "-e", "-q", "-o", "beginning", "-J", *arguments], capture_output=True, text=True, timeout=PATIENCE
    )
    return [json.loads(line) for line in run.stdout.splitlines()]


class Load(threading.Thread):
    """Attackers who try eleven passwords each, sent in one body to the HTTP door, again and again until it is accepted."""

    def __init__(self, key, first):
        super().__init__()
        self.key, self.first, self.attackers, self.retries = key, first, 0, 0
        self.until = time.monotonic() + LOAD_SECONDS

    def run(self):
        while time.monotonic() < self.until:
            self.attack(self.first + self.attackers)
            self.attackers += 1
            time.sleep(0.05)

    def attack(self, number):
        address = f"198.18.{number // 250}.{number % 250 + 1}"
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        logs = [
            {
                "event_id": f"attack-{number}-{at}",
                "time": now,
                "service": "security",
                "level": "warn",
                "message": "login failed",
                "metadata": {"security_event": "login_failed", "source_ip": address},
            }
            for at in range(11)
        ]
        request = urllib.request.Request(
            f"http://127.0.0.1:{PORTS['INGEST_PORT']}/api/v1/ingest",
            json.dumps({"logs": logs}).encode(),
            {"content-type": "application/json", "x-api-key": self.key},
        )
        while True:
            try:
                with urllib.request.urlopen(request, timeout=15) as answer:
                    answer.read()
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError, OSError):
                self.retries += 1
                time.sleep(0.3)


def s3(stack, method, name="", **query):
    """Status, headers and body of a request, signed after Signature Version 4 of AWS."""
    host = f"127.0.0.1:{PORTS['S3_PORT']}"
    path = "/tidewatch-archive" + (f"/{quote(name, safe='/~')}" if name else "")
    parameters = "&".join(f"{quote(key, safe='')}={quote(value, safe='~')}" for key, value in sorted(query.items()))
    moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    nothing = hashlib.sha256(b"").hexdigest()
    headers = {"host": host, "x-amz-content-sha256": nothing, "x-amz-date": moment}
    names = ";".join(headers)
    asked = "\n".join([method, path, parameters, *(f"{key}:{value}" for key, value in headers.items()), "", names, nothing])
    scope = f"{moment[:8]}/us-east-1/s3/aws4_request"
    key = f"AWS4{stack.secret('s3_secret_key')}".encode()
    for part in [*scope.split("/"), f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(asked.encode()).hexdigest()}"]:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential=tidewatch/{scope},SignedHeaders={names},Signature={key.hex()}"
    request = urllib.request.Request(f"http://{host}{path}?{parameters}", None, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, dict(answer.headers.items()), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, {}, error.read().decode()


def versions(stack, prefix):
    """Names and versions of all objects below a prefix, page by page."""
    found, marker = [], {}
    while True:
        status, _, body = s3(stack, "GET", **{"versions": "", "prefix": prefix, **marker})
        if status != 200:
            sys.exit(f"the archive cannot be listed: {status} {body}")
        page = re.findall(r"<Version>.*?<Key>(.*?)</Key>.*?<VersionId>(.*?)</VersionId>.*?</Version>", body, re.S)
        found += page
        if "<IsTruncated>true" not in body:
            return found
        marker = {"key-marker": page[-1][0], "version-id-marker": page[-1][1]}


def come_up(stack):
    tell("from a clean state: no container, no volume")
    stack.compose("down", "--volumes", "--remove-orphans")
    images = stack.compose("config")
    there = lambda image: subprocess.run(["docker", "image", "inspect", image], capture_output=True).returncode == 0
    wanted = [*SERVICES, "prometheus", "alertmanager", "receiver"]
    grafana = re.search(r"image: (grafana/grafana:\S+)", images).group(1)
    if there(grafana):
        wanted.append("grafana")
    else:
        tell(f"passed over: {grafana} is not here and cannot be pulled")
    started = time.monotonic()
    stack.compose("up", "--detach", *wanted)
    states = stack.healthy([*SERVICES, "kafka", "s3", "prometheus", "alertmanager"])
    check("every service is healthy", set(states.values()) == {"healthy"}, states)
    tell(f"up in {time.monotonic() - started:.0f} s")


def attack_with_sample(stack):
    started = time.monotonic()
    tell(stack.compose("--profile", "sample", "run", "--rm", "-T", "sample").strip())
    rules = lambda: Counter(alert["rule_id"] for alert in opened(of_receiver()))
    wait_for("six alerts at the receiver", lambda: len(rules()) >= 6, 60)
    check("the sample's attacks arrive at the receiver, each rule of the guide once", sorted(rules().values()) == [1] * 6, dict(rules()))
    tell(f"all were there {time.monotonic() - started:.1f} s after the sample was started")


def watch(stack):
    def targets():
        found = get("PROMETHEUS_PORT", "/api/v1/targets?state=active")["data"]["activeTargets"]
        ours = {target["labels"]["job"]: target["health"] for target in found if target["labels"]["job"].startswith("tidewatch")}
        return ours if len(ours) == 4 and set(ours.values()) == {"up"} else None

    check("Prometheus scrapes every service", wait_for("four targets", targets), targets())
    groups = get("PROMETHEUS_PORT", "/api/v1/rules")["data"]["groups"]
    loaded = {rule["name"] for group in groups for rule in group["rules"] if rule["type"] == "alerting" and rule["health"] != "err"}
    written = set(re.findall(r"alert: (\w+)", (ROOT / "deploy/prometheus/tidewatch.rules.yml").read_text()))
    check("each alert rule loads", loaded == written, f"{len(loaded)} of {len(written)}")
    active = get("PROMETHEUS_PORT", "/api/v1/alertmanagers")["data"]["activeAlertmanagers"]
    check("Prometheus has found Alertmanager", len(active) == 1, [manager["url"] for manager in active])


def locked(stack):
    objects = wait_for("an archived alert", lambda: versions(stack, "tier=alerts/"))
    check("the archive holds objects of alerts", objects, len(objects or []))
    name, version = (objects or [("", "")])[0]
    _, head, _ = s3(stack, "HEAD", name, versionId=version)
    mode, until = (head.get(f"x-amz-object-lock-{what}", "") for what in ["mode", "retain-until-date"])
    years = until and (datetime.fromisoformat(until.replace("Z", "+00:00")) - datetime.now(timezone.utc)).days / 365
    check("an object is locked for seven years", mode == "GOVERNANCE" and years and 6.9 < years < 7.1, f"{mode} until {until}")
    status, _, body = s3(stack, "DELETE", name, versionId=version)
    code = " ".join(re.findall("<Code>(.*?)</Code>", body))
    check("nobody deletes it", (status, code) == (403, "AccessDenied"), f"{status} {code}")


def kill_each(stack):
    key, attackers = stack.secret("api_key"), 0
    for service in KILLED:
        load = Load(key, attackers)
        load.start()
        time.sleep(KILLED_AFTER)
        stack.compose("kill", service)
        time.sleep(DOWN_SECONDS)
        stack.compose("start", service)
        load.join()
        attackers += load.attackers
        states = stack.healthy([*SERVICES, "kafka", "s3"])
        check(f"{service}: killed and back under load", set(states.values()) == {"healthy"}, f"{load.attackers} attackers, {load.retries} requests repeated")
    return attackers


def nothing_lost_or_repeated(attackers):
    expected = {f"198.18.{number // 250}.{number % 250 + 1}" for number in range(attackers)}
    by_address = lambda alerts: Counter(alert["key"].get("source_ip") for alert in opened(alerts))
    attacked = lambda counted: {address: count for address, count in counted.items() if address in expected}
    wait_for("every alert at the receiver", lambda: len(attacked(by_address(of_receiver()))) == attackers)
    alerts = [json.loads(record["payload"]) for record in topic("alerts")]
    in_topic = attacked(by_address(alerts))
    check("no alert is lost: one for each attacker in the topic", set(in_topic) == expected, f"{len(in_topic)} of {attackers}")
    repeated = {address: count for address, count in in_topic.items() if count > 1}
    check("no alert is repeated in the topic", not repeated, repeated)
    wrong = [alert["count"] for alert in opened(alerts) if alert["key"].get("source_ip") in expected and alert["count"] != 11]
    check("each rests on its eleven events, though bodies were sent twice", not wrong, wrong)
    hooks = received()
    identities = Counter(hook["id"] for hook in hooks)
    reached = attacked(by_address([hook["body"]["data"] for hook in {hook["id"]: hook for hook in hooks}.values()]))
    check("each was delivered, under one id", set(reached) == expected and set(reached.values()) == {1}, f"{len(reached)} of {attackers}")
    tell(f"{sum(identities.values())} deliveries of {len(identities)} webhook ids: {sum(identities.values()) - len(identities)} were sent again under the same id")


def manifests(stack, tier, source):
    """What the archive says it holds of a topic, by partition, in the order of offsets."""
    found = {}
    for name, version in versions(stack, f"manifest/{tier}/{source}+"):
        status, _, body = s3(stack, "GET", name, versionId=version)
        manifest = json.loads(body)
        found.setdefault(manifest["partition"], []).append(manifest)
    return {partition: sorted(those, key=lambda manifest: manifest["first_offset"]) for partition, those in found.items()}


def archive_is_whole(stack):
    """The segments of a partition follow each other without gap or overlap, and hold each committed record once."""
    for tier, source in [("security", "events.security"), ("audit", "events.audit"), ("alerts", "alerts")]:
        offsets = {}
        for record in topic(source):
            offsets.setdefault(record["partition"], []).append(record["offset"])
        held = {}

        def reached():
            held.update(manifests(stack, tier, source))
            return all(held.get(partition, [{"last_offset": -1}])[-1]["last_offset"] >= known[-1] for partition, known in offsets.items())

        wait_for(f"the archive of {source}", reached, 60)
        wrong, records = [], 0
        for partition, known in offsets.items():
            segments = held.get(partition, [])
            joints = zip(segments, segments[1:])
            if any(later["first_offset"] != earlier["last_offset"] + 1 for earlier, later in joints):
                wrong.append(f"{partition}: segments do not follow each other")
            count = sum(segment["count"] for segment in segments)
            end = segments[-1]["last_offset"] if segments else -1
            # What was appended meanwhile, heartbeats above all, is archived and was not read here.
            if end < known[-1] or count < len(known):
                wrong.append(f"{partition}: {count} archived up to {end}, {len(known)} in the topic up to {known[-1]}")
            records += count
        check(f"the archive of {source} is whole", offsets and not wrong, wrong or f"{records} records in {sum(map(len, held.values()))} segments")


def main():
    keep = "--keep" in sys.argv[1:]
    with tempfile.TemporaryDirectory() as scratch:
        stack = Stack(Path(scratch))
        try:
            come_up(stack)
            attack_with_sample(stack)
            watch(stack)
            locked(stack)
            attackers = kill_each(stack)
            nothing_lost_or_repeated(attackers)
            archive_is_whole(stack)
            if not all(outcomes):
                for service in SERVICES:
                    print(stack.compose("logs", "--tail", "20", "--no-color", service, check=False))
        finally:
            if not keep:
                stack.compose("down", "--volumes", "--remove-orphans", check=False)
    print(f"{sum(outcomes)} passed, {len(outcomes) - sum(outcomes)} failed")
    sys.exit(0 if all(outcomes) else 1)


main()
