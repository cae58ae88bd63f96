"""The chart deploy/kubernetes, rendered by Helm's own engine, and what is in a rendering."""

import contextlib
import copy
import functools
import os
from dataclasses import dataclass
from pathlib import Path

import helm_python as helm
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/kubernetes"
NAMESPACE = "security"
HOOK = "helm.sh/hook"


def values_of(path):
    return yaml.safe_load(path.read_text())


def merged(base, change):
    """Values with others laid over them, as Helm does it: None takes a key away."""
    if not (isinstance(base, dict) and isinstance(change, dict)):
        return copy.deepcopy(change)
    both = {key: merged(base.get(key), value) for key, value in change.items()}
    return {key: value for key, value in {**base, **both}.items() if value is not None}


@contextlib.contextmanager
def without_notes():
    """Helm tells of each link in files/ on standard error, whenever it reads them."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class Chart:
    def __init__(self, path):
        self.path = path
        with without_notes():
            self.chart = helm.Chart.load(path)

    def render(self, values, name):
        return self.chart.render(values, name=name, namespace=NAMESPACE, is_install=True)

    def merge(self, values):
        return self.chart.merge_values(values)

    def refusal(self, values):
        """Why Helm does not render these values; empty if it does."""
        try:
            self.render(values, "refused")
        except helm.HelmError as error:
            return str(error)
        return ""

    def lint(self, values, kubernetes):
        with without_notes():
            return helm.lint(self.path, values, strict=True, namespace=NAMESPACE, kube_version=kubernetes)

    def package(self, folder):
        with without_notes():
            return Chart(helm.package(self.path, destination=folder))

    def contents(self):
        return [self.chart.files, self.chart.templates, self.chart.schema, self.chart.values]


@functools.cache
def load():
    """The chart as it is in the repository."""
    return Chart(str(CHART))


@dataclass
class Pod:
    """The pods of one object: a workload, the setup or a test."""

    owner: dict
    template: dict

    @property
    def labels(self):
        return self.template["metadata"]["labels"]

    @property
    def spec(self):
        return self.template["spec"]

    @property
    def component(self):
        return self.labels["app.kubernetes.io/component"]

    @property
    def is_workload(self):
        return self.owner["kind"] in ("Deployment", "StatefulSet")

    @property
    def is_setup(self):
        return is_setup(self.owner)

    def containers(self):
        return self.spec.get("initContainers", []) + self.spec["containers"]

    def sources(self):
        """What its volumes are made of: (kind, name, items)."""
        for volume in self.spec.get("volumes", []):
            for source in [volume, *volume.get("projected", {}).get("sources", [])]:
                for kind, key in (("ConfigMap", "configMap"), ("Secret", "secret")):
                    if key in source:
                        name = source[key].get("name") or source[key]["secretName"]
                        yield kind, name, source[key].get("items", [])


def is_setup(it):
    """It is there before the other objects of a release."""
    return "pre-install" in it["metadata"].get("annotations", {}).get(HOOK, "")


class Release:
    """Values, and the objects that the chart makes of them."""

    def __init__(self, values, chart=None, name="sample"):
        chart = chart or load()
        self.name = name
        self.values = values
        self.all_values = chart.merge(values)
        self.manifests = chart.render(values, name)
        texts = [text for path, text in sorted(self.manifests.items()) if not path.endswith(".txt")]
        self.objects = [it for text in texts for it in yaml.safe_load_all(text) if it is not None]

    def of_kind(self, *kinds):
        return [it for it in self.objects if it["kind"] in kinds]

    @property
    def pods(self):
        found = []
        for it in self.objects:
            if it["kind"] == "Pod":
                found.append(Pod(it, it))
            elif it["kind"] in ("Deployment", "StatefulSet", "Job"):
                found.append(Pod(it, it["spec"]["template"]))
        return found

    def workloads(self):
        return [pod for pod in self.pods if pod.is_workload]

    def pod(self, component):
        [pod] = [pod for pod in self.pods if pod.component == component]
        return pod

    def config_text(self):
        """tidewatch.yml, as the services get it."""
        [text] = [
            it["data"]["tidewatch.yml"] for it in self.of_kind("ConfigMap") if "tidewatch.yml" in it["data"] and not is_setup(it)
        ]
        return text

    def config(self):
        return yaml.safe_load(self.config_text())

    def trial_secret(self, name):
        """The value that was given for a file of secrets; None when a Secret of the operator's holds it."""

        def find(node, path):
            if not isinstance(node, dict):
                return None
            for key, value in node.items():
                inner = f"{path}.{key}".lstrip(".")
                if isinstance(value, dict) and "value" in value and inner == f"{name}_file":
                    return value["value"]
                found = find(value, inner)
                if found:
                    return found
            return None

        return find(self.values["config"], "")
