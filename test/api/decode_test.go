// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// One undecodable object breaks the informer, and with it the operator, for all identities. So what the API server
// accepts must decode, and what Go writes back must be accepted again.
var (
	seed  = flag.Uint64("objects.seed", 1, "seed of the random objects")
	count = flag.Int("objects.count", 2000, "number of random objects")
)

const workers = 4

// forAll calls check with n generators, several at a time; each makes the same objects for the same seed.
func forAll(t *testing.T, n int, check func(g generator, i int)) {
	t.Helper()
	t.Logf("-objects.seed=%d -objects.count=%d", *seed, *count)
	var next atomic.Int64
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				check(generator{rand.New(rand.NewPCG(*seed, uint64(i)))}, i)
			}
		})
	}
	wait.Wait()
}

func TestWhatTheSchemaAcceptsDecodes(t *testing.T) {
	var mu sync.Mutex
	var accepted [][]byte
	forAll(t, *count, func(g generator, i int) {
		sent := g.identity(fmt.Sprintf("random-%d", i))
		answer, err := dryCreate(sent)
		if err != nil {
			refusedAsInvalid(t, sent, err)
			return
		}
		if written, ok := decodes(t, sent, answer); ok {
			if again, err := dryCreate(written); err != nil {
				t.Errorf("accepted, but not as Go writes it: %v\nsent    %s\nwritten %s", err, sent, written)
			} else {
				sameSpec(t, written, again)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		accepted = append(accepted, sent)
	})
	t.Logf("%d of %d were accepted", len(accepted), *count)
	g := NewWithT(t)
	g.Expect(len(accepted)).To(And(BeNumerically(">", *count/10), BeNumerically("<", *count*9/10)), "neither all nor nothing is accepted")
	t.Run("as stored", func(t *testing.T) { testStored(t, accepted[:min(200, len(accepted))]) })
}

// testStored stores objects, and reads them back and writes them as Go programs do.
func testStored(t *testing.T, objects [][]byte) {
	g := NewWithT(t)
	t.Cleanup(func() { g.Expect(typed.DeleteAllOf(ctx, &v1alpha1.ClientIdentity{})).To(Succeed()) })
	for _, o := range objects {
		_, err := create(o)
		g.Expect(err).NotTo(HaveOccurred(), string(o))
	}
	list := &v1alpha1.ClientIdentityList{}
	g.Expect(typed.List(ctx, list)).To(Succeed()) // what an informer does first: it stands or falls as a whole
	g.Expect(list.Items).To(HaveLen(len(objects)))
	for i := range list.Items {
		item := &list.Items[i]
		item.Annotations = map[string]string{"touched": "true"}
		if err := typed.Update(ctx, item); err != nil {
			t.Errorf("cannot be updated by a Go program: %v", err)
		}
		item.Status.GroupList = "touched"
		if err := typed.Status().Update(ctx, item); err != nil {
			t.Errorf("the status cannot be updated by a Go program: %v", err)
		}
	}
}

func TestWhatTheSchemaAcceptsOfStatusDecodes(t *testing.T) {
	stored(t, "status", "")
	current := resourceVersioned(t, identity(t, "status", ""))
	accepted := atomic.Int64{}
	forAll(t, *count/2, func(g generator, _ int) {
		o := object{"apiVersion": current["apiVersion"], "kind": current["kind"], "metadata": current["metadata"], "spec": current["spec"]}
		status := object{}
		g.perturb(status, fieldsOfStatus)
		o["status"] = status
		sent := g.encode(o)
		answer, err := dryUpdateStatus("status", sent)
		if err != nil {
			refusedAsInvalid(t, sent, err)
			return
		}
		accepted.Add(1)
		if written, ok := decodes(t, sent, answer); ok {
			if _, err := dryUpdateStatus("status", written); err != nil {
				t.Errorf("accepted, but not as Go writes it: %v\nsent    %s\nwritten %s", err, sent, written)
			}
		}
	})
	t.Logf("%d of %d were accepted", accepted.Load(), *count/2)
	NewWithT(t).Expect(int(accepted.Load())).To(And(BeNumerically(">", *count/20), BeNumerically("<", *count*9/20)), "neither all nor nothing is accepted")
}

// refusedAsInvalid checks that an object was refused for what it says, and not by an accident.
func refusedAsInvalid(t *testing.T, sent []byte, err error) {
	t.Helper()
	if !apierrors.IsInvalid(err) && !apierrors.IsBadRequest(err) {
		t.Errorf("%v\nsent %s", err, sent)
	}
}

// decodes checks that an accepted object decodes as the operator's client does it, to values within the documented
// bounds, and returns what a Go program would write back.
func decodes(t *testing.T, sent, answer []byte) ([]byte, bool) {
	t.Helper()
	got := &v1alpha1.ClientIdentity{}
	if _, _, err := decoder().Decode(answer, nil, got); err != nil {
		t.Errorf("accepted, and does not decode: %v\nsent   %s\nstored %s", err, sent, answer)
		return nil, false
	}
	if ttl := got.Spec.TTL.Duration; ttl < 10*time.Minute || ttl.Seconds() > 1<<31-1 {
		t.Errorf("ttl is %s\nsent %s", ttl, sent)
	}
	if before := got.Spec.RenewBefore; before != nil && (before.Duration <= 0 || before.Duration >= got.Spec.TTL.Duration) {
		t.Errorf("renewBefore is %s and ttl %s\nsent %s", before.Duration, got.Spec.TTL.Duration, sent)
	}
	got.ManagedFields, got.UID, got.CreationTimestamp.Time, got.Generation = nil, "", time.Time{}, 0
	written, err := json.Marshal(got)
	if err != nil {
		t.Errorf("decoded, and does not encode: %v\nsent %s", err, sent)
		return nil, false
	}
	return written, true
}

// sameSpec checks that a spec that Go wrote is stored as the same.
func sameSpec(t *testing.T, written, answer []byte) {
	t.Helper()
	sent, got := &v1alpha1.ClientIdentity{}, &v1alpha1.ClientIdentity{}
	for body, into := range map[string]*v1alpha1.ClientIdentity{string(written): sent, string(answer): got} {
		if _, _, err := decoder().Decode([]byte(body), nil, into); err != nil {
			t.Errorf("%v\n%s", err, body)
			return
		}
	}
	if !equality.Semantic.DeepEqual(sent.Spec, got.Spec) {
		t.Errorf("stored as another one\nwritten %s\nstored  %s", written, answer)
	}
}

// decoder decodes as the clients of Go programs do.
func decoder() runtime.Decoder {
	return serializer.NewCodecFactory(typed.Scheme()).UniversalDeserializer()
}
