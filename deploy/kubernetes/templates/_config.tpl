{{/*
tidewatch.yml, made of `config`: what it names as `{ secret, key }`, `{ configMap, key }` or `{ value }` becomes the path of a
file, and the list of these files says what is mounted where.
*/}}

{{/* Walks `node`, a part of the configuration at `path`, replaces references by paths and enters them in `files`. */}}
{{- define "tidewatch.resolve" -}}
{{- range $key, $value := .node }}
{{- $path := append $.path $key }}
{{- if and (kindIs "map" $value) (hasSuffix "_file" $key) }}
{{- $file := join "." $path | trimSuffix "_file" }}
{{- $_ := set $.files $file (merge (dict "section" (first $path)) $value) }}
{{- $_ := set $.node $key (printf "/run/secrets/tidewatch/%s" $file) }}
{{- else if kindIs "map" $value }}
{{- include "tidewatch.resolve" (dict "node" $value "path" $path "files" $.files) }}
{{- end }}
{{- end }}
{{- end }}

{{/* `config` as the services read it, and `files`: by the name of each its reference and the section that names it. */}}
{{- define "tidewatch.config" -}}
{{- $config := deepCopy .Values.config }}
{{- $files := dict }}
{{- include "tidewatch.resolve" (dict "node" $config "path" (list) "files" $files) }}
{{- if and (include "tidewatch.hasRules" .) (not (dig "rules" "" ($config.detector | default dict))) }}
{{- $_ := set $config "detector" (merge (dict "rules" (list "/etc/tidewatch/rules")) ($config.detector | default dict)) }}
{{- end }}
{{- dict "config" $config "files" $files | toYaml }}
{{- end }}

{{/* Not empty when there are rule files. */}}
{{- define "tidewatch.hasRules" -}}
{{- if or .Values.rules.files .Values.rules.existingConfigMap }}yes{{ end }}
{{- end }}

{{/* What a ConfigMap holds: the file, and the user, which KEDA takes from an object only. */}}
{{- define "tidewatch.configMapData" -}}
{{- $config := (include "tidewatch.config" . | fromYaml).config -}}
tidewatch.yml: |
  {{- toYaml $config | nindent 2 }}
{{- with dig "sasl" "user" "" $config.kafka }}
kafka-user: {{ . | quote }}
{{- end }}
{{- end }}

{{/* The data of the Secret that is made of `{ value }`; empty when there is none. */}}
{{- define "tidewatch.secretData" -}}
{{- range $name, $file := (include "tidewatch.config" . | fromYaml).files }}
{{- if hasKey $file "value" }}
{{ $name }}: {{ $file.value | b64enc }}
{{- end }}
{{- end }}
{{- end }}

{{/*
What a pod mounts: the file, the secrets of the given sections, and rules. Given: `root`, the `sections`, the pod's own
`identity`, whether `rules` are mounted, and the `suffix` of the objects that the chart itself makes (those of the setup have
one of their own).
*/}}
{{- define "tidewatch.volumes" -}}
{{- $fullname := include "tidewatch.fullname" .root }}
- name: config
  configMap:
    name: {{ $fullname }}{{ .suffix }}
{{- with include "tidewatch.secretSources" . }}
- name: secrets
  projected:
    # Of the group that fsGroup names, and of nobody else.
    defaultMode: 0440
    sources:
      {{- . | nindent 6 }}
{{- end }}
{{- if and .rules (include "tidewatch.hasRules" .root) }}
- name: rules
  projected:
    sources:
      {{- if .root.Values.rules.files }}
      - configMap:
          name: {{ $fullname }}{{ .suffix }}-rules
      {{- end }}
      {{- with .root.Values.rules.existingConfigMap }}
      - configMap:
          name: {{ . }}
      {{- end }}
{{- end }}
{{- end }}

{{- define "tidewatch.secretSources" -}}
{{- $own := dict
  "kafka.sasl.password" .identity.password
  "kafka.tls.certificate" .identity.certificate
  "kafka.tls.key" .identity.key
}}
{{- range $name, $file := (include "tidewatch.config" .root | fromYaml).files }}
{{- if has $file.section $.sections }}
{{- $file = get $own $name | default $file }}
- {{ hasKey $file "configMap" | ternary "configMap" "secret" }}:
    name: {{ $file.configMap | default $file.secret | default (printf "%s%s" (include "tidewatch.fullname" $.root) $.suffix) }}
    items:
      - key: {{ $file.key | default $name | quote }}
        path: {{ $name | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "tidewatch.volumeMounts" -}}
- name: config
  mountPath: /etc/tidewatch/tidewatch.yml
  subPath: tidewatch.yml
  readOnly: true
{{- if include "tidewatch.secretSources" . }}
- name: secrets
  mountPath: /run/secrets/tidewatch
  readOnly: true
{{- end }}
{{- if and .rules (include "tidewatch.hasRules" .root) }}
- name: rules
  mountPath: /etc/tidewatch/rules
  readOnly: true
{{- end }}
{{- end }}

{{/* A port for each broker that is named. */}}
{{- define "tidewatch.kafkaPorts" -}}
{{- $ports := list }}
{{- range splitList "," .Values.config.kafka.brokers }}{{ $ports = append $ports (splitList ":" . | last | trim | int) }}{{ end }}
{{- .Values.networkPolicy.kafka.ports | default $ports | uniq | toJson }}
{{- end }}

{{/* The port of the store's address, or that of its scheme. */}}
{{- define "tidewatch.storePorts" -}}
{{- $url := urlParse (dig "archiver" "store" "endpoint" "https://s3.amazonaws.com" .Values.config) }}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (eq $url.scheme "http" | ternary "80" "443") | int }}
{{- .Values.networkPolicy.store.ports | default (list $port) | toJson }}
{{- end }}

{{/* Seconds from the request to stop to the process's own end, and from there to the kubelet's patience. */}}
{{- define "tidewatch.stopSeconds" -}}
{{- dig "process" "stop_timeout" "25s" .Values.config | trimSuffix "s" | trim | int }}
{{- end }}
