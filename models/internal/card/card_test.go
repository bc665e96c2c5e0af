package card

import (
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"textmill/ground/places"
	"textmill/models"
	"textmill/models/checkpoint"
	"textmill/models/checkpoint/onnxgraph"
	"textmill/models/internal/graph"
	"textmill/models/internal/onnx"
	"textmill/models/internal/tiny"
)

func load(t testing.TB) {
	t.Helper()
	home, err := places.Home()
	if err == nil {
		err = onnx.Load(places.Library(home))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, o Options) *Session {
	t.Helper()
	load(t)
	if o.Device == "" {
		o.Device = "cpu"
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// made is what a call gave that must not fail.
func made[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// table writes the tiny graph whose row i is [i, -i, i², 1].
func table(t testing.TB) string {
	path := filepath.Join(t.TempDir(), "model.onnx")
	tiny.WriteFile(t, path, tiny.Model{}.ONNX(t, ""))
	return path
}

// A run of the tiny graph over memory of its own.
type lookups struct {
	b         *Binding
	host, ids *Tensor
	out, read *Tensor
}

func newLookups(t testing.TB, s *Session, rows, width int64) *lookups {
	t.Helper()
	tensor := made[*Tensor](t)
	l := &lookups{b: made[*Binding](t)(s.Bind()), host: tensor(s.Host(graph.Int64, rows, width)), ids: tensor(s.Device(graph.Int64, rows, width)),
		out: tensor(s.Device(graph.Float32, rows, width, 4)), read: tensor(s.Host(graph.Float32, rows, width, 4))}
	mask := tensor(s.Host(graph.Int64, rows, width))
	must(t, errors.Join(l.b.In("input_ids", l.ids), l.b.In("attention_mask", mask), l.b.Out("last_hidden_state", l.out)))
	return l
}

// run looks ids up, and says what is wrong with what came.
func (l *lookups) run(ctx context.Context, ids ...int64) error {
	copy(l.host.Int64s(), ids)
	if err := errors.Join(Copy(l.ids, l.host), l.b.Run(ctx, Eager), Copy(l.read, l.out)); err != nil {
		return err
	}
	for i, id := range ids {
		v := float32(id)
		if got, want := l.read.Floats()[4*i:4*i+4], []float32{v, -v, v * v, 1}; !slices.Equal(got, want) {
			return errors.New("wrong numbers")
		}
	}
	return nil
}

func TestMemoryStaysBoundFromRunToRun(t *testing.T) {
	s := open(t, Options{Graph: table(t)})
	if in := s.Inputs(); len(in) != 2 || in[0].Name != "input_ids" || s.Outputs()[0].Name != "last_hidden_state" || s.On() != "cpu" {
		t.Errorf("%+v, %+v on %s", in, s.Outputs(), s.On())
	}
	l := newLookups(t, s, 2, 3)
	must(t, l.run(t.Context(), 1, 2, 3, 4, 5, 6))
	must(t, l.run(t.Context(), 8, 7, 6, 5, 4, 3))
	if l.out.Bytes() != nil || l.ids.Int64s() != nil || l.read.Int64s() != nil {
		t.Error("memory of the device, or of another kind, can be read")
	}
}

// One buffer holds runs of several shapes, and a run may take its input from the midst of one.
func TestViewsAreOtherShapesOfTheSameMemory(t *testing.T) {
	s := open(t, Options{Graph: table(t)})
	l := newLookups(t, s, 2, 3)
	must(t, l.run(t.Context(), 1, 2, 3, 4, 5, 6))
	tensor := made[*Tensor](t)
	ids, mask := tensor(l.ids.ViewAt(2, 1, 4)), tensor(s.Host(graph.Int64, 1, 4))
	b := made[*Binding](t)(s.Bind())
	must(t, errors.Join(b.In("input_ids", ids), b.In("attention_mask", mask), b.Out("last_hidden_state", tensor(l.out.View(1, 4, 4)))))
	must(t, b.Run(t.Context(), Eager))
	must(t, Copy(l.read, l.out))
	if got, want := l.read.Floats()[:8], []float32{3, -3, 9, 1, 4, -4, 16, 1}; !slices.Equal(got, want) {
		t.Errorf("from the midst %v, want %v", got, want)
	}
	must(t, ids.Close()) // a binding keeps what it needs of a view, but nobody can bind it again
	if err := b.In("input_ids", ids); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed view is bound: %v", err)
	}
	for _, shape := range [][]int64{{7}, {-1}, {1 << 40, 1 << 40}} {
		if _, err := l.ids.View(shape...); err == nil {
			t.Errorf("a view of %v of 6 elements", shape)
		}
	}
	if _, err := l.ids.ViewAt(3, 4); err == nil {
		t.Error("a view beyond the end")
	}
}

// The cache of a decoder is read and written in place: its graph continues a text as well from two halves as from a whole.
func TestPastAndPresentAreOneBuffer(t *testing.T) {
	got, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: "../../checkpoint/testdata/tiny/llama", Dir: t.TempDir(), Name: "llama"})
	must(t, err)
	spec := made[*models.Spec](t)(models.OpenBundle(got.Dir))
	s := open(t, Options{Graph: spec.GraphPath()})
	whole, halves := newText(t, s, spec.Decoder), newText(t, s, spec.Decoder)
	ids := []int64{5, 6, 7, 8, 9, 10, 11, 12}
	whole.run(t, 0, ids)
	halves.run(t, 0, ids[:3])
	halves.run(t, 3, ids[3:])
	for i, want := range whole.logits.Floats() {
		if math.Abs(float64(halves.logits.Floats()[i]-want)) > 1e-4 {
			t.Fatalf("logit %d is %v from halves, %v from the whole", i, halves.logits.Floats()[i], want)
		}
	}
}

type text struct {
	s                    *Session
	d                    *models.Decoder
	b                    *Binding
	lens, total, at      *Tensor
	logits, logitsOnCard *Tensor
}

func newText(t *testing.T, s *Session, d *models.Decoder) *text {
	tensor := made[*Tensor](t)
	x := &text{s: s, d: d, b: made[*Binding](t)(s.Bind()), lens: tensor(s.Host(graph.Int32, 1)), total: tensor(s.Host(graph.Int32, 1)),
		at: tensor(s.Host(graph.Int64, 1)), logits: tensor(s.Host(graph.Float32, 1, int64(d.VocabSize))), logitsOnCard: tensor(s.Device(graph.Float32, 1, int64(d.VocabSize)))}
	for _, in := range s.Inputs() {
		if name, is := strings.CutPrefix(in.Name, "past_key_values"); is {
			cache := tensor(s.Device(Kind(in.Type), 1, int64(d.KVHeads), 16, int64(d.HeadSize)))
			must(t, errors.Join(x.b.In(in.Name, cache), x.b.Out("present"+name, cache)))
		}
	}
	must(t, errors.Join(x.b.In("seqlens_k", x.lens), x.b.In("total_sequence_length", x.total), x.b.In("logits_positions", x.at), x.b.Out("logits", x.logitsOnCard)))
	return x
}

func (x *text) run(t *testing.T, used int, ids []int64) {
	t.Helper()
	host := made[*Tensor](t)(x.s.Host(graph.Int64, 1, int64(len(ids))))
	copy(host.Int64s(), ids)
	end := int32(used + len(ids))
	x.lens.Int32s()[0], x.total.Int32s()[0], x.at.Int64s()[0] = end-1, end, int64(len(ids)-1)
	must(t, errors.Join(x.b.In("input_ids", host), x.b.Run(t.Context(), Eager), Copy(x.logits, x.logitsOnCard)))
}

func TestRowsAreCopied(t *testing.T) {
	s := open(t, Options{Graph: table(t)})
	tensor := made[*Tensor](t)
	from, card, back := tensor(s.Host(graph.Int32, 12)), tensor(s.Device(graph.Int32, 12)), tensor(s.Host(graph.Int32, 12))
	for i := range from.Int32s() {
		from.Int32s()[i] = int32(i)
	}
	must(t, errors.Join(Copy(card, from), CopyRows(card, card, Rows{To: 2, From: 0, Width: 2, Stride: 4, N: 3}), Copy(back, card)))
	if want := []int32{0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9}; !slices.Equal(back.Int32s(), want) {
		t.Errorf("%v, want %v", back.Int32s(), want)
	}
	narrow := tensor(s.Device(graph.Int32, 4))
	must(t, CopyAll(Part{Dst: narrow, Src: card, Rows: Rows{From: 1, Width: 1, Stride: 1, N: 3}, FromStride: 4},
		Part{Dst: narrow, Src: card, Rows: Rows{To: 3, From: 8, Width: 1, Stride: 1, N: 1}}, Part{Dst: back, Src: card, Rows: Rows{}}))
	must(t, CopyRows(back, narrow, Rows{Width: 4, Stride: 4, N: 1}))
	if want := []int32{1, 5, 9, 8}; !slices.Equal(back.Int32s()[:4], want) {
		t.Errorf("%v, want %v", back.Int32s()[:4], want)
	}
	for _, r := range []Rows{{To: 11, Width: 2, Stride: 2, N: 1}, {Width: 4, Stride: 2, N: 1}, {From: 5, Width: 4, Stride: 4, N: 2}, {To: -1, Width: 1, Stride: 1, N: 1}} {
		if err := CopyRows(card, card, r); err == nil {
			t.Errorf("%+v were copied", r)
		}
	}
	if err := Copy(card, tensor(s.Host(graph.Int64, 6))); err == nil {
		t.Error("numbers of one kind were copied into another")
	}
}

// endless writes a graph that never comes to its end.
func endless(t *testing.T) string {
	field := func(b []byte, n protowire.Number, v []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), v)
	}
	number := func(b []byte, n protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
	}
	value := func(name string, kind uint64, dims ...uint64) []byte {
		var shape []byte
		for _, d := range dims {
			shape = field(shape, 1, number(nil, 1, d))
		}
		return field(field(nil, 1, []byte(name)), 2, field(nil, 1, field(number(nil, 1, kind), 2, shape)))
	}
	node := func(op, in, out string) []byte {
		return field(field(field(nil, 1, []byte(in)), 2, []byte(out)), 4, []byte(op))
	}
	body := field(field(nil, 1, node("Identity", "go", "on")), 1, node("Neg", "v", "w"))
	body = field(body, 2, []byte("body"))
	for _, in := range [][]byte{value("i", graph.Int64), value("go", graph.Bool), value("v", graph.Float32, 1)} {
		body = field(body, 11, in)
	}
	body = field(field(body, 12, value("on", graph.Bool)), 12, value("w", graph.Float32, 1))
	loop := field(field(field(field(nil, 1, nil), 1, nil), 1, []byte("x")), 2, []byte("y"))
	loop = field(field(loop, 4, []byte("Loop")), 5, number(field(field(nil, 1, []byte("body")), 6, body), 20, 5))
	g := field(field(nil, 1, loop), 2, []byte("endless"))
	g = field(field(g, 11, value("x", graph.Float32, 1)), 12, value("y", graph.Float32, 1))
	path := filepath.Join(t.TempDir(), "endless.onnx")
	tiny.WriteFile(t, path, field(field(number(nil, 1, 8), 7, g), 8, number(nil, 2, 13)))
	return path
}

