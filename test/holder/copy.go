// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package holder is what somebody does who has a copy of a published kubeconfig. Nothing of it prints one, nor quotes what
// could be one.
package holder

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// kubeconfigKey is the default of spec.secret.kubeconfigKey.
const kubeconfigKey = "kubeconfig"

// NoEpoch is the epoch of a certificate that carries no credential group.
const NoEpoch int64 = -1

// Copy is a copy of a published kubeconfig.
type Copy struct {
	// Fingerprint is that of its certificate.
	Fingerprint string
	// Key stands for its private key.
	Key string
	// Groups are those that its certificate carries.
	Groups []string
	// NotAfter is when its certificate ends.
	NotAfter time.Time
	// Epoch is the revocation that its credential group is of, in seconds; 0 before the first one.
	Epoch      int64
	config     *rest.Config
	kubeconfig []byte
	clients    kubernetes.Interface
}

// Through returns the same copy, used at another API server.
func (c *Copy) Through(server string) (*Copy, error) {
	other := *c
	other.config = rest.CopyConfig(c.config)
	other.config.Host = server
	var err error
	if other.clients, err = kubernetes.NewForConfig(other.config); err != nil {
		return nil, errors.New("no client can be made for that API server")
	}
	return &other, nil
}

// Connection is how the copy connects. It is not to be printed.
func (c *Copy) Connection() *rest.Config { return rest.CopyConfig(c.config) }

// Kubeconfig is what was copied. It is not to be printed.
func (c *Copy) Kubeconfig() []byte { return c.kubeconfig }

// Of makes a copy of a published Secret. Its errors quote nothing of it.
func Of(secret *corev1.Secret) (*Copy, error) {
	block, _ := pem.Decode(secret.Data[v1alpha1.CertificateKey])
	if block == nil {
		return nil, errors.New("no certificate in the Secret")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, errors.New("no certificate in the Secret that can be read")
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(secret.Data[kubeconfigKey])
	if err != nil {
		return nil, errors.New("no kubeconfig in the Secret that can be read")
	}
	config.QPS = -1
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, errors.New("no kubeconfig in the Secret that a client can be made of")
	}
	return &Copy{
		Fingerprint: digest(block.Bytes), Key: digest(secret.Data[v1alpha1.PrivateKeyKey]), Groups: certificate.Subject.Organization,
		NotAfter: certificate.NotAfter, Epoch: epoch(certificate.Subject.Organization), config: config,
		kubeconfig: secret.Data[kubeconfigKey], clients: clients,
	}, nil
}

// String names the copy.
func (c *Copy) String() string {
	return fmt.Sprintf("copy %.12s of epoch %d", c.Fingerprint, c.Epoch)
}

// GomegaString keeps what is in it from the messages of failed tests.
func (c *Copy) GomegaString() string { return c.String() }

// ReadSecret makes a copy of a Secret, read as the holder of this one.
func (c *Copy) ReadSecret(ctx context.Context, key client.ObjectKey) (*Copy, error) {
	secret, err := c.clients.CoreV1().Secrets(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return Of(secret)
}

// epoch returns the revocation that a credential group is of: clientidentity.dev:<uid>:<seconds>.
func epoch(groups []string) int64 {
	for _, group := range groups {
		parts := strings.Split(group, ":")
		if len(parts) != 3 || parts[0] != "clientidentity.dev" {
			continue
		}
		if seconds, err := strconv.ParseInt(parts[2], 10, 64); err == nil {
			return seconds
		}
	}
	return NoEpoch
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
