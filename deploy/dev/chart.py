"""Checks the Helm chart deploy/kubernetes. chart.sh runs this with what it needs.

Usage: chart.py BINARY CUSTOM_RESOURCES    the checks; the end is the line "N passed, N failed"
       chart.py --custom-resources         prints JSON schemas of the custom resources that the chart makes

What must hold of every rendering is in chart_rules.py, one function for each rule. A rule that finds nothing proves nothing,
so each is shown renderings into which a mistake was planted, and must find it: chart_planted.py.
"""

import copy
import functools
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import yaml

import chart_rules as rules
from chart_planted import PLANTED
from chart_release import CHART, ROOT, Chart, Release, load, merged, values_of

# The oldest that Chart.yaml claims, one between, and the newest that there are schemas of.
KUBERNETES = ["1.30", "1.33", "1.37"]
CASES = {path.name.removesuffix("-values.yaml"): path for path in sorted(CHART.glob("ci/*-values.yaml"))}
CASES["production"] = CHART / "values-production.yaml"
# Helm keeps a release, packed, in one Secret.
SECRET_BYTES_MAX = 1 << 20

# What is laid over ci/minimal-values.yaml, and what the refusal must name.
REFUSED = [
    ({"config": {"kafka": {"brokers": ""}}}, "/config/kafka/brokers"),
    ({"config": {"kafka": {"brokers": "kafka"}}}, "/config/kafka/brokers"),
    ({"config": {"kafka": {"broker": "kafka:9092"}}}, "/config/kafka': additional properties 'broker'"),
    ({"config": {"kafka": {"instance": "one"}}}, "/config/kafka': additional properties 'instance'"),
    ({"config": {"kafka": {"sasl": {"user": "x", "password": "y"}}}}, "/config/kafka/sasl': additional properties 'password'"),
    ({"config": {"kafka": {"sasl": {"user": "x", "mechanism": "gssapi"}}}}, "/config/kafka/sasl/mechanism"),
    ({"config": {"kafka": {"tls": {"key_file": "/key"}}}}, "/config/kafka/tls': properties 'certificate_file' required"),
    ({"config": {"kafka": {"linger": "1 second"}}}, "/config/kafka/linger"),
    ({"config": {"kafka": {"publish_bytes": "64MB"}}}, "/config/kafka/publish_bytes"),
    ({"config": {"process": {"stop_timeout": "1m"}}}, "/config/process/stop_timeout"),
    ({"config": {"telemetry": {"listen": "0.0.0.0:9091"}}}, "/config/telemetry/listen"),
    (
        {"config": {"ingest": {"api_keys": {"shop": {"secret_file": {"secret": "keys"}}}}}},
        "/config/ingest/api_keys/shop/secret_file",
    ),
    (
        {"config": {"ingest": {"api_keys": {"a shop": {"secret_file": "/key"}}}}},
        "/config/ingest/api_keys': additional properties 'a shop'",
    ),
    ({"config": {"detector": {"state_dir": "/tmp"}}}, "/config/detector/state_dir"),
    ({"config": {"alerter": {"routes": {"chat": {"channel": "slak"}}}}}, "/config/alerter/routes/chat/channel"),
    ({"config": {"alerter": {"routes": {"everything": None}}}}, "/config/alerter/routes"),
    ({"config": {"archiver": {"store": {"bucket": None}}}}, "/config/archiver/store': missing property 'bucket'"),
    ({"config": {"archiver": {"store": {"kind": "directory"}}}}, "/config/archiver/store': missing property 'path'"),
    ({"config": {"archiver": {"tiers": {"audit": {"lock": "complience"}}}}}, "/config/archiver/tiers/audit/lock"),
    ({"config": {"archiver": {"tiers": {"audit": {"retention_days": 20000}}}}}, "/config/archiver/tiers/audit/retention_days"),
    ({"topics": {"partitions": 0}}, "/topics/partitions"),
    ({"replicaCount": 3}, "additional properties 'replicaCount'"),
    ({"image": {"tag": 1.0}}, "/image/tag"),
    ({"image": {"digest": "sha256:abc"}}, "/image/digest"),
    ({"rules": {"files": {"brute_force.txt": "id: x"}}}, "/rules/files': additional properties 'brute_force.txt'"),
    ({"common": {"replicas": "3"}}, "/common/replicas"),
    ({"common": {"resources": {"limits": {"memory": "2 GB"}}}}, "/common/resources/limits/memory"),
    ({"common": {"extraEnv": [{"name": "TIDEWATCH_KAFKA__INSTANCE", "value": "0"}]}}, "/common/extraEnv/0/name"),
    ({"common": {"autoscaling": {"mode": "cpu"}}}, "/common/autoscaling/mode"),
    ({"ingest": {"replica": 3}}, "/ingest/replica"),
    ({"ingest": {"autoscaling": {"mode": "both"}}}, "/ingest/autoscaling/mode"),
    ({"ingest": {"autoscaling": {"mode": "lag"}}}, "/ingest/autoscaling/mode"),
    ({"ingest": {"service": {"type": "External"}}}, "/ingest/service/type"),
    ({"detector": {"autoscaling": {"mode": "cpu"}}}, "/detector/autoscaling/mode"),
    ({"detector": {"autoscaling": {"mode": "lag", "minReplicas": 0}}}, "/detector/autoscaling/minReplicas"),
    ({"detector": {"persistence": {"accessModes": ["ReadWriteMany"]}}}, "/detector/persistence/accessModes"),
    ({"networkPolicy": {"ingest": {"from": [{}]}}}, "/networkPolicy/ingest/from/0"),
    ({"monitoring": {"serviceMonitor": {"interval": "15"}}}, "/monitoring/serviceMonitor/interval"),
    # Two values that do not go together are refused by the templates.
    ({"detector": {"replicas": 7}}, "detector.replicas (7) times config.detector.correlate_workers (1)"),
    (
        {"detector": {"replicas": 4}, "config": {"detector": {"match_workers": 5}}},
        "config.detector.match_workers (5) is more than the 18",
    ),
    ({"alerter": {"autoscaling": {"mode": "cpu", "maxReplicas": 7}}}, "alerter.autoscaling.maxReplicas (7) is more than the 6"),
    ({"archiver": {"autoscaling": {"mode": "lag", "maxReplicas": 31}}}, "archiver.autoscaling.maxReplicas (31)"),
    ({"ingest": {"replicas": 7}}, "ingest.replicas (7) times config.ingest.topic_workers (1)"),
    (
        {"archiver": {"autoscaling": {"mode": "lag", "minReplicas": 5}}},
        "archiver.autoscaling.minReplicas (5) is more than maxReplicas (3)",
    ),
    ({"ingest": {"ingress": {"enabled": True}}}, "ingest.ingress.hosts"),
    ({"alerter": {"kafkaIdentity": {"user": "alerter"}}}, "alerter.kafkaIdentity.user"),
    ({"setup": {"kafkaIdentity": {"key": {"secret": "x", "key": "y"}}}}, "setup.kafkaIdentity.key"),
    (
        {"detector": {"autoscaling": {"mode": "lag"}}, "config": {"kafka": {"sasl": {"user": "x", "password_file": "/vault/x"}}}},
        "keda.authenticationRef",
    ),
]

