package checkpoint_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"textmill/models/checkpoint"
)

// rounded is a number as fp16 has it, and its bits there.
func rounded(v float32) (float32, uint16) {
	a, sign := math.Abs(float64(v)), uint16(math.Float32bits(v)>>16)&0x8000
	var bits uint16
	if a < 1.0/(1<<14) { // fewer bits than others
		a = math.RoundToEven(a * (1 << 24))
		bits, a = uint16(a), a/(1<<24)
	} else {
		fraction, exponent := math.Frexp(a)
		fraction = math.RoundToEven(fraction * 2048)
		bits, a = uint16(exponent+13)<<10+uint16(fraction), math.Ldexp(fraction, exponent-11)
	}
	return float32(math.Copysign(a, float64(v))), sign + bits
}

type stored struct {
	Type    string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

// halves gives the tensors of a file as fp16, and as fp32 with the very same values.
func halves(t *testing.T, file string) (half, single map[string][]byte, heads map[string]stored) {
	t.Helper()
	raw, body := header(t, file)
	half, single, heads = map[string][]byte{}, map[string][]byte{}, map[string]stored{}
	for name, text := range raw {
		var s stored
		if err := json.Unmarshal(text, &s); err != nil {
			t.Fatal(err)
		}
		data := body[s.Offsets[0]:s.Offsets[1]]
		width := map[string]int{"BF16": 2, "F32": 4}[s.Type]
		if width == 0 {
			t.Fatalf("%s is %s", name, s.Type)
		}
		for at := 0; at < len(data); at += width {
			wide := [4]byte{}
			copy(wide[4-width:], data[at:at+width])
			v, bits := rounded(math.Float32frombits(binary.LittleEndian.Uint32(wide[:])))
			half[name] = binary.LittleEndian.AppendUint16(half[name], bits)
			single[name] = binary.LittleEndian.AppendUint32(single[name], math.Float32bits(v))
		}
		heads[name] = s
	}
	return half, single, heads
}

// write makes a file of safetensors of the tensors with these names.
func write(t *testing.T, file, kind string, names []string, values map[string][]byte, heads map[string]stored) {
	t.Helper()
	header, body := map[string]json.RawMessage{}, []byte(nil)
	for _, name := range names {
		at := len(body)
		body = append(body, values[name]...)
		text, err := json.Marshal(stored{kind, heads[name].Shape, [2]int{at, len(body)}})
		if err != nil {
			t.Fatal(err)
		}
		header[name] = text
	}
	writeTensors(t, file, header, body)
}

// Weights in fp16, in shards with an index as large checkpoints have them, make the very bundle that the same values in fp32
// make, of every family: what it computes is held to references by tests of others.
func TestHalvesInShardsMakeTheSameBundle(t *testing.T) {
	for _, dir := range tinyCheckpoints(t) {
		if slices.Contains([]string{"model2vec-mapped", "model2vec-unigram"}, filepath.Base(dir)) { // in types of their own
			continue
		}
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			half, single, heads := halves(t, filepath.Join(dir, "model.safetensors"))
			names := slices.Sorted(maps.Keys(heads))
			whole, shards := copyDir(t, dir), copyDir(t, dir, "model.safetensors")
			write(t, filepath.Join(whole, "model.safetensors"), "F32", names, single, heads)
			index := map[string]string{}
			for i, some := range slices.Collect(slices.Chunk(names, (len(names)+2)/3)) {
				file := fmt.Sprintf("model-%05d-of-00003.safetensors", i+1)
				write(t, filepath.Join(shards, file), "F16", some, half, heads)
				for _, name := range some {
					index[name] = file
				}
			}
			text, err := json.Marshal(map[string]any{"weight_map": index})
			if err == nil {
				err = os.WriteFile(filepath.Join(shards, "model.safetensors.index.json"), text, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			want, got := imported(t, whole), imported(t, shards)
			if !slices.Equal(got.Files, want.Files) {
				t.Errorf("in shards of fp16 it makes %v, in fp32 %v", got.Files, want.Files)
			}
		})
	}
}

func imported(t *testing.T, source string) checkpoint.Result {
	t.Helper()
	r, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: source, Dir: t.TempDir(), Name: "m"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
