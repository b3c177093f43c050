// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package authorizationconfig

import (
	"path"

	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
)

// talosPatch is as much of a machine configuration (v1alpha1) as is written.
type talosPatch struct {
	Machine talosMachine `json:"machine"`
	Cluster talosCluster `json:"cluster"`
}

type talosMachine struct {
	Files []talosFile `json:"files"`
}

type talosFile struct {
	Content     string `json:"content"`
	Permissions int    `json:"permissions"`
	Path        string `json:"path"`
	Op          string `json:"op"`
}

type talosCluster struct {
	APIServer talosAPIServer `json:"apiServer"`
}

type talosAPIServer struct {
	ExtraVolumes        []talosVolume                         `json:"extraVolumes"`
	AuthorizationConfig []apiserverv1.AuthorizerConfiguration `json:"authorizationConfig"`
}

type talosVolume struct {
	HostPath  string `json:"hostPath"`
	MountPath string `json:"mountPath"`
	ReadOnly  bool   `json:"readonly"`
}

// readable is the mode of the kubeconfig: the API server of Talos is not root. It holds no secret.
const readable = 0o644

// talosFiles returns one patch: Talos writes the AuthorizationConfiguration itself, of these authorizers. Node and RBAC are named,
// since Talos puts what is not named in front of the rest, where it would allow before the operator is asked.
func talosFiles(p Parameters) ([]File, error) {
	name, content, err := connection(p)
	if err != nil {
		return nil, err
	}
	at := path.Join(p.Directory, name)
	patch, err := file("talos.yaml", talosPatch{
		Machine: talosMachine{Files: []talosFile{{Content: string(content), Permissions: readable, Path: at, Op: "create"}}},
		Cluster: talosCluster{APIServer: talosAPIServer{
			ExtraVolumes:        []talosVolume{{HostPath: p.Directory, MountPath: p.Directory, ReadOnly: true}},
			AuthorizationConfig: authorizers(at, p.FailurePolicy),
		}},
	}, "A patch for the machine configuration of each control plane node: talosctl patch machineconfig --patch @talos.yaml",
		"Not for machines that have the document KubeAPIServerConfig of Talos 1.14: it has no extraVolumes.")
	return []File{patch}, err
}
