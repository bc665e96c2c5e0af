package checkpoint

import (
	"context"
	"errors"
	"fmt"

	ort "github.com/yalue/onnxruntime_go"

	"textmill/models"
	"textmill/models/checkpoint/internal/decoder"
	"textmill/models/checkpoint/internal/encoder"
	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/onnxgraph"
	"textmill/models/internal/onnx"
)

// peaks makes the graph that tells how large values become, and names what goes in and what is taken of it.
func (m built) peaks(spec *models.Spec) (g *onnxgraph.Graph, inputs, outputs []string) {
	if m.encoder != nil {
		for _, f := range spec.Feeds {
			inputs = append(inputs, f.Name)
		}
		return m.encoder.Peaks(weights.Floats), inputs, []string{encoder.PeaksOutput}
	}
	inputs = []string{decoder.InputIDs, decoder.SeqLens, decoder.TotalLength, decoder.LogitsPositions}
	for i := range m.decoder.Layers {
		inputs = append(inputs, fmt.Sprintf(decoder.PastKey, i), fmt.Sprintf(decoder.PastValue, i))
	}
	return m.decoder.Peaks(), inputs, []string{decoder.StreamPeaks, decoder.MLPPeaks, decoder.OtherPeaks}
}

// feeds are the values of one text for a graph of peaks.
func (m built) feeds(spec *models.Spec, ids []int32) (values []ort.Value, err error) {
	n := int64(len(ids))
	wide, positions, ones := make([]int64, n), make([]int64, n), make([]int64, n)
	for i, id := range ids {
		wide[i], positions[i], ones[i] = int64(id), int64(i), 1
	}
	add := func(v ort.Value, e error) {
		if e == nil {
			values = append(values, v)
		}
		err = errors.Join(err, e)
	}
	if m.encoder != nil {
		for _, f := range spec.Feeds {
			data := map[models.Role][]int64{models.RoleIDs: wide, models.RoleMask: ones, models.RolePositions: positions,
				models.RoleTypes: make([]int64, n)}[f.Role]
			add(ort.NewTensor(ort.NewShape(1, n), data))
		}
		return values, err
	}
	add(ort.NewTensor(ort.NewShape(1, n), wide))
	add(ort.NewTensor(ort.NewShape(1), []int32{int32(n - 1)}))
	add(ort.NewTensor(ort.NewShape(1), []int32{int32(n)}))
	add(ort.NewTensor(ort.NewShape(n), positions))
	for range 2 * m.decoder.Layers {
		add(ort.NewEmptyTensor[float32](ort.NewShape(1, int64(m.decoder.KVHeads), n, int64(m.decoder.HeadSize))))
	}
	return values, err
}

// measure runs one text and raises greatest to what it comes to.
func (m built) measure(ctx context.Context, s *onnx.Session, spec *models.Spec, ids []int32,
	greatest [][]float32) (err error) {
	feeds, err := m.feeds(spec, ids)
	found := make([]ort.Value, len(greatest))
	defer func() {
		for _, v := range append(feeds, found...) {
			if v != nil {
				err = errors.Join(err, v.Destroy())
			}
		}
	}()
	if err != nil {
		return err
	}
	if err := onnx.Run(ctx, s, feeds, found); err != nil {
		return err
	}
	for i, v := range found {
		peaks, ok := v.(*ort.Tensor[float32])
		if !ok {
			return fmt.Errorf("%w: peaks are a %T", models.ErrBundle, v)
		}
		if greatest[i] == nil {
			greatest[i] = make([]float32, len(peaks.GetData()))
		}
		for j, p := range peaks.GetData() {
			greatest[i][j] = max(greatest[i][j], p) // what is no number stays
		}
	}
	return nil
}
