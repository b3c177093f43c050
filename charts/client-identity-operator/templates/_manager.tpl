{{/* The flags of the operator: those of config/manager, and one for each value that says something else than its default. */}}
{{- define "client-identity-operator.args" -}}
{{- $args := list "--leader-elect" "--health-probe-bind-address=:8081" -}}
{{- if .Values.metrics.enabled -}}
{{- $args = append $args "--metrics-bind-address=:8443" -}}
{{- end -}}
{{- with .Values.secretNamespaces -}}
{{- if ne .default "client-identities" -}}
{{- $args = append $args (printf "--default-secret-namespace=%s" .default) -}}
{{- end -}}
{{- if .all -}}
{{- $args = append $args "--secret-namespaces=*" -}}
{{- else if or .additional (ne .default "client-identities") -}}
{{- $args = append $args (printf "--secret-namespaces=%s" (prepend .additional .default | join ",")) -}}
{{- end -}}
{{- end -}}
{{- with .Values.kubeconfig -}}
{{- with .server }}{{ $args = append $args (printf "--kubeconfig-server=%s" .) }}{{ end -}}
{{- with .certificateAuthority }}{{ $args = append $args "--kubeconfig-certificate-authority=/etc/client-identity-operator/certificate-authorities/kubeconfig.crt" }}{{ end -}}
{{- with .clusterName }}{{ $args = append $args (printf "--cluster-name=%s" .) }}{{ end -}}
{{- end -}}
{{- with .Values.maxTTL }}{{ $args = append $args (printf "--max-ttl=%s" .) }}{{ end -}}
{{- if ne (join "," .Values.allowedSigners) "kubernetes.io/kube-apiserver-client" -}}
{{- $args = append $args (printf "--allowed-signers=%s" (join "," .Values.allowedSigners)) -}}
{{- end -}}
{{- with .Values.concurrentReconciles }}{{ $args = append $args (printf "--concurrent-reconciles=%d" (int .)) }}{{ end -}}
{{- if ne .Values.log.level "info" }}{{ $args = append $args (printf "--zap-log-level=%s" .Values.log.level) }}{{ end -}}
{{- if ne .Values.log.encoder "json" }}{{ $args = append $args (printf "--zap-encoder=%s" .Values.log.encoder) }}{{ end -}}
{{- with .Values.webhook -}}
{{- if not .enabled }}{{ $args = append $args "--enable-webhooks=false" }}{{ end -}}
{{- if ne (int .port) 9443 }}{{ $args = append $args (printf "--webhook-port=%d" (int .port)) }}{{ end -}}
{{- if eq .certificate.source "CertManager" }}{{ $args = append $args "--webhook-cert-rotation=false" }}{{ end -}}
{{- end -}}
{{- if .Values.auditWebhook.enabled -}}
{{- $args = concat $args (include "client-identity-operator.endpointArgs" (list "audit" 9444 .Values.auditWebhook) | fromJsonArray) -}}
{{- with .Values.auditWebhook.dormantAfter }}{{ $args = append $args (printf "--dormant-after=%s" .) }}{{ end -}}
{{- end -}}
{{- if .Values.authorizationWebhook.enabled -}}
{{- $args = concat $args (include "client-identity-operator.endpointArgs" (list "authorization" 9445 .Values.authorizationWebhook) | fromJsonArray) -}}
{{- end -}}
{{- concat $args .Values.extraArgs | toYaml -}}
{{- end -}}

{{/* The flags of an endpoint that only the API server may call, as a JSON list: (list "audit" 9444 .Values.auditWebhook). */}}
{{- define "client-identity-operator.endpointArgs" -}}
{{- $flag := printf "--%s-webhook" (index . 0) -}}
{{- $authority := "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt" -}}
{{- if (index . 2).clientCertificateAuthority -}}
{{- $authority = printf "/etc/client-identity-operator/certificate-authorities/%s-webhook.crt" (index . 0) -}}
{{- end -}}
{{- list (printf "%s-bind-address=:%d" $flag (index . 1)) (printf "%s-client-ca-file=%s" $flag $authority)
  (printf "%s-client-name=%s" $flag (index . 2).clientName) | toJson -}}
{{- end -}}

{{/* The content of the ConfigMap of CA bundles; empty if there is none. */}}
{{- define "client-identity-operator.authorities" -}}
{{- $files := dict -}}
{{- with .Values.kubeconfig.certificateAuthority }}{{ $_ := set $files "kubeconfig.crt" . }}{{ end -}}
{{- range $name, $endpoint := dict "audit" .Values.auditWebhook "authorization" .Values.authorizationWebhook -}}
{{- if and $endpoint.enabled $endpoint.clientCertificateAuthority -}}
{{- $_ := set $files (printf "%s-webhook.crt" $name) $endpoint.clientCertificateAuthority -}}
{{- end -}}
{{- end -}}
{{- with $files }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{/* volumes and mounts of the pods. */}}
{{- define "client-identity-operator.volumes" -}}
{{- $volumes := list -}}
{{- $mounts := list -}}
{{- if include "client-identity-operator.authorities" . -}}
{{- $volumes = append $volumes (dict "name" "certificate-authorities" "configMap" (dict "name" "client-identity-operator-certificate-authorities")) -}}
{{- $mounts = append $mounts (dict "name" "certificate-authorities" "mountPath" "/etc/client-identity-operator/certificate-authorities" "readOnly" true) -}}
{{- end -}}
{{- dict "volumes" (concat $volumes .Values.extraVolumes) "mounts" (concat $mounts .Values.extraVolumeMounts) | toYaml -}}
{{- end -}}
