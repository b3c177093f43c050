// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

// Package leak finds private keys where none may be, in every form that they may have there. Nothing of it prints one.
package leak

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// markLength is the length of the marks: longer than what turns up by chance, and shorter than a line of a file.
const markLength = 24

// Marks are texts that no one could write who does not have some private keys. The zero value is ready to use.
type Marks struct {
	// of is whose mark it is.
	of map[string]string
	// begins has the hashes of what marks begin with: most of what is searched is none.
	begins [1 << 16]bool
}

// AddKey adds the marks of a private key in PKCS #8 or SEC 1 (PEM): its secret number as it is in memory, in the file, in base64 (in a
// kubeconfig), in base64 of that (in a Secret in JSON), and as Go prints numbers and bytes. What is public in the file, as the
// modulus of an RSA key is, makes no mark.
func (m *Marks) AddKey(whose string, key []byte) error {
	block, _ := pem.Decode(key)
	if block == nil {
		return errors.New("no private key in PEM")
	}
	number := numberOf(block.Bytes)
	begin := bytes.Index(block.Bytes, number)
	if len(number) < markLength || begin < 0 {
		return errors.New("no private key that can be read")
	}
	const line = 64
	file := base64.StdEncoding.EncodeToString(block.Bytes)
	var texts []string
	for from, to := (begin*4+2)/3, (begin+len(number))*4/3; from < to; from = (from/line + 1) * line {
		if text := file[from:min(to, (from/line+1)*line)]; len(text) >= markLength+2 {
			texts = append(texts, text)
		}
	}
	once := inBase64(texts)
	m.add(whose, slices.Concat(texts, once, inBase64(once), inBase64([]string{string(number)}), []string{
		string(number), new(big.Int).SetBytes(number).String(), fmt.Sprintf("%x", number), fmt.Sprintf("%X", number),
		strings.Trim(fmt.Sprintf("%v", number), "[]"),
	})...)
	return nil
}

// AddText adds a secret text, such as a token, and its base64.
func (m *Marks) AddText(whose, text string) error {
	// The end of a token is its signature; what it begins with is alike in all.
	if text = text[max(0, len(text)-2*markLength):]; len(text) < markLength+2 {
		return errors.New("the text is too short to be told from others")
	}
	m.add(whose, append(inBase64([]string{text}), text)...)
	return nil
}

func (m *Marks) add(whose string, texts ...string) {
	if m.of == nil {
		m.of = map[string]string{}
	}
	for _, text := range texts {
		mark := text[:markLength]
		m.of[mark] = whose
		m.begins[hash(mark)] = true
	}
}

// Len returns how many marks there are.
func (m *Marks) Len() int { return len(m.of) }

// In returns whose marks are in some data, each once.
func (m *Marks) In(data []byte) []string {
	var found []string
	for i := range max(0, len(data)-markLength+1) {
		if !m.begins[hash(data[i:])] {
			continue
		}
		if whose, is := m.of[string(data[i:i+markLength])]; is && !slices.Contains(found, whose) {
			found = append(found, whose)
		}
	}
	return found
}

// hash tells beginnings apart.
func hash[T string | []byte](text T) uint16 {
	return uint16(text[0]) ^ uint16(text[1])<<4 ^ uint16(text[2])<<8
}

// inBase64 returns what is left of texts in the base64 of something that holds them, wherever its groups of three begin.
func inBase64(texts []string) []string {
	var encoded []string
	for _, text := range texts {
		for begin := range 3 {
			whole := text[begin : begin+(len(text)-begin)/3*3]
			encoded = append(encoded, base64.StdEncoding.EncodeToString([]byte(whole)))
		}
	}
	return encoded
}

// numberOf returns the secret number of a private key.
func numberOf(der []byte) []byte {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		if parsed, err = x509.ParseECPrivateKey(der); err != nil {
			return nil
		}
	}
	switch key := parsed.(type) {
	case *ecdsa.PrivateKey:
		number, _ := key.Bytes()
		return number
	case *rsa.PrivateKey:
		return key.D.Bytes()
	case ed25519.PrivateKey:
		return key.Seed()
	}
	return nil
}
