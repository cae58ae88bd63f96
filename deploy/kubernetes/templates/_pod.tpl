{{/* The pods of the four services differ in what their section says, in a port, and in the detector's volume and rules. */}}

{{/* What every pod of this chart has. Given: the root, and the pod's security context. */}}
{{- define "tidewatch.podSecurity" -}}
automountServiceAccountToken: false
# Without this a Service named tidewatch-… would put variables that begin with TIDEWATCH_ into every pod.
enableServiceLinks: false
{{- with (index . 0).Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml (index . 1) | nindent 2 }}
{{- end }}

{{- define "tidewatch.podTemplate" -}}
{{- $root := index . 0 }}
{{- $service := index . 1 }}
{{- $is := include "tidewatch.service" . | fromYaml }}
{{- $config := (include "tidewatch.config" $root | fromYaml).config }}
{{- $sections := list "kafka" $service }}
{{- $mounts := dict "root" $root "sections" $sections "identity" $is.kafkaIdentity "rules" (eq $service "detector") "suffix" "" }}
metadata:
  labels:
    {{- include "tidewatch.selectorLabels" . | nindent 4 }}
    {{- with mergeOverwrite (deepCopy $root.Values.commonLabels) $is.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    kubectl.kubernetes.io/default-container: {{ $service }}
    # Of the sections that this service reads: a new route does not restart the detectors.
    checksum/config: {{ pick $config "telemetry" "process" "kafka" $service | toJson | sha256sum }}
    {{- if eq $service "detector" }}
    checksum/rules: {{ toJson $root.Values.rules | sha256sum }}
    {{- end }}
    {{- with include "tidewatch.secretData" $root }}
    checksum/secrets: {{ sha256sum . }}
    {{- end }}
    {{- with $is.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "tidewatch.serviceAccountName" . }}
  {{- include "tidewatch.podSecurity" (list $root $is.podSecurityContext) | nindent 2 }}
  # The wait before the stop, the time in which the process ends itself, and ten seconds so that the kubelet is never first.
  terminationGracePeriodSeconds: {{ add $is.preStopSleepSeconds (include "tidewatch.stopSeconds" $root) 10 }}
  {{- with $is.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $is.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $is.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $is.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $is.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- $selector := include "tidewatch.selectorLabels" $ | fromYaml }}
    {{- range . }}
    - {{- merge (deepCopy .) (dict "labelSelector" (dict "matchLabels" $selector)) | toYaml | nindent 6 }}
    {{- end }}
  {{- end }}
  containers:
    - name: {{ $service }}
      image: {{ include "tidewatch.image" $root }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: [--config=/etc/tidewatch/tidewatch.yml, {{ $service }}]
      env:
        # Part of the transactional ids, by which a successor fences its predecessor.
        - name: TIDEWATCH_KAFKA__INSTANCE
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        {{- include "tidewatch.user" $is.kafkaIdentity | nindent 8 }}
        {{- with $is.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - name: telemetry
          containerPort: 9090
        {{- if eq $service "ingest" }}
        - name: http
          containerPort: 8080
        {{- end }}
      {{- include "tidewatch.probes" (list $service $is) | nindent 6 }}
      {{- if gt (int $is.preStopSleepSeconds) 0 }}
      lifecycle:
        preStop:
          sleep:
            seconds: {{ $is.preStopSleepSeconds }}
      {{- end }}
      resources:
        {{- toYaml $is.resources | nindent 8 }}
      securityContext:
        {{- toYaml $is.securityContext | nindent 8 }}
      volumeMounts:
        {{- include "tidewatch.volumeMounts" $mounts | nindent 8 }}
        {{- if eq $service "detector" }}
        - name: state
          mountPath: /var/lib/tidewatch/state
        {{- end }}
        {{- with $is.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    {{- include "tidewatch.volumes" $mounts | nindent 4 }}
    {{- if and (eq $service "detector") (not $is.persistence.enabled) }}
    - name: state
      emptyDir:
        sizeLimit: {{ $is.persistence.size }}
    {{- end }}
    {{- with $is.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{/*
Alive is what /healthz says. Ready is what /readyz says, but for ingest: its readiness decides whether producers find the HTTP
door, and a topic door that is behind, or has no partition, is no reason to close that one. The door answers for itself.
*/}}
{{- define "tidewatch.probes" -}}
{{- $service := index . 0 }}
{{- $is := index . 1 -}}
startupProbe:
  httpGet: { path: /healthz, port: telemetry }
  {{- toYaml $is.startupProbe | nindent 2 }}
livenessProbe:
  httpGet: { path: /healthz, port: telemetry }
  {{- toYaml $is.livenessProbe | nindent 2 }}
readinessProbe:
  httpGet: { {{ eq $service "ingest" | ternary "path: /health, port: http" "path: /readyz, port: telemetry" }} }
  {{- toYaml $is.readinessProbe | nindent 2 }}
{{- end }}

{{/* A variable goes before the file. */}}
{{- define "tidewatch.user" -}}
{{- with .user -}}
- name: TIDEWATCH_KAFKA__SASL__USER
  value: {{ . | quote }}
{{- end }}
{{- end }}

{{/*
A container that runs one command of the program and ends: of the setup and of the tests. Given: `root`, `name`, `args`, `mounts`.
*/}}
{{- define "tidewatch.toolContainer" -}}
- name: {{ .name }}
  image: {{ include "tidewatch.image" .root }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  args:
    - --config=/etc/tidewatch/tidewatch.yml
    {{- range .args }}
    - {{ . | quote }}
    {{- end }}
  {{- with include "tidewatch.user" .mounts.identity }}
  env:
    {{- . | nindent 4 }}
  {{- end }}
  resources:
    {{- toYaml .root.Values.setup.resources | nindent 4 }}
  securityContext:
    {{- toYaml .root.Values.common.securityContext | nindent 4 }}
  volumeMounts:
    {{- include "tidewatch.volumeMounts" .mounts | nindent 4 }}
{{- end }}

{{/* The arguments of `topics create` and `topics verify`, as a JSON list. Given: the root, and the word. */}}
{{- define "tidewatch.topicsArgs" -}}
{{- $topics := (index . 0).Values.topics }}
{{- $shape := list (printf "--partitions=%d" (int $topics.partitions)) (printf "--replicas=%d" (int $topics.replicas)) }}
{{- concat (list "topics" (index . 1)) $shape | toJson }}
{{- end }}
