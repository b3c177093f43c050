// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

const (
	key   = "a-private-key-that-nobody-sees"
	token = "a-token-that-nobody-sees"
)

// parseLogging returns what the flags say, logging to a buffer.
func parseLogging(t *testing.T, args ...string) (*Logging, *bytes.Buffer) {
	t.Helper()
	logging, out := &Logging{}, &bytes.Buffer{}
	flags := flag.NewFlagSet("manager", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	logging.BindFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	logging.options.DestWriter = out
	t.Cleanup(klog.ClearLogger)
	return logging, out
}

func TestNoLogLevelPrintsASecret(t *testing.T) {
	for _, level := range []string{"info", "debug", "6", "7", "8", "9", "10", "+10", "127", "200", "266", "1000000"} {
		for _, contentType := range []string{runtime.ContentTypeJSON, runtime.ContentTypeProtobuf} {
			for _, more := range []string{"--zap-encoder=json", "--zap-encoder=console", "--zap-devel"} {
				t.Run(level+" "+contentType+" "+more, func(t *testing.T) {
					logging, out := parseLogging(t, "--zap-log-level="+level, more)
					writeASecret(t, logging.Use(), contentType)
					if leak := leaked(out.String()); leak != "" {
						t.Errorf("the log holds the key or the token, %s", leak)
					}
				})
			}
		}
	}
}

// Without the limit the same writes are found: the test above looks in the right places.
func TestTheLogOfHigherLevelsHoldsSecrets(t *testing.T) {
	for level, contentType := range map[string]string{"8": runtime.ContentTypeJSON, "9": runtime.ContentTypeProtobuf, "10": runtime.ContentTypeJSON} {
		out := &bytes.Buffer{}
		options := zap.Options{DestWriter: out}
		flags := flag.NewFlagSet("manager", flag.ContinueOnError)
		options.BindFlags(flags)
		if err := flags.Parse([]string{"--zap-log-level=" + level}); err != nil {
			t.Fatal(err)
		}
		logger := zap.New(zap.UseFlagOptions(&options))
		klog.SetLogger(logger)
		t.Cleanup(klog.ClearLogger)
		writeASecret(t, logger, contentType)
		if leaked(out.String()) == "" {
			t.Errorf("nothing is found at level %s with %s", level, contentType)
		}
	}
}

func TestALoweredLogLevelIsSaid(t *testing.T) {
	for level, said := range map[string]bool{"info": false, "debug": false, "1": false, "6": false, "7": true, "10": true, "200": true} {
		logging, out := parseLogging(t, "--zap-log-level="+level)
		logger := logging.Use()
		if got := strings.Contains(out.String(), "WARNING: --zap-log-level is lowered"); got != said {
			t.Errorf("level %s: said %v, want %v: %s", level, got, said, out)
		}
		if logger.V(maxVerbosity + 1).Enabled() {
			t.Errorf("level %s logs more than level %d", level, maxVerbosity)
		}
		if wanted := level != "info"; logger.V(1).Enabled() != wanted {
			t.Errorf("level %s: level 1 is logged: %v", level, !wanted)
		}
	}
	flags := flag.NewFlagSet("manager", flag.ContinueOnError)
	(&Logging{}).BindFlags(flags)
	if usage := flags.Lookup(levelFlagName).Usage; !strings.Contains(usage, "private keys included") {
		t.Errorf("the help does not say it: %s", usage)
	}
	if err := flags.Parse([]string{"--zap-log-level=much"}); err == nil {
		t.Error("much is taken for a level")
	}
}

// klog has a level of its own, and no flag of ours sets it; if something else does, client-go is not asked to log more.
func writeASecret(t *testing.T, logger logr.Logger, contentType string) {
	t.Helper()
	var klogLevel klog.Level
	if err := klogLevel.Set("10"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = klogLevel.Set("0") })
	server := httptest.NewTLSServer(http.HandlerFunc(echo))
	defer server.Close()
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Secret"), meta.RESTScopeNamespace)
	config := &rest.Config{Host: server.URL, BearerToken: token, ContentConfig: rest.ContentConfig{ContentType: contentType}}
	config.CAData = pemOf(server)
	c, err := client.New(config, client.Options{Scheme: Scheme(), Mapper: mapper})
	if err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "s"}, Data: map[string][]byte{"tls.key": []byte(key)}}
	// With the logger of a reconcile, and without any.
	for _, ctx := range []context.Context{ctrl.LoggerInto(t.Context(), logger), t.Context()} {
		for _, err := range []error{c.Create(ctx, secret.DeepCopy()), c.Update(ctx, secret.DeepCopy())} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// echo answers with what was asked, as the API server does to a write.
func echo(w http.ResponseWriter, request *http.Request) {
	w.Header().Set("Content-Type", request.Header.Get("Content-Type"))
	_, _ = io.Copy(w, request.Body)
}

func pemOf(server *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

// dumped is a line of a hex dump: an offset and up to sixteen bytes.
var dumped = regexp.MustCompile(`[0-9a-f]{8}  ((?:[0-9a-f]{2} {1,2})+) *\|`)

// leaked says how a log holds the key or the token: as it is, in base64 or in hexadecimal digits; nothing where it does not.
func leaked(log string) string {
	var dump []byte
	for _, line := range dumped.FindAllStringSubmatch(log, -1) {
		decoded, err := hex.DecodeString(strings.ReplaceAll(line[1], " ", ""))
		if err == nil {
			dump = append(dump, decoded...)
		}
	}
	for _, secret := range []string{key, token} {
		for form, text := range map[string]string{
			"as it is": secret, "in base64": base64.StdEncoding.EncodeToString([]byte(secret)), "in hex": hex.EncodeToString([]byte(secret)),
		} {
			if strings.Contains(log, text) {
				return form
			}
			if bytes.Contains(dump, []byte(text)) {
				return form + ", in a hex dump"
			}
		}
	}
	return ""
}
