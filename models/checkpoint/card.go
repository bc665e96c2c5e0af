package checkpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"

	"textmill/ground/flock"
	"textmill/ground/regular"
	"textmill/models"
	"textmill/models/checkpoint/internal/decoder"
	"textmill/models/checkpoint/internal/encoder"
	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/onnxgraph"
)

// CardOptions say how the graph for a card of a bundle is made.
type CardOptions struct {
	// Precision is models.FP16 or models.BF16; "" takes what is there, else fp16, or bf16 for a model whose values
	// overflow it.
	Precision string
	// Library is libonnxruntime, with which the values of sample texts are measured where none is loaded yet; "" for the
	// one under home.
	Library string
	// Note, if not nil, is told what takes time.
	Note func(string)
}

// Candidates is how many of a row's greatest logits leave a card where tokens are drawn. Generation configs ask for
// a top_k of 64 at most, and nearly every min_p keeps fewer. docs/measurements.md says how often they would hold a
// top_p, for which a row's full logits are fetched now.
const Candidates = 256

// cardLock is held while a graph for a card is made.
const cardLock = ".card.lock"

// Card opens a bundle's graph for a card. Where there is none it is made of the weights that the bundle's graphs for
// processors keep, once however many processes ask for it, whole or not at all. Bundles that were not imported here
// have no such graph: ErrUnsupported. They may run on a card as they are; what is ErrNoCard may not.
func Card(ctx context.Context, dir string, o CardOptions) (_ *models.Spec, err error) {
	spec, err := models.OpenCard(dir, o.Precision)
	if !errors.Is(err, models.ErrNoCardGraph) {
		return spec, err
	}
	if o.Note == nil {
		o.Note = func(string) {}
	}
	if spec, err = models.OpenBundle(dir); err != nil {
		return nil, err
	}
	lock, err := flock.Wait(ctx, filepath.Join(spec.Dir, cardLock), 0o644,
		func() { o.Note("another process makes the graph for a card of " + spec.Name) })
	if err != nil {
		return nil, fmt.Errorf("make the graph for a card of %s: %w", spec.Name, err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	made, err := models.OpenCard(dir, o.Precision)
	if !errors.Is(err, models.ErrNoCardGraph) {
		return made, err
	}
	o.Note("making the graph for a card of " + spec.Name)
	if err := o.make(ctx, spec); err != nil {
		return nil, fmt.Errorf("make the graph for a card of %s: %w", spec.Name, err)
	}
	return models.OpenCard(dir, o.Precision)
}

// make writes the graph's files, then the record that names them: without that they are nothing.
func (o CardOptions) make(ctx context.Context, spec *models.Spec) error {
	m, err := reload(ctx, spec)
	if err != nil {
		return err
	}
	g, err := o.settle(ctx, spec, m)
	if err != nil {
		return err
	}
	files, err := m.write(spec.Dir, &g)
	if err != nil {
		return err
	}
	record, err := models.ReadRecord(spec.Dir)
	if err != nil {
		return err
	}
	record.Card = append(record.Card, g)
	for _, name := range files {
		sum, size, err := models.HashFile(ctx, filepath.Join(spec.Dir, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		record.Files = slices.DeleteFunc(record.Files, func(f models.File) bool { return f.Path == name })
		record.Files = append(record.Files, models.File{Path: name, SHA256: sum, Size: size})
	}
	return models.WriteRecord(spec.Dir, record)
}

// A built is a model whose graphs can be written again: one of the two.
type built struct {
	decoder *decoder.Model
	encoder *encoder.Model
}

// reload finds the weights of a bundle that was imported.
func reload(ctx context.Context, spec *models.Spec) (m built, err error) {
	if spec.Decoder != nil && !spec.Decoder.Own() {
		return m, elsewhere(false, nil)
	}
	if spec.Decoder != nil && len(spec.Decoder.States) > 0 {
		return m, fmt.Errorf("%w: layers of %s keep states beside keys and values; run it on the processor (device: cpu)",
			ErrNoCard, spec.Name)
	}
	config, err := regular.ReadFile(filepath.Join(spec.Dir, "config.json"))
	if err != nil {
		return m, err
	}
	kind, err := describe(config)
	if err != nil {
		return m, err
	}
	embeds := spec.Decoder == nil && decoder.Embeds(kind.ModelType)
	if spec.Decoder == nil && !embeds && !encoder.Supports(kind.ModelType) {
		return m, elsewhere(false, nil)
	}
	have, err := existing(spec)
	if err != nil {
		return m, err
	}
	s := &weights.Store{Existing: have}
	if embeds {
		c, err := decoder.ParseEmbedder(config)
		if err == nil {
			_, err = decoder.Store(ctx, c, s)
		}
		if err == nil {
			return m, kind.noCard()
		}
		return m, elsewhere(true, err)
	}
	if spec.Decoder != nil {
		c, err := decoder.ParseConfig(config)
		if err == nil {
			m.decoder, err = decoder.Store(ctx, c, s)
		}
		return m, elsewhere(true, err)
	}
	c, err := encoder.ParseConfig(config)
	if err == nil {
		m.encoder, err = encoder.Store(ctx, c, s)
	}
	return m, elsewhere(true, err)
}

// noCard is the error of a decoder that embeds. Its graph for processors would run on a card, with its attention on
// the processor and all else going to and fro.
func (k kind) noCard() error {
	return fmt.Errorf("%w: %s of model_type %q embeds, and decoders that embed have none yet; run it on the processor "+
		"(device: cpu)", ErrNoCard, k.architecture(), k.ModelType)
}

// elsewhere is the error of a bundle whose weights do not have the names that an import gives them.
func elsewhere(ours bool, err error) error {
	if ours && !errors.Is(err, weights.ErrMissing) {
		return err
	}
	return errors.Join(fmt.Errorf("%w: its graph was exported elsewhere; import its checkpoint with textmill models import",
		ErrUnsupported), err)
}

var elems = map[string]onnxgraph.Elem{models.FP16: onnxgraph.Float16, models.BF16: onnxgraph.BFloat16}

// write writes the graph's files and names them.
func (m built) write(dir string, g *models.CardGraph) ([]string, error) {
	g.File = models.CardFile(g.Precision)
	file := filepath.Join(dir, filepath.FromSlash(g.File))
	if m.encoder != nil {
		return []string{g.File}, m.encoder.CardGraph(weights.Floats, encoderCard(g)).WriteFile(file)
	}
	d := m.decoder
	g.Choice, g.Candidates = models.ChoiceFile, min(Candidates, d.VocabSize)
	return []string{g.File, g.Choice}, cmp.Or(
		d.CardGraph(decoderCard(g)).WriteFile(file),
		decoder.ChoiceGraph(d.VocabSize, g.Candidates).WriteFile(filepath.Join(dir, filepath.FromSlash(g.Choice))))
}

func encoderCard(g *models.CardGraph) encoder.Card {
	return encoder.Card{Elem: elems[g.Precision], Wide: wideOf(g)}
}

func decoderCard(g *models.CardGraph) decoder.Card {
	return decoder.Card{Elem: elems[g.Precision], Wide: g.WideStream, MLPs: wideOf(g)}
}

// mostLayers is more than any model has.
const mostLayers = 1 << 12

// wideOf tells of each layer, up to the last one that does, whether it computes with fp32.
func wideOf(g *models.CardGraph) (wide []bool) {
	for _, layer := range g.WideLayers {
		if layer < 0 || layer > mostLayers {
			continue // no layer of any model
		}
		wide = append(wide, make([]bool, max(0, layer+1-len(wide)))...)
		wide[layer] = true
	}
	return wide
}

// OnProcessor gives what processors run in the place of a graph for a card that they cannot run: an encoder's on
// padded rows, and a decoder's in bf16 as fp32 that is rounded to it. The one for a card itself, where they can. end
// removes what was made.
func OnProcessor(ctx context.Context, card *models.Spec) (_ *models.Spec, end func() error, err error) {
	end = func() error { return nil }
	if card.Card.Precision == models.FP16 && card.Decoder != nil {
		return card, end, nil
	}
	spec, err := models.OpenBundle(card.Dir)
	if err != nil {
		return nil, end, err
	}
	m, err := reload(ctx, spec)
	if err != nil {
		return nil, end, err
	}
	f, err := os.CreateTemp(filepath.Dir(card.GraphPath()), ".card-*.onnx")
	if err != nil {
		return nil, end, err
	}
	end = func() error { return os.Remove(f.Name()) }
	var g *onnxgraph.Graph
	as := *spec
	if m.encoder != nil {
		g = m.encoder.PaddedCardGraph(weights.Floats, encoderCard(card.Card))
	} else {
		c := decoderCard(card.Card)
		c.Rounded = true
		g, as = m.decoder.CardGraph(c), *card
		d := *card.Decoder
		d.CacheType, as.Decoder = "float32", &d
	}
	if err := errors.Join(f.Close(), g.WriteFile(f.Name())); err != nil {
		return nil, end, errors.Join(err, end())
	}
	as.Graph = path.Join(path.Dir(card.Graph), filepath.Base(f.Name()))
	return &as, end, nil
}
