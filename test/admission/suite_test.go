// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package admission tests on a real API server, as users with few rights, that nobody gains more than they hold: for each
// way up that one might try, the attempt fails and says why, and the honest use next to it succeeds.
package admission

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/internal/manager"
	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
	"github.com/clientidentity/operator/test/suite"
)

var (
	ctx context.Context
	cp  *controlplane.ControlPlane
	// admin is an administrator's client.
	admin client.Client
	// connection is the operator's: as its ServiceAccount.
	connection *rest.Config
	webhook    *operator.Webhook
	running    *operator.Running
	// reviewsHang makes the operator's access reviews hang.
	reviewsHang atomic.Bool
)

func TestAdmission(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	SetDefaultConsistentlyDuration(2 * time.Second)
	RunSpecs(t, "Admission Suite")
}

var _ = BeforeSuite(func() {
	ctx, cp, admin = suite.Start(controlplane.Options{}, GinkgoWriter)
	var err error

	connection, err = operator.Connection(ctx, cp)
	Expect(err).NotTo(HaveOccurred())
	connection.Wrap(func(next http.RoundTripper) http.RoundTripper { return hangingReviews{next} })
	webhook, err = operator.UseWebhook(ctx, cp)
	Expect(err).NotTo(HaveOccurred())
	startOperator(webhook.Configure)
	DeferCleanup(func() { Expect(running.Stop()).To(Succeed()) })
	Expect(webhook.Ready(ctx)).To(Succeed())
	Expect(admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "dev"}})).To(Succeed())
})

// startOperator runs the operator in this process.
func startOperator(configure func(*manager.Options)) {
	GinkgoHelper()
	var err error
	running, err = operator.Start(ctx, connection, configure)
	Expect(err).NotTo(HaveOccurred())
}

// hangingReviews lets access reviews hang, while that is wanted, until whoever asks gives up.
type hangingReviews struct{ next http.RoundTripper }

func (h hangingReviews) RoundTrip(request *http.Request) (*http.Response, error) {
	if reviewsHang.Load() && strings.HasSuffix(request.URL.Path, "/subjectaccessreviews") {
		<-request.Context().Done()
		return nil, request.Context().Err()
	}
	return h.next.RoundTrip(request)
}
