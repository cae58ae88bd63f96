"""Holds deploy/rule.schema.json, which editors use, against rule files and against the program's own reader.

Usage: rule_schema.py BINARY    the end is the line "N passed, N failed"

Every rule below rules/ and every example of docs/rules.md fits the schema. A schema that accepts anything proves nothing,
so mistakes are planted: each must be refused by the schema, and by the program too.
"""

import copy
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import jsonschema
import yaml

ROOT = Path(__file__).resolve().parents[2]


class Loader(yaml.SafeLoader):
    """YAML 1.2 as editors and the program read it: `off` and dates are words."""

    yaml_implicit_resolvers = {}


Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), "tf")
Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile("^-?(0|[1-9][0-9]*)$"), "-0123456789")
Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"^-?[0-9]+\.[0-9]+$"), "-0123456789")
Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^(null|~|)$"), ["n", "~", ""])

RULE = {
    "id": "planted",
    "title": "Planted",
    "severity": "high",
    "query": "security_event:login_failed | window 5m | group by source_ip | count > 10",
    "message": "from {source_ip}",
    "tests": [
        {"name": "one", "events": [{"source_ip": "203.0.113.9", "repeat": 2}, "a line"], "expect": [{"count": 2}]},
    ],
}

# What is laid over RULE; None takes a key away.
PLANTED = [
    {"id": None},
    {"id": "a b"},
    {"id": "x" * 129},
    {"title": 5},
    {"title": ""},
    {"severity": "hihg"},
    {"severty": "high"},
    {"tags": "attack.t1110"},
    {"tags": ["attack.t111"]},
    {"tags": ["attack.initial_acces"]},
    {"query": None},
    {"query": ["a"]},
    {"sigma": {"detection": {"a": {"b": "c"}, "condition": "a"}}},
    {"mode": "on"},
    {"grace": "5 minutes"},
    {"keep_alive": 5},
    {"suppression": "1w"},
    {"references": "https://example.com"},
    {"lint_off": ["missing-tests"]},
    {"lint_off": {"no-such-lint": "x"}},
    {"lint_off": {"missing-tests": None}},
    {"tests": {}},
    {"tests": [{"name": "n", "events": [{}]}]},
    {"tests": [{"name": "n", "events": [5], "expect": []}]},
    {"tests": [{"name": "n", "events": [{"sorce_ip": "x"}], "expect": []}]},
    {"tests": [{"name": "n", "events": [{"user_id": 5}], "expect": []}]},
    {"tests": [{"name": "n", "events": [{"level": "loud"}], "expect": []}]},
    {"tests": [{"name": "n", "events": [{}], "expect": [{"cuont": 1}]}]},
    {"tests": [{"name": "n", "events": [{}], "expect": [{"count": -1}]}]},
]


def examples():
    """Name and text of every rule file that must fit."""
    for path in sorted(ROOT.glob("rules/**/*.y*ml")):
        yield str(path.relative_to(ROOT)), path.read_text()
    blocks = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "docs/rules.md").read_text(), re.DOTALL | re.MULTILINE)
    for number, block in enumerate(blocks, 1):
        yield f"docs/rules.md, example {number}", block


def is_ours(document):
    """Sigma's own rules have a schema of their own."""
    return document is not None and ("query" in document or "sigma" in document)


def planted(overlay):
    rule = copy.deepcopy(RULE)
    for key, value in overlay.items():
        if value is None:
            del rule[key]
        else:
            rule[key] = value
    return rule


def main(binary):
    schema = json.loads((ROOT / "deploy/rule.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    passed, failures = 0, []
    for name, text in examples():
        for document in filter(is_ours, yaml.load_all(text, Loader)):
            errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]
            passed += not errors
            failures += [f"{name}: {error}" for error in errors]
    if not passed:
        failures.append("no rule was found")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rule.yml"

        def is_read(rule):
            path.write_text(json.dumps(rule))
            done = subprocess.run([binary, "rules", "check", path], capture_output=True, text=True)
            return done.returncode == 0

        checks = [(RULE, True)] + [(planted(overlay), False) for overlay in PLANTED]
        for rule, is_right in checks:
            said = {"the schema": validator.is_valid(rule), "the program": is_read(rule)}
            wrong = [who for who, accepts in said.items() if accepts != is_right]
            passed += not wrong
            verb = "refuses" if is_right else "accepts"
            failures += [f"{who} {verb} {json.dumps(rule)}" for who in wrong]
    print("\n".join(failures))
    print(f"{passed} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
