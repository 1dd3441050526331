//go:build tools

// Package tools pins the Kubernetes commands that the test harness runs.
//
// k8s.io/kubernetes is no library: its go.mod points the staging modules at
// version v0.0.0. The replaces in go.mod beside this file give them their
// published versions.
package tools

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
	_ "k8s.io/kubernetes/cmd/kube-proxy"
	_ "k8s.io/kubernetes/cmd/kube-scheduler"
	_ "k8s.io/kubernetes/cmd/kubectl"
	_ "k8s.io/kubernetes/cmd/kubelet"
)
