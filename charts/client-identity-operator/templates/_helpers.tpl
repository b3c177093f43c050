{{/*
What config ships comes from files/, copies that make manifests makes: nothing here says it again. The operator's own names are fixed
(it knows its Service, Secret, lease and webhook by them), so that a cluster has one operator. Its namespace is the release's.
*/}}

{{/* The objects of a file, as a JSON list, in the namespaces of this release: (list $ "rbac/role.yaml"). */}}
{{- define "client-identity-operator.shipped" -}}
{{- $root := index . 0 -}}
{{- $text := required (printf "the chart lacks files/%s" (index . 1)) ($root.Files.Get (printf "files/%s" (index . 1))) -}}
{{- /* Two steps, since the name of one namespace may contain the other. */ -}}
{{- $text = $text | replace "client-identity-system" "@release@" | replace "client-identities" "@secrets@" -}}
{{- $text = $text | replace "@release@" $root.Release.Namespace | replace "@secrets@" $root.Values.secretNamespaces.default -}}
{{- $objects := list -}}
{{- range regexSplit "(?m)^---$" $text -1 -}}
{{- $object := fromYaml . -}}
{{- if hasKey $object "kind" -}}
{{- $objects = append $objects $object -}}
{{- else if $object -}}
{{- fail (printf "files/%s: %v" (index $ 1) $object) -}}
{{- end -}}
{{- end -}}
{{- $objects | toJson -}}
{{- end -}}

{{/* An object as a document, with the labels of the chart: (list $ "rbac" $object). */}}
{{- define "client-identity-operator.document" -}}
{{- $root := index . 0 -}}
{{- $object := index . 2 -}}
{{- $labels := include "client-identity-operator.labels" (list $root (index . 1)) | fromYaml -}}
{{- $_ := set $object.metadata "labels" (merge $labels ($object.metadata.labels | default dict)) -}}
---
{{ toYaml $object }}
{{- end -}}

{{/* All objects of a file as documents, as they are: (list $ "policy" "policy/owners.yaml"). */}}
{{- define "client-identity-operator.documents" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- range include "client-identity-operator.shipped" (list $root (index . 2)) | fromJsonArray -}}
{{ include "client-identity-operator.document" (list $root $component .) }}
{{ end -}}
{{- end -}}

{{/* The labels of an object: (list $ "rbac"). managed-by is not client-identity-operator: that marks what the operator makes. */}}
{{- define "client-identity-operator.labels" -}}
{{- $root := index . 0 -}}
{{- $labels := include "client-identity-operator.selector" $root | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/component" (index . 1) -}}
{{- $_ := set $labels "app.kubernetes.io/part-of" "client-identity-operator" -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" $root.Release.Service -}}
{{- $_ := set $labels "app.kubernetes.io/instance" $root.Release.Name -}}
{{- $_ := set $labels "app.kubernetes.io/version" $root.Chart.AppVersion -}}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" $root.Chart.Name ($root.Chart.Version | replace "+" "_")) -}}
{{- merge $labels $root.Values.commonLabels | toYaml -}}
{{- end -}}

{{/* What selects the operator's pods. */}}
{{- define "client-identity-operator.selector" -}}
app.kubernetes.io/name: client-identity-operator
app.kubernetes.io/component: manager
{{- end -}}

{{- define "client-identity-operator.image" -}}
{{- with .Values.image -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ with .digest }}@{{ . }}{{ end }}
{{- end -}}
{{- end -}}
