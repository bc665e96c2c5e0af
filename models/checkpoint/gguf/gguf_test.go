package gguf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"textmill/models/checkpoint/tensor"
)

// types.gguf and types.f32 are made by ../testdata/reference.py with the package gguf.
const (
	typesFile  = "../testdata/types.gguf"
	floatsFile = "../testdata/types.f32"
)

func TestEveryTypeHasTheReferencesValues(t *testing.T) {
	f, err := Open(typesFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	raw, err := os.ReadFile(floatsFile)
	if err != nil {
		t.Fatal(err)
	}
	order := []string{"F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"}
	if !slices.Equal(f.Order, order) {
		t.Fatalf("tensors %v", f.Order)
	}
	for _, name := range order {
		x, _ := f.Tensor(name)
		if x.Type.String() != name || !slices.Equal(x.Shape, []int{2, 512}) {
			t.Fatalf("%s is %s %v", name, x.Type, x.Shape)
		}
		got := make([]float32, 1024)
		if err := x.Floats(got, 0); err != nil {
			t.Fatal(err)
		}
		second := make([]float32, 512)
		if err := x.Floats(second, 1); err != nil || !slices.Equal(second, got[512:]) {
			t.Errorf("%s: the second row alone differs (%v)", name, err)
		}
		for i := range got {
			if want := math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])); got[i] != want {
				t.Fatalf("%s: value %d is %v, want %v", name, i, got[i], want)
			}
		}
		raw = raw[4096:]
		if x.Type.Quantized() {
			checkBlocks(t, x, got[:512])
		}
	}
}

// checkBlocks tells whether the blocks of the first row mean its floats.
func checkBlocks(t *testing.T, x *tensor.Tensor, want []float32) {
	t.Helper()
	size := x.Type.Form().Size
	q, scale, low := make([]int8, 512), make([]float32, 512/size), make([]float32, 512/size)
	if err := x.Blocks(q, scale, low, 0); err != nil {
		t.Fatal(err)
	}
	for i := range q {
		if v := float32(scale[i/size]*float32(q[i])) + low[i/size]; v != want[i] {
			t.Fatalf("%s: block value %d is %v, want %v", x.Name, i, v, want[i])
		}
		if f := x.Type.Form(); f.Bits == 4 && (f.Signed && (q[i] < -8 || q[i] > 7) || !f.Signed && (q[i] < 0 || q[i] > 15)) {
			t.Fatalf("%s: integer %d is %d", x.Name, i, q[i])
		}
	}
}

// A writer makes GGUF files of any soundness.
type writer struct{ bytes.Buffer }

func (w *writer) put(values ...any) *writer {
	for _, v := range values {
		if s, ok := v.(string); ok {
			w.put(uint64(len(s)))
			w.WriteString(s)
			continue
		}
		if err := binary.Write(&w.Buffer, binary.LittleEndian, v); err != nil {
			panic(err)
		}
	}
	return w
}

func start(tensors, keys uint64) *writer {
	w := &writer{}
	return w.put(uint32(magic), uint32(3), tensors, keys)
}

func TestDamagedFilesAreRefusedAndNamed(t *testing.T) {
	whole, err := os.ReadFile(typesFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		data       []byte
	}{
		{"empty", "cut short", nil},
		{"another format", "does not begin with GGUF", []byte("PK\x03\x04 and so on and on")},
		{"old version", "format version 1", (&writer{}).put(uint32(magic), uint32(1), uint64(0), uint64(0)).Bytes()},
		{"cut in the header", "cut short", whole[:40]},
		{"cut in the weights", "Q6_K", whole[:len(whole)-100]},
		{"more keys than bytes", "keys", start(0, 1<<60).Bytes()},
		{"endless string", "a string of", start(0, 1).put(uint64(1 << 62)).Bytes()},
		{"endless array", `key "a"`, start(0, 1).put("a", uint32(kindArray), uint32(kindF64), uint64(1<<61)).Bytes()},
		{"array of arrays", "an array of type 9", start(0, 1).put("a", uint32(kindArray), uint32(kindArray), uint64(1)).Bytes()},
		{"unknown value", "value type 13", start(0, 1).put("a", uint32(13)).Bytes()},
		{"twice the same key", "there twice", start(0, 2).put("a", uint32(kindBool), uint8(1), "a", uint32(kindBool), uint8(1)).Bytes()},
		{"unknown type", "tensor x has type IQ4_XS", start(1, 0).put("x", uint32(1), uint64(256), uint32(23), uint64(0)).Bytes()},
		{"nameless type", "tensor x has type number 99", start(1, 0).put("x", uint32(1), uint64(256), uint32(99), uint64(0)).Bytes()},
		{"broken blocks", "do not fill whole Q4_0 blocks", start(1, 0).put("x", uint32(1), uint64(40), uint32(2), uint64(0)).Bytes()},
		{"no dimension", "tensor x has 0 dimensions", start(1, 0).put("x", uint32(0), uint32(0), uint64(0)).Bytes()},
		{"huge tensor", "impossible shape", start(1, 0).put("x", uint32(4), uint64(1<<30), uint64(1<<30), uint64(1<<30), uint64(1<<30), uint32(0), uint64(0)).Bytes()},
		{"offset beyond", "tensor x begins at byte", start(1, 0).put("x", uint32(1), uint64(4), uint32(0), uint64(1<<63)).Bytes()},
		{"alignment", "general.alignment is 3", start(0, 1).put("general.alignment", uint32(kindU32), uint32(3)).Bytes()},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Read(bytes.NewReader(c.data), int64(len(c.data)))
			if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want it to name %q", err, c.want)
			}
		})
	}
}

func TestValues(t *testing.T) {
	data := start(0, 5).put("f", uint32(kindF32), float32(1e-5), "i", uint32(kindI16), int16(-3), "t", uint32(kindText), "τ",
		"a", uint32(kindArray), uint32(kindText), uint64(2), "x", "", "b", uint32(kindBool), uint8(1)).Bytes()
	f, err := Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	v, _ := f.Float("f")
	n, _ := f.Int("i")
	a, _ := f.Texts("a")
	b, _ := f.Bool("b")
	if v != 1e-5 || n != -3 || f.Text("t") != "τ" || !slices.Equal(a, []string{"x", ""}) || !b {
		t.Error(v, n, f.Text("t"), a, b)
	}
	if _, ok := f.Int("t"); ok || f.Has("z") {
		t.Error("values where there are none")
	}
}

func FuzzRead(f *testing.F) {
	whole, err := os.ReadFile(typesFile)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole[:1200])
	f.Add(start(1, 1).put("a", uint32(kindArray), uint32(kindI32), uint64(1), int32(1), "x", uint32(1), uint64(32), uint32(2), uint64(0), make([]byte, 64)).Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := Read(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		for _, name := range g.Order {
			x, _ := g.Tensor(name)
			if err := x.Floats(make([]float32, x.Width()), x.Rows()-1); err != nil {
				t.Errorf("tensor %s was accepted and cannot be read: %v", name, err)
			}
		}
	})
}
