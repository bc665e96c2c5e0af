package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"

	"textmill/ground/regular"
	"textmill/models"
	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/onnxgraph"
	"textmill/models/internal/graph"
)

// graphsOf are the graphs of a bundle that was imported; together they use all weights there are.
func graphsOf(s *models.Spec) []string {
	if s.Decoder == nil {
		return []string{s.Graph}
	}
	var files []string
	for _, g := range s.Decoder.Graphs {
		files = append(files, g.File)
	}
	return files
}

// existing finds the weights that the graphs of a bundle keep.
func existing(s *models.Spec) (weights.Existing, error) {
	all := weights.Existing{}
	for _, name := range graphsOf(s) {
		file := filepath.Join(s.Dir, filepath.FromSlash(name))
		g, err := graph.ReadNodes(file)
		if err != nil {
			return nil, err
		}
		for _, t := range g.Tensors {
			stored, err := storedOf(t, file)
			if errors.Is(err, errForeign) {
				continue // none that an import wrote, and what lacks it is told by name
			}
			if err != nil {
				return nil, fmt.Errorf("%s: tensor %s: %w", name, t.Name, err)
			}
			if path.Dir(name) != path.Dir(s.Graph) {
				return nil, fmt.Errorf("%w: %s and %s lie in two folders", models.ErrBundle, name, s.Graph)
			}
			all[t.Name] = stored
		}
	}
	return all, nil
}

// mostInline bounds tensors that are read into memory: those of graphs that were written here have a 64th of it.
const mostInline = 1 << 20

// errForeign is the class of tensors as an import does not keep them.
var errForeign = errors.New("no tensor of an import")

func storedOf(t graph.Tensor, file string) (s onnxgraph.Stored, err error) {
	dims, values := make([]int, len(t.Dims)), int64(1)
	for i, d := range t.Dims {
		if d < 1 || d > 1<<31 || values > 1<<40/d {
			return s, fmt.Errorf("%w: shape %v", errForeign, t.Dims)
		}
		dims[i], values = int(d), values*d
	}
	elem := onnxgraph.Elem(t.Type)
	switch {
	case !t.Raw || values*elem.Size() != t.Length:
		return s, fmt.Errorf("%w: %d bytes for %v values of type %d", errForeign, t.Length, t.Dims, t.Type)
	case t.File != "":
		if t.File != filepath.Base(t.File) || strings.HasPrefix(t.File, ".") {
			return s, fmt.Errorf("%w: it lies in %q", errForeign, t.File)
		}
		return onnxgraph.External(t.Name, elem, dims, t.File, t.Offset, t.Length), nil
	case t.Length > mostInline:
		return s, fmt.Errorf("%w: %d bytes within the graph", errForeign, t.Length)
	}
	f, err := regular.Open(file)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	raw := make([]byte, t.Length)
	if _, err := f.ReadAt(raw, t.Offset); err != nil && !errors.Is(err, io.EOF) {
		return s, err
	}
	return onnxgraph.Inline(t.Name, elem, dims, raw), nil
}
