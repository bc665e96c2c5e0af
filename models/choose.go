package models

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"textmill/ground/naming"
	"textmill/models/internal/graph"
)

// chooseGraph finds the ONNX files and reads the one to run: want, else model.onnx, else the one that keeps the most
// of the model's precision.
func (s *Spec) chooseGraph(want string) error {
	for _, dir := range []string{"onnx", "."} {
		entries, err := os.ReadDir(s.path(dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: %w", ErrBundle, err)
		}
		for _, e := range entries {
			name := path.Join(dir, e.Name())
			switch {
			case !strings.HasSuffix(name, ".onnx") || strings.HasPrefix(e.Name(), "."):
			case isCard(name):
				s.forCards = append(s.forCards, name)
			default:
				s.Graphs = append(s.Graphs, name)
			}
		}
	}
	if len(s.Graphs) == 0 {
		return fmt.Errorf("%w: no ONNX file in %s or %s", ErrBundle, s.path("onnx"), s.Dir)
	}
	switch {
	case s.Card != nil:
		s.Graph = s.Card.File
	case want != "":
		i := slices.IndexFunc(s.Graphs, func(g string) bool {
			return want == g || want == path.Base(g) || want == strings.TrimSuffix(path.Base(g), ".onnx")
		})
		if i < 0 {
			return fmt.Errorf("%w: it has no ONNX file %q; it has %s", ErrBundle, want, strings.Join(s.Graphs, ", "))
		}
		s.Graph = s.Graphs[i]
	case len(s.Graphs) == 1:
		s.Graph = s.Graphs[0]
	default:
		s.Graph = slices.MinFunc(s.Graphs, func(a, b string) int { return s.rank(a) - s.rank(b) })
		s.note("%d ONNX files: %s runs; the others are %s", len(s.Graphs), s.Graph,
			strings.Join(slices.DeleteFunc(slices.Clone(s.Graphs), func(g string) bool { return g == s.Graph }), ", "))
	}
	return s.readGraph()
}

// rank orders graphs: the plain model.onnx, then those with fp32 weights and arithmetic, then those that run anyway.
func (s *Spec) rank(name string) int {
	if path.Base(name) == "model.onnx" {
		return 0
	}
	g, err := graph.Read(s.path(name))
	switch {
	case err != nil:
		return 9
	case batchDependent(g):
		return 8
	case g.Weights[graph.Float16] > g.Weights[graph.Float32] || g.Weights[graph.BFloat16] > g.Weights[graph.Float32]:
		return 4
	case quantized(g):
		return 5
	default:
		return 1
	}
}

func batchDependent(g *graph.Graph) bool {
	return g.Has("DynamicQuantizeLinear") || g.Has("DynamicQuantizeMatMul")
}

func quantized(g *graph.Graph) bool {
	return g.Has("DequantizeLinear") || g.Has("MatMulInteger") || g.Has("MatMulNBits") || g.Has("QLinearMatMul")
}

// external lists the weight files of a graph relative to the bundle.
func (s *Spec) external(name string) []string {
	g, err := graph.Read(s.path(name))
	if err != nil {
		return nil
	}
	files := make([]string, len(g.External))
	for i, e := range g.External {
		files[i] = path.Join(path.Dir(name), filepath.ToSlash(e))
	}
	return files
}

// readGraph takes from the chosen graph what only it knows: inputs, the output, and how it quantizes.
func (s *Spec) readGraph() error {
	g, err := graph.Read(s.path(s.Graph))
	if err != nil {
		return fmt.Errorf("%w: %w; %s", ErrBundle, err, remedy(s.Dir))
	}
	for _, file := range s.external(s.Graph) {
		if !filepath.IsLocal(filepath.FromSlash(file)) {
			return fmt.Errorf("%w: %s keeps weights in %q, outside of the bundle", ErrBundle, s.Graph, file)
		}
		if _, err := os.Stat(s.path(file)); err != nil {
			return fmt.Errorf("%w: %s keeps weights in another file: %w; %s", ErrBundle, s.Graph, err, remedy(s.Dir))
		}
	}
	s.Precision = precisionOf(g)
	for _, in := range g.Inputs {
		s.Inputs = append(s.Inputs, in.Name)
	}
	if batchDependent(g) {
		s.BatchDependent = true
		s.note("%s quantizes activations by the range of the whole batch (DynamicQuantizeLinear): a text's vector depends on its batch-mates", s.Graph)
	}
	if s.Task != naming.TaskEmbed || s.Card != nil {
		return nil
	}
	if said, ok := g.Says[AloneKey]; ok {
		if s.Alone, err = strconv.Atoi(said); err != nil || s.Alone < 1 {
			return fmt.Errorf("%w: %s says that %s is %q, which is no number of tokens", ErrBundle, s.Graph, AloneKey, said)
		}
	}
	if err := s.bindInputs(g.Inputs); err != nil {
		return err
	}
	return s.bindOutput(g.Outputs)
}

func (s *Spec) bindInputs(inputs []graph.Value) error {
	roles := map[string]Role{"input_ids": RoleIDs, "attention_mask": RoleMask, "token_type_ids": RoleTypes,
		"position_ids": RolePositions}
	for _, in := range inputs {
		r, ok := roles[in.Name]
		if !ok {
			return fmt.Errorf("%w: %s has an input %q that textmill does not know how to feed (it feeds input_ids, attention_mask, token_type_ids, position_ids)", ErrBundle, s.Graph, in.Name)
		}
		if in.Type != graph.Int64 {
			return fmt.Errorf("%w: input %s of %s has ONNX element type %d; textmill feeds int64 (%d)", ErrBundle, in.Name,
				s.Graph, in.Type, graph.Int64)
		}
		s.Feeds = append(s.Feeds, Feed{in.Name, r})
	}
	if !slices.Contains(s.Inputs, "input_ids") || !slices.Contains(s.Inputs, "attention_mask") {
		return fmt.Errorf("%w: %s needs inputs input_ids and attention_mask, it has %s", ErrBundle, s.Graph,
			strings.Join(s.Inputs, ", "))
	}
	return nil
}

// bindOutput decides by rank and shape, since every exporter names outputs its own way: rank 3 is a vector per token,
// from which any pooling can be made; rank 2 is one that the graph pooled.
func (s *Spec) bindOutput(outputs []graph.Value) error {
	pick := func(rank int) *graph.Value {
		for i, o := range outputs {
			if len(o.Dims) == rank && (o.Type == graph.Float32 || o.Type == graph.Float16) {
				return &outputs[i]
			}
		}
		return nil
	}
	o := pick(3)
	if o == nil {
		if o = pick(2); o == nil {
			return fmt.Errorf("%w: %s has no float output of rank 3 (token vectors) or 2 (text vectors) among %s", ErrBundle,
				s.Graph, describe(outputs))
		}
		s.PooledInGraph = true
		s.note("%s pools inside the graph (output %s): no other pooling can be asked for", s.Graph, o.Name)
	}
	s.Output = Output{Name: o.Name, Rank: len(o.Dims), Half: o.Type == graph.Float16}
	if d := o.Dims[len(o.Dims)-1]; d > 0 {
		s.Hidden = int(d)
	}
	return nil
}

func describe(values []graph.Value) string {
	var parts []string
	for _, v := range values {
		parts = append(parts, fmt.Sprintf("%s %v", v.Name, v.Dims))
	}
	return strings.Join(parts, ", ")
}

// Blame names the operators of the graph that are known to let rows depend on each other, or else says that none is.
func (s *Spec) Blame() string {
	g, err := graph.Read(s.path(s.Graph))
	if err != nil {
		return err.Error()
	}
	var names []string
	for _, op := range g.Operators {
		if strings.HasPrefix(op, "DynamicQuantize") {
			names = append(names, op)
		}
	}
	if len(names) == 0 {
		return "none of its operators is known to do so"
	}
	return strings.Join(names, ", ") + " quantizes by the range of the whole run"
}
