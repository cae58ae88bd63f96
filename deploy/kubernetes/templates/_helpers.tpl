{{/*
Names, labels and the image. Where a template needs more than the root it is given a list: the root, and the service
(ingest, detector, alerter, archiver; or setup).
*/}}

{{- define "tidewatch.name" -}}
{{ .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Short enough for what is put behind it: the longest is `-detector-0` with the hash of its revision. */}}
{{- define "tidewatch.fullname" -}}
{{- $name := include "tidewatch.name" . }}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) }}
{{- .Values.fullnameOverride | default $full | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* The name of what belongs to one service. */}}
{{- define "tidewatch.serviceName" -}}
{{ include "tidewatch.fullname" (index . 0) }}-{{ index . 1 }}
{{- end }}

{{/* By these an object finds its pods. They never change, for selectors cannot. */}}
{{- define "tidewatch.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tidewatch.name" (index . 0) }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* By these a policy finds the pods of all services, and those of the setup and the tests. */}}
{{- define "tidewatch.releaseLabels" -}}
app.kubernetes.io/name: {{ include "tidewatch.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tidewatch.labels" -}}
{{ include "tidewatch.releaseLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: tidewatch
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The metadata of what belongs to one service, less its name. */}}
{{- define "tidewatch.serviceLabels" -}}
{{ include "tidewatch.labels" (index . 0) }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "tidewatch.image" -}}
{{- $image := .Values.image }}
{{- with $image.registry }}{{ . }}/{{ end }}{{ $image.repository }}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* The services that are switched on, as a JSON list. */}}
{{- define "tidewatch.services" -}}
{{- $enabled := list }}
{{- range list "ingest" "detector" "alerter" "archiver" }}
{{- if (index $.Values .).enabled }}{{ $enabled = append $enabled . }}{{ end }}
{{- end }}
{{- toJson $enabled }}
{{- end }}

{{/* What holds for one service: `common`, and its own section over it. */}}
{{- define "tidewatch.service" -}}
{{- $root := index . 0 }}
{{- mergeOverwrite (deepCopy $root.Values.common) (index $root.Values (index . 1)) | toYaml }}
{{- end }}

{{- define "tidewatch.serviceAccountName" -}}
{{- $account := (include "tidewatch.service" . | fromYaml).serviceAccount }}
{{- $account.name | default ($account.create | ternary (include "tidewatch.serviceName" .) "default") }}
{{- end }}