func TestContextEndsARunThatWouldNot(t *testing.T) {
	s := open(t, Options{Graph: endless(t)})
	tensor := made[*Tensor](t)
	var wg sync.WaitGroup
	for range 2 { // each on its own, in one session
		b := made[*Binding](t)(s.Bind())
		must(t, errors.Join(b.In("x", tensor(s.Device(graph.Float32, 1))), b.Out("y", tensor(s.Device(graph.Float32, 1)))))
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if err := b.Run(ctx, Eager); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("it ended with %v", err)
			}
			if err := b.Run(ctx, Eager); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("it began after its end: %v", err)
			}
		})
	}
	wg.Wait()
}

// Bindings of one session run side by side, until it is closed amid them.
func TestCloseWhileOthersRun(t *testing.T) {
	s := open(t, Options{Graph: table(t)})
	var wg sync.WaitGroup
	began := make(chan struct{}, 8)
	for w := range int64(4) {
		l := newLookups(t, s, 1, 3)
		must(t, l.run(t.Context(), 1, 2, 3))
		wg.Go(func() {
			for i := 0; ; i++ {
				err := l.b.Run(t.Context(), Eager)
				if errors.Is(err, ErrClosed) {
					return
				}
				if err != nil {
					t.Errorf("binding %d: %v", w, err)
				}
				if err != nil || i == 10 {
					began <- struct{}{}
				}
				if err != nil {
					return
				}
			}
		})
	}
	for range 4 {
		<-began
	}
	must(t, s.Close())
	wg.Wait()
	if _, err := s.Device(graph.Float32, 1); !errors.Is(err, ErrClosed) {
		t.Errorf("memory of a closed session: %v", err)
	}
	if _, err := s.Bind(); !errors.Is(err, ErrClosed) {
		t.Errorf("a binding of a closed session: %v", err)
	}
	must(t, s.Close())
}

