{{- define "gvDetails" -}}
{{ .Doc | trim }}

`apiVersion` is `{{ .GroupVersionString }}`. `kubectl explain cid.spec` shows these texts too. The last column has the bounds of a value, and the words
in which the API server refuses one that breaks a rule.
{{ range .SortedKinds }}{{ template "type" ($.TypeForKind .) }}{{ end }}
{{- range .SortedTypes }}{{ if not .GVK }}{{ template "type" . }}{{ end }}{{ end -}}
{{- end -}}
