// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/url"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// configurationKind is that of webhook configurations. They are read and written without a type, so that an update drops no field that
// this version does not know.
var configurationKind = schema.GroupVersionKind{Group: "admissionregistration.k8s.io", Version: "v1", Kind: "ValidatingWebhookConfiguration"}

func newConfiguration() *unstructured.Unstructured {
	configuration := &unstructured.Unstructured{}
	configuration.SetGroupVersionKind(configurationKind)
	return configuration
}

// clientConfigs returns how the API server calls each webhook of a configuration. What is in them can be changed.
func clientConfigs(configuration *unstructured.Unstructured) ([]map[string]any, error) {
	webhooks, _, err := unstructured.NestedFieldNoCopy(configuration.Object, "webhooks")
	if err != nil {
		return nil, err
	}
	list, _ := webhooks.([]any)
	configs := make([]map[string]any, 0, len(list))
	for _, webhook := range list {
		fields, _ := webhook.(map[string]any)
		config, ok := fields["clientConfig"].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("ValidatingWebhookConfiguration %q has a webhook without clientConfig", configuration.GetName())
		}
		configs = append(configs, config)
	}
	return configs, nil
}

// bundleOf returns the certificates in clientConfig.caBundle. Without any the API server takes the CAs of its system.
func bundleOf(config map[string]any) []*x509.Certificate {
	encoded, _ := config["caBundle"].(string)
	content, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil
	}
	return parseAll(content)
}

func setBundle(config map[string]any, bundle []*x509.Certificate) {
	var content bytes.Buffer
	for _, ca := range bundle {
		_ = pem.Encode(&content, &pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw}) // a buffer takes everything
	}
	config["caBundle"] = base64.StdEncoding.EncodeToString(content.Bytes())
}

// trustsOf returns what the API server checks the certificate with, by a configuration.
func trustsOf(configuration *unstructured.Unstructured) ([]trust, error) {
	configs, err := clientConfigs(configuration)
	if err != nil {
		return nil, err
	}
	var trusts []trust
	for _, config := range configs {
		t := trust{serverName: serverName(config)}
		if bundle := bundleOf(config); len(bundle) > 0 {
			t.roots = x509.NewCertPool()
			for _, ca := range bundle {
				t.roots.AddCert(ca)
			}
		}
		trusts = append(trusts, t)
	}
	return trusts, nil
}

// serverName returns the name that the API server looks for in the certificate.
func serverName(config map[string]any) string {
	if service, ok := config["service"].(map[string]any); ok {
		return fmt.Sprintf("%v.%v.svc", service["name"], service["namespace"])
	}
	address, _ := config["url"].(string)
	parsed, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return parsed.Hostname()
}

// parseAll returns the certificates in PEM that can be read.
func parseAll(content []byte) []*x509.Certificate {
	var certificates []*x509.Certificate
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if certificate, err := x509.ParseCertificate(block.Bytes); err == nil {
			certificates = append(certificates, certificate)
		}
	}
	return certificates
}

func contains(bundle []*x509.Certificate, ca *x509.Certificate) bool {
	return slices.ContainsFunc(bundle, ca.Equal)
}
