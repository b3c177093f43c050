// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/dependent"
)

// match is a look that is being made. Each binding finds those who ask for it by indexes: by its owner, its label, its name and its
// subjects. So a look costs what there is, and what is found for somebody, and never as much as bindings times questions.
type match struct {
	batch                 []*inquiry
	byOwner               map[types.UID]*inquiry
	byLabel, byCredential map[string]*inquiry
	byKey                 map[access.Key]place
	users, groups         map[string]*subject
	// lost are the names of the identities whose bindings lost their labels, by UID; nil where nobody looks for them.
	lost map[types.UID]string

	// visited counts the bindings, found what was found for anybody, and kept what is kept of it.
	visited, found, kept int
	// named are the subjects of the binding that is visited that somebody asks for.
	named []*subject
}

// place is where a wanted binding stands in a question.
type place struct {
	of    *inquiry
	index int
}

// subject is a user or a group, of which somebody wants to know what it is granted.
type subject struct {
	count
	askers []*inquiry
	// last is the binding that was counted last.
	last int
}

const (
	// maxFound bounds what is kept for one question, and maxKept what is kept in all until passes fetch it, but for a few for each:
	// others may write any number of bindings in the guise of an identity's. What is left is looked for again.
	maxFound, maxKept, fewFound = 1000, 10_000, 4
	// maxLost bounds the identities whose bindings lost their labels: others may write any number in their guise.
	maxLost = 10_000
	// maxUID and maxName bound, in bytes, what can be of an identity: a UUID, and a name.
	maxUID, maxName = 36, 253
)

// newMatch returns the look for a batch of questions, each of another identity, and with sweep for what lost its labels. So much is
// kept already.
func newMatch(batch []*inquiry, sweep bool, kept int, began time.Time) *match {
	m := &match{
		batch: batch, kept: kept,
		byOwner: map[types.UID]*inquiry{}, byLabel: map[string]*inquiry{}, byCredential: map[string]*inquiry{}, byKey: map[access.Key]place{},
		users: map[string]*subject{}, groups: map[string]*subject{},
	}
	if sweep {
		m.lost = map[types.UID]string{}
	}
	for _, q := range batch {
		identity := q.identity
		q.answer = answer{began: began, found: observations{}, wanted: q.wanted, inOrder: make([]bool, len(q.wanted))}
		m.byOwner[identity.UID], m.byLabel[identity.Name] = q, q
		if q.newest = access.WantedGroup(identity); q.newest != "" && identity.Spec.RevokeIssuedBefore != nil {
			m.byCredential[certificate.UIDKey(string(identity.UID))] = q
		}
		for i := range q.wanted {
			m.byKey[q.wanted[i].Key()] = place{q, i}
		}
		if q.holder != nil {
			m.ask(m.users, q.holder.Username(), q)
			for group := range q.holder.Groups() {
				m.ask(m.groups, group, q)
			}
		}
	}
	return m
}

// ask notes that somebody asks for a subject.
func (m *match) ask(all map[string]*subject, name string, q *inquiry) {
	s := all[name]
	if s == nil {
		s = &subject{}
		all[name] = s
	}
	s.askers = append(s.askers, q)
	q.answer.subjects = append(q.answer.subjects, s)
}

// visit looks at a binding, which is valid during the visit.
func (m *match) visit(object client.Object) {
	m.visited++
	subjects := subjectsOf(object)
	v := visit{match: m, object: object, subjects: subjects, key: access.Key{Namespace: object.GetNamespace(), Name: object.GetName()}}
	owner := metav1.GetControllerOfNoCopy(object)
	if owner != nil {
		m.sweep(object, owner)
		v.offer(m.byOwner[owner.UID], nil)
	}
	v.offer(m.byLabel[object.GetLabels()[v1alpha1.IdentityLabel]], nil)
	v.offer(m.byKey[v.key].of, nil)
	m.named = m.named[:0]
	for i := range subjects {
		switch s := &subjects[i]; s.Kind {
		case rbacv1.UserKind:
			m.name(m.users[s.Name])
		case rbacv1.GroupKind:
			m.name(m.groups[s.Name])
			v.credential(s)
		}
	}
	v.count()
}

// sweep notes whose a binding is that lost its labels.
func (m *match) sweep(object client.Object, owner *metav1.OwnerReference) {
	if m.lost == nil || !dependent.IsIdentity(owner) || object.GetLabels()[v1alpha1.ManagedByLabel] == v1alpha1.ManagedByValue {
		return
	}
	if len(m.lost) < maxLost && len(owner.UID) <= maxUID && len(owner.Name) <= maxName {
		m.lost[owner.UID] = owner.Name
	}
}

// name notes that the binding that is visited names a subject that somebody asks for.
func (m *match) name(s *subject) {
	if s != nil && s.last != m.visited {
		s.last = m.visited
		m.named = append(m.named, s)
	}
}

// visit is one binding that is being visited.
type visit struct {
	*match
	object   client.Object
	key      access.Key
	subjects []rbacv1.Subject
	// some are those of its subjects that are kept, of whoever asks.
	some []rbacv1.Subject
	ref  *reference
}

// credential offers the binding to the identity, if any, an earlier credential of which it grants something.
func (v *visit) credential(s *rbacv1.Subject) {
	rest, ok := strings.CutPrefix(s.Name, v1alpha1.CredentialGroupPrefix)
	if !ok {
		return
	}
	uid, revocation, _ := strings.Cut(rest, ":")
	if q := v.byCredential[uid]; q != nil && revocation != "" && s.Name != q.newest {
		v.offer(q, s)
	}
}

// offer keeps the binding for whoever asks, if it is one of its identity, has the name of one, or names an earlier credential of it.
func (v *visit) offer(q *inquiry, older *rbacv1.Subject) {
	if q == nil || q.last == v.visited {
		return
	}
	if v.some == nil {
		v.some = someOf(v.subjects)
	}
	some := v.some
	if older != nil && !slices.Contains(some, *older) {
		some = append([]rbacv1.Subject{cut(*older)}, some[:someSubjects-1]...)
	}
	have := observed(v.object, q.identity, some)
	at := v.byKey[v.key]
	ours := have.Owned || have.Orphan
	if !ours && older == nil && at.of != q {
		return
	}
	q.last = v.visited
	v.found++
	q.answer.ours = q.answer.ours || ours
	// Somebody may plant any number of those that a finalizer holds: they grant nothing, nothing is left to do about them, and few are told of.
	idle := have.Deleting && len(have.Subjects) == 0 && at.of != q
	switch kept := len(q.answer.found); {
	case idle && kept >= fewFound:
	case at.of == q && have.InOrder(q.wanted[at.index]):
		q.answer.inOrder[at.index] = true
	case kept >= maxFound || (kept >= fewFound && v.kept >= maxKept):
		q.answer.more = true
	default:
		v.kept++
		q.answer.found[v.key] = have
	}
}

// count counts the binding for those who ask for its subjects: where it names one of them only, as most do, for the subject, however
// many ask for that, and otherwise once for each of those who ask.
func (v *visit) count() {
	if len(v.named) == 1 {
		v.found++
		v.named[0].add(v)
		return
	}
	for _, s := range v.named {
		for _, q := range s.askers {
			if q.counted != v.visited {
				q.counted = v.visited
				v.found++
				q.answer.add(v)
			}
		}
	}
}
