{{- /* A pod that runs one command of the command line against the gateway. Dict of root, args, volumes, mounts. */ -}}
{{- define "genro-wopi.oneShot" -}}
{{- $root := .root -}}
restartPolicy: Never
automountServiceAccountToken: false
enableServiceLinks: false
securityContext: {{- include "genro-wopi.podSecurity" $root | nindent 2 }}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
containers:
  - name: genro-wopi
    image: {{ include "genro-wopi.image" $root | quote }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args: {{- toYaml .args | nindent 6 }}
    env:
      - {name: WOPI_URL, value: {{ printf "http://%s-gateway:8080" (include "genro-wopi.name" $root) | quote }}}
      - {name: HOME, value: /tmp}
      - name: WOPI_TOKEN
        valueFrom: {secretKeyRef: {name: {{ include "genro-wopi.secretName" $root }}, key: admin-token}}
    resources: {requests: {cpu: 50m, memory: 96Mi}, limits: {memory: 256Mi}}
    securityContext: {{- include "genro-wopi.containerSecurity" $root | nindent 6 }}
    volumeMounts:
      - {name: tmp, mountPath: /tmp}
      {{- with .mounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  - name: tmp
    emptyDir: {sizeLimit: 16Mi}
  {{- with .volumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- /* Labels of such a pod; the network policy below lets it reach the gateway. */ -}}
{{- define "genro-wopi.oneShotLabels" -}}
{{- include "genro-wopi.selector" (dict "root" . "component" "command") }}
{{- end -}}
