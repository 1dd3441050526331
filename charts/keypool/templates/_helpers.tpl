{{- define "keypool.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "keypool.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "keypool.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "keypool.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "keypool.operator" -}}
{{- printf "%s-operator" (include "keypool.fullname" .) }}
{{- end }}

{{/* What never changes in the life of a release: a Deployment's selector cannot. */}}
{{- define "keypool.selector" -}}
app.kubernetes.io/name: {{ include "keypool.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "keypool.labels" -}}
{{ include "keypool.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: keypool
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "keypool.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "keypool.operator" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* An image by tag and digest; takes {image, root}. The tag stays for people, the digest decides. */}}
{{- define "keypool.image" -}}
{{- $tag := default .root.Chart.AppVersion .image.tag -}}
{{- printf "%s:%s" .image.repository $tag }}
{{- with .image.digest }}@{{ . }}{{- end }}
{{- end }}

{{/* Name of the Lease: the full name, so that two releases in one namespace do not share it. */}}
{{- define "keypool.lease" -}}
{{- include "keypool.operator" . }}
{{- end }}
