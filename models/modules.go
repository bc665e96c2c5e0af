package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A Step is a module behind the pooling.
type Step struct {
	Kind string // StepDense, StepLayerNorm or StepNormalize
	// Weights is its file of tensors, relative to the bundle; "" for StepNormalize.
	Weights string
	// In and Out are how many values it takes and gives, 0 for as many as there are.
	In, Out int
	Bias    bool
	// Activation is PyTorch's name of what a dense layer ends with, Identity for nothing.
	Activation string
	// Residual adds what a dense layer took to what it gives.
	Residual bool
}

// StepNames says what each step does, in words.
func (s *Spec) StepNames() (names []string) {
	for _, step := range s.Steps {
		name := step.Kind
		if step.Kind == StepDense {
			name = fmt.Sprintf("%s %d to %d with %s", step.Kind, step.In, step.Out, step.Activation)
		}
		names = append(names, name)
	}
	return names
}

// Kinds of steps, as sentence-transformers names its modules.
const (
	StepDense     = "Dense"
	StepLayerNorm = "LayerNorm"
	StepNormalize = "Normalize"
)

// Activations that a dense layer may end with.
var Activations = []string{"Identity", "Tanh", "ReLU", "GELU", "SiLU", "Sigmoid"}

// moduleWeights is a module's file of tensors, pickledWeights what it was before.
const (
	moduleWeights  = "model.safetensors"
	pickledWeights = "pytorch_model.bin"
)

// ReadModules reads what a checkpoint that has no graph yet says about its modules: all that OpenBundle would say of
// them.
func ReadModules(dir string) (*Spec, error) {
	s := &Spec{Name: filepath.Base(dir), Dir: dir, PoolPrompt: true}
	folder, err := TransformerFolder(dir)
	if err != nil {
		return nil, err
	}
	c, err := readConfigs(dir, folder)
	if err != nil {
		return nil, err
	}
	s.Hidden = c.model.hidden()
	if err := s.readModules(c); err != nil {
		return nil, err
	}
	if s.Hidden == 0 {
		return s, nil // the architecture's own words are read later
	}
	if _, err = s.DimOf(s.Pooling); err != nil {
		return nil, fmt.Errorf("%w: modules.json: %w", ErrBundle, err)
	}
	return s, nil
}

// readModules reads modules.json and the modules' own files.
func (s *Spec) readModules(c *configs) error {
	if err := c.sentence.check(); err != nil {
		return err
	}
	if len(c.modules) == 0 {
		s.Pooling = PoolMean
		s.note("no modules.json: pooling is mean and vectors are not normalized, as sentence-transformers does with a plain encoder")
		return nil
	}
	for _, m := range c.modules {
		if err := m.check(); err != nil {
			return err
		}
		if err := s.readModule(m, c); err != nil {
			return err
		}
	}
	if s.Pooling == "" && !s.PooledInGraph {
		return fmt.Errorf("%w: modules.json names no Pooling module", ErrBundle)
	}
	for n := len(s.Steps); n > 0 && s.Steps[n-1].Kind == StepNormalize; n-- {
		s.Steps, s.Normalize = s.Steps[:n-1], true
	}
	if s.PooledInGraph && len(s.Steps) > 0 {
		return fmt.Errorf("%w: modules.json has a %s behind the pooling, and %s pools inside the graph: whether it has that too "+
			"cannot be told; use a graph that gives a vector for each token", ErrBundle, s.Steps[0].Kind, s.Graph)
	}
	return nil
}

func (s *Spec) readModule(m module, c *configs) error {
	kind := m.kind()
	switch {
	case m.encodes():
		if m.folder() != c.folder {
			return fmt.Errorf("%w: modules.json puts the encoder into folder %q; a bundle has config.json and tokenizer.json at the top: "+
				"run textmill models import on the checkpoint", ErrBundle, m.Path)
		}
		return nil
	case kind == "Dropout": // for training
		return nil
	case kind == "Pooling" && s.Pooling != "":
		return fmt.Errorf("%w: modules.json names two Pooling modules", ErrBundle)
	case kind == "Pooling":
		return s.readPooling(m, c)
	case !slices.Contains([]string{StepDense, StepLayerNorm, StepNormalize}, kind):
		return fmt.Errorf("%w: modules.json names the module %q (%s), which textmill does not apply", ErrBundle, m.Type, m.Path)
	case s.Pooling == "" && !s.PooledInGraph:
		return fmt.Errorf("%w: modules.json has %s (%s) before the Pooling module; textmill applies it to one vector a text",
			ErrBundle, kind, m.Path)
	}
	step, err := s.readStep(m, c)
	if err != nil {
		return err
	}
	s.Steps = append(s.Steps, step)
	return nil
}

func (s *Spec) readPooling(m module, c *configs) error {
	var p poolingConfig
	file, found, err := s.moduleJSON(m, c, &p)
	if err == nil && found {
		_, _, err = s.moduleJSON(m, c, &p.flags)
	}
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("%w: modules.json names a Pooling module, and %s is missing", ErrBundle, file)
	}
	modes, err := p.modes()
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrBundle, file, err)
	}
	s.Pooling = strings.Join(modes, PoolJoint)
	if p.IncludePrompt != nil {
		s.PoolPrompt = *p.IncludePrompt
	}
	dim, hidden := firstPositive(p.EmbeddingDim, p.Dimension), c.model.hidden()
	if dim > 0 && hidden > 0 && dim != hidden {
		return fmt.Errorf("%w: dimensions differ: %s says %d, config.json says %d", ErrBundle, file, dim, hidden)
	}
	s.Hidden = firstPositive(s.Hidden, dim)
	return nil
}

