// Package golden reads what tests compare with: files of testdata that hold what a reference implementation computed.
package golden

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"testing"
)

// Bytes is a gzipped file's content.
func Bytes(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return raw
}

// JSON is the value that a file holds.
func JSON[T any](t testing.TB, name string) (v T) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// Values is a gzipped file's JSON values, one after the other.
func Values[T any](t testing.TB, name string) []T {
	t.Helper()
	var all []T
	for d := json.NewDecoder(bytes.NewReader(Bytes(t, name))); ; {
		var v T
		if err := d.Decode(&v); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%s: value %d: %v", name, len(all), err)
		}
		all = append(all, v)
	}
	if len(all) == 0 {
		t.Fatalf("%s holds nothing", name)
	}
	return all
}
