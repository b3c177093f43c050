// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/plugin"
	"github.com/clientidentity/operator/test/operator"
)

// runTimeout ends a plugin that does not end by itself.
const runTimeout = 60 * time.Second

// person is somebody with a kubeconfig and a home, and with no more rights than everybody has.
type person struct {
	name       string
	home       string
	kubeconfig string
	config     *rest.Config
}

// newPerson returns somebody of a unique name.
func newPerson(base string, groups ...string) *person {
	GinkgoHelper()
	p := &person{name: uniqueName(base), home: GinkgoT().TempDir()}
	config, err := cp.ConfigFor(p.name, groups...)
	Expect(err).NotTo(HaveOccurred())
	p.use(config)
	return p
}

// use makes a connection that of the person's kubeconfig.
func (p *person) use(config *rest.Config) {
	GinkgoHelper()
	p.config, p.kubeconfig = config, filepath.Join(p.home, "kubeconfig")
	const name = "test"
	content := clientcmdapi.NewConfig()
	content.Clusters[name] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	content.AuthInfos[name] = &clientcmdapi.AuthInfo{ClientCertificateData: config.CertData, ClientKeyData: config.KeyData, Token: config.BearerToken}
	content.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	content.CurrentContext = name
	Expect(clientcmd.WriteToFile(*content, p.kubeconfig)).To(Succeed())
}

// result is what somebody sees of a command.
type result struct {
	stdout, stderr string
	code           int
}

// run runs the plugin as that person, and waits for its end.
func (p *person) run(args ...string) result {
	GinkgoHelper()
	return p.runWith(nil, args...)
}

// runWith runs the plugin with a standard input.
func (p *person) runWith(input io.Reader, args ...string) result {
	GinkgoHelper()
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	cmd := p.command(ctx, args...)
	var out, problems bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = input, &out, &problems
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		Fail("the plugin did not run: " + err.Error())
	}
	return result{out.String(), problems.String(), cmd.ProcessState.ExitCode()}
}

// command returns a process of the plugin that has not begun.
func (p *person) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = p.home
	cmd.Env = []string{"HOME=" + p.home, "KUBECONFIG=" + p.kubeconfig, "PATH=" + filepath.Dir(binary) + ":/usr/bin:/bin"}
	return cmd
}

// may gives a person exactly the rights that a command says that it needs, for one identity.
func (p *person) may(identity *v1alpha1.ClientIdentity, command string) *person {
	GinkgoHelper()
	root := plugin.NewCommand(genericiooptions.NewTestIOStreamsDiscard(), clock.RealClock{}, "test")
	cmd, _, err := root.Find([]string{command})
	Expect(err).NotTo(HaveOccurred())
	rights, ok := plugin.RightsOf(cmd)
	Expect(ok).To(BeTrue(), "the command tells of its rights")
	for _, part := range []struct{ rules, namespace string }{{rights.Cluster, ""}, {rights.Namespace, operator.SecretNamespace}} {
		rules, err := plugin.Rules(part.rules, identity.Name, identity.Spec.Username)
		Expect(err).NotTo(HaveOccurred())
		p.grant(part.namespace, rules...)
	}
	return p
}

// grant gives a person rights, in a namespace where one is given, and waits until the API server knows.
func (p *person) grant(namespace string, rules ...rbacv1.PolicyRule) {
	GinkgoHelper()
	if len(rules) == 0 {
		return
	}
	name := uniqueName(p.name)
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: p.name}}
	meta := metav1.ObjectMeta{Name: name, Namespace: namespace}
	if namespace == "" {
		create(&rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules}, &rbacv1.ClusterRoleBinding{
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name}, Subjects: subjects,
		})
	} else {
		create(&rbacv1.Role{ObjectMeta: meta, Rules: rules}, &rbacv1.RoleBinding{
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name}, Subjects: subjects,
		})
	}
	last := rules[len(rules)-1]
	group, resource, verb := last.APIGroups[0], last.Resources[0], last.Verbs[0]
	object := ""
	if len(last.ResourceNames) > 0 {
		object = last.ResourceNames[0]
	}
	Eventually(p.allowed).WithArguments(verb, group, resource, namespace, object).Should(BeTrue())
}

// allowed asks the API server whether a person may do something.
func (p *person) allowed(verb, group, resource, namespace, name string) bool {
	GinkgoHelper()
	clients, err := kubernetes.NewForConfig(p.config)
	Expect(err).NotTo(HaveOccurred())
	resource, sub, _ := strings.Cut(resource, "/")
	review, err := clients.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: verb, Group: group, Resource: resource, Subresource: sub, Namespace: namespace, Name: name,
		}},
	}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	return review.Status.Allowed
}

// create creates objects as an administrator and deletes them after the spec.
func create(objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		Expect(admin.Create(ctx, object)).To(Succeed())
		DeferCleanup(func() { Expect(client.IgnoreNotFound(admin.Delete(ctx, object))).To(Succeed()) })
	}
}
