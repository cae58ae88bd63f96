"""Mistakes for each rule of chart_rules.py: chart.py plants them one by one, and the rule must find them."""

import chart_rules as rules


def put(kind, ending, path, value):
    """A mistake: another value at a path of the object of this kind whose name has this ending; ... takes the key away."""

    def plant(release):
        found = [it for it in release.of_kind(kind) if it["metadata"]["name"].endswith(ending)]
        if not found:
            raise LookupError(f"there is no {kind} …{ending} to plant a mistake in")
        node = found[0]
        for key in path[:-1]:
            node = node[key]
        if value is ...:
            del node[path[-1]]
        else:
            node[path[-1]] = value

    return plant


POD = ["spec", "template", "spec"]
CONTAINER = [*POD, "containers", 0]
COMPONENT = "app.kubernetes.io/component"

# By the rule: the case, and the mistake that it must find there.
PLANTED = {
    rules.kubernetes_would_know_every_object: [
        ("minimal", put("Deployment", "ingest", ["spec", "replica"], 3)),
        ("minimal", put("StatefulSet", "detector", ["spec", "serviceName"], 3)),
        ("minimal", put("Job", "setup", ["spec", "template"], ...)),
        ("minimal", put("Service", "ingest", ["apiVersion"], "v2")),
        ("production", put("ScaledObject", "detector", ["spec", "maxReplicas"], 3)),
        ("production", put("ScaledObject", "detector", ["spec", "triggers", 0, "metadata", "lagThreshold"], 5)),
        ("production", put("ServiceMonitor", "", ["spec", "endpoints", 0, "interval"], "15 s")),
        ("production", put("PrometheusRule", "", ["spec", "groups", 0, "rules", 0, "expression"], "up")),
        ("production", put("TriggerAuthentication", "", ["spec", "secretTargetRef", 0, "secret"], "x")),
    ],
    rules.nothing_is_null: [
        ("minimal", put("Deployment", "ingest", [*POD, "affinity"], None)),
    ],
    rules.names_are_unique_and_short: [
        ("minimal", put("Service", "alerter-headless", ["metadata", "name"], "minimal-tidewatch-ingest-headless")),
        ("minimal", put("StatefulSet", "detector", ["metadata", "name"], "d" * 53)),
    ],
    rules.maps_fit_into_etcd: [
        ("production", put("ConfigMap", "dashboard-overview", ["data", "more"], "x" * rules.MAP_BYTES_MAX)),
    ],
    rules.selectors_find_their_pods_and_no_others: [
        ("minimal", put("Deployment", "ingest", ["spec", "template", "metadata", "labels", COMPONENT], "alerter")),
        ("minimal", put("Service", "ingest-headless", ["spec", "selector", COMPONENT], ...)),
        ("minimal", put("PodDisruptionBudget", "detector", ["spec", "selector", "matchLabels", COMPONENT], "x")),
        (
            "minimal",
            put(
                "StatefulSet",
                "detector",
                ["spec", "volumeClaimTemplates", 0, "metadata", "labels", "helm.sh/chart"],
                "tidewatch-0.1.0",
            ),
        ),
    ],
    rules.ports_exist: [
        ("minimal", put("Deployment", "alerter", [*CONTAINER, "ports", 0, "name"], "metrics")),
        ("minimal", put("Deployment", "ingest", [*CONTAINER, "ports", 1, "containerPort"], 8081)),
        ("minimal", put("StatefulSet", "detector", ["spec", "serviceName"], "minimal-tidewatch-detector")),
        ("everything", put("Service", "-ingest", ["spec", "ports", 0, "name"], "web")),
    ],
    rules.each_service_is_scraped_once_under_its_job: [
        ("production", put("Service", "alerter-headless", ["metadata", "labels", COMPONENT], "x")),
        ("production", put("ServiceMonitor", "", ["spec", "endpoints", 0, "port"], "metrics")),
    ],
    rules.references_exist_when_they_are_needed: [
        ("minimal", put("ConfigMap", "tidewatch", ["metadata", "name"], "another")),
        ("minimal", put("Job", "setup", [*POD, "volumes", 0, "configMap", "name"], "minimal-tidewatch")),
        ("minimal", put("Job", "setup", [*POD, "serviceAccountName"], "minimal-tidewatch-ingest")),
        ("trial", put("Secret", "siem", ["data", "kafka.sasl.password"], ...)),
    ],
    rules.secrets_are_mounted_where_they_are_read_and_nowhere_else: [
        ("production", put("Deployment", "alerter", [*POD, "volumes", 1, "projected", "sources", 0], {"secret": {"items": []}})),
        ("production", put("Deployment", "alerter", [*POD, "volumes", 1, "projected", "defaultMode"], 0o444)),
        ("production", put("Deployment", "ingest", [*CONTAINER, "volumeMounts", 1, "mountPath"], "/run/secrets")),
    ],
    rules.no_secret_is_in_a_configmap: [
        ("trial", put("ConfigMap", "siem", ["data", "note"], "the key is 5f0c2b7a9d3e4c1f8a6b")),
    ],
    rules.pods_are_restricted: [
        ("minimal", put("Deployment", "ingest", [*CONTAINER, "securityContext", "allowPrivilegeEscalation"], True)),
        ("minimal", put("Job", "setup", [*POD, "initContainers", 0, "securityContext"], {})),
        ("minimal", put("StatefulSet", "detector", [*POD, "securityContext", "seccompProfile"], ...)),
        ("minimal", put("Deployment", "archiver", [*POD, "volumes", 0, "hostPath"], {"path": "/"})),
        ("minimal", put("Pod", "test-topics", ["spec", "automountServiceAccountToken"], True)),
        ("minimal", put("Deployment", "archiver", [*CONTAINER, "resources", "limits"], {})),
    ],
    rules.the_instance_is_the_name_of_the_pod: [
        (
            "minimal",
            put("StatefulSet", "detector", [*CONTAINER, "env", 0, "valueFrom", "fieldRef", "fieldPath"], "spec.nodeName"),
        ),
        ("minimal", put("Deployment", "ingest", [*POD, "enableServiceLinks"], ...)),
    ],
    rules.each_is_to_the_brokers_who_it_is_said_to_be: [
        ("everything", put("Deployment", "ingest", [*CONTAINER, "env", 1, "value"], "watch")),
        ("everything", put("Job", "setup", [*POD, "containers", 0, "env"], [])),
        ("everything", put("Deployment", "ingest", [*POD, "volumes"], [])),
    ],
    rules.a_restart_is_for_what_a_restart_helps: [
        ("minimal", put("Deployment", "archiver", [*CONTAINER, "livenessProbe", "httpGet", "path"], "/readyz")),
    ],
    rules.the_kubelet_is_more_patient_than_the_process: [
        ("trial", put("Deployment", "ingest", [*POD, "terminationGracePeriodSeconds"], 45)),
    ],
    rules.an_update_waits_for_no_partition: [
        ("minimal", put("Deployment", "alerter", ["spec", "strategy", "rollingUpdate", "maxSurge"], 1)),
    ],
    rules.scalers_have_a_target_of_their_own_within_partitions: [
        ("production", put("StatefulSet", "detector", ["spec", "replicas"], 3)),
        ("production", put("ScaledObject", "detector", ["spec", "maxReplicaCount"], 25)),
        ("production", put("ScaledObject", "detector", ["spec", "minReplicaCount"], 0)),
        ("production", put("ScaledObject", "detector", ["spec", "scaleTargetRef", "kind"], "Deployment")),
        ("minimal", put("Deployment", "ingest", ["spec", "replicas"], ...)),
    ],
    rules.lag_is_that_of_groups_and_topics_that_exist: [
        (
            "trial",
            put("ScaledObject", "detector", ["spec", "triggers", 0, "metadata", "consumerGroup"], "tidewatch.detector-match"),
        ),
        ("production", put("ScaledObject", "detector", ["spec", "triggers", 1, "metadata", "topic"], "facts")),
        ("production", put("ScaledObject", "archiver", ["spec", "triggers", 0, "metadata", "tls"], ...)),
        ("production", put("TriggerAuthentication", "", ["metadata", "name"], "another")),
        ("trial", put("ConfigMap", "siem", ["data", "kafka-user"], ...)),
    ],
    rules.networks_are_open_where_needed_and_nowhere_else: [
        ("production", put("NetworkPolicy", "-tidewatch", ["spec", "policyTypes"], ["Egress"])),
        ("production", put("NetworkPolicy", "-tidewatch", ["spec", "egress"], [])),
        ("production", put("NetworkPolicy", "ingest", ["spec", "ingress", 0, "from"], [])),
        ("production", put("NetworkPolicy", "alerter", ["spec", "egress", 0, "to", 0, "ipBlock", "except"], [])),
        ("production", put("NetworkPolicy", "setup", ["spec", "egress"], [])),
        ("everything", put("NetworkPolicy", "archiver", ["spec", "egress", 0, "ports", 0, "port"], 443)),
    ],
}
