// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holders

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/holder"
)

// create creates objects and deletes them after the spec.
func create(objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		Expect(admin.Create(ctx, object)).To(Succeed())
		DeferCleanup(func() {
			Expect(client.IgnoreNotFound(admin.Delete(ctx, object))).To(Succeed())
			if identity, ok := object.(*v1alpha1.ClientIdentity); ok {
				Eventually(func() bool {
					return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(identity), &v1alpha1.ClientIdentity{}))
				}).Should(BeTrue())
			}
		})
	}
}

// newIdentity returns an identity whose keys its holder makes, with certificates of an hour.
func newIdentity(name string, changes ...func(*v1alpha1.ClientIdentity)) *v1alpha1.ClientIdentity {
	identity := &v1alpha1.ClientIdentity{ObjectMeta: metav1.ObjectMeta{Name: name}}
	identity.Spec.Username = name + "@example.com"
	identity.Spec.Groups = []string{"developers"}
	identity.Spec.TTL = metav1.Duration{Duration: time.Hour}
	identity.Spec.PrivateKey.Source = v1alpha1.SourceHolder
	for _, change := range changes {
		change(identity)
	}
	return identity
}

// enrollable creates an identity, waits until devices can be enrolled, and returns it.
func enrollable(base string, changes ...func(*v1alpha1.ClientIdentity)) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	identity := newIdentity(uniqueName(base), changes...)
	create(identity)
	return eventuallyReady(identity.Name)
}

// get returns the identity as it is now.
func get(name string) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	identity := &v1alpha1.ClientIdentity{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: name}, identity)).To(Succeed())
	return identity
}

// eventuallyReady waits until the identity is ready, and invitations can be made, and returns it.
func eventuallyReady(name string) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	var identity *v1alpha1.ClientIdentity
	Eventually(func(g Gomega) {
		identity = get(name)
		ready := meta.FindStatusCondition(identity.Status.Conditions, v1alpha1.ConditionReady)
		g.Expect(ready).NotTo(BeNil())
		g.Expect(ready.Status).To(Equal(metav1.ConditionTrue), ready.Message)
		g.Expect(ready.ObservedGeneration).To(Equal(identity.Generation))
		g.Expect(identity.Status.EnrolmentRef).NotTo(BeNil())
	}).Should(Succeed())
	return identity
}

// update changes an identity, and returns it.
func update(name string, change func(*v1alpha1.ClientIdentity)) *v1alpha1.ClientIdentity {
	GinkgoHelper()
	var identity *v1alpha1.ClientIdentity
	Expect(retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		identity = get(name)
		change(identity)
		return admin.Update(ctx, identity)
	})).To(Succeed())
	return identity
}

// enrol enrols a device as an administrator does.
func enrol(identity *v1alpha1.ClientIdentity, device string, changes ...change) *credential {
	GinkgoHelper()
	later()
	c := ask(identity, device, changes...).by(cp.Config()).issued()
	eventuallyHas(identity.Name, c)
	return c
}

// renew renews a credential as its device does.
func renew(identity *v1alpha1.ClientIdentity, with *credential, changes ...change) *credential {
	GinkgoHelper()
	later()
	c := ask(identity, with.device, changes...).by(with.connection()).issued()
	eventuallyHas(identity.Name, c)
	return c
}

// device returns what the status says about a device.
func device(name, device string) v1alpha1.Device {
	GinkgoHelper()
	for _, d := range get(name).Status.Devices {
		if d.Name == device {
			return d
		}
	}
	return v1alpha1.Device{}
}

// eventuallyHas waits until the status lists a credential as the newest of its device.
func eventuallyHas(name string, c *credential) {
	GinkgoHelper()
	Eventually(func() string { return device(name, c.device).Fingerprint }).Should(Equal(c.fingerprint))
	Expect(device(name, c.device).State).To(Equal(v1alpha1.DeviceActive))
}

// haveCondition matches an identity whose condition has that status, reason and text.
func haveCondition(kind string, status metav1.ConditionStatus, reason, text string) gomegatypes.GomegaMatcher {
	return WithTransform(func(identity *v1alpha1.ClientIdentity) metav1.Condition {
		if c := meta.FindStatusCondition(identity.Status.Conditions, kind); c != nil {
			return *c
		}
		return metav1.Condition{}
	}, And(HaveField("Status", status), HaveField("Reason", reason), HaveField("Message", ContainSubstring(text))))
}

// invite returns a connection with a new token of the ServiceAccount whose tokens are invitations for an identity.
func invite(identity *v1alpha1.ClientIdentity) *rest.Config {
	GinkgoHelper()
	clients, err := kubernetes.NewForConfig(cp.Config())
	Expect(err).NotTo(HaveOccurred())
	ref := get(identity.Name).Status.EnrolmentRef
	Expect(ref).NotTo(BeNil())
	Expect(ref.Name).To(Equal(holder.ServiceAccountName(identity.Name)))
	token, err := clients.CoreV1().ServiceAccounts(ref.Namespace).CreateToken(ctx, ref.Name, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To[int64](600)},
	}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	return withToken(token.Status.Token)
}

func withToken(token string) *rest.Config {
	config := rest.AnonymousClientConfig(cp.Config())
	config.BearerToken, config.QPS = token, -1
	return config
}

// impersonating returns an administrator's connection as somebody else.
func impersonating(user string, groups ...string) *rest.Config {
	config := cp.Config()
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups}
	return config
}

// bindRole binds a ClusterRole in the whole cluster until the end of the spec.
func bindRole(role string, subject rbacv1.Subject) {
	GinkgoHelper()
	create(&rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: uniqueName("binding")},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{subject},
	})
}
