package models

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"textmill/ground/durable"
	"textmill/ground/regular"
)

// RecordName is the file in a bundle that holds the hashes of all others.
const RecordName = "textmill.json"

// A Record is what textmill.json holds: the bundle's files as they were when they arrived.
type Record struct {
	Name   string `json:"name"`
	Source string `json:"source"`
	// Graph is the ONNX file to run; "" leaves the choice to OpenBundle.
	Graph string `json:"graph,omitempty"`
	Files []File `json:"files"`
	// Card are the graphs for a card that were made of its weights.
	Card []CardGraph `json:"card,omitempty"`
}

// ErrDamaged is the class of bundles whose files are not what was recorded.
var ErrDamaged = errors.New("the bundle is damaged")

// ReadRecord reads the bundle's textmill.json; fs.ErrNotExist when it has none.
func ReadRecord(dir string) (Record, error) {
	path := filepath.Join(dir, RecordName)
	data, err := regular.ReadFile(path)
	if err != nil {
		return Record{}, err
	}
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return Record{}, fmt.Errorf("read %s: %w; remove it to record the bundle anew", path, err)
	}
	for _, f := range r.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Path)) {
			return Record{}, fmt.Errorf("read %s: file %q lies outside of the bundle", path, f.Path)
		}
	}
	for _, c := range r.Card {
		for _, file := range c.files() {
			if !filepath.IsLocal(filepath.FromSlash(file)) || !isCard(file) {
				return Record{}, fmt.Errorf("read %s: %q is no graph for a card", path, file)
			}
		}
	}
	return r, nil
}

// WriteRecord writes the bundle's textmill.json, whole or not at all, durably.
func WriteRecord(dir string, r Record) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.Write(filepath.Join(dir, RecordName), append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("record bundle %s: %w", dir, err)
	}
	return nil
}

// HashFile is the SHA-256 of the file at path in hex, and its size.
func HashFile(ctx context.Context, path string) (string, int64, error) {
	f, err := regular.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.CopyBuffer(h, contextReader{ctx, f}, make([]byte, 1<<20))
	if err != nil {
		return "", 0, fmt.Errorf("hash %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), n, nil
}

// contextReader ends with the context's error between two reads.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// HashBundle hashes every file in the bundle but its record and hidden files.
func HashBundle(ctx context.Context, dir string) ([]File, error) {
	var files []File
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path != dir && strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		st, err := os.Stat(path) // follows links: hub caches keep files elsewhere
		if err != nil || !st.Mode().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil || rel == RecordName {
			return err
		}
		sum, size, err := HashFile(ctx, path)
		files = append(files, File{Path: filepath.ToSlash(rel), SHA256: sum, Size: size})
		return err
	})
	return files, err
}

// identity is the hash of the sorted lines "hash  path\n".
func identity(files []File) string {
	lines := make([]string, len(files))
	for i, f := range files {
		lines[i] = f.SHA256 + "  " + f.Path + "\n"
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	return hex.EncodeToString(sum[:])
}

// checkSizes finds files that are missing or have another size than was recorded, which costs no reading.
func checkSizes(dir string, files []File) error {
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		st, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%w: %s is missing (recorded sha256 %s); %s", ErrDamaged, path, f.SHA256, remedy(dir))
		case err != nil:
			return err
		case !st.Mode().IsRegular():
			return fmt.Errorf("%w: %s: %w", ErrDamaged, path, regular.ErrKind)
		case st.Size() != f.Size:
			return fmt.Errorf("%w: %s has %d bytes, %d were recorded (sha256 %s); %s", ErrDamaged, path, st.Size(), f.Size,
				f.SHA256, remedy(dir))
		}
	}
	return nil
}

func remedy(dir string) string {
	return fmt.Sprintf("pull the model again (textmill models pull, textmill setup for a default model), or remove %s to accept the files as they are", filepath.Join(dir, RecordName))
}

// Verify reads all of the bundle's files and compares them to the recorded hashes. The error names the file and both
// hashes.
func (s *Spec) Verify(ctx context.Context) error {
	for _, f := range s.Files {
		path := s.path(f.Path)
		sum, size, err := HashFile(ctx, path)
		if err != nil {
			return fmt.Errorf("verify model %s: %w", s.Name, err)
		}
		if sum != f.SHA256 {
			return fmt.Errorf("verify model %s: %w: %s has sha256 %s (%d bytes), recorded is %s (%d bytes); %s",
				s.Name, ErrDamaged, path, sum, size, f.SHA256, f.Size, remedy(s.Dir))
		}
	}
	return nil
}

func (s *Spec) path(name string) string { return filepath.Join(s.Dir, filepath.FromSlash(name)) }
