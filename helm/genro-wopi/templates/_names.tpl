{{- define "genro-wopi.name" -}}
{{- printf "%s-%s" .Release.Name "genro-wopi" | replace "genro-wopi-genro-wopi" "genro-wopi" | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "genro-wopi.labels" -}}
app.kubernetes.io/name: genro-wopi
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- /* What never changes over upgrades. Called with a dict of root and component. */ -}}
{{- define "genro-wopi.selector" -}}
app.kubernetes.io/name: genro-wopi
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "genro-wopi.secretName" -}}
{{- default (printf "%s-secrets" (include "genro-wopi.name" .)) .Values.secrets.existingSecret -}}
{{- end -}}

{{- define "genro-wopi.image" -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}

{{- define "genro-wopi.host" -}}
{{- (urlParse (required "publicUrl: say how browsers reach the gateway, as https://wopi.example.org" .Values.publicUrl)).hostname -}}
{{- end -}}

{{- /* The services: name, key of its values, whether it serves HTTP, whether it spools bodies, its secrets. */ -}}
{{- define "genro-wopi.components" -}}
- {name: gateway, values: gateway, http: true, spools: true, secrets: [redis-url, admin-token, internal-token, encryption-keys]}
- {name: session-service, values: sessionService, http: true, spools: false, secrets: [redis-url, internal-token, encryption-keys, signing-keys]}
- {name: wopi-service, values: wopiService, http: true, spools: true, secrets: [redis-url, internal-token, encryption-keys, verify-keys]}
- {name: callback-worker, values: callbackWorker, http: false, spools: false, secrets: [redis-url, encryption-keys]}
{{- end -}}

{{- define "genro-wopi.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "genro-wopi.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- /* The settings of one service. Called with a dict of root and component. */ -}}
{{- define "genro-wopi.environment" -}}
{{- $root := .root -}}
{{- $name := include "genro-wopi.name" $root -}}
- {name: WOPI_HOST, value: "0.0.0.0"}
- {name: WOPI_PORT, value: "8080"}
- {name: WOPI_METRICS_PORT, value: "9100"}
- {name: WOPI_PUBLIC_URL, value: {{ required "publicUrl: say how browsers reach the gateway, as https://wopi.example.org" $root.Values.publicUrl | quote }}}
- {name: WOPI_SRC_URL, value: {{ $root.Values.srcUrl | quote }}}
- {name: WOPI_SESSION_SERVICE_URL, value: {{ printf "http://%s-session-service:8080" $name | quote }}}
- {name: WOPI_DRAIN_SECONDS, value: {{ $root.Values.drainSeconds | quote }}}
- {name: WOPI_FILE_BYTES_MAX, value: {{ $root.Values.maxFileBytes | int64 | quote }}}
- {name: WOPI_SPOOL_DIR, value: /var/spool/genro-wopi}
- {name: WOPI_SPOOL_BYTES_MAX, value: {{ $root.Values.spoolBytes | int64 | quote }}}
- {name: WOPI_UNSETTLED_BYTES_MAX, value: {{ $root.Values.unsettledBytes | int64 | quote }}}
{{- if or (eq $root.Values.wopiThrough "gateway") (not (or $root.Values.ingress.enabled $root.Values.gatewayApi.enabled)) }}
- {name: WOPI_WOPI_SERVICE_URLS, value: {{ printf "http://%s-wopi-service:8080" $name | quote }}}
{{- end }}
{{- range .component.secrets }}
- {name: {{ printf "WOPI_%s_FILE" (. | replace "-" "_" | upper) }}, value: {{ printf "/run/secrets/genro-wopi/%s" . | quote }}}
{{- end }}
{{- range $key, $value := $root.Values.settings }}
- {name: {{ printf "WOPI_%s" ($key | upper) }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- with $root.Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
