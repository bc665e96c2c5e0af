package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func file(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func TestDamagedFilesAreRefusedAndNamed(t *testing.T) {
	for _, c := range []struct {
		name, want string
		data       []byte
	}{
		{"empty", "no header", nil},
		{"another format", "its header claims", []byte("PK\x03\x04 and so on")},
		{"header beyond the file", "its header claims", binary.LittleEndian.AppendUint64(nil, 1<<20)},
		{"no JSON", "its header", file("{]", 0)},
		{"unknown type", "tensor x has type F8_E4M3", file(`{"x":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}`, 4)},
		{"cut short", "x: it needs bytes", file(`{"x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}`, 8)},
		{"wrong span", "tensor x: [4] of F32 takes 16 bytes", file(`{"x":{"dtype":"F32","shape":[4],"data_offsets":[0,12]}}`, 16)},
		{"offset beyond", "tensor x has data_offsets", file(`{"x":{"dtype":"F32","shape":[4],"data_offsets":[9000000000000000000,16]}}`, 16)},
		{"no offsets", "tensor x has data_offsets", file(`{"x":{"dtype":"F32","shape":[4]}}`, 16)},
		{"negative shape", "x: impossible shape", file(`{"x":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}}`, 16)},
		{"overflowing shape", "x: impossible shape", file(`{"x":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,16]}}`, 16)},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Read(bytes.NewReader(c.data), int64(len(c.data)))
			if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want it to name %q", err, c.want)
			}
		})
	}
}

func TestShards(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	one := func(name string) []byte {
		return file(`{"`+name+`":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"n":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}`, 8)
	}
	write("a.safetensors", one("x"))
	write("b.safetensors", one("y"))
	write(indexName, []byte(`{"weight_map":{"x":"a.safetensors","y":"b.safetensors"}}`))
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if names := strings.Join(s.Names(), " "); names != "x y" {
		t.Errorf("tensors %s", names)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	write("b.safetensors", one("x"))
	if _, err := Open(dir); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "tensor x") {
		t.Errorf("a tensor in two shards: %v", err)
	}
	write(indexName, []byte(`{"weight_map":{"x":"../a.safetensors"}}`))
	if _, err := Open(dir); !errors.Is(err, ErrFormat) {
		t.Errorf("a shard outside: %v", err)
	}
	write(indexName, []byte(`{"weight_map":{"x":"c.safetensors"}}`))
	if _, err := Open(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing shard: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(file(`{"__metadata__":{"format":"pt"},"x":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"y":{"dtype":"BF16","shape":[],"data_offsets":[16,18]}}`, 18))
	f.Add(file(`{"x":{"dtype":"F16","shape":[0],"data_offsets":[0,0]}}`, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		tensors, err := Read(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		for name, x := range tensors {
			if err := x.Floats(make([]float32, x.Width()), x.Rows()-1); err != nil {
				t.Errorf("tensor %s was accepted and cannot be read: %v", name, err)
			}
		}
	})
}
