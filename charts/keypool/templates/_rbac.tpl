{{/*
What the operator may do with users' objects: for a ClusterRole, or for a Role in watchNamespace. A verb that the
operator does not use does not stand here; a test compares this with the API server's audit log.
*/}}
{{- define "keypool.rules" -}}
# The users' objects are read, never written; only their status is.
- apiGroups: [keypool.dev]
  resources: [modelproviders, loadbalancegroups]
  verbs: [list, watch]
- apiGroups: [keypool.dev]
  resources: [modelproviders/status, loadbalancegroups/status]
  verbs: [patch]
# Keys are read and rendered. Only a generated client key that is switched off is deleted.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch]
# What a group consists of. Ownership deletes it.
- apiGroups: [""]
  resources: [services, serviceaccounts]
  verbs: [get, list, watch, create, patch]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}
