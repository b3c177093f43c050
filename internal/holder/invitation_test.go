// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package holder_test

import (
	"bytes"
	"compress/flate"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/clientidentity/operator/api/v1alpha1"
	"github.com/clientidentity/operator/internal/holder"
	"github.com/clientidentity/operator/internal/kubeconfig"
)

const invitationPrefix = "clientidentity-invitation-v1."

func TestInvitation(t *testing.T) {
	want := invitation()
	encoded := encode(t, want)
	if got := parse(t, encoded); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v of %s, want %+v of %s", got.Kubeconfig, got, want.Kubeconfig, want)
	}
	if len(strings.Fields(encoded)) != 1 {
		t.Error("it is not one word")
	}
	wrapped := "\n  " + encoded[:40] + "\r\n" + encoded[40:80] + " \t" + encoded[80:] + "\n"
	if got := parse(t, wrapped); !reflect.DeepEqual(got, want) {
		t.Error("one that was wrapped is another one")
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(format, want); strings.Contains(text, want.Token) {
			t.Errorf("%s prints the token", format)
		}
	}
}

func TestInvitationsThatAreRefused(t *testing.T) {
	encoded := encode(t, invitation())
	json := unpacked(t, encoded)
	for what, row := range map[string]struct{ text, want string }{
		"nothing":              {"", "begins with"},
		"a kubeconfig":         {"apiVersion: v1", "begins with"},
		"a later version":      {strings.Replace(encoded, "-v1.", "-v2.", 1), "update kubectl-clientidentity"},
		"no content":           {invitationPrefix, "damaged"},
		"no version":           {strings.TrimSuffix(invitationPrefix, "v1."), "damaged"},
		"the beginning":        {encoded[:len(encoded)-5], "damaged"},
		"a letter more":        {encoded + "A", "damaged"},
		"another letter":       {encoded[:60] + "*" + encoded[61:], "damaged"},
		"something after it":   {pack(t, json) + base64.RawURLEncoding.EncodeToString([]byte("abc")), "damaged"},
		"two objects":          {pack(t, json+json), "damaged"},
		"an unknown field":     {pack(t, strings.Replace(json, "{", `{"exec":"rm",`, 1)), "damaged"},
		"a field twice":        {pack(t, strings.Replace(json, "{", `{"server":"https://a",`, 1)), "damaged"},
		"a field in capitals":  {pack(t, strings.Replace(json, `"token"`, `"TOKEN"`, 1)), "damaged"},
		"a list":               {pack(t, "[]"), "damaged"},
		"no JSON":              {pack(t, "token"), "damaged"},
		"an unending one":      {pack(t, strings.Repeat(" ", 2<<20)+json), "damaged"},
		"a long one":           {invitationPrefix + strings.Repeat("A", 2<<20), "no invitation"},
		"other parameters":     {pack(t, strings.Replace(json, `"request":{"version":"v1"`, `"request":{"version":"v9"`, 1)), "update kubectl-clientidentity"},
		"no parameters":        {pack(t, strings.Replace(json, `"request":{`, `"request":null,"x":{`, 1)), "damaged"},
		"another server":       {pack(t, strings.Replace(json, "https://api.example.com:6443", "http://api.example.com:6443", 1)), "https:// URL"},
		"a name for terminals": {pack(t, strings.Replace(json, "alice@example.com", `alice\u001b[2J`, 1)), "cannot be one"},
	} {
		t.Run(what, func(t *testing.T) {
			_, err := holder.ParseInvitation(row.text)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("got %v, want an error with %q", err, row.want)
			}
			if strings.Contains(err.Error(), invitation().Token) {
				t.Error("the error quotes the token")
			}
		})
	}
}

