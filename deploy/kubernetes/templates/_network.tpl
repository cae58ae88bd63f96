{{/*
Rules of a NetworkPolicy, as a YAML list. A rule without peers would mean everybody, so no peers are no rule. Given: `from` or
`to`, the peers, and TCP ports.
*/}}
{{- define "tidewatch.peers" -}}
{{- $direction := index . 0 }}
{{- $ports := list }}
{{- range index . 2 }}{{ $ports = append $ports (dict "protocol" "TCP" "port" (int .)) }}{{ end }}
{{- if index . 1 }}
{{- list (dict $direction (index . 1) "ports" $ports) | toYaml }}
{{- else }}
{{- "[]" }}
{{- end }}
{{- end }}

{{/* To the resolver and the brokers: what the setup needs as well. */}}
{{- define "tidewatch.kafkaEgress" -}}
{{- with .Values.networkPolicy.dns.to -}}
- to:
    {{- toYaml . | nindent 4 }}
  ports:
    - { protocol: UDP, port: 53 }
    - { protocol: TCP, port: 53 }
{{ end }}
{{- $ports := include "tidewatch.kafkaPorts" . | fromJsonArray }}
{{- with include "tidewatch.peers" (list "to" .Values.networkPolicy.kafka.to $ports) | fromYamlArray }}
{{- toYaml . }}
{{- end }}
{{- end }}
