// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holders

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/clientidentity/operator/api/v1alpha1"
)

// patient is a machine that is to renew, with a way to the API server of its own.
type patient struct {
	*machine
	identity string
	way      *stall
	first    string // fingerprint of what it was enrolled with
}

// admitted makes identities with a machine each, all at once, and waits until all of them are due.
func admitted(names ...string) []*patient {
	GinkgoHelper()
	patients := make([]*patient, len(names))
	for i := range patients {
		way := newStall()
		identity := enrollable("killed", renewsSoon, func(identity *v1alpha1.ClientIdentity) { identity.Spec.Kubeconfig.Server = way.url() })
		patients[i] = &patient{machine: newMachine("laptop"), identity: identity.Name, way: way}
		patients[i].enrol(invitation(identity))
		patients[i].first = device(identity.Name, "laptop").Fingerprint
	}
	for _, p := range patients {
		Eventually(time.Now).Should(BeTemporally(">", device(p.identity, "laptop").RenewalTime.Time))
	}
	return patients
}

// run runs the plugin as kubectl does, and returns how it ended.
func (p *patient) run() error {
	args, env := p.credentialCommand()
	cmd, _, problems := p.process(ctx, plugin, args...)
	cmd.Env = append(cmd.Env, env...)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w: %s", err, problems)
	}
	return nil
}

// runUntil runs the plugin and kills it once the moment has come; it returns false where the plugin was done before.
func (p *patient) runUntil(moment <-chan struct{}) bool {
	GinkgoHelper()
	args, env := p.credentialCommand()
	cmd, _, _ := p.process(ctx, plugin, args...)
	cmd.Env = append(cmd.Env, env...)
	Expect(cmd.Start()).To(Succeed())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	select {
	case <-ended:
		return false
	case <-moment:
		err := cmd.Process.Kill()
		<-ended
		if errors.Is(err, os.ErrProcessDone) { // in this very moment
			return false
		}
		Expect(err).NotTo(HaveOccurred())
		return true
	}
}

// recovers checks that the machine goes on after it was killed: each call works, it renews, and nobody takes it for a thief.
func (p *patient) recovers() {
	GinkgoHelper()
	p.way.mend()
	Eventually(func(g Gomega) {
		g.Expect(p.run()).To(Succeed())
		fingerprint, err := p.inUse()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(fingerprint).NotTo(Equal(p.first))
		g.Expect(fingerprint).To(Equal(device(p.identity, "laptop").Fingerprint))
	}).Should(Succeed())
	expectUnnoticed(p.identity)
}

// all does something with all patients at once.
func all(patients []*patient, do func(int, *patient)) {
	GinkgoHelper()
	var running sync.WaitGroup
	for i, p := range patients {
		running.Go(func() {
			defer GinkgoRecover()
			do(i, p)
		})
	}
	running.Wait()
}

var _ = Describe("A device that is killed while it renews", func() {
	It("is never taken for a thief, whatever it has sent and got by then", func() {
		const machines = 12
		patients := admitted(slices.Repeat([]string{"laptop"}, 2*machines+1)...)
		By("seeing how much is sent and got in a renewal that nobody disturbs")
		healthy, patients := patients[0], patients[1:]
		sent, got := healthy.way.records(toServer), healthy.way.records(toClient)
		Expect(healthy.run()).To(Succeed())
		sent, got = healthy.way.records(toServer)-sent, healthy.way.records(toClient)-got
		healthy.recovers()
		Expect(min(sent, got)).To(BeNumerically(">", machines/2), "too little to be killed in between")

		By("killing others after each part of that")
		var mu sync.Mutex
		killed := 0
		all(patients, func(i int, p *patient) {
			where, records := toServer, sent
			if i%2 == 1 {
				where, records = toClient, got
			}
			if p.runUntil(p.way.after((i/2)*records/machines, where)) {
				mu.Lock()
				defer mu.Unlock()
				killed++
			}
		})
		Expect(killed).To(BeNumerically(">", machines), "most were to be killed before they were done")
		all(patients, func(_ int, p *patient) { p.recovers() })
	})

	It("is never taken for a thief, whatever it has written by then", func() {
		const machines = 8
		patients := admitted(slices.Repeat([]string{"laptop"}, machines)...)
		all(patients, func(i int, p *patient) { p.runUntil(p.written(i + 1)) })
		all(patients, func(_ int, p *patient) { p.recovers() })
	})
})

// written returns a channel that is closed once so many things were done to the files of the machine.
func (p *patient) written(events int) <-chan struct{} {
	GinkgoHelper()
	watcher, err := fsnotify.NewWatcher()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(watcher.Close)
	Expect(filepath.WalkDir(p.home, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			err = watcher.Add(path)
		}
		return err
	})).To(Succeed())
	moment := make(chan struct{})
	go func() {
		for range watcher.Events {
			if events--; events == 0 {
				close(moment)
			}
		}
	}()
	return moment
}
