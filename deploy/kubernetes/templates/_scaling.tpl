{{/* What KEDA is told. The groups are those that the services join, behind `kafka.prefix`. */}}

{{/*
Whose lag counts for a service, as a YAML list. Without a topic it is that of all the topics that the group reads. Given: the
service.
*/}}
{{- define "tidewatch.lagTriggers" -}}
{{- $match := dict "group" "detector-match" }}
{{- $correlate := dict "group" "detector-correlate" "topic" "facts" }}
{{- $archiver := dict "group" "archiver" }}
{{- get (dict "detector" (list $match $correlate) "archiver" (list $archiver)) . | toYaml }}
{{- end }}

{{/* Given: the root, one of the triggers above, and the records behind for each replica. */}}
{{- define "tidewatch.lagMetadata" -}}
{{- $root := index . 0 }}
{{- $trigger := index . 1 }}
{{- $kafka := $root.Values.config.kafka }}
{{- $prefix := dig "prefix" "tidewatch." $kafka -}}
bootstrapServers: {{ $kafka.brokers | quote }}
consumerGroup: {{ printf "%s%s" $prefix $trigger.group | quote }}
{{- with $trigger.topic }}
topic: {{ printf "%s%s" $prefix . | quote }}
{{- end }}
lagThreshold: {{ index . 2 | int64 | quote }}
# A group that never committed begins at the first record, as the services do.
offsetResetPolicy: earliest
version: {{ $root.Values.keda.kafkaVersion | quote }}
{{- if hasKey $kafka "tls" }}
tls: enable
{{- end }}
{{- with $kafka.sasl }}
{{- $names := dict "plain" "plaintext" "scram-sha-256" "scram_sha256" "scram-sha-512" "scram_sha512" }}
sasl: {{ get $names (.mechanism | default "scram-sha-512") }}
{{- end }}
{{- end }}

{{/* What a trigger refers to for its password and certificates; empty without any. */}}
{{- define "tidewatch.lagAuthentication" -}}
{{- if .Values.keda.authenticationRef }}
{{- toYaml .Values.keda.authenticationRef }}
{{- else if include "tidewatch.lagParameters" . -}}
name: {{ include "tidewatch.fullname" . }}-kafka
{{- end }}
{{- end }}

{{/* The same references that the pods mount, under the names that KEDA knows. */}}
{{- define "tidewatch.lagParameters" -}}
{{- $fullname := include "tidewatch.fullname" . }}
{{- $files := (include "tidewatch.config" . | fromYaml).files }}
{{- $names := dict "kafka.sasl.password" "password" "kafka.tls.ca" "ca" "kafka.tls.certificate" "cert" "kafka.tls.key" "key" }}
{{- $secrets := list }}
{{- $maps := list }}
{{- if dig "sasl" "user" "" .Values.config.kafka }}
{{- $maps = append $maps (dict "parameter" "username" "name" $fullname "key" "kafka-user") }}
{{- end }}
{{- range $name, $parameter := $names }}
{{- with get $files $name }}
{{- $object := .configMap | default .secret | default $fullname }}
{{- $reference := dict "parameter" $parameter "name" $object "key" (.key | default $name) }}
{{- if .configMap }}{{ $maps = append $maps $reference }}{{ else }}{{ $secrets = append $secrets $reference }}{{ end }}
{{- end }}
{{- end }}
{{- with $secrets -}}
secretTargetRef:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $maps }}
configMapTargetRef:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Not empty when a service scales on lag. */}}
{{- define "tidewatch.scalesOnLag" -}}
{{- range $service := include "tidewatch.services" . | fromJsonArray }}
{{- if eq "lag" (include "tidewatch.service" (list $ $service) | fromYaml).autoscaling.mode }}yes{{ end }}
{{- end }}
{{- end }}
