{{- define "type" -}}
{{- $type := . -}}
{{- if markdownShouldRenderType $type }}

## {{ $type.Name }}

{{ $type.Doc | replace "<" "&lt;" }}
{{- if $type.References }}

Appears in {{ range $i, $ref := $type.SortedReferences }}{{ if $i }}, {{ end }}{{ markdownRenderTypeLink $ref }}{{ end }}.
{{- end }}
{{- with $rules := index $type.Markers "kubebuilder:validation:XValidation" }}
{{ range $rules }}
- {{ with .FieldPath }}`{{ . }}` {{ end }}{{ .Message }}
{{- end }}
{{- end }}
{{- if $type.Members }}

| Field | Description | Default | Bounds, and why a value is refused |
| --- | --- | --- | --- |
{{- if $type.GVK }}
| `apiVersion` _string_ | `{{ $type.GVK.Group }}/{{ $type.GVK.Version }}` | | |
| `kind` _string_ | `{{ $type.GVK.Kind }}` | | |
{{- end }}
{{- range $type.Members }}
| `{{ .Name }}` _{{ markdownRenderType .Type }}_ | {{ template "type_members" . }} | {{ with .Default }}`{{ . }}`{{ end }} | {{ template "bounds" . }} |
{{- end }}
{{- else if $type.Validation }}

{{ range $i, $rule := $type.Validation }}{{ if $i }}, {{ end }}{{ markdownRenderFieldDoc $rule }}{{ end }}.
{{- end }}
{{- if $type.EnumValues }}

| Value | Meaning |
| --- | --- |
{{- range $type.EnumValues }}
| `{{ .Name }}` | {{ markdownRenderFieldDoc (.Doc | trim | replace "\n" " " | replace "<" "&lt;") }} |
{{- end }}
{{- end }}
{{- end -}}
{{- end -}}

{{- define "bounds" -}}
{{- $first := true -}}
{{- range .Validation -}}
{{- if eq . "Required: {}" }}{{ if not $first }}<br />{{ end }}required{{ $first = false -}}
{{- else if or (eq . "Optional: {}") (hasPrefix "Type: " .) (hasPrefix "Format: " .) (hasPrefix "items:XValidation: " .) -}}
{{- else }}{{ if not $first }}<br />{{ end }}{{ markdownRenderFieldDoc . }}{{ $first = false -}}
{{- end -}}
{{- end -}}
{{- $inner := .Type.UnderlyingType | default .Type -}}
{{- /* The rules of a struct of ours stand above its own table. */ -}}
{{- $struct := and $inner.Members (contains "/clientidentity/" $inner.Package) -}}
{{- if not $struct }}{{ range index .Markers "kubebuilder:validation:XValidation" }}{{ if not $first }}<br />{{ end }}{{ .Message }}{{ $first = false }}{{ end }}{{ end -}}
{{- range index .Markers "kubebuilder:validation:items:XValidation" }}{{ if not $first }}<br />{{ end }}each: {{ .Message }}{{ $first = false }}{{ end -}}
{{- end -}}
