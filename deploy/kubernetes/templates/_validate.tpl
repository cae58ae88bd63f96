{{/* What no schema can say, because it is about two values. Each message names the values and what to do. */}}

{{- define "tidewatch.validate" -}}
{{- range $service := include "tidewatch.services" . | fromJsonArray }}
{{- include "tidewatch.validateReplicas" (list $ $service) }}
{{- include "tidewatch.validateIdentity" (list $ $service (include "tidewatch.service" (list $ $service) | fromYaml).kafkaIdentity) }}
{{- end }}
{{- include "tidewatch.validateIdentity" (list . "setup" .Values.setup.kafkaIdentity) }}
{{- if and (include "tidewatch.scalesOnLag" .) (not .Values.keda.authenticationRef) }}
{{- $files := (include "tidewatch.config" . | fromYaml).files }}
{{- if and (hasKey .Values.config.kafka "sasl") (not (hasKey $files "kafka.sasl.password")) }}
{{- fail "autoscaling.mode lag: KEDA cannot read the file of config.kafka.sasl.password_file; give a Secret there, or set keda.authenticationRef" }}
{{- end }}
{{- end }}
{{- if and .Values.ingest.enabled .Values.ingest.ingress.enabled (not .Values.ingest.ingress.hosts) }}
{{- fail "ingest.ingress.hosts: an ingress without a host would take the requests for every host" }}
{{- end }}
{{- end }}

{{/*
A worker without a partition is never ready. `most` is how many workers of each kind can have one: the events are three topics,
what is archived are five; what other topics ingest reads, and how they are divided, the chart does not know.
*/}}
{{- define "tidewatch.validateReplicas" -}}
{{- $root := index . 0 }}
{{- $service := index . 1 }}
{{- $is := include "tidewatch.service" . | fromYaml }}
{{- $scaled := ne $is.autoscaling.mode "none" }}
{{- if and $scaled (gt (int $is.autoscaling.minReplicas) (int $is.autoscaling.maxReplicas)) }}
{{- fail (printf "%s.autoscaling.minReplicas (%v) is more than maxReplicas (%v)" $service $is.autoscaling.minReplicas $is.autoscaling.maxReplicas) }}
{{- end }}
{{- $replicas := ternary $is.autoscaling.maxReplicas $is.replicas $scaled | int }}
{{- $key := ternary "autoscaling.maxReplicas" "replicas" $scaled }}
{{- $partitions := int $root.Values.topics.partitions }}
{{- $config := get $root.Values.config $service | default dict }}
{{- $kinds := list (dict "most" $partitions) }}
{{- if eq $service "detector" }}
{{- $kinds = list (dict "workers" "match_workers" "most" (mul 3 $partitions)) (dict "workers" "correlate_workers" "most" $partitions) }}
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
{{- fail (printf "%s.%s (%d)%s is more than the %d partitions that topics.partitions (%v) gives them: a worker without one is never ready" $service $key $replicas $times (int .most) $partitions) }}
{{- end }}
{{- end }}
{{- end }}

{{/* An identity takes the place of what config.kafka says; where that says nothing, it would change nothing. Given: root, whose, it. */}}
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
