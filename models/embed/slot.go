package embed

import (
	"context"
	"errors"
	"slices"

	ort "github.com/yalue/onnxruntime_go"

	"textmill/models"
	"textmill/models/internal/half"
	"textmill/models/internal/onnx"
)

// A slot holds the buffers of one run at a time. They grow to the largest batch and are used again.
type slot struct {
	inputs [4][]int64 // by role
	out    []float32
	half   []byte // raw float16 output
}

// embed pads rows into one batch, runs it and pools.
func (s *slot) embed(ctx context.Context, e *Embedder, rows []Row) ([]Vector, error) {
	run, width := e.fit(rows)
	for _, in := range e.spec.Feeds {
		s.fill(in.Role, run, width, e.spec)
	}
	if err := s.run(ctx, e, len(run), width); err != nil {
		return nil, err
	}
	return pool(rows, s.out, width, e.spec), nil
}

// fill writes one input of the batch: real tokens at the padding's other side, the pad value elsewhere.
func (s *slot) fill(r models.Role, rows []Row, width int, spec *models.Spec) {
	buf := slices.Grow(s.inputs[r][:0], len(rows)*width)[:len(rows)*width]
	s.inputs[r] = buf
	for i, row := range rows {
		line := buf[i*width : (i+1)*width]
		at := offset(spec, width, len(row.IDs))
		clear(line)
		real := line[at : at+len(row.IDs)]
		switch r {
		case models.RoleIDs:
			for j := range line[:at] {
				line[j] = int64(spec.PadID)
			}
			for j := at + len(real); j < width; j++ {
				line[j] = int64(spec.PadID)
			}
			for j, id := range row.IDs {
				real[j] = int64(id)
			}
		case models.RoleMask:
			for j := range real {
				real[j] = 1
			}
		case models.RoleTypes:
			for j, t := range row.TypeIDs {
				real[j] = int64(t)
			}
		case models.RolePositions:
			for j := range real {
				real[j] = int64(j)
			}
		}
	}
}

// offset is where a row's first token lies in its padded line.
func offset(spec *models.Spec, width, n int) int {
	if spec.PaddingSide == "left" {
		return width - n
	}
	return 0
}

func (s *slot) run(ctx context.Context, e *Embedder, rows, width int) (err error) {
	var inputs []ort.Value
	defer func() { err = errors.Join(err, onnx.Destroy(inputs...)) }()
	for _, in := range e.spec.Feeds {
		t, err := ort.NewTensor(ort.NewShape(int64(rows), int64(width)), s.inputs[in.Role])
		if err != nil {
			return err
		}
		inputs = append(inputs, t)
	}
	out, err := s.output(e.spec, rows, width)
	if err != nil {
		return err
	}
	inputs = append(inputs, out)
	n := len(inputs) - 1
	if err := onnx.Run(ctx, e.session, inputs[:n:n], []ort.Value{out}); err != nil {
		return err
	}
	if e.spec.Output.Half {
		half.Widen(s.out, s.half)
	}
	return nil
}

// output makes the tensor that the run writes into, over memory that is kept.
func (s *slot) output(spec *models.Spec, rows, width int) (ort.Value, error) {
	shape := ort.NewShape(int64(rows), int64(spec.Hidden))
	if spec.Output.Rank == 3 {
		shape = ort.NewShape(int64(rows), int64(width), int64(spec.Hidden))
	}
	n := int(shape.FlattenedSize())
	s.out = slices.Grow(s.out[:0], n)[:n]
	if spec.Output.Half {
		s.half = slices.Grow(s.half[:0], 2*n)[:2*n]
		return ort.NewCustomDataTensor(shape, s.half, ort.TensorElementDataTypeFloat16)
	}
	return ort.NewTensor(shape, s.out)
}
