"""What must hold of every rendering of the chart: a function for each rule, which tells what breaks it."""

import ipaddress
import re

import jsonschema
import kubernetes_validate
import kubernetes_validate.utils

from chart_release import ROOT, is_setup

SERVICES = ("ingest", "detector", "alerter", "archiver")
PORTS = {"telemetry": 9090, "http": 8080}
SECRETS = "/run/secrets/tidewatch/"
LABEL_MAX = 63
# A StatefulSet's pods carry the name of a revision: its own, a dash, ten letters.
STATEFULSET_NAME_MAX = 52
MAP_BYTES_MAX = 1 << 20

# What `prepare` is given.
kubernetes_versions = []
custom_schemas = {}


def custom_resources():
    """JSON schemas of the custom resources that the chart makes, of types made of their definitions; unknown fields are wrong."""
    from cloudcoil.models.keda import v1alpha1
    from cloudcoil.models.prometheus_operator import v1

    def strict(node):
        if isinstance(node, list):
            return [strict(item) for item in node]
        if not isinstance(node, dict):
            return node
        found = {key: strict(value) for key, value in node.items()}
        return {**found, "additionalProperties": False} if isinstance(node.get("properties"), dict) else found

    models = [v1.ServiceMonitor, v1.PrometheusRule, v1alpha1.ScaledObject, v1alpha1.TriggerAuthentication]
    return {model.__name__: strict(model.model_json_schema()) for model in models}


def newest_kubernetes():
    return kubernetes_validate.utils.latest_version()


def prepare(versions, schemas):
    """Must come before the rules are asked."""
    kubernetes_versions[:] = versions
    custom_schemas.update({kind: jsonschema.Draft202012Validator(schema) for kind, schema in schemas.items()})
    # The definitions are megabytes, and are read anew for each object otherwise.
    contents, known = kubernetes_validate.utils.schema_contents, {}

    def once(name, version):
        if name not in known:
            known[name] = contents(name, version)
        return known[name]

    kubernetes_validate.utils.schema_contents = once


def named(it):
    return f"{it['kind']} {it['metadata']['name']}"


def selects(selector, labels):
    """Whether `matchLabels` alone, which is all that the chart writes, select these labels."""
    return all(labels.get(key) == value for key, value in selector.items())


# ---- each object by itself


