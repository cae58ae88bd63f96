{{/* What no schema can say, because it is about two values. Each message names the values and what to do. */}}

{{- define "tidewatch.validate" -}}
{{- range $service := include "tidewatch.services" . | fromJsonArray }}
{{- $is := include "tidewatch.service" (list $ $service) | fromYaml }}
{{- include "tidewatch.validateReplicas" (list $ $service $is) }}
{{- include "tidewatch.validateIdentity" (list $ $service $is.kafkaIdentity) }}
{{- end }}
{{- include "tidewatch.validateIdentity" (list . "setup" .Values.setup.kafkaIdentity) }}
{{- if and (include "tidewatch.scalesOnLag" .) (not .Values.keda.authenticationRef) }}
{{- $files := (include "tidewatch.config" . | fromYaml).files }}
{{- if and (hasKey .Values.config.kafka "sasl") (not (hasKey $files "kafka.sasl.password")) }}
{{- fail "autoscaling.mode lag: KEDA cannot read config.kafka.sasl.password_file; give a Secret there, or set keda.authenticationRef" }}
{{- end }}
{{- end }}
{{- if and .Values.ingest.enabled .Values.ingest.ingress.enabled (not .Values.ingest.ingress.hosts) }}
{{- fail "ingest.ingress.hosts: an ingress without a host would take the requests for every host" }}
{{- end }}
{{- end }}

{{/*
A worker without a partition is never ready. `most` is how many workers of each kind can have one: the events are three topics,
what is archived are five; what other topics ingest reads, and how they are divided, the chart does not know. Given: the root, the
service, and what `tidewatch.service` gives.
*/}}
{{- define "tidewatch.validateReplicas" -}}
{{- $root := index . 0 }}
{{- $service := index . 1 }}
{{- $is := index . 2 }}
{{- $scaled := ne $is.autoscaling.mode "none" }}
{{- $least := int $is.autoscaling.minReplicas }}
{{- $most := int $is.autoscaling.maxReplicas }}
{{- if and $scaled (gt $least $most) }}
{{- fail (printf "%s.autoscaling.minReplicas (%d) is more than maxReplicas (%d)" $service $least $most) }}
{{- end }}
{{- $replicas := ternary $most (int $is.replicas) $scaled }}
{{- $key := ternary "autoscaling.maxReplicas" "replicas" $scaled }}
{{- $partitions := int $root.Values.topics.partitions }}
{{- $config := get $root.Values.config $service | default dict }}
{{- $kinds := list (dict "most" $partitions) }}
{{- if eq $service "detector" }}
{{- $match := dict "workers" "match_workers" "most" (mul 3 $partitions) }}
{{- $kinds = list $match (dict "workers" "correlate_workers" "most" $partitions) }}
{{- else if eq $service "archiver" }}
{{- $kinds = list (dict "most" (mul 5 $partitions)) }}
{{- else if eq $service "ingest" }}
{{- $kinds = $config.topics | empty | ternary (list (dict "workers" "topic_workers" "most" $partitions)) list }}
{{- end }}
{{- range $kinds }}
{{- $each := 1 }}
{{- $times := "" }}
{{- with .workers }}
{{- $each = dig . 1 $config | int }}
{{- $times = printf " times config.%s.%s (%d)" $service . $each }}
{{- end }}
{{- if gt (mul $replicas $each) (int64 .most) }}
{{- $workers := printf "%s.%s (%d)%s" $service $key $replicas $times }}
{{- $there := printf "the %d partitions that topics.partitions (%d) gives them" (int .most) $partitions }}
{{- fail (printf "%s is more than %s: a worker without one is never ready" $workers $there) }}
{{- end }}
{{- end }}
{{- end }}

{{/*
An identity takes the place of what config.kafka says; where that says nothing, it would change nothing. Given: the root, whose it
is, and the identity.
*/}}
{{- define "tidewatch.validateIdentity" -}}
{{- $files := (include "tidewatch.config" (index . 0) | fromYaml).files }}
{{- $whose := index . 1 }}
{{- $identity := index . 2 }}
{{- if and $identity.user (not (dig "sasl" "user" "" (index . 0).Values.config.kafka)) }}
{{- fail (printf "%s.kafkaIdentity.user: takes the place of config.kafka.sasl.user, which is not there" $whose) }}
{{- end }}
{{- range $key, $file := dict "password" "kafka.sasl.password" "certificate" "kafka.tls.certificate" "key" "kafka.tls.key" }}
{{- if and (get $identity $key) (not (hasKey $files $file)) }}
{{- fail (printf "%s.kafkaIdentity.%s: takes the place of config.%s_file, which refers to no Secret" $whose $key $file) }}
{{- end }}
{{- end }}
{{- end }}
