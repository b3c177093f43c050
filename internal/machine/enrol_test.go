// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/holder"
)

// order is what enroll asks for with an invitation.
func (w *world) order(token string, changes ...func(*Order)) Order {
	w.t.Helper()
	api, err := w.cluster.connect(Target{}, Login{Token: token})
	if err != nil {
		w.t.Fatal(err)
	}
	o := Order{
		Parameters: w.cluster.wanted, Secret: Place{"identities", "alice"}, Invitation: token, API: api, Device: "laptop",
		Patience: time.Minute, Progress: func(string) {},
	}
	for _, change := range changes {
		change(&o)
	}
	return o
}

func TestEnrols(t *testing.T) {
	w := fresh(t)
	record, err := w.Enrol(t.Context(), w.order("invitation"))
	if err != nil {
		t.Fatal(err)
	}
	_, now := w.serve()
	w.newest(now)
	if record.Device != "laptop" || !record.Unwritten || record.Enrolment != nil {
		t.Errorf("device %q, unwritten %t", record.Device, record.Unwritten)
	}
	if err := w.Written(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.step(17 * time.Hour)
		_, now = w.serve()
		w.newest(now)
	}
	expectModes(t, w.folder.path)
}

func TestAnEnrolmentGoesOnWhereverItWasKilled(t *testing.T) {
	for name, fault := range map[string]func(string) error{
		"killed": func(what string) error { panic(killed{what}) },
		"failed": func(what string) error { return fmt.Errorf("%s: %w", what, syscall.ENOSPC) },
	} {
		for at, more := 1, true; more; at++ {
			t.Run(fmt.Sprintf("%s at step %d", name, at), func(t *testing.T) {
				w := fresh(t)
				steps := 0
				step := func(what string) error {
					if steps++; steps == at {
						return fault(what)
					}
					return nil
				}
				w.cluster.step, w.files.step = step, step
				func() {
					defer func() {
						if r := recover(); r != nil {
							if _, ok := r.(killed); !ok {
								panic(r)
							}
						}
					}()
					_, _ = w.Enrol(t.Context(), w.order("invitation"))
				}()
				w.cluster.step, w.files.step = nil, nil
				more = steps >= at
				if begun, err := w.Store.Begun(); err != nil || len(begun) > 1 {
					t.Fatalf("%d enrolments are begun: %v", len(begun), err)
				}
				if _, err := w.Enrol(t.Context(), w.order("invitation")); err != nil {
					t.Fatal(err)
				}
				_, now := w.serve()
				w.newest(now)
			})
			if at > 60 {
				t.Fatal("an enrolment has no end")
			}
		}
	}
}

func TestWaitsUntilTheInvitationMayAsk(t *testing.T) {
	w := fresh(t)
	w.cluster.forbids = 3
	if _, err := w.Enrol(t.Context(), w.order("invitation")); err != nil {
		t.Fatal(err)
	}
	w = fresh(t)
	w.cluster.forbids = 1000
	if _, err := w.Enrol(t.Context(), w.order("invitation")); err == nil || !strings.Contains(err.Error(), "is withdrawn") {
		t.Errorf("got %v", err)
	}
}

func TestTakesTheNextNameThatIsFree(t *testing.T) {
	w := fresh(t)
	w.cluster.taken = map[string]bool{"laptop": true, "laptop-2": true}
	record, err := w.Enrol(t.Context(), w.order("invitation"))
	if err != nil || record.Device != "laptop-3" {
		t.Errorf("device %v: %v", record, err)
	}
}

func TestAFixedNameIsNotChanged(t *testing.T) {
	w := fresh(t)
	w.cluster.taken = map[string]bool{"laptop": true}
	fixed := func(o *Order) { o.Fixed = true }
	_, err := w.Enrol(t.Context(), w.order("invitation", fixed))
	if err == nil || !strings.Contains(err.Error(), "--device") {
		t.Fatalf("got %v", err)
	}
	record, err := w.Enrol(t.Context(), w.order("invitation", fixed, func(o *Order) { o.Device = "desk" }))
	if err != nil || record.Device != "desk" {
		t.Errorf("%v: %v", record, err)
	}
}

func TestAnotherInvitationGoesOnWithTheSameRequest(t *testing.T) {
	w := fresh(t)
	w.cluster.undecided = true
	_, err := w.Enrol(t.Context(), w.order("one"))
	if err == nil || !strings.Contains(err.Error(), "run kubectl clientidentity enroll again") {
		t.Fatalf("got %v", err)
	}
	w.cluster.undecided = false
	if _, err := w.Enrol(t.Context(), w.order("two")); err != nil {
		t.Fatal(err)
	}
	if len(w.cluster.requests) != 1 || w.cluster.accepted["two"] != "" {
		t.Errorf("%d requests, accepted %v", len(w.cluster.requests), w.cluster.accepted)
	}
}