# A change of ci/trial-values.yaml, and whose pods it replaces.
REPLACES = [
    ({"config": {"alerter": {"routes": {"everything": {"severities": ["low"]}}}}}, {"alerter"}),
    ({"config": {"kafka": {"linger": "5ms"}}}, {"ingest", "detector", "alerter", "archiver"}),
    ({"config": {"archiver": {"memory_max": "128MiB"}}}, {"archiver"}),
    ({"rules": {"files": {"more.yml": "id: more"}}}, {"detector"}),
    (
        {"config": {"ingest": {"api_keys": {"web-shop": {"secret_file": {"value": "another key of the shop"}}}}}},
        {"ingest", "detector", "alerter", "archiver"},
    ),
    ({"topics": {"replicas": 3}}, set()),
    ({"monitoring": {"dashboards": {"enabled": True}}}, set()),
]

# Keys of the configuration that the chart sets itself, and one that the example tells of without showing it.
SET_BY_THE_CHART = {"kafka.instance"}
TOLD_IN_WORDS = {"archiver.store.path"}


class Checks:
    """Counts what held and tells what did not."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, problems):
        """Holds when there are no problems; they may be given as they are found."""
        problems = list(problems)
        if not problems:
            self.passed += 1
            return
        self.failed += 1
        print(f"FAILED {name}")
        for problem in problems[:20]:
            print(f"  {problem}")


def expect(holds, message):
    """The message, unless it holds."""
    return [] if holds else [message]


def lint(values):
    """What Helm's linter has against the chart with these values; that it has no icon is no harm."""
    report = load().lint(values, f"v{KUBERNETES[0]}.0")
    told = [f"{message['path']}: {message['error']}" for message in report["messages"] if message["severity"] > 1]
    return told + report["errors"]


