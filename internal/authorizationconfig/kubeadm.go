// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package authorizationconfig

import (
	"path"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// clusterConfiguration is as much of kubeadm.k8s.io/v1beta4 as is written; kubeadm's own types are in k8s.io/kubernetes.
type clusterConfiguration struct {
	metav1.TypeMeta `json:",inline"`
	APIServer       controlPlaneComponent `json:"apiServer"`
}

type controlPlaneComponent struct {
	ExtraArgs    []arg           `json:"extraArgs"`
	ExtraVolumes []hostPathMount `json:"extraVolumes"`
}

type arg struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type hostPathMount struct {
	Name      string              `json:"name"`
	HostPath  string              `json:"hostPath"`
	MountPath string              `json:"mountPath"`
	ReadOnly  bool                `json:"readOnly"`
	PathType  corev1.HostPathType `json:"pathType"`
}

// kubeadmFiles adds what kubeadm writes into the static pod. It leaves --authorization-mode out where it finds
// authorization-config. The folder is mounted, not the files, so that a new file is seen.
func kubeadmFiles(p Parameters) ([]File, error) {
	files, err := plainFiles(p)
	if err != nil {
		return nil, err
	}
	config, err := file("kubeadm.yaml", clusterConfiguration{
		TypeMeta: metav1.TypeMeta{APIVersion: "kubeadm.k8s.io/v1beta4", Kind: "ClusterConfiguration"},
		APIServer: controlPlaneComponent{
			ExtraArgs: []arg{{Name: "authorization-config", Value: path.Join(p.Directory, configFile)}},
			ExtraVolumes: []hostPathMount{{
				Name: "authorization", HostPath: p.Directory, MountPath: p.Directory, ReadOnly: true, PathType: corev1.HostPathDirectory,
			}},
		},
	}, "What to add to the ClusterConfiguration of kubeadm (ConfigMap kube-system/kubeadm-config): it is not all of it.",
		"Remove the argument authorization-mode from it, should it be there.")
	return append(files, config), err
}
