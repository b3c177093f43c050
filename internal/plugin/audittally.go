// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"cmp"
	"slices"
	"time"

	"github.com/clientidentity/operator/internal/text"
)

const (
	// maxCredentials and maxActions bound what is counted one by one: an audit log may have any number of them.
	maxCredentials, maxActions = 10_000, 20_000
	// maxText bounds, in bytes, each text of an event that is kept.
	maxText = 256
)

// credentialUse is what was done with a certificate.
type credentialUse struct {
	Fingerprint string `json:"fingerprint"`
	named
	Username string    `json:"username"`
	Requests int       `json:"requests"`
	Refused  int       `json:"refused"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	Source   string    `json:"lastSourceAddress,omitempty"`
}

// action is a kind of request that was made with a certificate.
type action struct {
	Fingerprint string `json:"fingerprint"`
	named
	Verb      string `json:"verb"`
	Resource  string `json:"resource"`
	Namespace string `json:"namespace,omitempty"`
	Code      int32  `json:"code,omitempty"`
}

// actionCount is how often a kind of request was made.
type actionCount struct {
	action
	Count int `json:"count"`
}

// tallied counts who did what.
type tallied struct {
	names       *names
	credentials map[string]*credentialUse
	actions     map[action]int
	// without counts requests without a certificate; proofs, those with which the operator tries what it has issued; beyond, those that there was no
	// room to count one by one.
	without, proofs, beyond int
}

func newTally(n *names) *tallied {
	return &tallied{names: n, credentials: map[string]*credentialUse{}, actions: map[action]int{}}
}

// add takes in an event, and returns whose the certificate is; ok is false where it has none, and for proofs of the operator.
func (t *tallied) add(e *auditEvent) (who named, ok bool) {
	fingerprint := e.fingerprint()
	if fingerprint == "" {
		if e.ended() {
			t.without++
		}
		return named{}, false
	}
	if e.isProof() {
		if e.ended() {
			t.proofs++
		}
		return named{}, false
	}
	who = t.names.of(e)
	fingerprint = text.Shorten(fingerprint, maxText)
	use, seenBefore := t.credentials[fingerprint]
	if !seenBefore {
		if len(t.credentials) >= maxCredentials {
			t.beyond++
			return who, true
		}
		use = &credentialUse{Fingerprint: fingerprint, named: who, Username: text.Shorten(e.User.Username, maxText), First: e.StageTimestamp}
		t.credentials[fingerprint] = use
	}
	if e.StageTimestamp.Before(use.First) {
		use.First = e.StageTimestamp
	}
	if !e.StageTimestamp.Before(use.Last) {
		use.Last, use.Source = e.StageTimestamp, text.Shorten(e.source(), maxText)
	}
	if !e.ended() {
		return who, true
	}
	use.Requests++
	if code := e.code(); code == 401 || code == 403 {
		use.Refused++
	}
	did := action{
		Fingerprint: fingerprint, named: who, Verb: text.Shorten(e.Verb, maxText), Resource: text.Shorten(e.what(), maxText),
		Namespace: text.Shorten(e.namespace(), maxText), Code: e.code(),
	}
	if _, counted := t.actions[did]; !counted && len(t.actions) >= maxActions {
		t.beyond++
		return who, true
	}
	t.actions[did]++
	return who, true
}

// uses returns what was done with each certificate, the last used one first.
func (t *tallied) uses() []credentialUse {
	uses := make([]credentialUse, 0, len(t.credentials))
	for _, use := range t.credentials {
		uses = append(uses, *use)
	}
	slices.SortFunc(uses, func(a, b credentialUse) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	return uses
}

// counts returns who did what, the most frequent first.
func (t *tallied) counts() []actionCount {
	counts := make([]actionCount, 0, len(t.actions))
	for did, count := range t.actions {
		counts = append(counts, actionCount{did, count})
	}
	slices.SortFunc(counts, func(a, b actionCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Identity, b.Identity), cmp.Compare(a.Fingerprint, b.Fingerprint), cmp.Compare(a.Verb, b.Verb),
			cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Code, b.Code))
	})
	return counts
}