func TestBindingsRunSideBySide(t *testing.T) {
	for _, o := range []Options{{}, {Graphs: true}} {
		o.Graph = table(t)
		s := open(t, o)
		var wg sync.WaitGroup
		for w := range int64(4) {
			l := newLookups(t, s, 1, 2)
			wg.Go(func() {
				for i := range int64(200) {
					if err := l.run(t.Context(), (w+i)%9, (w*i)%9); err != nil {
						t.Errorf("binding %d, run %d: %v", w, i, err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
}

func TestMemoryIsBounded(t *testing.T) {
	s := open(t, Options{Graph: table(t), MemoryLimit: 1000})
	first := made[*Tensor](t)(s.Device(graph.Float32, 200))
	_, err := s.Device(graph.Float16, 101)
	if !errors.Is(err, ErrOutOfMemory) || !strings.Contains(err.Error(), "800 bytes are held already, and the limit is 1000") {
		t.Errorf("beyond the limit: %v", err)
	}
	if s.Held() != 800 {
		t.Errorf("%d bytes are held", s.Held())
	}
	must(t, errors.Join(first.Close(), first.Close()))
	if s.Held() != 0 {
		t.Errorf("%d bytes are held of nothing", s.Held())
	}
	made[*Tensor](t)(s.Device(graph.Float32, 250))
}

func TestErrorsAreNamed(t *testing.T) {
	s := open(t, Options{Graph: table(t)})
	l := newLookups(t, s, 1, 2)
	must(t, l.ids.Close())
	if err := l.b.Run(t.Context(), Eager); !errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), "input_ids") {
		t.Errorf("a run over memory that was freed: %v", err)
	}
	if err := l.b.In("nothing", l.out); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("an input that the graph has not: %v", err)
	}
	if _, err := s.Device(99, 1); err == nil {
		t.Error("memory of an unknown kind")
	}
	if _, err := Open(Options{Graph: filepath.Join(t.TempDir(), "none.onnx"), Device: "cpu"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no graph: %v", err)
	}
	broken := onnxgraph.New("broken")
	broken.Input("x", onnxgraph.Float32, 1)
	broken.NodeTo([]string{"y"}, onnxgraph.ONNX("Nonsense"), []string{"x"})
	broken.Output("y", onnxgraph.Float32, 1)
	path := filepath.Join(t.TempDir(), "broken.onnx")
	must(t, broken.WriteFile(path))
	if _, err := Open(Options{Graph: path, Device: "cpu"}); err == nil || !strings.Contains(err.Error(), "Nonsense") || !strings.Contains(err.Error(), path) {
		t.Errorf("a graph that cannot run: %v", err)
	}
	for _, device := range []string{"", "gpu", "cuda:", "cuda:-1", "cuda:x"} {
		if _, err := Open(Options{Graph: table(t), Device: device}); !errors.Is(err, ErrDevice) {
			t.Errorf("device %q: %v", device, err)
		}
	}
}

// What a machine without a card says, here with the library for processors, names device and graph.
func TestCardThatIsNotThere(t *testing.T) {
	load(t)
	path := table(t)
	_, err := Open(Options{Graph: path, Device: "cuda:0", MemoryLimit: 1 << 30, Graphs: true})
	if !errors.Is(err, ErrDevice) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "cuda:0") || !strings.Contains(err.Error(), "CUDA") {
		t.Errorf("%v", err)
	}
}

// The interface is the one that the binding to ONNX Runtime is built with, so that both ask for the same version of it.
func TestInterfaceIsTheBindings(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/yalue/onnxruntime_go").Output()
	must(t, err)
	for _, name := range []string{"onnxruntime_c_api.h", "onnxruntime_ep_c_api.h"} {
		ours, err := os.ReadFile(name)
		must(t, err)
		theirs, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), name))
		must(t, err)
		if !slices.Equal(ours, theirs) {
			t.Errorf("%s differs from that of github.com/yalue/onnxruntime_go; copy it", name)
		}
	}
}