func TestEnrolsWithWhatIsWantedNow(t *testing.T) {
	w := fresh(t)
	order := w.order("invitation")
	w.cluster.wanted.Groups, w.cluster.wanted.Algorithm, w.cluster.wanted.Size = []string{"a", "b"}, v1alpha1.RSA, 2048
	w.publish()
	if _, err := w.Enrol(t.Context(), order); err != nil {
		t.Fatal(err)
	}
	_, now := w.serve()
	w.newest(now)
}

func TestAMachineIsEnrolledOnce(t *testing.T) {
	w := enrolled(t)
	_, before := w.serve()
	_, err := w.Enrol(t.Context(), w.order("invitation"))
	if err == nil || !strings.Contains(err.Error(), "--replace") {
		t.Errorf("got %v", err)
	}
	if _, now := w.serve(); now != before {
		t.Error("the certificate was replaced")
	}
	// A device that was suspended says so when it renews.
	w.step(17 * time.Hour)
	w.cluster.deny = holder.ReasonDeviceSuspended
	w.serve()
	w.cluster.deny = ""
	record, err := w.Enrol(t.Context(), w.order("invitation"))
	if err != nil || record.Device != "laptop" {
		t.Fatalf("%v: %v", record, err)
	}
	_, now := w.serve()
	w.newest(now)
}

func TestAnEnrolmentLeavesTheRenewalAlone(t *testing.T) {
	w := enrolled(t)
	w.step(17 * time.Hour)
	w.cluster.undecided = true
	w.serve() // a renewal is open
	_, err := w.Enrol(t.Context(), w.order("invitation", func(o *Order) { o.Replace = true }))
	if err == nil {
		t.Fatal("it is not decided")
	}
	w.cluster.undecided = false
	w.step(10 * time.Minute)
	_, now := w.serve() // fails if the renewal got another key
	w.newest(now)
}

func TestRefusedEnrolmentsSayWhatToDo(t *testing.T) {
	for reason, what := range map[string]string{
		holder.ReasonInvitationUsed: "ask for another invitation",
		holder.ReasonTooManyDevices: "have a device revoked",
		holder.ReasonNotForHolders:  "kubectl clientidentity kubeconfig",
		"SomethingNew":              "no.",
	} {
		w := fresh(t)
		w.cluster.deny = reason
		_, err := w.Enrol(t.Context(), w.order("invitation"))
		if err == nil || !strings.Contains(err.Error(), reason) || !strings.Contains(err.Error(), what) {
			t.Errorf("got %v", err)
		}
	}
}

func TestNothingIsAskedWhereAccessEnds(t *testing.T) {
	w := fresh(t)
	w.cluster.wanted.AccessUntil = &metav1.Time{Time: start.Add(5 * time.Minute)}
	_, err := w.Enrol(t.Context(), w.order("invitation"))
	if err == nil || !strings.Contains(err.Error(), "accessUntil") || len(w.cluster.requests) > 0 {
		t.Errorf("got %v", err)
	}
}

func TestNamesOfMachines(t *testing.T) {
	for host, want := range map[string]string{
		"Lea-Laptop.example.com": "lea-laptop", "lea's macbook": "lea-s-macbook", "": "device", "...": "device", "-_-": "device",
		strings.Repeat("a", 80): strings.Repeat("a", 50), "büro": "b-ro",
	} {
		got := NameOf(host)
		if got != want || holder.ValidDevice(got) != "" || holder.ValidDevice(nextName(got, mostNames)) != "" {
			t.Errorf("%q: got %q, want %q", host, got, want)
		}
	}
}

func TestAnOldEnrolmentWithoutAKubeconfigIsNotTakenForANewOne(t *testing.T) {
	w := fresh(t)
	if _, err := w.Enrol(t.Context(), w.order("invitation")); err != nil {
		t.Fatal(err)
	}
	w.step(25 * time.Hour)
	if _, err := w.Enrol(t.Context(), w.order("another")); err != nil {
		t.Fatal(err)
	}
	_, now := w.serve()
	w.newest(now)
}

// An enrolment of which nothing but the kubeconfig was left to write knows of nobody who may ask again.
func TestAnEnrolmentThatWasLeftTooLongTakesAnInvitation(t *testing.T) {
	for name, late := range map[string]func(*world, *Order){
		"ended":       func(w *world, _ *Order) { w.step(25 * time.Hour) },
		"is replaced": func(_ *world, o *Order) { o.Replace = true },
	} {
		t.Run(name, func(t *testing.T) {
			w := fresh(t)
			if _, err := w.Enrol(t.Context(), w.order("invitation")); err != nil {
				t.Fatal(err)
			}
			order := w.order("", func(o *Order) { o.API, o.Invitation = nil, "" })
			late(w, &order)
			if _, err := w.Enrol(t.Context(), order); err == nil || !strings.Contains(err.Error(), "ask for another invitation") {
				t.Errorf("got %v", err)
			}
			if record, err := w.folder.Load(); err != nil || record.Enrolment != nil || record.Current == nil {
				t.Errorf("the record was changed: %v", err)
			}
		})
	}
}
