// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holder

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kjson "sigs.k8s.io/json"

	"github.com/clientidentity/operator/internal/kubeconfig"
)

const (
	// invitationKind begins every invitation, and invitationVersion follows: a program that knows another one says so.
	invitationKind    = "clientidentity-invitation-"
	invitationVersion = "v1"

	// maxInvitation and maxInvitationJSON bound, in bytes, what is read: a CA bundle may have 256 KiB.
	maxInvitation     = 1 << 20
	maxInvitationJSON = 512 << 10
	// maxToken bounds a token, in bytes.
	maxToken = 16 << 10
)

// Invitation is what a device needs to ask for its first certificate. Whoever has it within its time, and before it was accepted,
// can become the user: it is handed over like a password.
type Invitation struct {
	// Kubeconfig is how to reach the API server, and how cluster, context and user are named in kubeconfigs.
	Kubeconfig kubeconfig.Parameters
	// Token is one of the ServiceAccount of the identity's enrolment.
	Token string
	// Expires is when the token ends, in whole seconds.
	Expires time.Time
	// Device is how the device is to be called; empty leaves that to it.
	Device string
	// Secret is where the parameters are published: devices read them again when they renew. It may be empty.
	Secret types.NamespacedName
	// Parameters are what to ask for.
	Parameters Parameters
}

// String tells of an invitation without the token.
func (i Invitation) String() string {
	return fmt.Sprintf("invitation for ClientIdentity %q", i.Parameters.Identity)
}

// GoString is String: nothing prints the token.
func (i Invitation) GoString() string { return i.String() }

// wire is an invitation as it is handed over. CAs are text, which is smaller here than bytes.
type wire struct {
	Server                   string          `json:"server"`
	TLSServerName            string          `json:"tlsServerName,omitempty"`
	ProxyURL                 string          `json:"proxyURL,omitempty"`
	CertificateAuthorityData string          `json:"ca,omitempty"`
	ClusterName              string          `json:"cluster"`
	ContextName              string          `json:"context"`
	Namespace                string          `json:"namespace,omitempty"`
	Token                    string          `json:"token"`
	Expires                  *metav1.Time    `json:"expires"`
	Device                   string          `json:"device,omitempty"`
	SecretNamespace          string          `json:"secretNamespace,omitempty"`
	SecretName               string          `json:"secretName,omitempty"`
	Parameters               json.RawMessage `json:"request"`
}

// Encode returns an invitation in one line of letters, digits, dashes and underscores after its kind and version. It is compressed: a
// terminal takes no more than 4095 characters in a line that is pasted.
func (i Invitation) Encode() (string, error) {
	if err := i.check(); err != nil {
		return "", err
	}
	parameters, err := i.Parameters.Encode()
	if err != nil {
		return "", err
	}
	k := i.Kubeconfig
	data, err := json.Marshal(wire{
		Server: k.Server, TLSServerName: k.TLSServerName, ProxyURL: k.ProxyURL, CertificateAuthorityData: string(k.CertificateAuthorityData),
		ClusterName: k.ClusterName, ContextName: k.ContextName, Namespace: k.Namespace,
		Token: i.Token, Expires: &metav1.Time{Time: i.Expires}, Device: i.Device, SecretNamespace: i.Secret.Namespace, SecretName: i.Secret.Name, Parameters: parameters,
	})
	if err != nil || len(data) > maxInvitationJSON {
		return "", errors.New("the invitation cannot be encoded: spec.kubeconfig is too large for one")
	}
	var packed bytes.Buffer
	writer, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		return "", err
	}
	_, err = writer.Write(data)
	if err := errors.Join(err, writer.Close()); err != nil {
		return "", err
	}
	return invitationKind + invitationVersion + "." + base64.RawURLEncoding.EncodeToString(packed.Bytes()), nil
}

// errUnreadable says nothing of what was read: there may be a token in it.
var errUnreadable = errors.New("the invitation is damaged: copy all of it, from " + invitationKind + invitationVersion + " to its end")

// ParseInvitation reads an invitation, and checks all that is in it. White space in it is what a mail or a chat made of one line. Errors quote
// nothing of it.
func ParseInvitation(text string) (Invitation, error) {
	if len(text) > maxInvitation {
		return Invitation{}, fmt.Errorf("this is no invitation: it has more than %d bytes", maxInvitation)
	}
	rest, ok := strings.CutPrefix(strings.Join(strings.Fields(text), ""), invitationKind)
	if !ok {
		return Invitation{}, fmt.Errorf("this is no invitation: one begins with %s", invitationKind)
	}
	version, encoded, ok := strings.Cut(rest, ".")
	switch {
	case !ok:
		return Invitation{}, errUnreadable
	case version != invitationVersion:
		return Invitation{}, errors.New("the invitation is of another version than this program knows: update kubectl-clientidentity, here and where it was made")
	}
	data, err := unpack(encoded)
	if err != nil {
		return Invitation{}, errUnreadable
	}
	w := wire{}
	if strict, err := kjson.UnmarshalStrict(data, &w); err != nil || len(strict) > 0 || w.Expires == nil {
		return Invitation{}, errUnreadable
	}
	parameters, err := ParseParameters(w.Parameters)
	if err != nil {
		return Invitation{}, fmt.Errorf("the invitation is not for this program: %w", err)
	}
	i := Invitation{
		Kubeconfig: kubeconfig.Parameters{
			Server: w.Server, TLSServerName: w.TLSServerName, ProxyURL: w.ProxyURL, CertificateAuthorityData: []byte(w.CertificateAuthorityData),
			ClusterName: w.ClusterName, ContextName: w.ContextName, Namespace: w.Namespace,
		},
		Token: w.Token, Expires: w.Expires.Time, Device: w.Device, Secret: types.NamespacedName{Namespace: w.SecretNamespace, Name: w.SecretName}, Parameters: parameters,
	}
	return i, i.check()
}

// unpack returns the JSON of an invitation: no more than is expected, and nothing after it.
func unpack(encoded string) ([]byte, error) {
	packed, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, err
	}
	source := bytes.NewReader(packed)
	reader := flate.NewReader(source)
	data, err := io.ReadAll(io.LimitReader(reader, maxInvitationJSON+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxInvitationJSON || source.Len() > 0:
		return nil, errUnreadable
	}
	return data, reader.Close()
}

// printable says whether text has at most that many characters, and none that the schema refuses in names: those that a terminal or a reader
// takes for something else than text.
func printable(text string, most int) bool {
	return utf8.RuneCountInString(text) <= most && !strings.ContainsFunc(text, func(r rune) bool { return unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) })
}
