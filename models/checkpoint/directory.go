package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"textmill/ground/regular"
	"textmill/models"
	"textmill/models/checkpoint/internal/decoder"
	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/safetensors"
	"textmill/models/head"
)

// A directory is a Hugging Face directory.
type directory struct {
	*safetensors.Set
	dir        string
	inner      string // the folder of weights, config.json and tokenizer: dir, or one in it that modules.json names
	configJSON []byte
	modules    []string // files of sentence-transformers modules
}

func openDirectory(dir string) (source, error) {
	folder, err := models.TransformerFolder(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	inner := filepath.Join(dir, filepath.FromSlash(folder))
	config, err := regular.ReadFile(filepath.Join(inner, "config.json"))
	if err != nil {
		err = fmt.Errorf("%w: it is no Hugging Face directory: %w", ErrUnsupported, err)
		if files, _ := filepath.Glob(filepath.Join(dir, "*.gguf")); len(files) > 0 {
			err = fmt.Errorf("%w; to import a GGUF file, name the file: %s", err, files[0])
		}
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(inner, "tokenizer.json")); err != nil {
		return nil, fmt.Errorf("%w: it has no fast tokenizer: %w; save one with the tokenizer's own library", ErrUnsupported,
			err)
	}
	modules, err := checkModules(dir)
	if err != nil {
		return nil, err
	}
	set, err := openTensors(inner)
	if err != nil {
		return nil, err
	}
	return &directory{Set: set, dir: dir, inner: inner, configJSON: config, modules: modules}, nil
}

func openTensors(dir string) (*safetensors.Set, error) {
	set, err := safetensors.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w; weights in another format have to be saved as safetensors first", ErrUnsupported, err)
	}
	return set, err
}

// checkModules reads all of a directory's sentence-transformers modules, before any weight is copied, and lists their
// files.
func checkModules(dir string) ([]string, error) {
	spec, err := models.ReadModules(dir)
	if err == nil {
		_, err = head.Load(spec)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return spec.ModuleFiles, nil
}

// inner are what checkpoints have in the place of "model." before a decoder's tensors: nothing where they hold no
// head, the others where it is the part of a larger model that reads texts.
var inner = []string{"", "language_model.model.", "model.language_model.", "language_model.", "text_model.",
	"model.text_model."}

func (d *directory) Find(name string) (weights.Part, bool) {
	t, ok := d.Tensor(name)
	if rest, found := strings.CutPrefix(name, "model."); found {
		for i := 0; i < len(inner) && !ok; i++ {
			t, ok = d.Tensor(inner[i] + rest)
		}
	}
	if !ok && name == "lm_head.weight" {
		t, ok = d.Tensor("language_model." + name)
	}
	return weights.Part{Tensor: t}, ok
}

func (d *directory) config() []byte { return d.configJSON }
func (d *directory) embeds() string {
	name := "modules.json"
	if _, err := os.Stat(filepath.Join(d.dir, name)); err != nil {
		name = d.sentence()
	}
	if name == "" {
		return ""
	}
	return "it has sentence-transformers modules (" + name + ")"
}

// sentence is the name of the file that says what sentence-transformers does before the encoder, "" for none.
func (d *directory) sentence() string {
	for _, name := range models.SentenceNames {
		if _, err := os.Stat(filepath.Join(d.inner, name)); err == nil {
			return name
		}
	}
	return ""
}

func (d *directory) unasked() error       { return nil }
func (d *directory) baked() decoder.Baked { return decoder.Baked{} }

func (d *directory) bytes() (n int64) {
	for _, name := range d.Names() {
		t, _ := d.Tensor(name)
		n += t.Bytes()
	}
	return n
}

// kept are the files that a bundle needs of the encoder's folder, and keptOfTop those beside modules.json, which
// only lies elsewhere where that says so.
var (
	kept = []string{
		"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
		"added_tokens.json", "chat_template.jinja", "chat_template.json", "vocab.txt", "vocab.json", "merges.txt",
	}
	keptOfTop = []string{"modules.json", "config_sentence_transformers.json", "LICENSE", "README.md"}
)

// copyTo gives the bundle the layout that it has, whatever the directory's: the encoder at the top.
func (d *directory) copyTo(dir string) error {
	copies := map[string]string{}
	for _, name := range kept {
		copies[name] = filepath.Join(d.inner, name)
	}
	for _, name := range slices.Concat(keptOfTop, d.modules) {
		copies[name] = filepath.Join(d.dir, name)
	}
	if name := d.sentence(); name != "" {
		copies[models.SentenceName] = filepath.Join(d.inner, name)
	}
	templates, err := filepath.Glob(filepath.Join(d.inner, models.TemplatesFolder, "*.jinja"))
	if err != nil {
		return err
	}
	for _, t := range templates {
		copies[filepath.Join(models.TemplatesFolder, filepath.Base(t))] = t
	}
	for to, from := range copies {
		if err := copyFile(filepath.Join(dir, to), from); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if d.inner == d.dir {
		return nil
	}
	return liftEncoder(filepath.Join(dir, "modules.json"))
}

// liftEncoder writes modules.json with the encoder at the top.
func liftEncoder(file string) error {
	data, err := regular.ReadFile(file)
	if err != nil {
		return err
	}
	var modules []map[string]any
	if err := json.Unmarshal(data, &modules); err != nil {
		return fmt.Errorf("%w: read modules.json: %w", ErrUnsupported, err)
	}
	for _, m := range modules {
		if kind, _ := m["type"].(string); models.IsEncoder(kind) {
			m["path"] = ""
		}
	}
	return writeJSON(file, modules)
}

func copyFile(to, from string) error {
	st, err := os.Stat(from)
	if err != nil || !st.Mode().IsRegular() {
		return err
	}
	data, err := regular.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}
