// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package authorizationconfig

import "path"

// rancherConfig is a file of config.yaml.d. The plus adds to what other files set.
type rancherConfig struct {
	KubeAPIServerArg        []string `json:"kube-apiserver-arg+"`
	KubeAPIServerExtraMount []string `json:"kube-apiserver-extra-mount+,omitempty"`
}

// k3sFiles adds the flag: k3s leaves --authorization-mode out where it finds it.
func k3sFiles(p Parameters) ([]File, error) { return rancherFiles(p, "k3s", nil) }

// rke2Files adds the folder as well, since the API server of RKE2 is a static pod, which has only the files that its flags name.
func rke2Files(p Parameters) ([]File, error) {
	return rancherFiles(p, "rke2", []string{p.Directory + ":" + p.Directory + ":ro"})
}

func rancherFiles(p Parameters, distribution string, mounts []string) ([]File, error) {
	files, err := plainFiles(p)
	if err != nil {
		return nil, err
	}
	config, err := file(distribution+".yaml", rancherConfig{
		KubeAPIServerArg:        []string{"authorization-config=" + path.Join(p.Directory, configFile)},
		KubeAPIServerExtraMount: mounts,
	}, "/etc/rancher/"+distribution+"/config.yaml.d/client-identity-operator.yaml on each server")
	return append(files, config), err
}