// stepConfig is the config.json of a module behind the pooling.
type stepConfig struct {
	In         *int    `json:"in_features"`
	Out        *int    `json:"out_features"`
	Bias       *bool   `json:"bias"`
	Activation *string `json:"activation_function"`
	Residual   bool    `json:"use_residual"`
	Dimension  *int    `json:"dimension"`
	Input      string  `json:"module_input_name"`
	Output     *string `json:"module_output_name"`
}

func (s *Spec) readStep(m module, all *configs) (step Step, err error) {
	var c stepConfig
	file, found, err := s.moduleJSON(m, all, &c)
	if err != nil {
		return step, err
	}
	if step.Kind = m.kind(); !found && step.Kind != StepNormalize {
		return step, fmt.Errorf("%w: modules.json names a %s module, and %s is missing", ErrBundle, step.Kind, file)
	}
	const vector = "sentence_embedding"
	if c.Input != "" && c.Input != vector || c.Output != nil && *c.Output != "" && *c.Output != vector {
		return step, fmt.Errorf("%w: %s: module_input_name and module_output_name other than %s are not applied", ErrBundle,
			file, vector)
	}
	switch step.Kind {
	case StepNormalize:
		return step, nil
	case StepLayerNorm:
		if c.Dimension == nil || *c.Dimension < 1 || *c.Dimension > mostFeatures {
			return step, fmt.Errorf("%w: %s: dimension is missing, or no number of values", ErrBundle, file)
		}
		step.In, step.Out, step.Bias = *c.Dimension, *c.Dimension, true
	default:
		if c.In == nil || c.Out == nil || min(*c.In, *c.Out) < 1 || max(*c.In, *c.Out) > mostFeatures {
			return step, fmt.Errorf("%w: %s: in_features or out_features is missing, or no number of values", ErrBundle, file)
		}
		step.In, step.Out, step.Bias, step.Residual = *c.In, *c.Out, c.Bias == nil || *c.Bias, c.Residual
		if step.Activation, err = c.activation(); err != nil {
			return step, fmt.Errorf("%w: %s: %w", ErrBundle, file, err)
		}
	}
	step.Weights = path.Join(filepath.ToSlash(m.Path), moduleWeights)
	return step, s.requireWeights(step, m)
}

// mostFeatures bounds what a step takes and gives, so that products of two fit.
const mostFeatures = 1 << 20

// activation is the last part of a class of PyTorch's; sentence-transformers takes Tanh where none is named.
func (c stepConfig) activation() (string, error) {
	if c.Activation == nil {
		return "Tanh", nil
	}
	name := (*c.Activation)[strings.LastIndexByte(*c.Activation, '.')+1:]
	if !strings.HasPrefix(*c.Activation, "torch.") || !slices.Contains(Activations, name) {
		return "", fmt.Errorf("activation_function is %q; textmill knows PyTorch's %s", *c.Activation,
			strings.Join(Activations, ", "))
	}
	return name, nil
}

func (s *Spec) requireWeights(step Step, m module) error {
	if _, err := os.Stat(s.path(step.Weights)); err == nil {
		s.ModuleFiles = append(s.ModuleFiles, step.Weights)
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrBundle, err)
	}
	pickled := s.path(path.Join(filepath.ToSlash(m.Path), pickledWeights))
	if _, err := os.Stat(pickled); err == nil {
		return fmt.Errorf("%w: the weights of the %s module are in %s, a program in Python's pickle format that textmill does not "+
			"run; save the model with sentence-transformers, which writes %s", ErrBundle, step.Kind, pickled, moduleWeights)
	}
	return fmt.Errorf("%w: modules.json names a %s module, and %s is missing", ErrBundle, step.Kind, s.path(step.Weights))
}

// moduleJSON reads a module's config.json, and names it.
func (s *Spec) moduleJSON(m module, c *configs, into any) (file string, found bool, err error) {
	name := path.Join(filepath.ToSlash(m.Path), "config.json")
	if m.folder() == c.folder {
		return s.path(name), false, nil // that is the encoder's own
	}
	if found, err = readJSON(s.path(name), into); found && !slices.Contains(s.ModuleFiles, name) {
		s.ModuleFiles = append(s.ModuleFiles, name)
	}
	return s.path(name), found, err
}

// check refuses models that sentence-transformers takes something else of than the last hidden state.
func (c sentenceConfig) check() error {
	if c.Task != "" && c.Task != "feature-extraction" {
		return fmt.Errorf("%w: %s: transformer_task is %q, feature-extraction is known", ErrBundle, c.name, c.Task)
	}
	var text struct {
		Output string `json:"method_output_name"`
	}
	if raw := c.Modalities["text"]; raw != nil {
		if err := json.Unmarshal(raw, &text); err != nil {
			return fmt.Errorf("%w: %s: modality_config: %w", ErrBundle, c.name, err)
		}
		if text.Output != "last_hidden_state" {
			return fmt.Errorf("%w: %s: method_output_name of text is %q, last_hidden_state is known",
				ErrBundle, c.name, text.Output)
		}
	}
	return nil
}
