{{/* The roles that the operator may bind, where not any, as a JSON list: the one for holders, too. */}}
{{- define "client-identity-operator.bindRules" -}}
{{- $rules := list -}}
{{- $clusterRoles := concat (list "client-identity-operator-holder") .Values.bind.clusterRoles -}}
{{- range $resource, $names := dict "clusterroles" $clusterRoles "roles" .Values.bind.roles -}}
{{- if $names -}}
{{- $rules = append $rules (dict "apiGroups" (list "rbac.authorization.k8s.io") "resources" (list $resource) "resourceNames" $names "verbs" (list "bind")) -}}
{{- end -}}
{{- end -}}
{{- $rules | toJson -}}
{{- end -}}
