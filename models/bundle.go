package models

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"textmill/ground/naming"
	"textmill/ground/places"
)

// ErrBundle is the class of bundles that cannot be served: a file is missing or unreadable, or files contradict each
// other.
var ErrBundle = errors.New("cannot use the model")

// OpenBundle reads and checks what the bundle in dir says about itself. It does not read weights: Verify does.
// A bundle without textmill.json is hashed now, and the hashes are kept there.
func OpenBundle(dir string) (*Spec, error) { return OpenGraph(dir, "") }

// OpenGraph is OpenBundle for a bundle with several ONNX files: graph names the one to run, relative to dir.
func OpenGraph(dir, graph string) (*Spec, error) {
	return openDir(dir, func(s *Spec) error { return s.open(graph) })
}

func openDir(dir string, open func(*Spec) error) (*Spec, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	s := &Spec{Name: filepath.Base(dir), Dir: dir, PoolPrompt: true}
	if err := open(s); err != nil {
		return nil, fmt.Errorf("open model %s: %w", dir, err)
	}
	return s, nil
}

func (s *Spec) open(graph string) error {
	record, err := s.record()
	if err != nil {
		return err
	}
	s.Source, s.Cards = record.Source, record.Card
	if graph == "" {
		graph = record.Graph
	}
	c, err := readConfigs(s.Dir, "")
	if err != nil {
		return err
	}
	s.Task, s.Architecture = c.task(), strings.Join(c.model.Architectures, ", ")
	if err := s.chooseGraph(graph); err != nil {
		return err
	}
	if err := s.keepOwnFiles(record.Files); err != nil {
		return err
	}
	if s.Task == naming.TaskGenerate {
		if err := s.readDecoder(c); err != nil {
			return err
		}
		if s.Card != nil {
			if err := s.asCard(); err != nil {
				return err
			}
		}
	}
	if c.static != nil {
		if err := s.readStatic(c); err != nil {
			return err
		}
	} else if s.Task == naming.TaskEmbed {
		if err := s.readModules(c); err != nil {
			return err
		}
		if err := s.requireRecorded(s.ModuleFiles); err != nil {
			return err
		}
		if err := s.resolve(c); err != nil {
			return err
		}
	}
	s.settlePrecision()
	s.SHA256 = identity(s.Files)
	return nil
}

// record reads the bundle's record, or makes one.
func (s *Spec) record() (Record, error) {
	r, err := ReadRecord(s.Dir)
	if err == nil {
		return r, checkSizes(s.Dir, r.Files)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	if err := hasModelConfig(s.Dir); err != nil {
		return r, fmt.Errorf("%w: it is no model bundle: %w", ErrBundle, err)
	}
	files, err := HashBundle(context.Background(), s.Dir)
	if err != nil {
		return r, err
	}
	r = Record{Name: s.Name, Files: files}
	if err := WriteRecord(s.Dir, r); err != nil {
		s.note("no %s: hashes were taken just now and cannot be kept there (%v)", RecordName, err)
	} else {
		s.note("no %s was there: hashes were taken at first open, not when the files arrived", RecordName)
	}
	return r, nil
}

func (s *Spec) note(format string, args ...any) {
	s.Notes = append(s.Notes, fmt.Sprintf(format, args...))
}

// keepOwnFiles takes over the recorded files, but for graphs that are not run and weights that only they use: they
// make no vector. Every file that does must have been recorded.
func (s *Spec) keepOwnFiles(files []File) error {
	other := map[string]bool{}
	for _, g := range append(slices.Clone(s.Graphs), s.forCards...) {
		if g != s.Graph {
			other[g] = true
			for _, e := range s.external(g) {
				other[e] = true
			}
		}
	}
	own := append(s.external(s.Graph), s.Graph)
	if s.Card != nil {
		own = append(own, s.Card.files()...)
	}
	for _, f := range own {
		delete(other, f)
	}
	s.Files = slices.DeleteFunc(slices.Clone(files), func(f File) bool { return other[f.Path] })
	return s.requireRecorded(slices.Concat(own, configNames, SentenceNames))
}

// requireRecorded refuses files that are there and were not when the bundle was recorded.
func (s *Spec) requireRecorded(names []string) error {
	for _, name := range names {
		if slices.ContainsFunc(s.Files, func(f File) bool { return f.Path == name }) {
			continue
		}
		if _, err := os.Stat(s.path(name)); err == nil {
			return fmt.Errorf("%w: %s was added after the bundle was recorded; %s", ErrDamaged, s.path(name), remedy(s.Dir))
		}
	}
	return nil
}

// ListBundles opens every bundle under home. A folder that cannot be opened as one is an error; the others are
// unharmed.
func ListBundles(home string) ([]*Spec, []error) {
	dir := places.Models(home)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, []error{fmt.Errorf("list models: %w", err)}
	}
	var specs []*Spec
	var errs []error
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue // being pulled
		}
		path := filepath.Join(dir, e.Name())
		if st, err := os.Stat(path); err == nil && !st.IsDir() {
			continue
		}
		if err := naming.CheckModel(e.Name()); err != nil {
			errs = append(errs, fmt.Errorf("model folder %s: the name %w; rename the folder", path, err))
			continue
		}
		s, err := OpenBundle(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		specs = append(specs, s)
	}
	return specs, errs
}
