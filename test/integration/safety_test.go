// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/manager"
	store "github.com/clientidentity/operator/internal/secret"
	"github.com/clientidentity/operator/test/leak"
)

// The private keys of a whole run are collected, and at its end they are looked for in all that the operator has written,
// but for the Secrets: its logs, and every version of every identity, request and event.
var _ = Describe("Private keys", func() {
	It("are found by the search for them, wherever they would turn up", func() {
		name := uniqueName("leak")
		create(newIdentity(name))
		secret := publishedSecret(eventuallyReady(name))
		key, kubeconfig := secret.Data[v1alpha1.PrivateKeyKey], secret.Data["kubeconfig"]
		Eventually(func() bool { return seen.hasKey(key) }).Should(BeTrue(), "the key was collected")
		Eventually(func() bool { return seen.hasObject(name) }).Should(BeTrue(), "the identity was collected")
		Expect(operatorLogs()).To(ContainElement(ContainSubstring(name)), "the log is searched")

		for what, text := range map[string]string{
			"the file":           string(key),
			"the file in base64": base64.StdEncoding.EncodeToString(key),
			"the kubeconfig":     string(kubeconfig),
			"it quoted":          fmt.Sprintf("%q", kubeconfig),
		} {
			Expect(seen.hasMark(text)).To(BeTrue(), what)
		}
		for begin := range 3 {
			file := strings.Repeat(" ", begin) + "-----BEGIN PRIVATE KEY-----"
			Expect(seen.leaks(file)).NotTo(BeEmpty())
			Expect(seen.leaks(base64.StdEncoding.EncodeToString([]byte(file)))).NotTo(BeEmpty())
		}
		Expect(seen.leaks(string(secret.Data[v1alpha1.CertificateKey]))).To(BeEmpty(), "the certificate is no secret")
	})
})

// seen is what was collected since the first spec.
var seen = &collector{}

var _ = BeforeEach(func() { seen.start() })

var _ = AfterSuite(func() {
	if !seen.started() {
		return
	}
	By("looking for private keys in the logs of the operator")
	for _, log := range operatorLogs() {
		Expect(seen.leaks(log)).To(BeEmpty(), "in the log of the operator")
	}
	By("looking for private keys in events, status and requests")
	seen.stop()
	for _, object := range seen.objects {
		Expect(seen.leaks(object)).To(BeEmpty(), "in an event, an identity or a request")
	}
})

// operatorLogs returns what the operators have logged so far.
func operatorLogs() []string {
	GinkgoHelper()
	var logs []string
	for _, file := range append([]string{logFile}, managerLogs...) {
		content, err := os.ReadFile(file)
		Expect(err).NotTo(HaveOccurred())
		logs = append(logs, string(content))
	}
	return logs
}

// collector keeps the marks of every private key that is published, and the text of every object in which none may be.
type collector struct {
	mu      sync.Mutex
	keys    map[string]bool
	marks   leak.Marks
	objects []string
	cancel  context.CancelFunc
	done    sync.WaitGroup
}

func (c *collector) started() bool { return c.cancel != nil }

// start begins to watch, where that has not begun.
func (c *collector) start() {
	GinkgoHelper()
	if c.started() {
		return
	}
	c.keys = map[string]bool{}
	var watching context.Context
	watching, c.cancel = context.WithCancel(ctx)
	clients, err := client.NewWithWatch(cp.Config(), client.Options{Scheme: manager.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	c.watch(watching, clients, &corev1.SecretList{}, func(object client.Object) { c.addKeys(object.(*corev1.Secret)) })
	for _, list := range []client.ObjectList{&v1alpha1.ClientIdentityList{}, &certificatesv1.CertificateSigningRequestList{}, &corev1.EventList{}} {
		c.watch(watching, clients, list, c.addObject)
	}
}

// watch passes each version of each object on. A watch that ends begins anew, with all that is there: no version that
// lasted is missed.
func (c *collector) watch(watching context.Context, clients client.WithWatch, list client.ObjectList, add func(client.Object)) {
	options := &client.ListOptions{Raw: &metav1.ListOptions{
		SendInitialEvents: ptr.To(true), AllowWatchBookmarks: true, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
	}}
	c.done.Go(func() {
		wait.UntilWithContext(watching, func(watching context.Context) {
			watcher, err := clients.Watch(watching, list, options)
			if err != nil {
				return // the API server is being restarted
			}
			for event := range watcher.ResultChan() {
				if object, ok := event.Object.(client.Object); ok && event.Type != watch.Bookmark {
					add(object)
				}
			}
		}, 100*time.Millisecond)
	})
}

// stop ends the watches.
func (c *collector) stop() {
	c.cancel()
	c.done.Wait()
}

// addObject keeps what an object says. The request in a CertificateSigningRequest is encoded: it is kept as it is too.
func (c *collector) addObject(object client.Object) {
	text, err := json.Marshal(object)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		panic(err) // objects of the API always have a JSON form
	}
	c.objects = append(c.objects, string(text))
	if request, ok := object.(*certificatesv1.CertificateSigningRequest); ok {
		c.objects = append(c.objects, string(request.Spec.Request))
	}
}

// addKeys keeps the marks of the private key in a Secret of ours; one that is published without a key is kept as what may hold none.
func (c *collector) addKeys(secret *corev1.Secret) {
	key := secret.Data[v1alpha1.PrivateKeyKey]
	if secret.Labels[v1alpha1.ManagedByLabel] != v1alpha1.ManagedByValue {
		return
	}
	if store.Keyless(secret) && len(key) == 0 {
		c.addObject(secret)
	}
	if block, _ := pem.Decode(key); block == nil {
		return // a spec took it out, or damaged it
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys[digest(key)] {
		return
	}
	c.keys[digest(key)] = true
	if err := c.marks.AddKey("a private key", key); err != nil {
		panic(err) // it is one of ours
	}
}

// alwaysMarks are in the file of every private key, in clear and in base64, wherever the three bytes of its groups begin.
var alwaysMarks = []string{"PRIVATE KEY", "UFJJVkFURSBLRV", "BSSVZBVEUgS0VZ", "QUklWQVRFIEtFW"}

// leaks returns what of a private key is in a text, without the key: "" where nothing is.
func (c *collector) leaks(text string) string {
	for _, mark := range alwaysMarks {
		if strings.Contains(text, mark) {
			return "the text " + mark
		}
	}
	if c.hasMark(text) {
		return "a part of a private key"
	}
	return ""
}

func (c *collector) hasMark(text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.marks.In([]byte(text))) > 0
}

func (c *collector) hasKey(key []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.keys[digest(key)]
}

// hasObject says whether an identity of that name was seen with a certificate.
func (c *collector) hasObject(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.objects, func(object string) bool {
		return strings.Contains(object, `"`+name+`"`) && strings.Contains(object, `"fingerprint"`)
	})
}