def check_renderings(checks, releases):
    for name, release in releases.items():
        checks.check(f"{name}: lint", lint(release.values))
        for rule in rules.RULES:
            checks.check(f"{name}: {rule.__name__}", rule(release))
        kept = gzip.compress(json.dumps([load().contents(), release.manifests, release.values]).encode())
        checks.check(f"{name}: it_fits_a_secret", expect(len(kept) * 4 / 3 < SECRET_BYTES_MAX, f"{len(kept)} bytes, packed"))


def check_planted(checks, releases):
    """Each rule finds the mistakes that are planted for it."""
    for rule in rules.RULES:
        for number, (case, plant) in enumerate(PLANTED.get(rule, []), 1):
            release = copy.deepcopy(releases[case])
            plant(release)
            checks.check(f"planted: {rule.__name__} {number}", expect(list(rule(release)), f"it was not found in {case}"))
        checks.check(f"planted: {rule.__name__}", expect(rule in PLANTED, "nothing is planted for it"))


def check_refusals(checks):
    base = values_of(CASES["minimal"])
    for change, message in REFUSED:
        refusal = load().refusal(merged(base, change))
        checks.check(
            f"refused: {json.dumps(change)}",
            expect(message in refusal, f"expected {message!r}, found: {refusal or 'no refusal'}"),
        )


def check_restarts(checks):
    base = values_of(CASES["trial"])

    def templates(values):
        return {pod.component: pod.template for pod in Release(values).workloads()}

    before = templates(base)
    for change, expected in REPLACES:
        after = templates(merged(base, change))
        found = {component for component in before if before[component] != after[component]}
        checks.check(f"replaces: {json.dumps(change)}", expect(found == expected, f"expected {expected}, found {found}"))


def check_switches(checks):
    """One service by itself says otherwise than `common`, and is heard; also when what it says is no, nothing or zero."""
    base = values_of(CASES["minimal"])

    def names(change, kind):
        return {it["metadata"]["name"].rsplit("-", 1)[-1] for it in Release(merged(base, change)).of_kind(kind)}

    everyone = {"ingest", "detector", "alerter", "archiver"}
    for change, expected in [
        ({}, everyone),
        ({"alerter": {"podDisruptionBudget": {"enabled": False}}}, everyone - {"alerter"}),
        ({"common": {"podDisruptionBudget": {"enabled": False}}}, set()),
        ({"ingest": {"enabled": False}}, everyone - {"ingest"}),
    ]:
        found = names(change, "PodDisruptionBudget")
        checks.check(f"budgets: {json.dumps(change)}", expect(found == expected, f"expected {expected}, found {found}"))
    release = Release(merged(base, {"ingest": {"preStopSleepSeconds": 0}}))
    found = release.pod("ingest").containers()[0].get("lifecycle")
    checks.check("no wait before the stop", expect(found is None, f"found {found}"))


def uncommented(line):
    """A line of the example with what it leaves out: `#` and no space."""
    text = line.lstrip()
    return line[: -len(text)] + text[1:] if text.startswith("#") and not text.startswith("# ") else line


def example():
    """deploy/tidewatch.example.yml with everything, as values of the chart."""

    def as_values(node, path=""):
        if isinstance(node, list):
            return [as_values(item, path) for item in node]
        if not isinstance(node, dict):
            return {"secret": "name", "key": "key"} if path.endswith("_file") else node
        found = {key: as_values(value, f"{path}.{key}".lstrip(".")) for key, value in node.items()}
        return {key: value for key, value in found.items() if f"{path}.{key}".lstrip(".") not in SET_BY_THE_CHART}

    lines = (ROOT / "deploy/tidewatch.example.yml").read_text().splitlines()
    return as_values(yaml.safe_load("\n".join(map(uncommented, lines))))


