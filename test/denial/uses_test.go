// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package denial

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/clientidentity/operator/test/holder"
	"github.com/clientidentity/operator/test/operator"
)

// use is something that a holder does.
type use struct {
	what string
	do   func(kubernetes.Interface) error
}

// uses are of all kinds: what everybody who authenticates may do, and what an administrator may.
var uses = []use{
	{"auth whoami", func(c kubernetes.Interface) error {
		_, err := c.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		return err
	}},
	{"auth can-i", func(c kubernetes.Interface) error {
		_, err := c.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
			Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "get", Resource: "pods"}},
		}, metav1.CreateOptions{})
		return err
	}},
	{"list secrets", func(c kubernetes.Interface) error {
		_, err := c.CoreV1().Secrets("default").List(ctx, metav1.ListOptions{Limit: 1})
		return err
	}},
	{"watch configmaps", func(c kubernetes.Interface) error {
		watching, err := c.CoreV1().ConfigMaps("default").Watch(ctx, metav1.ListOptions{})
		if err == nil {
			watching.Stop()
		}
		return err
	}},
	{"create a configmap", func(c kubernetes.Interface) error {
		_, err := c.CoreV1().ConfigMaps("default").Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "use-"}},
			metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}},
	{"GET /version", raw("/version")}, {"GET /apis", raw("/apis")}, {"GET /openapi/v3", raw("/openapi/v3")}, {"GET /metrics", raw("/metrics")},
	{"GET /nowhere", func(c kubernetes.Interface) error {
		if err := raw("/nowhere")(c); !apierrors.IsNotFound(err) {
			return err
		}
		return nil
	}},
}

func raw(path string) func(kubernetes.Interface) error {
	return func(c kubernetes.Interface) error {
		return c.Discovery().RESTClient().Get().AbsPath(path).Do(ctx).Error()
	}
}

// outcomes returns what the uses of a connection end with, and those that are forbidden or not.
func outcomes(config *rest.Config, forbidden bool) ([]string, error) {
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, u := range uses {
		err := u.do(clients)
		if err != nil && !apierrors.IsForbidden(err) {
			return nil, fmt.Errorf("%s: %w", u.what, err)
		}
		if forbidden == (err != nil) {
			found = append(found, u.what)
		}
	}
	return found, nil
}

// refused returns what a holder is not allowed to do.
func refused(config *rest.Config) func() ([]string, error) {
	return func() ([]string, error) { return outcomes(config, true) }
}

// allowed returns what a holder can still do.
func allowed(config *rest.Config) func() ([]string, error) {
	return func() ([]string, error) { return outcomes(config, false) }
}

// clientsOf returns clients of a connection.
func clientsOf(config *rest.Config) kubernetes.Interface {
	GinkgoHelper()
	clients, err := kubernetes.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	return clients
}

// whoami returns what the API server answers to the holder of a connection.
func whoami(config *rest.Config) error {
	_, err := operator.WhoAmI(ctx, config)
	return err
}

// bystanders are those that nobody has revoked: identities of both kinds, a service account and an administrator.
var bystanders map[string]*rest.Config

func introduceBystanders() {
	GinkgoHelper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "bystander"}}
	create(account)
	makeAdministrator("system:serviceaccount:default:bystander")
	token, err := clientsOf(cp.Config()).CoreV1().ServiceAccounts("default").
		CreateToken(ctx, account.Name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	byToken := rest.AnonymousClientConfig(cp.Config())
	byToken.BearerToken = token.Status.Token
	// A certificate that the operator knows nothing of, with a user and a group of its own.
	stranger, err := cp.ConfigFor("stranger", "strangers")
	Expect(err).NotTo(HaveOccurred())
	makeAdministrator("stranger")
	bystanders = map[string]*rest.Config{
		"an identity bound to its username":   leak(uniqueName("bystander"), inGroup("bystanders")).Connection(),
		"an identity bound to its credential": leak(uniqueName("bystander"), bound("Credential"), inGroup("bystanders")).Connection(),
		"a service account":                   byToken,
		"a user of another certificate":       stranger,
		"an administrator":                    cp.Config(),
	}
	everybodyElseGoesOn()
}

// everybodyElseGoesOn checks that the bystanders can do everything.
func everybodyElseGoesOn() {
	GinkgoHelper()
	for who, config := range bystanders {
		Expect(refused(config)()).To(BeEmpty(), who)
	}
}

// canDoNothing waits until a copy is refused whatever it does, with a text in every answer, and stays so.
func canDoNothing(c *holder.Copy, text string) {
	GinkgoHelper()
	Eventually(allowed(c.Connection()), "10s").Should(BeEmpty(), c.String())
	Expect(whoami(c.Connection())).To(And(MatchError(apierrors.IsForbidden, "IsForbidden"), MatchError(ContainSubstring(text))))
	Expect(allowed(c.Connection())()).To(BeEmpty(), c.String())
}
