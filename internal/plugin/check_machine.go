// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/client-go/rest"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/access"
	"github.com/clientidentity/operator/internal/certificate"
	"github.com/clientidentity/operator/internal/machine"
	"github.com/clientidentity/operator/internal/proof"
)

// thisMachine is the name of checks of what this machine has.
const thisMachine = "this machine"

// onMachine is what this machine has of an identity.
type onMachine struct {
	record *machine.Record
	issued *certificate.Issued
	// fits says whether the key is that of the certificate; user is whom the API server takes its holder for.
	fits bool
	user found[authenticationv1.UserInfo]
}

// readMachine reads what this machine has of an identity: nil where it has nothing.
func readMachine(ctx context.Context, store *machine.Store, identity *v1alpha1.ClientIdentity, connection *rest.Config) found[*onMachine] {
	folder, err := store.Folder(identity.UID)
	if err != nil {
		return find[*onMachine](nil, err)
	}
	record, err := folder.Load()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return find[*onMachine](nil, nil)
	case err != nil:
		return find[*onMachine](nil, err)
	}
	m := &onMachine{record: record}
	if record.Current == nil {
		return find(m, nil)
	}
	if m.issued, err = certificate.ParseIssued([]byte(record.Current.Certificate)); err != nil {
		return find(m, err)
	}
	key, err := machine.InFile{}.Signer(record.Current.Key)
	if err != nil {
		return find(m, errors.New("its key cannot be read"))
	}
	if m.fits = m.issued.HasKey(key.Public()); !m.fits {
		return find(m, nil)
	}
	keyPEM, err := certificate.EncodeKey(key)
	if err != nil {
		return find(m, errors.New("its key cannot be encoded"))
	}
	m.user = find(proof.New(connection).WhoAmI(ctx, m.issued.ChainPEM, keyPEM))
	return find(m, nil)
}

// checkMachine checks what this machine has of the identity. It is no failure to have nothing.
func checkMachine(v *evidence) []Check {
	m, again := v.machine.value, "kubectl clientidentity invite "+v.identity.Name
	switch {
	case v.machine.err != nil:
		return []Check{failed(thisMachine, v.machine.err.Error(), again)}
	case m == nil:
		return nil
	case m.issued == nil:
		return []Check{failed(thisMachine, "it has no certificate yet: its enrolment was not finished", again)}
	case !m.fits:
		return []Check{failed(thisMachine, "its key is not that of its certificate", again)}
	}
	fingerprint := m.issued.Fingerprint()
	checks := []Check{machineStanding(v, fingerprint)}
	return append(checks,
		ofMachine(checkValidityOf(v, m.issued)),
		ofMachine(checkSubject(v.identity, m.issued.Subject())),
		ofMachine(checkRevoked(v.identity, fingerprint, m.issued.Subject().Groups)),
		ofMachine(checkChain(v, m.issued)),
		checkUser(v.identity, thisMachine, v.address, m.user),
	)
}

// machineStanding checks that the certificate of this machine is the newest one.
func machineStanding(v *evidence, fingerprint string) Check {
	if v.identity.Spec.PrivateKey.Source != v1alpha1.SourceHolder {
		if c := v.identity.Status.Certificate; c != nil && c.Fingerprint == fingerprint {
			return passed(thisMachine, "it has the published certificate")
		}
		if access.Listed(&v.identity.Status, fingerprint) != nil {
			return passed(thisMachine, "it has an earlier certificate, and fetches the published one when it is due")
		}
		return failed(thisMachine, "it has a certificate that the status does not list: "+fingerprint)
	}
	for i := range v.identity.Status.Devices {
		if d := &v.identity.Status.Devices[i]; d.Fingerprint == fingerprint {
			return passed(thisMachine, fmt.Sprintf("it is device %s, and has its newest certificate, revision %d", d.Name, d.Revision))
		}
	}
	return failed(thisMachine, fmt.Sprintf("it has a certificate (%s) that is the newest one of no device: it cannot renew", fingerprint),
		"Invite it again: kubectl clientidentity invite "+v.identity.Name)
}

func ofMachine(c Check) Check {
	c.Name = thisMachine
	return c
}
