{{/* What a schema cannot say: values that do not go together, and what to do. */}}
{{- define "handful.checks" -}}
{{- $auth := default "none" .Values.settings.AUTH -}}
{{- if and (not .Values.postgresql.existingSecret) (include "handful.several" .) -}}
{{- fail "An SQLite database belongs to one pod. For replicas > 1 or autoscaling put the URL of a PostgreSQL database into a Secret (kubectl create secret generic handful-postgresql --from-literal=url=postgresql+psycopg://USER:PASSWORD@HOST/DATABASE) and set postgresql.existingSecret to its name; otherwise leave replicas at 1 and autoscaling.enabled at false." -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- if eq .name "HANDFUL_DATABASE_URL" -}}
{{- fail "HANDFUL_DATABASE_URL does not go into extraEnv: it holds a password, and the chart must know that it is there. Put it into a Secret and set postgresql.existingSecret to its name." -}}
{{- end -}}
{{- if has .name (list "HANDFUL_HOST" "HANDFUL_PORT" "HANDFUL_DATA_DIR" "HANDFUL_CACHE_DIR") -}}
{{- fail (printf "%s is set by the chart, which mounts and probes what it names; take it out of extraEnv." .name) -}}
{{- end -}}
{{- if and (hasPrefix "HANDFUL_" .name) (hasKey $.Values.settings (trimPrefix "HANDFUL_" .name)) -}}
{{- fail (printf "%s stands in extraEnv and in settings; take it out of one of them." .name) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $auth "proxy") (not .Values.settings.TRUSTED_PROXIES) -}}
{{- fail "settings.AUTH=proxy believes the addresses of settings.TRUSTED_PROXIES, and nobody else: set it to the network of the proxy's pods, such as 10.244.0.0/16, and keep all other pods out by networkPolicy." -}}
{{- end -}}
{{- if .Values.metrics.serviceMonitor.enabled -}}
{{- if eq $auth "proxy" -}}
{{- fail "With settings.AUTH=proxy only the proxy may ask for /metrics, and Prometheus is none: set metrics.serviceMonitor.enabled to false, and scrape through the proxy." -}}
{{- end -}}
{{- if and (eq $auth "keys") (not .Values.metrics.serviceMonitor.existingSecret) -}}
{{- fail "With settings.AUTH=keys a scrape of /metrics needs a key: make one with `handful keys create --scopes admin --name prometheus`, put it into a Secret, and set metrics.serviceMonitor.existingSecret to its name." -}}
{{- end -}}
{{- end -}}
{{- if .Values.autoscaling.enabled -}}
{{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) -}}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas; lower the one or raise the other." -}}
{{- end -}}
{{- if not (or .Values.autoscaling.cpuUtilization .Values.autoscaling.waitingImages.enabled) -}}
{{- fail "autoscaling needs something to go by: set autoscaling.cpuUtilization, or autoscaling.waitingImages.enabled." -}}
{{- end -}}
{{- if and .Values.autoscaling.cpuUtilization (not (dig "requests" "cpu" "" .Values.resources)) -}}
{{- fail "autoscaling.cpuUtilization is a share of resources.requests.cpu, which is not set: set it, or set autoscaling.cpuUtilization to null." -}}
{{- end -}}
{{- end -}}
{{- $budget := .Values.podDisruptionBudget -}}
{{- if and $budget.enabled (not (kindIs "invalid" $budget.minAvailable)) (not (kindIs "invalid" $budget.maxUnavailable)) -}}
{{- fail "podDisruptionBudget takes minAvailable or maxUnavailable: set the other one to null." -}}
{{- end -}}
{{- if and $budget.enabled (kindIs "invalid" $budget.minAvailable) (kindIs "invalid" $budget.maxUnavailable) -}}
{{- fail "podDisruptionBudget needs minAvailable or maxUnavailable: set one, or podDisruptionBudget.enabled to false." -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.enabled needs names: set ingress.hosts, such as [{host: handful.example.com}]." -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.enabled needs a gateway: set httpRoute.parentRefs, such as [{name: public, namespace: gateways}]." -}}
{{- end -}}
{{- end -}}
