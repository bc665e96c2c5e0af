package checkpoint

import (
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
	configJSON []byte
	modules    []string // files of sentence-transformers modules
}

func openDirectory(dir string) (source, error) {
	config, err := regular.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		err = fmt.Errorf("%w: it is no Hugging Face directory: %w", ErrUnsupported, err)
		if files, _ := filepath.Glob(filepath.Join(dir, "*.gguf")); len(files) > 0 {
			err = fmt.Errorf("%w; to import a GGUF file, name the file: %s", err, files[0])
		}
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "tokenizer.json")); err != nil {
		return nil, fmt.Errorf("%w: it has no fast tokenizer: %w; save one with the tokenizer's own library", ErrUnsupported,
			err)
	}
	modules, err := checkModules(dir)
	if err != nil {
		return nil, err
	}
	set, err := openTensors(dir)
	if err != nil {
		return nil, err
	}
	return &directory{Set: set, dir: dir, configJSON: config, modules: modules}, nil
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
func (d *directory) modular() bool {
	return slices.ContainsFunc([]string{"modules.json", "sentence_bert_config.json"}, func(name string) bool {
		_, err := os.Stat(filepath.Join(d.dir, name))
		return err == nil
	})
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

// kept are the files of a directory that a bundle needs, beside the configurations of its sentence-transformers
// modules.
var kept = []string{
	"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
	"added_tokens.json",
	"chat_template.jinja", "vocab.txt", "vocab.json", "merges.txt", "modules.json", "sentence_bert_config.json",
	"config_sentence_transformers.json", "LICENSE", "README.md",
}

func (d *directory) copyTo(dir string) error {
	for _, name := range slices.Concat(kept, d.modules) {
		if err := copyFile(filepath.Join(dir, name), filepath.Join(d.dir, name)); err != nil &&
			!errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
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
