// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/dependent"
	"github.com/clientidentity/operator/internal/kubeconfig"
)

// Wanted is the Secret that is wanted of an identity.
type Wanted struct {
	Identity   *v1alpha1.ClientIdentity
	Place      client.ObjectKey
	Parameters kubeconfig.Parameters
	// Request is what devices are to ask for, where holders make the keys: the Secret has none then. Nil where the operator makes them.
	Request []byte
}

// metadata returns the Secret without its content.
func (w Wanted) metadata() *corev1.Secret {
	spec := &w.Identity.Spec.Secret
	format := formatOf(spec.Format)
	secret := &corev1.Secret{ObjectMeta: dependent.Meta(w.Identity, w.Place), Type: format.secretType}
	for k, v := range spec.Labels {
		secret.Labels[k] = string(v)
	}
	maps.Copy(secret.Labels, format.labels(w.Place.Name))
	secret.Annotations = map[string]string{}
	for k, v := range spec.Annotations {
		secret.Annotations[k] = string(v)
	}
	secret.Annotations[v1alpha1.KubeconfigHashAnnotation] = w.Parameters.Hash() + ":" + spec.KubeconfigKey + templateHash(spec) + w.keylessHash()
	secret.Annotations[v1alpha1.ManagedMetadataAnnotation] = managedNames(spec, format.labels(w.Place.Name))
	return secret
}

// with returns the Secret for a credential.
func (w Wanted) with(c *Credential) (*corev1.Secret, error) {
	secret := w.metadata()
	secret.Annotations[v1alpha1.RequestHashAnnotation] = c.Hash
	keyPEM, err := certificate.EncodeKey(c.Key)
	if err != nil {
		return nil, fmt.Errorf("encode the private key: %w", err)
	}
	config, err := kubeconfig.Render(w.Parameters, c.Issued.ChainPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("render the kubeconfig: %w", err)
	}
	secret.Data = map[string][]byte{
		w.Identity.Spec.Secret.KubeconfigKey: config,
		v1alpha1.CertificateKey:              c.Issued.ChainPEM,
		v1alpha1.PrivateKeyKey:               keyPEM,
		v1alpha1.CAKey:                       w.Parameters.CertificateAuthorityData,
	}
	if err := formatOf(w.Identity.Spec.Secret.Format).add(secret.Data, w.Parameters, config); err != nil {
		return nil, fmt.Errorf("write the Secret as %s: %w", w.Identity.Spec.Secret.Format, err)
	}
	return secret, nil
}

// templateHash tells which labels, annotations and format the spec asks for: the cache keeps none of them.
func templateHash(spec *v1alpha1.SecretTemplate) string {
	hash := ""
	if len(spec.Labels)+len(spec.Annotations) > 0 {
		data, _ := json.Marshal([]any{spec.Labels, spec.Annotations}) // maps of strings always marshal, and in order
		sum := sha256.Sum256(data)
		hash = ":" + hex.EncodeToString(sum[:8])
	}
	if spec.Format != "" && spec.Format != v1alpha1.FormatKubeconfig {
		hash += ":" + string(spec.Format)
	}
	return hash
}

// drifted says whether what we set on a published Secret is not as it should be. Of one from the cache, which is the version
// that was checked last, only what is wanted by now can differ.
func (p Published) drifted(want *corev1.Secret, identity *v1alpha1.ClientIdentity) bool {
	if !p.Cached() {
		return metadataDrifted(p.Meta, want, identity)
	}
	return !dependent.Labelled(p.Meta, identity) || !metav1.IsControlledBy(p.Meta, identity) ||
		p.Meta.GetAnnotations()[v1alpha1.KubeconfigHashAnnotation] != want.Annotations[v1alpha1.KubeconfigHashAnnotation]
}

// metadataDrifted says whether what we set on a Secret is not as it should be. What others set is theirs.
func metadataDrifted(have metav1.Object, want *corev1.Secret, identity *v1alpha1.ClientIdentity) bool {
	return !contains(have.GetLabels(), want.Labels) || !contains(have.GetAnnotations(), want.Annotations) ||
		!metav1.IsControlledBy(have, identity)
}

// contains says whether have has all of want.
func contains(have, want map[string]string) bool {
	for k, v := range want {
		if got, ok := have[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// managedNames records which labels and annotations come from the spec and its format: those that it asks for no longer
// are removed by it, and foreign ones are kept.
func managedNames(spec *v1alpha1.SecretTemplate, ofFormat map[string]string) string {
	labels := slices.AppendSeq(slices.Collect(maps.Keys(spec.Labels)), maps.Keys(ofFormat))
	slices.Sort(labels)
	labels = slices.Compact(labels)
	annotations := slices.Sorted(maps.Keys(spec.Annotations))
	return strings.Join(labels, ",") + ";" + strings.Join(annotations, ",")
}

// mergeMetadata adds to want the labels, annotations, finalizers and owners that others set on have.
func mergeMetadata(want *corev1.Secret, have metav1.Object) {
	labels, annotations, _ := strings.Cut(have.GetAnnotations()[v1alpha1.ManagedMetadataAnnotation], ";")
	want.Labels = merged(want.Labels, have.GetLabels(), strings.Split(labels, ","))
	// One without a key answers no request.
	want.Annotations = merged(want.Annotations, have.GetAnnotations(), append(strings.Split(annotations, ","), v1alpha1.RequestHashAnnotation))
	want.Finalizers = have.GetFinalizers()
	for _, owner := range have.GetOwnerReferences() {
		if owner.Controller == nil || !*owner.Controller {
			want.OwnerReferences = append(want.OwnerReferences, owner)
		}
	}
}

// merged returns ours together with what others set; formerly names what was ours before.
func merged(ours, all map[string]string, formerly []string) map[string]string {
	result := maps.Clone(all)
	maps.DeleteFunc(result, func(name, _ string) bool { return slices.Contains(formerly, name) })
	if result == nil {
		result = map[string]string{}
	}
	maps.Copy(result, ours)
	return result
}
