// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"errors"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	clocktesting "k8s.io/utils/clock/testing"
)

const requestsResource = "certificatesigningrequests"

// fakeCluster returns one that signs nothing. What others do to a request, its reactors do.
func fakeCluster(patience time.Duration) (*probe, *fake.Clientset) {
	client := fake.NewClientset()
	return &probe{
		Options: Options{
			SignerPatience: patience, Clock: clocktesting.NewFakePassiveClock(began), Progress: func(string, ...any) {},
		},
		settings: Settings{Signer: "s"}, clientset: client,
	}, client
}

// set has somebody set a condition on each request that is read or made.
func set(client *fake.Clientset, verb string, kind certificatesv1.RequestConditionType, reason string) {
	client.PrependReactor(verb, requestsResource, func(action clienttesting.Action) (bool, runtime.Object, error) {
		request := &certificatesv1.CertificateSigningRequest{}
		create, made := action.(clienttesting.CreateAction)
		if made {
			request = create.GetObject().(*certificatesv1.CertificateSigningRequest)
		}
		request.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: kind, Status: corev1.ConditionTrue, Reason: reason, Message: "since"}}
		return !made, request, nil // what is made is kept with it
	})
}

func count(client *fake.Clientset, verb, subresource string) (n int) {
	for _, action := range client.Actions() {
		if action.GetVerb() == verb && action.GetSubresource() == subresource {
			n++
		}
	}
	return n
}

func TestWhatOthersDoToARequest(t *testing.T) {
	gone := func(client *fake.Clientset) {
		client.PrependReactor("get", requestsResource, func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewNotFound(schema.GroupResource{Resource: requestsResource}, "x")
		})
	}
	conflict := func(client *fake.Clientset) {
		client.PrependReactor("update", requestsResource, func(action clienttesting.Action) (bool, runtime.Object, error) {
			return action.GetSubresource() == "approval", nil, apierrors.NewConflict(schema.GroupResource{Resource: requestsResource}, "x", errors.New("changed"))
		})
	}
	for name, test := range map[string]struct {
		others   []func(*fake.Clientset)
		stage    stage
		reason   string
		approver string
		approves int
	}{
		"nobody does anything": {nil, unfinished, "", "", 1},
		"they approve it first": {[]func(*fake.Clientset){
			func(c *fake.Clientset) { set(c, "create", certificatesv1.CertificateApproved, "AutoApproved") },
		}, unfinished, "", "AutoApproved", 0},
		"they approve it at the same time": {[]func(*fake.Clientset){
			conflict, func(c *fake.Clientset) { set(c, "get", certificatesv1.CertificateApproved, "AutoApproved") },
		}, unfinished, "", "AutoApproved", 1},
		"they deny it at the same time": {[]func(*fake.Clientset){
			conflict, func(c *fake.Clientset) { set(c, "get", certificatesv1.CertificateDenied, "NotHere") },
		}, denied, "NotHere", "", 1},
		"they deny it afterwards":  {[]func(*fake.Clientset){func(c *fake.Clientset) { set(c, "get", certificatesv1.CertificateDenied, "NotHere") }}, denied, "NotHere", "", 1},
		"the signer refuses it":    {[]func(*fake.Clientset){func(c *fake.Clientset) { set(c, "get", certificatesv1.CertificateFailed, "Bad") }}, failed, "Bad", "", 1},
		"they delete it":           {[]func(*fake.Clientset){gone}, stage("gone"), "", "", 1},
		"they change it meanwhile": {[]func(*fake.Clientset){conflict}, notApproved, "", "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			p, client := fakeCluster(time.Second / 2)
			for _, do := range test.others {
				do(client)
			}
			s := p.sign(t.Context(), shortest)
			if s.stage != test.stage || s.reason != test.reason || s.approver != test.approver {
				t.Errorf("%s, %q, approved by %q: %v", s.stage, s.reason, s.approver, s.err)
			}
			if got := count(client, "update", "approval"); got != test.approves {
				t.Errorf("approved %d times", got)
			}
			if count(client, "create", "") != 1 || count(client, "delete", "") != 1 {
				t.Errorf("the request is left: %v", client.Actions())
			}
		})
	}
}

// A request may be there although nobody said so.
func TestARequestWhoseAnswerIsLostIsDeleted(t *testing.T) {
	p, client := fakeCluster(time.Second)
	client.PrependReactor("create", requestsResource, func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errDown })
	if s := p.sign(t.Context(), shortest); s.stage != notCreated || !errors.Is(s.err, errDown) {
		t.Errorf("%s: %v", s.stage, s.err)
	}
	if count(client, "delete", "") != 1 {
		t.Error("it is left")
	}
}

func TestARequestThatWasChangedOnItsWayIsNotApproved(t *testing.T) {
	p, client := fakeCluster(time.Second)
	client.PrependReactor("create", requestsResource, func(action clienttesting.Action) (bool, runtime.Object, error) {
		request := action.(clienttesting.CreateAction).GetObject().(*certificatesv1.CertificateSigningRequest).DeepCopy()
		request.Spec.Request = []byte("somebody's")
		return true, request, nil
	})
	if s := p.sign(t.Context(), shortest); s.stage != notCreated {
		t.Errorf("%s: %v", s.stage, s.err)
	}
	if count(client, "update", "approval") != 0 {
		t.Error("it was approved")
	}
}

// An end of the caller's context, as by Ctrl-C, ends the wait and not the deletion.
func TestAnInterruptedRequestIsDeleted(t *testing.T) {
	p, client := fakeCluster(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	client.PrependReactor("get", requestsResource, func(clienttesting.Action) (bool, runtime.Object, error) {
		cancel()
		return false, nil, nil
	})
	p.sign(ctx, shortest)
	list, err := client.CertificatesV1().CertificateSigningRequests().List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 0 || count(client, "delete", "") != 1 {
		t.Errorf("%d are left: %v", len(list.Items), err)
	}
}
