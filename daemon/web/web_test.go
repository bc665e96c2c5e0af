package web

import (
	"path/filepath"
	"strings"
	"testing"

	"textmill/internal/authority"
)

// Whoever has pages answer to a network with neither a token nor TLS is told what that means.
func TestPagesInTheOpenAreWarnedOf(t *testing.T) {
	ours, dir := authority.New(t), t.TempDir()
	files := TLSFiles{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	cert, key := ours.Sign("mill", nil)
	write(t, files.Cert, cert)
	write(t, files.Key, key)
	for _, tc := range []struct {
		addr, token string
		files       TLSFiles
		warns       bool
	}{
		{"0.0.0.0:0", "", TLSFiles{}, true},
		{"0.0.0.0:0", "secret", TLSFiles{}, false},
		{"0.0.0.0:0", "", files, false},
		{"127.0.0.1:0", "", TLSFiles{}, false},
		{"localhost:0", "", TLSFiles{}, false},
	} {
		_, log := listening(t, tc.addr, tc.files, tc.token)
		if warns := strings.Contains(log.String(), "set http.token_file"); warns != tc.warns {
			t.Errorf("%s, token %q, TLS %v: warned %v", tc.addr, tc.token, tc.files.Cert != "", warns)
		}
	}
}
