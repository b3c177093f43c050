// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// credentialID is where the API server says which certificate somebody has.
const credentialID = "authentication.kubernetes.io/credential-id"

// file returns a path in a person's home.
func (p *person) file(name string) string { return filepath.Join(p.home, name) }

// kubectl runs kubectl with a kubeconfig, on the machine of that person.
func (p *person) kubectl(kubeconfig string, args ...string) result {
	GinkgoHelper()
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, cp.Kubectl(), append([]string{"--kubeconfig", kubeconfig}, args...)...)
	cmd.Dir, cmd.Env = p.home, p.command(ctx).Env
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		Fail("kubectl did not run: " + err.Error())
	}
	return result{out.String(), problems.String(), cmd.ProcessState.ExitCode()}
}

// whoami returns whom the API server takes kubectl for, and with which certificate.
func (p *person) whoami(kubeconfig string, args ...string) (user, fingerprint string) {
	GinkgoHelper()
	seen := p.kubectl(kubeconfig, append([]string{"auth", "whoami", "-o", "json"}, args...)...)
	Expect(seen.code).To(BeZero(), seen.stderr)
	review := &authenticationv1.SelfSubjectReview{}
	Expect(json.Unmarshal([]byte(seen.stdout), review)).To(Succeed())
	return identified(review)
}

func identified(review *authenticationv1.SelfSubjectReview) (user, fingerprint string) {
	return review.Status.UserInfo.Username, strings.TrimPrefix(strings.Join(review.Status.UserInfo.Extra[credentialID], ","), "X509SHA256=")
}

// client returns a client that works as long as a controller does, by client-go's own support of exec plugins.
func (p *person) client(kubeconfig string) kubernetes.Interface {
	GinkgoHelper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	Expect(err).NotTo(HaveOccurred())
	config.QPS = -1
	config.ExecProvider.Command = binary // PATH is that of this process
	config.ExecProvider.Env = append(config.ExecProvider.Env, clientcmdapi.ExecEnvVar{Name: "HOME", Value: p.home}, clientcmdapi.ExecEnvVar{Name: "XDG_DATA_HOME"})
	clients, err := kubernetes.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	return clients
}

// expectPrivate checks that nobody but their owner can read what the plugin keeps, and returns how many files there are.
func (p *person) expectPrivate() int {
	GinkgoHelper()
	files := 0
	base := p.file(".local/share/kubectl-clientidentity")
	Expect(filepath.WalkDir(base, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == base || entry.Name() == "lock" { // there is nothing in a lock
			return err
		}
		info, err := entry.Info()
		Expect(err).NotTo(HaveOccurred())
		Expect(info.Mode().Perm()&0o077).To(BeZero(), path)
		files++
		return nil
	})).To(Succeed())
	return files
}

// shortLived makes certificates be renewed some seconds after they were issued.
func shortLived(identity *v1alpha1.ClientIdentity) {
	identity.Spec.TTL = metav1.Duration{Duration: 10 * time.Minute}
	identity.Spec.RenewBefore = &metav1.Duration{Duration: 10*time.Minute - 20*time.Second}
}

func readable(identity *v1alpha1.ClientIdentity) {
	identity.Spec.BindTo, identity.Spec.Secret.HolderCanRead = v1alpha1.BindToCredential, true
}

