{{/* What the schema cannot say: fails with what to change. */}}
{{- define "client-identity-operator.validate" -}}
{{- $values := .Values -}}
{{- $shared := list "default" "kube-public" "kube-system" -}}
{{- if has .Release.Namespace $shared -}}
{{- fail (printf "install the operator in a namespace of its own, not in %q: add --namespace client-identity-system --create-namespace" .Release.Namespace) -}}
{{- end -}}
{{- range prepend $values.secretNamespaces.additional $values.secretNamespaces.default -}}
{{- if has . (append $shared $.Release.Namespace) -}}
{{- fail (printf "secretNamespaces: %q is no place for private keys: choose a namespace where nothing else runs" .) -}}
{{- end -}}
{{- end -}}
{{- if has $values.secretNamespaces.default $values.secretNamespaces.additional -}}
{{- fail (printf "secretNamespaces.additional names %q, which is secretNamespaces.default" $values.secretNamespaces.default) -}}
{{- end -}}
{{- if and $values.secretNamespaces.all $values.secretNamespaces.additional -}}
{{- fail "secretNamespaces.all stands for all namespaces: leave secretNamespaces.additional empty" -}}
{{- end -}}
{{- /* A flag alone would have neither the rights and objects that come with the value, nor the warning in the notes. */ -}}
{{- range $values.extraArgs -}}
{{- if regexMatch "^--?(enable-webhooks|webhook-cert-rotation|allowed-signers|(default-)?secret-namespaces?)(=|$)" . -}}
{{- fail (printf "extraArgs: there is a value for %q, and rights that go with it: set that" .) -}}
{{- end -}}
{{- end -}}
{{- if and $values.bind.anyRole (or $values.bind.clusterRoles $values.bind.roles) -}}
{{- fail "bind.clusterRoles and bind.roles limit nothing while bind.anyRole is true: set it to false" -}}
{{- end -}}
{{- if and (or $values.auditWebhook.enabled $values.authorizationWebhook.enabled) (not $values.webhook.enabled) -}}
{{- fail "auditWebhook and authorizationWebhook are served with the certificate and the Service of the admission webhook: set webhook.enabled to true" -}}
{{- end -}}
{{- if and $values.auditWebhook.dormantAfter (not $values.auditWebhook.enabled) -}}
{{- fail "auditWebhook.dormantAfter needs auditWebhook.enabled: nothing else tells who uses an identity" -}}
{{- end -}}
{{- range $name, $value := dict "serviceMonitor" $values.metrics.serviceMonitor "prometheusRule" $values.metrics.prometheusRule -}}
{{- if and $value.enabled (not $values.metrics.enabled) -}}
{{- fail (printf "metrics.%s.enabled needs metrics.enabled" $name) -}}
{{- end -}}
{{- end -}}
{{- /* One operator in a cluster: two would undo each other's work. Without a cluster to ask, lookup finds nothing. */ -}}
{{- with lookup "rbac.authorization.k8s.io/v1" "ClusterRoleBinding" "" "client-identity-operator-manager" -}}
{{- $namespace := (first .subjects).namespace -}}
{{- $release := dig "annotations" "meta.helm.sh/release-name" "" .metadata -}}
{{- if or (ne $namespace $.Release.Namespace) (and $release (ne $release $.Release.Name)) -}}
{{- fail (printf "this cluster has a Client Identity Operator already, in namespace %q%s: upgrade or uninstall that one, since a cluster can have only one"
  $namespace (ternary (printf " (release %q)" $release) "" (ne $release ""))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