func TestInvitationsThatAreNotMade(t *testing.T) {
	for what, change := range map[string]func(*holder.Invitation){
		"no token":              func(i *holder.Invitation) { i.Token = "" },
		"a token of two lines":  func(i *holder.Invitation) { i.Token += "\n" },
		"a huge token":          func(i *holder.Invitation) { i.Token += strings.Repeat("a", 16<<10) },
		"no end":                func(i *holder.Invitation) { i.Expires = time.Time{} },
		"a device of no name":   func(i *holder.Invitation) { i.Device = "My Laptop" },
		"half of a Secret":      func(i *holder.Invitation) { i.Secret.Name = "" },
		"no server":             func(i *holder.Invitation) { i.Kubeconfig.Server = "" },
		"a user in the server":  func(i *holder.Invitation) { i.Kubeconfig.Server = "https://a:b@c" },
		"a query in the server": func(i *holder.Invitation) { i.Kubeconfig.Server = "https://c?a" },
		"no CA":                 func(i *holder.Invitation) { i.Kubeconfig.CertificateAuthorityData = []byte("none") },
		"a key for a CA": func(i *holder.Invitation) {
			i.Kubeconfig.CertificateAuthorityData = []byte("-----BEGIN EC PRIVATE KEY-----\n-----END EC PRIVATE KEY-----\n")
		},
		"a proxy that is a file":  func(i *holder.Invitation) { i.Kubeconfig.ProxyURL = "file:///etc/passwd" },
		"a server name":           func(i *holder.Invitation) { i.Kubeconfig.TLSServerName = "a b" },
		"no name for the cluster": func(i *holder.Invitation) { i.Kubeconfig.ClusterName = "" },
		"a name of two lines":     func(i *holder.Invitation) { i.Kubeconfig.ContextName = "a\nb" },
		"a name to the left":      func(i *holder.Invitation) { i.Kubeconfig.ContextName = "a\u202eb" },
		"a namespace":             func(i *holder.Invitation) { i.Kubeconfig.Namespace = "../a" },
		"an identity":             func(i *holder.Invitation) { i.Parameters.Identity = "../alice" },
	} {
		t.Run(what, func(t *testing.T) {
			i := invitation()
			change(&i)
			if _, err := i.Encode(); err == nil {
				t.Error("it was made")
			}
		})
	}
}

// TestInvitationFitsATerminal takes a CA with an RSA key of 2048 bits and a token as an API server makes it, which is what kubeadm has.
func TestInvitationFitsATerminal(t *testing.T) {
	if length := len(encode(t, invitation())); length > 4095 {
		t.Errorf("it has %d characters, and a terminal takes 4095", length)
	}
}

func FuzzParseInvitation(f *testing.F) {
	encoded, err := invitation().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(unpacked(f, encoded))
	f.Fuzz(func(t *testing.T, json string) {
		i, err := holder.ParseInvitation(pack(t, json))
		if err != nil {
			return
		}
		if back := parse(t, encode(t, i)); !reflect.DeepEqual(back, i) {
			t.Fatal("what was written is read as another one")
		}
	})
}

// rsaCA is a CA as kubeadm makes one.
var rsaCA = sync.OnceValue(func() []byte {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"}, DNSNames: []string{"kubernetes"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
})

// token is as long as one that an API server signs with an RSA key of 2048 bits, and as random.
var token = sync.OnceValue(func() string {
	data := make([]byte, 850)
	if _, err := rand.Read(data); err != nil {
		panic(err)
	}
	part := base64.RawURLEncoding.EncodeToString
	return part(data[:70]) + "." + part(data[70:594]) + "." + part(data[594:])
})

func invitation() holder.Invitation {
	return holder.Invitation{
		Kubeconfig: kubeconfig.Parameters{
			Server: "https://api.example.com:6443", ClusterName: "production", ContextName: "alice@production", CertificateAuthorityData: rsaCA(),
		},
		Token: token(), Expires: time.Date(2026, 11, 26, 15, 0, 0, 0, time.UTC).Local(), Device: "laptop",
		Secret: types.NamespacedName{Namespace: "client-identities", Name: "alice-kubeconfig"},
		Parameters: holder.ParametersFor(&v1alpha1.ClientIdentity{
			ObjectMeta: metav1.ObjectMeta{Name: "alice", UID: "c9f3b3e4-0000-4000-8000-000000000000"},
			Spec: v1alpha1.ClientIdentitySpec{
				Username: "alice@example.com", Groups: []string{"developers"}, TTL: metav1.Duration{Duration: 24 * time.Hour},
				SignerName: "kubernetes.io/kube-apiserver-client", PrivateKey: v1alpha1.PrivateKey{Algorithm: v1alpha1.ECDSA},
			},
		}, 0),
	}
}

func encode(t *testing.T, i holder.Invitation) string {
	t.Helper()
	encoded, err := i.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func parse(t *testing.T, text string) holder.Invitation {
	t.Helper()
	i, err := holder.ParseInvitation(text)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// unpacked returns the JSON in an invitation.
func unpacked(t testing.TB, encoded string) string {
	t.Helper()
	packed, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(encoded, invitationPrefix))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// pack returns an invitation with that JSON in it.
func pack(t *testing.T, json string) string {
	t.Helper()
	var packed bytes.Buffer
	writer, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Write([]byte(json)); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return invitationPrefix + base64.RawURLEncoding.EncodeToString(packed.Bytes())
}