def kubernetes_would_know_every_object(release):
    custom = 0
    for it in release.objects:
        if it["kind"] in custom_schemas:
            custom += 1
            for error in custom_schemas[it["kind"]].iter_errors(it):
                yield f"{named(it)}: {'.'.join(map(str, error.absolute_path))}: {error.message[:300]}"
            continue
        for version in kubernetes_versions:
            try:
                kubernetes_validate.validate(it, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{named(it)}: {version}: {'.'.join(map(str, error.path))}: {error.message[:300]}"
            except kubernetes_validate.SchemaNotFoundError as error:
                yield f"{named(it)}: {error.message}"
    if release.name == "production" and custom < 5:
        yield f"only {custom} custom resources"


def nothing_is_null(release):
    def walk(node, path):
        if node is None:
            yield path
        children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, value in children:
            yield from walk(value, f"{path}.{key}")

    for it in release.objects:
        yield from walk(it, named(it))


def names_are_unique_and_short(release):
    seen = set()
    for it in release.objects:
        if named(it) in seen:
            yield f"{named(it)} is there twice"
        seen.add(named(it))
        most = {"Service": LABEL_MAX, "StatefulSet": STATEFULSET_NAME_MAX, "Job": LABEL_MAX, "CronJob": STATEFULSET_NAME_MAX}
        if len(it["metadata"]["name"]) > most.get(it["kind"], 253):
            yield f"{named(it)} is too long"
        for key, value in it["metadata"].get("labels", {}).items():
            if len(value) > LABEL_MAX:
                yield f"{named(it)}: the label {key} is too long"


def maps_fit_into_etcd(release):
    for it in release.of_kind("ConfigMap"):
        size = sum(map(len, it["data"].values()))
        if size > MAP_BYTES_MAX:
            yield f"{named(it)}: {size} bytes"


# ---- objects and the pods they are about


def selectors_find_their_pods_and_no_others(release):
    pods = release.pods
    for pod in release.workloads():
        selector = pod.owner["spec"]["selector"]["matchLabels"]
        found = [other.component for other in pods if selects(selector, other.labels)]
        if found != [pod.component]:
            yield f"{named(pod.owner)} selects the pods of {found}"
        for spread in pod.spec.get("topologySpreadConstraints", []):
            if not selects(spread["labelSelector"]["matchLabels"], pod.labels):
                yield f"{named(pod.owner)} spreads other pods than its own"
        for claim in pod.owner["spec"].get("volumeClaimTemplates", []):
            if not set(claim["metadata"]["labels"].items()) <= set(selector.items()):
                yield f"{named(pod.owner)}: labels of the claim can change, and the object cannot then be updated"
    for it in release.of_kind("Service", "PodDisruptionBudget"):
        selector = it["spec"]["selector"] if it["kind"] == "Service" else it["spec"]["selector"]["matchLabels"]
        found = [pod.component for pod in pods if selects(selector, pod.labels)]
        if found != [it["metadata"]["labels"]["app.kubernetes.io/component"]]:
            yield f"{named(it)} selects the pods of {found}"


def ports_exist(release):
    services = release.of_kind("Service")
    for pod in release.workloads():
        [container] = pod.spec["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        if any(PORTS.get(name) != port for name, port in ports.items()):
            yield f"{pod.component}: {ports} are not the ports of the program"
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if container[probe]["httpGet"]["port"] not in ports:
                yield f"{pod.component}: {probe} asks a port that is not there"
        for it in (it for it in services if selects(it["spec"]["selector"], pod.labels)):
            for port in it["spec"]["ports"]:
                if port["targetPort"] not in ports:
                    yield f"{named(it)}: {pod.component} has no port {port['targetPort']}"
        governing = pod.owner["spec"].get("serviceName")
        if governing and not any(
            it["metadata"]["name"] == governing and it["spec"].get("clusterIP") == "None" for it in services
        ):
            yield f"{named(pod.owner)}: there is no headless Service {governing}"
    for ingress in release.of_kind("Ingress"):
        for rule in ingress["spec"]["rules"]:
            backend = rule["http"]["paths"][0]["backend"]["service"]
            ports = [port["name"] for it in services if it["metadata"]["name"] == backend["name"] for port in it["spec"]["ports"]]
            if backend["port"]["name"] not in ports:
                yield f"{named(ingress)}: there is no Service for {rule['host']}"


def each_service_is_scraped_once_under_its_job(release):
    for monitor in release.of_kind("ServiceMonitor"):
        [endpoint] = monitor["spec"]["endpoints"]
        [job] = [it for it in endpoint["relabelings"] if it["targetLabel"] == "job"]
        label = job["sourceLabels"][0].removeprefix("__meta_kubernetes_service_label_")
        found = []
        for it in release.of_kind("Service"):
            labels = it["metadata"]["labels"]
            named_alike = [value for key, value in labels.items() if re.sub("[^A-Za-z0-9]", "_", key) == label]
            chosen = selects(monitor["spec"]["selector"]["matchLabels"], labels)
            if chosen and any(port["name"] == endpoint["port"] for port in it["spec"]["ports"]):
                found += [job["replacement"].replace("$1", value) for value in named_alike]
        wanted = [f"tidewatch-{pod.component}" for pod in release.workloads()]
        if sorted(found) != sorted(wanted):
            yield f"{named(monitor)} gives the jobs {found}, expected {wanted}"


def references_exist_when_they_are_needed(release):
    """What a pod refers to is made by the chart, or named in the values; what the setup refers to is there before the release."""
    made = {(it["kind"], it["metadata"]["name"]): it for it in release.objects}
    foreign = str(release.all_values)
    for pod in release.pods:
        account = pod.spec.get("serviceAccountName", "default")
        wanted = [*pod.sources(), ("ServiceAccount", account, [])]
        for kind, name, items in wanted:
            it = made.get((kind, name))
            if it is None:
                if f"'{name}'" not in foreign and name != "default":
                    yield f"{named(pod.owner)}: {kind} {name} is neither made nor named in the values"
                continue
            if pod.is_setup != is_setup(it):
                yield f"{named(pod.owner)}: {kind} {name} is not there when it is needed"
            missing = {item["key"] for item in items} - set(it.get("data", {}))
            if missing:
                yield f"{named(pod.owner)}: {kind} {name} has no {missing}"


def secrets_are_mounted_where_they_are_read_and_nowhere_else(release):
    named_by = {}
    for section, part in release.config().items():
        for path in re.findall(rf"'{SECRETS}([^']+)'", str(part)):
            named_by.setdefault(section, set()).add(path)
    if release.name in ("production", "trial") and len(named_by) < 3:
        yield f"only {set(named_by)} name secrets"
    for pod in release.pods:
        sections = {"setup": {"kafka", *(it.component for it in release.workloads())}, "test": {"kafka"}}
        reads = sections.get(pod.component, {"kafka", pod.component})
        wanted = {path for section in reads for path in named_by.get(section, ())}
        projected = [volume["projected"] for volume in pod.spec["volumes"] if volume["name"] == "secrets"]
        sources = [source.get("secret") or source.get("configMap") for volume in projected for source in volume["sources"]]
        found = {item["path"] for source in sources for item in source["items"]}
        if found != wanted:
            yield f"{pod.component} mounts {sorted(found)}, and reads {sorted(wanted)}"
        if any(volume["defaultMode"] & 0o007 for volume in projected):
            yield f"{pod.component}: everybody may read its secrets"
        for container in pod.containers():
            places = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
            if (places.get("secrets", "") + "/" == SECRETS) != bool(wanted):
                yield f"{pod.component}: secrets are mounted at {places.get('secrets')}"
            if set(places) - {volume["name"] for volume in pod.spec["volumes"]} - {"state"}:
                yield f"{pod.component}: mounts what is no volume"


def no_secret_is_in_a_configmap(release):
    def values(node):
        if isinstance(node, dict):
            yield from ([node["value"]] if set(node) == {"value"} else ())
            for inner in node.values():
                yield from values(inner)

    secrets = list(values(release.values["config"]))
    for it in release.objects:
        if it["kind"] != "Secret":
            yield from (f"{named(it)} holds a secret" for secret in secrets if secret in str(it))


# ---- how pods run


def pods_are_restricted(release):
    """The Pod Security Standard `restricted`, a user that the image has, and nothing that can be written but the state."""
    kinds = {"configMap", "projected", "emptyDir", "secret", "persistentVolumeClaim", "csi", "downwardAPI", "ephemeral"}
    for pod in release.pods:
        spec, security = pod.spec, pod.spec["securityContext"]
        wrong = [
            security.get("runAsNonRoot") is not True and "may be root",
            security.get("runAsUser") != 10001 and "is another user than that of the image",
            security.get("seccompProfile") != {"type": "RuntimeDefault"} and "has no seccomp profile",
            any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")) and "is in the host's namespaces",
            any(set(volume) - {"name"} - kinds for volume in spec["volumes"]) and "has a volume that is not allowed",
            spec.get("automountServiceAccountToken") is not False and "has a token of the Kubernetes API",
        ]
        for container in pod.containers():
            own = container.get("securityContext", {})
            wrong += [
                own.get("allowPrivilegeEscalation") is not False and "may gain rights",
                own.get("readOnlyRootFilesystem") is not True and "may write to its image",
                own.get("capabilities") != {"drop": ["ALL"]} and "has capabilities",
                own.get("privileged") and "is privileged",
                not {"requests", "limits"} <= set(container.get("resources", {})) and "asks for no resources",
                "memory" not in container["resources"].get("limits", {}) and "has no limit of memory",
            ]
        yield from (f"{named(pod.owner)} {what}" for what in wrong if what)


def the_instance_is_the_name_of_the_pod(release):
    for pod in release.workloads():
        variables = {it["name"]: it for it in pod.spec["containers"][0]["env"]}
        field = variables["TIDEWATCH_KAFKA__INSTANCE"].get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        if field != "metadata.name":
            yield f"{pod.component}: the instance is {field}"
    for pod in release.pods:
        if pod.spec.get("enableServiceLinks") is not False:
            yield f"{named(pod.owner)}: Services of other names put TIDEWATCH_ variables into it"


def each_is_to_the_brokers_who_it_is_said_to_be(release):
    """Where a service or the setup has an identity of its own, it has that one's user and files; otherwise those of all."""
    files = {"password": "kafka.sasl.password", "certificate": "kafka.tls.certificate", "key": "kafka.tls.key"}
    for pod in release.pods:
        whose = "setup" if pod.component == "test" else pod.component
        own = {**release.all_values["common"]["kafkaIdentity"], **release.all_values[whose].get("kafkaIdentity", {})}
        for container in pod.containers():
            variables = {it["name"]: it.get("value") for it in container.get("env", [])}
            if variables.get("TIDEWATCH_KAFKA__SASL__USER") != own.get("user"):
                yield f"{named(pod.owner)}: is {variables.get('TIDEWATCH_KAFKA__SASL__USER')}, not {own.get('user')}"
        mounted = {item["path"]: (name, item["key"]) for _, name, items in pod.sources() for item in items}
        for key, file in files.items():
            wanted = own.get(key) or release.values["config"]["kafka"].get(file.split(".")[1], {}).get(
                f"{file.split('.')[2]}_file", {}
            )
            if isinstance(wanted, dict) and "secret" in wanted and mounted.get(file) != (wanted["secret"], wanted["key"]):
                yield f"{named(pod.owner)}: {file} is {mounted.get(file)}, not {wanted}"


def a_restart_is_for_what_a_restart_helps(release):
    for pod in release.workloads():
        [container] = pod.spec["containers"]
        paths = {name: container[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
        ready = "/health" if pod.component == "ingest" else "/readyz"
        if paths != {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": ready}:
            yield f"{pod.component}: {paths}"


def the_kubelet_is_more_patient_than_the_process(release):
    own_end = int(release.config()["process"]["stop_timeout"].rstrip("s"))
    for pod in release.workloads():
        before = pod.spec["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        if pod.spec["terminationGracePeriodSeconds"] < own_end + before + 5:
            yield f"{pod.component}: {pod.spec['terminationGracePeriodSeconds']} s for {before} s and {own_end} s"


def an_update_waits_for_no_partition(release):
    """One process more than partitions is never ready. So where readiness is having one, an update takes away before it adds."""
    for pod in release.workloads():
        strategy = pod.owner["spec"].get("strategy", {})
        surge = strategy.get("rollingUpdate", {}).get("maxSurge", 0)
        if pod.component in ("alerter", "archiver") and strategy["type"] == "RollingUpdate" and surge != 0:
            yield f"{pod.component}: {surge} more while it is updated"


# ---- scaling


def groups_of_the_code():
    """The consumer groups that the services join, without the prefix."""
    files = [
        "services/detector/src/lib.rs",
        "services/ingest/src/lib.rs",
        *(f"services/tidewatch/src/services/{it}.rs" for it in SERVICES),
    ]
    return {name for file in files for name in re.findall(r'const \w*GROUP: &str = "([^"]+)"', (ROOT / file).read_text())}


def topics_of_the_code():
    return set(re.findall(r'pub const \w+: &str = "([^"]+)"', (ROOT / "libs/event/src/topic.rs").read_text()))


def scalers_have_a_target_of_their_own_within_partitions(release):
    partitions = release.all_values["topics"]["partitions"]
    targets = []
    for it in release.of_kind("HorizontalPodAutoscaler", "ScaledObject"):
        spec, target = it["spec"], it["spec"]["scaleTargetRef"]
        pods = [
            pod
            for pod in release.workloads()
            if (pod.owner["kind"], pod.owner["metadata"]["name"]) == (target["kind"], target["name"])
        ]
        targets.append(target["name"])
        if len(pods) != 1:
            yield f"{named(it)}: its target is not there"
            continue
        [pod] = pods
        if "replicas" in pod.owner["spec"]:
            yield f"{named(pod.owner)}: an upgrade sets back what {named(it)} has scaled"
        most = spec.get("maxReplicas") or spec["maxReplicaCount"]
        reads_others = pod.component == "ingest" and release.config().get("ingest", {}).get("topics")
        if most > {"archiver": 5}.get(pod.component, 1) * partitions and not reads_others:
            yield f"{named(it)}: {most} for {partitions} partitions"
        if (spec.get("minReplicas") or spec.get("minReplicaCount", 0)) < 1:
            yield f"{named(it)}: may scale to nothing"
        if it["kind"] == "HorizontalPodAutoscaler" and spec["metrics"][0]["containerResource"]["container"] != pod.component:
            yield f"{named(it)}: measures another container"
    if len(targets) != len(set(targets)):
        yield f"two scalers for one: {targets}"
    for pod in release.workloads():
        if pod.owner["metadata"]["name"] not in targets and "replicas" not in pod.owner["spec"]:
            yield f"{named(pod.owner)}: nobody says how many"


def lag_is_that_of_groups_and_topics_that_exist(release):
    prefix = release.config()["kafka"]["prefix"]
    groups, topics = groups_of_the_code(), topics_of_the_code()
    if groups != {"ingest", "detector-match", "detector-correlate", "alerter", "archiver"} or len(topics) < 10:
        yield f"the code was misread: {groups}, {topics}"
    made = {it["metadata"]["name"] for it in release.of_kind("TriggerAuthentication")}
    for it in release.of_kind("ScaledObject"):
        component = it["metadata"]["labels"]["app.kubernetes.io/component"]
        for trigger in it["spec"]["triggers"]:
            asked = trigger["metadata"]
            group, topic = asked["consumerGroup"], asked.get("topic", f"{prefix}facts")
            if group.removeprefix(prefix) not in groups or not group.startswith(f"{prefix}{component}"):
                yield f"{named(it)}: no group {group} of {component}"
            if topic.removeprefix(prefix) not in topics or not topic.startswith(prefix):
                yield f"{named(it)}: no topic {topic}"
            kafka = release.config()["kafka"]
            if (
                asked["bootstrapServers"] != kafka["brokers"]
                or ("tls" in asked) != ("tls" in kafka)
                or ("sasl" in asked) != ("sasl" in kafka)
            ):
                yield f"{named(it)}: asks other brokers, or in another way, than the services"
            reference = trigger.get("authenticationRef", {})
            if "sasl" in kafka and reference.get("kind") != "ClusterTriggerAuthentication" and reference.get("name") not in made:
                yield f"{named(it)}: nobody authenticates it"
    for it in release.of_kind("TriggerAuthentication"):
        for kind, key in (("Secret", "secretTargetRef"), ("ConfigMap", "configMapTargetRef")):
            for reference in it["spec"].get(key, []):
                own = [other for other in release.of_kind(kind) if other["metadata"]["name"] == reference["name"]]
                if own and reference["key"] not in own[0]["data"]:
                    yield f"{named(it)}: {kind} {reference['name']} has no {reference['key']}"


# ---- networks

INTERNET, PRIVATE, METADATA = "203.0.113.9", "10.9.9.9", "169.254.169.254"
DNS = ({"kubernetes.io/metadata.name": "kube-system"}, 53)


def space(name):
    return {"kubernetes.io/metadata.name": name}


# By the case: the pods ("*" is every service, the setup and the test), the direction, the peer and the port; what must be open,
# and what must not.
WAYS = {
    "production": {
        "open": [
            ("*", "Egress", *DNS),
            ("*", "Egress", space("kafka"), 9093),
            ("ingest", "Ingress", space("ingress-nginx"), 8080),
            ("ingest", "Ingress", {"tidewatch-producer": "true"}, 8080),
            *((service, "Ingress", space("monitoring"), 9090) for service in SERVICES),
            ("alerter", "Egress", INTERNET, 443),
            ("archiver", "Egress", INTERNET, 443),
        ],
        "closed": [
            ("*", "Ingress", space("default"), 9090),
            ("*", "Ingress", space("default"), 8080),
            ("*", "Egress", INTERNET, 9093),
            ("*", "Egress", space("kafka"), 22),
            ("detector", "Ingress", space("ingress-nginx"), 8080),
            ("ingest", "Egress", INTERNET, 443),
            ("detector", "Egress", INTERNET, 443),
            ("setup", "Egress", INTERNET, 443),
            ("alerter", "Egress", PRIVATE, 443),
            ("alerter", "Egress", METADATA, 443),
            ("alerter", "Egress", INTERNET, 80),
        ],
    },
    "trial": {
        "open": [
            ("*", "Egress", INTERNET, 9092),
            ("*", "Egress", PRIVATE, 29092),
            ("ingest", "Ingress", space("anything"), 8080),
            ("archiver", "Egress", PRIVATE, 9000),
        ],
        "closed": [
            ("archiver", "Egress", PRIVATE, 443),
            ("*", "Egress", INTERNET, 9093),
            ("*", "Ingress", space("anything"), 9090),
        ],
    },
    "everything": {
        "open": [
            ("*", "Egress", "10.1.2.3", 9096),
            ("*", "Egress", "10.1.2.3", 9098),
            ("archiver", "Egress", "10.2.3.4", 8443),
            ("detector", "Egress", "169.254.170.23", 80),
        ],
        "closed": [
            ("ingest", "Ingress", space("ingress-nginx"), 8080),
            ("alerter", "Egress", INTERNET, 443),
            ("archiver", "Egress", INTERNET, 8443),
            ("*", "Egress", INTERNET, 9096),
        ],
    },
}


def is_peer(rule, peer):
    """Whether a peer of a policy is this one: an address, or a pod in a namespace with these labels."""
    if isinstance(peer, str):
        block, address = rule.get("ipBlock"), ipaddress.ip_address(peer)
        return (
            block is not None
            and address in ipaddress.ip_network(block["cidr"])
            and not any(address in ipaddress.ip_network(other) for other in block.get("except", []))
        )
    return "namespaceSelector" in rule and selects(rule["namespaceSelector"].get("matchLabels", {}), peer)


def is_open(policies, labels, direction, peer, port):
    """What NetworkPolicy means: what none selects is open; what some select is as open as all of them together say."""
    chosen = [
        policy["spec"]
        for policy in policies
        if direction in policy["spec"]["policyTypes"] and selects(policy["spec"]["podSelector"].get("matchLabels", {}), labels)
    ]
    side = "from" if direction == "Ingress" else "to"
    return not chosen or any(
        (not rule.get(side) or any(is_peer(it, peer) for it in rule[side])) and any(it["port"] == port for it in rule["ports"])
        for spec in chosen
        for rule in spec.get(direction.lower(), [])
    )


def networks_are_open_where_needed_and_nowhere_else(release):
    policies = release.of_kind("NetworkPolicy")
    for expected, ways in WAYS.get(release.name, {}).items():
        for who, direction, peer, port in ways:
            for pod in release.pods:
                if who not in ("*", pod.component):
                    continue
                # Before the first install there is only what the setup brings, and perhaps a namespace that denies everything.
                in_force = [it for it in policies if is_setup(it)] if pod.is_setup else policies
                if is_open(in_force, pod.labels, direction, peer, port) != (expected == "open"):
                    yield f"{pod.component}: {direction} {peer} {port} is not {expected}"


RULES = [
    kubernetes_would_know_every_object,
    nothing_is_null,
    names_are_unique_and_short,
    maps_fit_into_etcd,
    selectors_find_their_pods_and_no_others,
    ports_exist,
    each_service_is_scraped_once_under_its_job,
    references_exist_when_they_are_needed,
    secrets_are_mounted_where_they_are_read_and_nowhere_else,
    no_secret_is_in_a_configmap,
    pods_are_restricted,
    the_instance_is_the_name_of_the_pod,
    each_is_to_the_brokers_who_it_is_said_to_be,
    a_restart_is_for_what_a_restart_helps,
    the_kubelet_is_more_patient_than_the_process,
    an_update_waits_for_no_partition,
    scalers_have_a_target_of_their_own_within_partitions,
    lag_is_that_of_groups_and_topics_that_exist,
    networks_are_open_where_needed_and_nowhere_else,
]
