package checkpoint_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	ort "github.com/yalue/onnxruntime_go"

	"textmill/ground/places"
	"textmill/models"
	"textmill/models/checkpoint/internal/decoder"
	"textmill/models/internal/onnx"
)

type value = ort.Value

var loadLibrary = sync.OnceValue(func() error {
	home, err := places.Home()
	if err != nil {
		return err
	}
	return onnx.Load(places.Library(home))
})

func openSession(t *testing.T, path string, inputs, outputs []string) *ort.DynamicAdvancedSession {
	t.Helper()
	if err := loadLibrary(); err != nil {
		t.Fatal(err)
	}
	s, err := ort.NewDynamicAdvancedSession(path, inputs, outputs, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Destroy(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// tensor is over data, which lives as long as the test: ONNX Runtime is given its address alone.
func tensor[T ort.TensorData](t *testing.T, data []T, dims ...int64) ort.Value {
	t.Helper()
	v, err := ort.NewTensor(dims, data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Destroy(); err != nil {
			t.Error(err)
		}
	})
	return v
}

// A slots is the least loop over a decoder: a cache buffer for each layer, of which every run gets a view.
type slots struct {
	t       *testing.T
	d       models.Decoder
	session *ort.DynamicAdvancedSession
	caches  [][]byte // key and value of each layer
	states  [][]float32
	kind    ort.TensorElementDataType
	size    int     // of a value
	length  int     // of a slot
	used    []int   // tokens in each slot
	starts  []int64 // where in the table of rotations the text in each begins
	chosen  bool    // the graph gives tokens too
	tokens  []int64 // of the last run
}

func openSlots(t *testing.T, bundle string, graph, n, length int) *slots {
	t.Helper()
	return openSlotsOf(t, bundle, "", graph, n, length)
}

// openSlotsOf opens the graph in file instead, with caches of 2 bytes a value if its name says fp16.
func openSlotsOf(t *testing.T, bundle, file string, graph, n, length int) *slots {
	t.Helper()
	s := &slots{t: t, length: length, used: make([]int, n), starts: make([]int64, n), kind: ort.TensorElementDataTypeFloat, size: 4, chosen: file != ""}
	if strings.Contains(file, "fp16") {
		s.kind, s.size = ort.TensorElementDataTypeFloat16, 2
	}
	data, err := os.ReadFile(filepath.Join(bundle, models.DecoderName))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &s.d); err != nil {
		t.Fatal(err)
	}
	if s.chosen { // a graph for a card
		s.d.OriginalPositions = 0
	}
	inputs, outputs := s.d.Feeds()
	for range s.d.Cached() {
		for range 2 {
			s.caches = append(s.caches, make([]byte, n*s.d.KVHeads*length*s.d.HeadSize*s.size))
		}
	}
	for _, state := range s.d.States {
		s.states = append(s.states, make([]float32, n*state.Size()))
	}
	if s.chosen {
		outputs = append(outputs, decoder.Token)
	} else {
		file = s.d.Graphs[graph].File
	}
	s.session = openSession(t, filepath.Join(bundle, filepath.FromSlash(file)), inputs, outputs)
	return s
}

// begin empties a slot for a text of n tokens.
func (s *slots) begin(slot, n int) {
	if s.used[slot], s.starts[slot] = 0, 0; s.d.OriginalPositions > 0 && n > s.d.OriginalPositions {
		s.starts[slot] = int64(s.d.OriginalPositions)
	}
}

// run feeds new tokens to the slots from first on and gives the logits of the last token of each, or of all.
func (s *slots) run(first int, rows [][]int64, all bool) [][]float32 {
	s.t.Helper()
	width := 0
	for _, r := range rows {
		width = max(width, len(r))
	}
	ids, lens, total := make([]int64, len(rows)*width), make([]int32, len(rows)), int32(0)
	var positions []int64
	for i, r := range rows {
		copy(ids[i*width:], r)
		s.used[first+i] += len(r)
		lens[i] = int32(s.used[first+i] - 1)
		total = max(total, lens[i]+1)
		for j := range r {
			if all || j == len(r)-1 {
				positions = append(positions, int64(i*width+j))
			}
		}
	}
	n, vocab := int64(len(rows)), s.d.VocabSize
	logits := make([]float32, len(positions)*vocab)
	inputs := []ort.Value{tensor(s.t, ids, n, int64(width)), tensor(s.t, lens, n), tensor(s.t, []int32{total}, 1), tensor(s.t, positions, int64(len(positions)))}
	if s.d.OriginalPositions > 0 {
		inputs = append(inputs, tensor(s.t, s.starts[first:first+len(rows)], n))
	}
	outputs := []ort.Value{tensor(s.t, logits, int64(len(positions)), int64(vocab))}
	size := s.d.KVHeads * s.length * s.d.HeadSize * s.size
	for _, c := range s.caches {
		view, err := ort.NewCustomDataTensor(ort.NewShape(n, int64(s.d.KVHeads), int64(s.length), int64(s.d.HeadSize)),
			c[first*size:(first+len(rows))*size], s.kind)
		if err != nil {
			s.t.Fatal(err)
		}
		inputs, outputs = append(inputs, view), append(outputs, view)
	}
	var made [][]float32
	for i, state := range s.d.States {
		dims, size := []int64{n}, state.Size()
		for _, d := range state.Dims {
			dims = append(dims, int64(d))
		}
		made = append(made, make([]float32, len(rows)*size))
		inputs = append(inputs, tensor(s.t, s.states[i][first*size:(first+len(rows))*size], dims...))
		outputs = append(outputs, tensor(s.t, made[i], dims...))
	}
	if s.tokens = make([]int64, len(positions)); s.chosen {
		outputs = append(outputs, tensor(s.t, s.tokens, int64(len(positions))))
	}
	if err := s.session.Run(inputs, outputs); err != nil {
		s.t.Fatal(err)
	}
	own := append(inputs, outputs[0])
	for i, state := range s.d.States {
		copy(s.states[i][first*state.Size():], made[i])
		own = append(own, outputs[len(outputs)-1-i])
	}
	if s.chosen {
		own = append(own, outputs[len(outputs)-1])
	}
	for _, v := range own {
		if err := v.Destroy(); err != nil {
			s.t.Fatal(err)
		}
	}
	var split [][]float32
	for i := range positions {
		split = append(split, logits[i*vocab:(i+1)*vocab])
	}
	return split
}

func argmax(v []float32) int64 {
	best := 0
	for i := range v {
		if v[i] > v[best] {
			best = i
		}
	}
	return int64(best)
}