def keys(node, path=""):
    """The paths of the leaves of a configuration; names of the operator's are *."""
    if isinstance(node, list) and node and isinstance(node[0], dict):
        return {key for item in node for key in keys(item, path)}
    if not isinstance(node, dict) or path.endswith("_file"):
        return {path}
    named = path in ("ingest.api_keys", "alerter.routes")
    return {key for name, value in node.items() for key in keys(value, f"{path}.{'*' if named else name}".lstrip("."))}


def schema_keys(schema, whole, path=""):
    """The same of the part of values.schema.json that is about the configuration."""
    if "$ref" in schema:
        schema = whole["$defs"][schema["$ref"].rpartition("/")[2]]
    if "items" in schema:
        return schema_keys(schema["items"], whole, path)
    inner = dict(schema.get("properties", {}))
    for anyones in schema.get("patternProperties", {}).values():
        inner["*"] = anyones
    if not inner:
        return {path}
    return {key for name, value in inner.items() for key in schema_keys(value, whole, f"{path}.{name}".lstrip("."))}


def check_keys(checks):
    """The schema knows every key of the configuration, and no other: the example names them all, as a test of its own sees to."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    config = example()
    known, shown = schema_keys(schema["properties"]["config"], schema), keys(config)
    checks.check("keys: there are many", expect(len(shown) > 70, f"only {len(shown)} were found in the example"))
    checks.check("keys: the schema lacks none", (f"no {key}" for key in sorted(shown - known)))
    checks.check("keys: the schema invents none", (f"{key}" for key in sorted(known - shown - TOLD_IN_WORDS)))
    refusal = load().refusal({"config": config})
    checks.check("keys: the whole example is accepted", [refusal] if refusal else [])


def check_files(checks):
    """Rules and dashboards are those of the repository, in the folder and in a package."""
    # Loaded anew: whoever edits a dashboard meanwhile must not be told that the chart is wrong.
    chart = Chart(str(CHART))
    release = Release(values_of(CASES["production"]), chart)
    dashboards = {path.name: path.read_text() for path in (ROOT / "deploy/grafana/dashboards").glob("*.json")}
    with tempfile.TemporaryDirectory() as folder:
        packaged = Release(release.values, chart.package(folder))
    [rule] = release.of_kind("PrometheusRule")
    source = yaml.safe_load((ROOT / "deploy/prometheus/tidewatch.rules.yml").read_text())["groups"]
    checks.check("files: the alert rules are the repository's", expect(rule["spec"]["groups"] == source, "they differ"))
    maps = [it for it in release.of_kind("ConfigMap") if "grafana_dashboard" in it["metadata"]["labels"]]
    found = {key.removeprefix("tidewatch-"): text for it in maps for key, text in it["data"].items()}
    checks.check("files: there are dashboards", expect(dashboards, "none"))
    checks.check(
        "files: the dashboards are the repository's", expect(found == dashboards, f"{sorted(found)} and {sorted(dashboards)}")
    )
    checks.check("files: a package renders the same", expect(packaged.manifests == release.manifests, "it does not"))
    linked = Release(values_of(CASES["everything"]))
    runbook = linked.of_kind("PrometheusRule")[0]["spec"]["groups"]
    links = {rule["annotations"]["runbook_url"] for group in runbook for rule in group["rules"] if "alert" in rule}
    wrong = [link for link in links if not link.startswith("https://wiki.example/tidewatch/docs/operations.md#")]
    checks.check("files: the alerts link to the runbook", wrong or expect(links, "no links"))
    texts = [text for it in linked.of_kind("ConfigMap") if "grafana_dashboard" in it["metadata"]["labels"] for text in it["data"].values()]
    wrong = [text[:60] for text in texts if "tidewatch.example" in text or '"https://wiki.example/tidewatch/docs"' not in text]
    checks.check("files: the dashboards link to the runbook", wrong or expect(texts, "no dashboards"))


def check_page(checks):
    """The values that docs/kubernetes.md shows are accepted; the first of them without any other."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs/kubernetes.md").read_text(), re.M | re.S)
    checks.check("page: there are values", expect(len(blocks) >= 7, f"only {len(blocks)}"))
    for number, block in enumerate(blocks):
        base = values_of(CASES["minimal"]) if number else {}
        refusal = load().refusal(merged(base, yaml.safe_load(block)))
        checks.check(f"page: values {number + 1}", [refusal] if refusal else [])


