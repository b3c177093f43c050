{{/* The roles that the operator may bind, where not any, as a JSON list. */}}
{{- define "client-identity-operator.bindRules" -}}
{{- $rules := list -}}
{{- range $resource, $names := dict "clusterroles" .Values.bind.clusterRoles "roles" .Values.bind.roles -}}
{{- if $names -}}
{{- $rules = append $rules (dict "apiGroups" (list "rbac.authorization.k8s.io") "resources" (list $resource) "resourceNames" $names "verbs" (list "bind")) -}}
{{- end -}}
{{- end -}}
{{- $rules | toJson -}}
{{- end -}}
