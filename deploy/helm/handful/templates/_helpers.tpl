{{- define "handful.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "handful.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "handful.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "handful.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "handful.selectorLabels" -}}
app.kubernetes.io/name: {{ include "handful.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "handful.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "handful.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "handful.image" -}}
{{- $tag := .Values.image.tag | default (printf "%s-%s" .Chart.AppVersion (ternary "gpu" "cpu" .Values.gpu.enabled)) -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository $tag -}}
{{- end -}}
{{- end -}}

{{- define "handful.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "handful.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The claim that holds /data; empty for an emptyDir. Replicas share only what all of them can mount. */}}
{{- define "handful.dataClaim" -}}
{{- if .Values.persistence.existingClaim -}}
{{- .Values.persistence.existingClaim -}}
{{- else if and .Values.persistence.enabled (or (not .Values.postgresql.existingSecret) (has "ReadWriteMany" .Values.persistence.accessModes)) -}}
{{- include "handful.fullname" . -}}
{{- end -}}
{{- end -}}

{{/* Whether there may be more than one pod. */}}
{{- define "handful.several" -}}
{{- if or .Values.autoscaling.enabled (gt (int .Values.replicas) 1) -}}true{{- end -}}
{{- end -}}

{{/* A setting as the service reads it: lists with commas, whole numbers without an exponent. */}}
{{- define "handful.setting" -}}
{{- if kindIs "slice" . -}}
{{- join "," . -}}
{{- else if and (kindIs "float64" .) (eq (floor .) .) -}}
{{- int64 . -}}
{{- else -}}
{{- toString . -}}
{{- end -}}
{{- end -}}

{{/* HANDFUL_ALLOWED_HOSTS: names that were given, with those that the cluster knows the service by. */}}
{{- define "handful.allowedHosts" -}}
{{- $given := .Values.settings.ALLOWED_HOSTS -}}
{{- $hosts := ternary $given (splitList "," (toString $given)) (kindIs "slice" $given) -}}
{{- $name := include "handful.fullname" . -}}
{{- $hosts = concat $hosts (list $name (printf "%s.%s" $name .Release.Namespace) (printf "%s.%s.svc" $name .Release.Namespace) (printf "%s.%s.svc.cluster.local" $name .Release.Namespace)) -}}
{{- join "," $hosts -}},localhost,[$(POD_IP)]
{{- end -}}

{{/* From SIGTERM to the end: in whole seconds. */}}
{{- define "handful.shutdownSeconds" -}}
{{- ceil (float64 (default 25 .Values.settings.SHUTDOWN_SECONDS)) | int64 -}}
{{- end -}}
