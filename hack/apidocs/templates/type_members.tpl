{{- define "type_members" -}}
{{- if eq .Name "metadata" -}}
The name is that of the identity, not of the user: at most 63 characters.
{{- else -}}
{{ markdownRenderFieldDoc (.Doc | trim | replace "\n" " " | replace "<" "&lt;") }}
{{- end -}}
{{- end -}}