var _ = Describe("kubeconfig", func() {
	It("prints what is published, for those who may read it", func() {
		identity := newIdentity("printed")
		nobody := newPerson("nobody")
		seen := nobody.run("kubeconfig", identity.Name)
		Expect(seen.code).To(Equal(1))
		Expect(seen.stderr).To(ContainSubstring("Missing permission of user"))

		seen = newPerson("reader").may(identity, "kubeconfig").run("kubeconfig", identity.Name)
		Expect(seen.code).To(BeZero(), seen.stderr)
		kubeconfig := nobody.file("printed")
		Expect(os.WriteFile(kubeconfig, []byte(seen.stdout), 0o600)).To(Succeed())
		user, fingerprint := nobody.whoami(kubeconfig)
		Expect(user).To(Equal(identity.Spec.Username))
		Expect(fingerprint).To(Equal(get(identity.Name).Status.Certificate.Fingerprint))
	})

	It("merges it into a kubeconfig, and keeps everything else", func() {
		identity := newIdentity("merged")
		reader := newPerson("reader").may(identity, "kubeconfig")
		before, err := clientcmd.LoadFromFile(reader.kubeconfig)
		Expect(err).NotTo(HaveOccurred())
		link := reader.file("link")
		Expect(os.Symlink(reader.kubeconfig, link)).To(Succeed())

		seen := reader.run("kubeconfig", identity.Name, "--merge-into", link)
		Expect(seen.code).To(BeZero(), seen.stderr)
		after, err := clientcmd.LoadFromFile(link)
		Expect(err).NotTo(HaveOccurred())
		Expect(after.CurrentContext).To(Equal(before.CurrentContext))
		Expect(after.Contexts).To(HaveLen(len(before.Contexts) + 1))
		user, _ := reader.whoami(link)
		Expect(user).To(Equal(reader.name), "the current context is kept")
		user, _ = reader.whoami(link, "--context", identity.Name+"@kubernetes")
		Expect(user).To(Equal(identity.Spec.Username))
		info, err := os.Lstat(link)
		Expect(err).NotTo(HaveOccurred())
		Expect(info.Mode()&os.ModeSymlink).NotTo(BeZero(), "the link is one still")

		By("refusing to replace what is somebody else's")
		seen = reader.run("kubeconfig", identity.Name, "--merge-into", link, "--context-name", before.CurrentContext)
		Expect(seen.code).To(Equal(1))
		Expect(seen.stderr).To(ContainSubstring("--overwrite"))
		now, err := clientcmd.LoadFromFile(link)
		Expect(err).NotTo(HaveOccurred())
		expectSameKubeconfig(now, after)
		Expect(reader.file("kubeconfig.lock")).NotTo(BeAnExistingFile())
	})

	It("renews itself with what the operator publishes", func() {
		identity := newIdentity("selfrenewing", shortLived, readable)
		reader := newPerson("reader").may(identity, "kubeconfig")
		kubeconfig := reader.file("self")
		seen := reader.run("kubeconfig", identity.Name, "--self-renewing", "--merge-into", kubeconfig)
		Expect(seen.code).To(BeZero(), seen.stderr)
		content, err := os.ReadFile(kubeconfig)
		Expect(err).NotTo(HaveOccurred())
		Expect(bytes.Contains(content, []byte("client-key-data"))).To(BeFalse(), "there is a key in the kubeconfig")
		Expect(reader.expectPrivate()).To(BeNumerically(">", 1))

		By("using it with kubectl and with a client that stays, beyond a renewal")
		clients := reader.client(kubeconfig)
		byKubectl, byClient := map[string]bool{}, map[string]bool{}
		Eventually(func() int {
			user, fingerprint := reader.whoami(kubeconfig)
			Expect(user).To(Equal(identity.Spec.Username))
			byKubectl[fingerprint] = true
			if fingerprint, answered := staying(clients); answered {
				byClient[fingerprint] = true
			}
			return min(len(byKubectl), len(byClient))
		}).WithTimeout(90 * time.Second).Should(BeNumerically(">=", 2))

		By("ending with a revocation")
		now := metav1.Now()
		update(identity.Name, func(i *v1alpha1.ClientIdentity) {
			i.Spec.RevokeIssuedBefore, i.Spec.State = &now, v1alpha1.StateWithdrawn
		})
		Eventually(func() int { return reader.kubectl(kubeconfig, "get", "--raw", "/api").code }).ShouldNot(BeZero())
	})

	It("says what a self-renewing one takes", func() {
		identity := newIdentity("unreadable")
		seen := newPerson("reader").may(identity, "kubeconfig").run("kubeconfig", identity.Name, "--self-renewing")
		Expect(seen.code).To(Equal(1))
		Expect(seen.stdout).To(BeEmpty())
		Expect(seen.stderr).To(ContainSubstring("spec.secret.holderCanRead"))
	})

	It("does not run what somebody planted into the Secret", func() {
		identity := newIdentity("planted")
		reader := newPerson("reader").may(identity, "kubeconfig")
		stopOperator()
		secret := &corev1.Secret{}
		Expect(admin.Get(ctx, client.ObjectKey{Namespace: identity.Status.SecretRef.Namespace, Name: identity.Status.SecretRef.Name}, secret)).To(Succeed())
		config, err := clientcmd.Load(secret.Data["kubeconfig"])
		Expect(err == nil).To(BeTrue())
		for _, user := range config.AuthInfos {
			*user = clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{APIVersion: "client.authentication.k8s.io/v1", Command: "sh", InteractiveMode: clientcmdapi.NeverExecInteractiveMode}}
		}
		secret.Data["kubeconfig"], err = clientcmd.Write(*config)
		Expect(err == nil).To(BeTrue())
		Expect(admin.Update(ctx, secret)).To(Succeed())
		seen := reader.run("kubeconfig", identity.Name)
		Expect(seen.code).To(Equal(1))
		Expect(seen.stdout).To(BeEmpty())
		Expect(seen.stderr).To(ContainSubstring("something that the operator does not write"))
	})
})

var _ = Describe("enroll", func() {
	It("says what it takes", func() {
		nobody := newPerson("nobody")
		for args, want := range map[string]string{
			"":                                 "give an invitation",
			"invitation.txt":                   "no invitation, which begins with",
			"clientidentity-invitation-v1.AAA": "damaged",
			"--device=My_Laptop -":             "DNS label",
			"--identity=a -":                   "not both",
		} {
			seen := nobody.run(append([]string{"enroll"}, strings.Fields(args)...)...)
			Expect(seen.code).To(Equal(1))
			Expect(seen.stderr).To(ContainSubstring(want))
		}
	})
})

func expectSameKubeconfig(got, want *clientcmdapi.Config) {
	GinkgoHelper()
	first, err := clientcmd.Write(*got)
	second, err2 := clientcmd.Write(*want)
	Expect(errors.Join(err, err2) == nil).To(BeTrue())
	Expect(bytes.Equal(first, second)).To(BeTrue(), "the kubeconfig was changed")
}