def check_versions(checks):
    meta = yaml.safe_load((CHART / "Chart.yaml").read_text())
    cargo = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    checks.check(
        "versions: the chart runs this program", expect(meta["appVersion"] == cargo, f"{meta['appVersion']} and {cargo}")
    )
    claimed = f">={KUBERNETES[0]}.0-0"
    checks.check("versions: the oldest is tested", expect(meta["kubeVersion"] == claimed, meta["kubeVersion"]))
    newest = ".".join(rules.newest_kubernetes().split(".")[:2])
    checks.check("versions: the newest is tested", expect(newest == KUBERNETES[-1], newest))


def stand_in(name):
    """What a Secret that is not here might hold."""
    is_address = name.endswith(".url")
    return "https://hooks.example/services/T/B/X" if is_address else f"a stand-in for {name}"


def laid_out(release, folder):
    """The files of the setup's pod, below a folder: as the kubelet would put them. The path of the configuration."""
    text = release.config_text()
    for path in re.findall(r"_file: (/\S+)", text):
        file = folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(release.trial_secret(file.name) or stand_in(file.name))
        file.chmod(0o440)
    config = folder / "tidewatch.yml"
    config.write_text(re.sub(r"_file: /", f"_file: {folder}/", text))
    return config


def mounted(folder, files):
    """A ConfigMap as the kubelet mounts it: a folder with a date, a link to it, and a link for each file."""
    dated = folder / "..2026_01_05_10_00_00.123456789"
    dated.mkdir(parents=True)
    (folder / "..data").symlink_to(dated.name)
    for name, text in files.items():
        (dated / name).write_text(text)
        (folder / name).symlink_to(f"..data/{name}")


def check_program(checks, binary, releases):
    """The program takes what the chart writes for it: the file, the rules, the arguments."""

    def run(*arguments):
        clean = {key: value for key, value in os.environ.items() if not key.startswith("TIDEWATCH_")}
        done = subprocess.run([binary, *arguments], env=clean, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def check(name, code, *arguments):
        found, output = run(*arguments)
        checks.check(
            f"program: {name}", expect(found == code, f"{' '.join(arguments)} ended with {found}: {output.strip()[-2000:]}")
        )

    for case, release in releases.items():
        with tempfile.TemporaryDirectory() as scratch:
            config = laid_out(release, Path(scratch))
            place = f"--config={config}"
            for pod in release.pods:
                for container in pod.containers():
                    arguments = container["args"][1:]
                    is_check = arguments[:2] == ["config", "check"]
                    more = [] if is_check else ["--help"]
                    check(f"{case}: {pod.component} {' '.join(arguments)}", 0, place, *arguments, *more)
            if any(pod.component == "setup" for pod in release.pods):
                config.write_text(config.read_text().replace("brokers: ", "broker: "))
                check(f"{case}: a wrong key is found", 78, place, "config", "check")
    files = releases["trial"].values["rules"]["files"]
    for name, content, code in [("rules", files, 0), ("a wrong rule", {"x.yml": "id: x\n"}, 78)]:
        with tempfile.TemporaryDirectory() as scratch:
            mounted(Path(scratch) / "rules", content)
            check(name, code, "rules", "check", f"{scratch}/rules")


def main(binary, custom_resources):
    checks = Checks()
    rules.prepare(KUBERNETES, json.loads(Path(custom_resources).read_text()))
    releases = {}
    for name, path in CASES.items():
        refusal = load().refusal(values_of(path))
        checks.check(f"{name}: is rendered", [refusal] if refusal else [])
        if not refusal:
            releases[name] = Release(values_of(path), name=name)
    groups = [
        check_versions,
        check_refusals,
        check_restarts,
        check_switches,
        check_keys,
        check_files,
        check_page,
        functools.partial(check_renderings, releases=releases),
        functools.partial(check_planted, releases=releases),
        functools.partial(check_program, binary=binary, releases=releases),
    ]
    for group in groups:
        try:
            group(checks)
        except Exception:
            # Not a check that failed but one that could not be made: the chart is in pieces, and where it is says the trace.
            checks.check(str(group), [traceback.format_exc()])
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--custom-resources"]:
        print(json.dumps(rules.custom_resources()))
    else:
        sys.exit(main(*sys.argv[1:]))
