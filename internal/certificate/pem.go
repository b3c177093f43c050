// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"bytes"
	"encoding/pem"
	"fmt"

	"github.com/clientidentity/operator/internal/text"
)

// The labels of the PEM blocks that are read and written here (RFC 7468, sections 5, 7 and 10).
const (
	certificateBlock = "CERTIFICATE"
	requestBlock     = "CERTIFICATE REQUEST"
	keyBlock         = "PRIVATE KEY"
)

// maxText bounds, in bytes, what is quoted of a certificate in a status or a message: a name in DER has
// no bound of its own, and all of it would end in etcd.
const maxText = 512

// explained returns PEM data without the explanatory text around its blocks, which RFC 7468 (5.2) and the
// CertificateSigningRequest API let signers put there.
func explained(data []byte) []byte {
	var blocks []byte
	inside := false
	for line := range bytes.Lines(data) {
		inside = inside || bytes.HasPrefix(line, []byte("-----BEGIN "))
		if inside {
			blocks = append(blocks, line...)
		}
		inside = inside && !bytes.HasPrefix(line, []byte("-----END "))
	}
	return blocks
}

// strictBlocks takes PEM data and returns the content of its blocks, of which there are one to maxBlocks,
// all with the label given and without headers, in at most maxBytes of data. Nothing but white space may
// stand around them. pem.Decode alone skips whatever it does not understand, so that a damaged block
// would be dropped in silence. Errors don't quote the data, which may be a key.
func strictBlocks(data []byte, label string, maxBlocks, maxBytes int) ([][]byte, error) {
	if len(data) > maxBytes {
		return nil, fmt.Errorf("the PEM data has %d bytes: at most %d are read", len(data), maxBytes)
	}
	rest := bytes.TrimSpace(data)
	if len(rest) == 0 {
		return nil, fmt.Errorf("the PEM data is empty: a %s block is needed", label)
	}
	var contents [][]byte
	for len(rest) > 0 {
		if len(contents) == maxBlocks {
			return nil, fmt.Errorf("the PEM data goes on after block %d: no more are read", maxBlocks)
		}
		block, after := pem.Decode(rest)
		// More than one begin line in what was consumed means that a damaged block was skipped.
		if block == nil || !bytes.HasPrefix(rest, []byte("-----BEGIN ")) ||
			bytes.Count(rest[:len(rest)-len(after)], []byte("-----BEGIN ")) != 1 {
			return nil, fmt.Errorf("block %d of the PEM data is damaged, or there is other text around it", len(contents)+1)
		}
		if block.Type != label || len(block.Headers) != 0 {
			return nil, fmt.Errorf("block %d of the PEM data must be a %s without headers", len(contents)+1, label)
		}
		contents = append(contents, block.Bytes)
		rest = bytes.TrimSpace(after)
	}
	return contents, nil
}

// shorten bounds what is quoted of a certificate.
func shorten(s string) string { return text.Shorten(s, maxText) }
