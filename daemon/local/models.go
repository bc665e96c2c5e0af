package local

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"textmill/config"
	"textmill/daemon"
	"textmill/models"
)

// modelAnswer is what programs are told of a model.
type modelAnswer struct {
	Name           string            `json:"name"`
	Task           string            `json:"task"`
	Dir            string            `json:"dir"`
	SHA256         string            `json:"model_sha256"`
	Source         string            `json:"source,omitempty"`
	Graph          string            `json:"onnx_file"`
	Inputs         []string          `json:"inputs"`
	MaxLength      int               `json:"max_length"`
	Dim            int               `json:"dim"`
	Pooling        string            `json:"pooling"`
	PooledInGraph  bool              `json:"pooled_in_graph"`
	Normalize      bool              `json:"normalize"`
	Prompts        map[string]string `json:"prompts,omitempty"`
	DefaultPrompt  string            `json:"default_prompt,omitempty"`
	PaddingSide    string            `json:"padding_side"`
	PadID          int32             `json:"pad_id"`
	BatchDependent bool              `json:"batch_dependent"`
	Notes          []string          `json:"notes,omitempty"`
	Bytes          int64             `json:"bytes"`
	Files          []models.File     `json:"files"`
}

func answerOf(s *models.Spec) modelAnswer {
	a := modelAnswer{
		Name: s.Name, Task: s.Task, Dir: s.Dir, SHA256: s.SHA256, Source: s.Source, Graph: s.Graph, Inputs: s.Inputs,
		MaxLength: s.MaxLength, Dim: s.Dim, Pooling: s.Pooling, PooledInGraph: s.PooledInGraph, Normalize: s.Normalize,
		Prompts: s.Prompts, DefaultPrompt: s.DefaultPrompt, PaddingSide: s.PaddingSide, PadID: s.PadID,
		BatchDependent: s.BatchDependent, Notes: s.Notes, Files: s.Files,
	}
	for _, f := range s.Files {
		a.Bytes += f.Size
	}
	return a
}

// known lists the models of the configuration and of the cache; what cannot be opened is an error beside them.
func known(cfg config.Config) ([]*models.Spec, []error) {
	specs, errs := models.ListBundles(cfg.Home)
	inCache := map[string]bool{}
	for _, s := range specs {
		inCache[s.Name] = true
	}
	for name, m := range cfg.Models {
		if m.Path == "" || inCache[name] && m.Path == models.BundleDir(cfg.Home, name) {
			continue
		}
		s, err := daemon.OpenBundle(cfg, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		specs = append(slices.DeleteFunc(specs, func(o *models.Spec) bool { return o.Name == name }), s)
	}
	slices.SortFunc(specs, func(a, b *models.Spec) int { return strings.Compare(a.Name, b.Name) })
	return specs, errs
}

// bundle opens a model by name, and says what there is when it is not there.
func bundle(cfg config.Config, name string) (*models.Spec, error) {
	dir := cfg.Models[name].Path
	if dir == "" {
		dir = models.BundleDir(cfg.Home, name)
	}
	if _, err := os.Stat(dir); !models.ValidName(name) || errors.Is(err, fs.ErrNotExist) {
		specs, _ := known(cfg)
		names := make([]string, len(specs))
		for i, s := range specs {
			names[i] = s.Name
		}
		return nil, fmt.Errorf("there is no model %q (%s has: %s); run textmill setup, or textmill models pull",
			name, filepath.Join(cfg.Home, "models"), cmp.Or(strings.Join(names, ", "), "none"))
	}
	return daemon.OpenBundle(cfg, name)
}

// ListModels writes the models that can be run.
func ListModels(cfg config.Config, out io.Writer, asJSON bool) error {
	specs, errs := known(cfg)
	if asJSON {
		for _, s := range specs {
			if err := writeJSON(out, answerOf(s)); err != nil {
				return err
			}
		}
		return errors.Join(errs...)
	}
	if len(specs) == 0 && len(errs) == 0 {
		return fmt.Errorf("no models in %s; run textmill setup, or textmill models pull", filepath.Join(cfg.Home, "models"))
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tTASK\tDIM\tMAX LENGTH\tPOOLING\tSIZE\tMODEL SHA256")
	for _, s := range specs {
		a := answerOf(s)
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%d MB\t%.12s\n", a.Name, a.Task, a.Dim, a.MaxLength, a.Pooling, (a.Bytes+500_000)/1_000_000, a.SHA256)
	}
	return errors.Join(w.Flush(), errors.Join(errs...))
}

// InspectModel writes all that is known of a model from its own files.
func InspectModel(cfg config.Config, name string, out io.Writer, asJSON bool) error {
	s, err := bundle(cfg, name)
	if err != nil {
		return err
	}
	a := answerOf(s)
	if asJSON {
		return writeJSON(out, a)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, line := range [][2]any{
		{"name", a.Name}, {"task", a.Task}, {"directory", a.Dir}, {"source", a.Source}, {"model_sha256", a.SHA256},
		{"onnx_file", a.Graph}, {"inputs", strings.Join(a.Inputs, ", ")}, {"max_length", a.MaxLength}, {"dim", a.Dim},
		{"pooling", a.Pooling}, {"pooled_in_graph", a.PooledInGraph}, {"normalize", a.Normalize},
		{"default_prompt", a.DefaultPrompt}, {"padding", fmt.Sprintf("%s, id %d", a.PaddingSide, a.PadID)},
		{"batch_dependent", a.BatchDependent},
	} {
		fmt.Fprintf(w, "%s\t%v\n", line[0], line[1])
	}
	for name, prompt := range a.Prompts {
		fmt.Fprintf(w, "prompt %s\t%q\n", name, prompt)
	}
	for _, note := range a.Notes {
		fmt.Fprintf(w, "note\t%s\n", note)
	}
	for _, f := range a.Files {
		fmt.Fprintf(w, "file\t%s  %s\n", f.SHA256, f.Path)
	}
	return w.Flush()
}

// VerifyModels reads all files of the named models, or of all, and compares them with the hashes recorded at pull.
func VerifyModels(ctx context.Context, cfg config.Config, names []string, out io.Writer, asJSON bool) error {
	var specs []*models.Spec
	var errs []error
	if len(names) == 0 {
		specs, errs = known(cfg)
	}
	for _, name := range names {
		s, err := bundle(cfg, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		specs = append(specs, s)
	}
	for _, s := range specs {
		if err := s.Verify(ctx); err != nil {
			errs = append(errs, err)
			continue
		}
		if asJSON {
			errs = append(errs, writeJSON(out, map[string]any{"name": s.Name, "model_sha256": s.SHA256, "files": len(s.Files), "ok": true}))
			continue
		}
		_, err := fmt.Fprintf(out, "%s: %d files as recorded, model_sha256 %s\n", s.Name, len(s.Files), s.SHA256)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// writeJSON writes v as one line, without escapes that only HTML needs.
func writeJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
