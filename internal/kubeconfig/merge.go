// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Merging is a context that goes into a kubeconfig which has others.
type Merging struct {
	// Parameters name and describe the cluster and the context; the user has the name of the context.
	Parameters Parameters
	// User is the credential: a certificate and key, or ExecUser.
	User *clientcmdapi.AuthInfo
	// Overwrite replaces a context, or a user, of that name whatever it is.
	Overwrite bool
	// Pinned lets a context that there is go on pointing where it does, unless it is to be overwritten: somebody else says where the cluster is.
	Pinned bool
	// Use makes it the current context. Without, it becomes that where there is none.
	Use bool
}

// Merge puts the context into the kubeconfig of one file, and changes nothing else in it. All is what clients read of all files together: a
// name that means something else there is refused.
func Merge(file, all *clientcmdapi.Config, m Merging) error {
	name, wanted := m.Parameters.ContextName, m.Parameters.cluster()
	before := all.Contexts[name]
	mine := before != nil && m.owns(all.AuthInfos[before.AuthInfo], all.Clusters[before.Cluster])
	switch user := all.AuthInfos[name]; {
	case m.Overwrite:
	case before != nil && !mine:
		return fmt.Errorf("the kubeconfig has a context %q, which is not of this identity: choose another name with --context-name, or replace it with --overwrite", name)
	case user != nil && before == nil || mine && before.AuthInfo != name && user != nil:
		return fmt.Errorf("the kubeconfig has a user %q, who may not be of this identity: choose another name with --context-name, or replace it with --overwrite", name)
	}
	if m.Pinned && mine && !m.Overwrite {
		if there := all.Clusters[before.Cluster]; there != nil && !sameCluster(there, wanted) {
			return fmt.Errorf("the context %q points to %s, and the invitation to %s, or to another way there (CAs, proxy): if whoever invites says so, replace it with --overwrite",
				name, there.Server, wanted.Server)
		}
	}
	clusterName, err := nameCluster(all, m, wanted)
	if err != nil {
		return err
	}
	context := &clientcmdapi.Context{Cluster: clusterName, AuthInfo: name, Namespace: m.Parameters.Namespace}
	if mine && before.Namespace != "" {
		context.Namespace = before.Namespace // the holder's own choice, as of kubectl config set-context
	}
	if existing := file.Clusters[clusterName]; existing == nil || !sameCluster(existing, wanted) {
		set(&file.Clusters, clusterName, wanted)
	}
	set(&file.AuthInfos, name, m.User)
	set(&file.Contexts, name, context)
	if m.Use || all.CurrentContext == "" {
		file.CurrentContext = name
	}
	return nil
}

// nameCluster returns the name for the cluster: its own where that is free or means the same, or else that of the context.
func nameCluster(all *clientcmdapi.Config, m Merging, wanted *clientcmdapi.Cluster) (string, error) {
	for _, name := range []string{m.Parameters.ClusterName, m.Parameters.ContextName} {
		existing := all.Clusters[name]
		if existing == nil || sameCluster(existing, wanted) || onlyOf(all, name, m.Parameters.ContextName) {
			return name, nil
		}
	}
	if m.Overwrite {
		return m.Parameters.ContextName, nil
	}
	return "", fmt.Errorf("the kubeconfig has other clusters %q and %q: choose another name with --context-name, or replace the second one with --overwrite",
		m.Parameters.ClusterName, m.Parameters.ContextName)
}

// onlyOf says whether a cluster is that of one context and of no other, so that it changes with it.
func onlyOf(all *clientcmdapi.Config, cluster, context string) bool {
	uses := 0
	for name, other := range all.Contexts {
		if other.Cluster == cluster {
			if name != context {
				return false
			}
			uses++
		}
	}
	return uses > 0
}

// owns says whether a user of a kubeconfig is the one that is merged: the same identity by the exec plugin, or a certificate for the same user
// name in the same cluster. Identities of one name in two clusters are two.
func (m Merging) owns(user *clientcmdapi.AuthInfo, cluster *clientcmdapi.Cluster) bool {
	if user == nil {
		return false
	}
	if identity := identityOf(m.User); identity != "" {
		return identity == identityOf(user)
	}
	name := userOf(user)
	return name != "" && name == userOf(m.User) && cluster != nil && sameCluster(cluster, m.Parameters.cluster())
}

// identityOf returns the UID that the exec plugin is asked for, or "".
func identityOf(user *clientcmdapi.AuthInfo) string {
	if user.Exec == nil || user.Exec.Command != Plugin {
		return ""
	}
	if i := slices.Index(user.Exec.Args, "--uid"); i >= 0 && i+1 < len(user.Exec.Args) {
		return user.Exec.Args[i+1]
	}
	return ""
}

// userOf returns the user name of the certificate in it, or "".
func userOf(user *clientcmdapi.AuthInfo) string {
	block, _ := pem.Decode(user.ClientCertificateData)
	if block == nil {
		return ""
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return ""
	}
	return leaf.Subject.CommonName
}

func sameCluster(a, b *clientcmdapi.Cluster) bool {
	return a.Server == b.Server && a.TLSServerName == b.TLSServerName && a.ProxyURL == b.ProxyURL && !a.InsecureSkipTLSVerify &&
		a.CertificateAuthority == "" && bytes.Equal(a.CertificateAuthorityData, b.CertificateAuthorityData)
}

func set[V any](into *map[string]V, name string, value V) {
	if *into == nil {
		*into = map[string]V{}
	}
	(*into)[name] = value
}
