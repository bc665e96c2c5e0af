package checkpoint

import (
	"fmt"
	"os"
	"path/filepath"
)

// modules are sentence-transformers' modules that an import writes where the source has them in other words, or none.
type modules struct {
	dir  string
	list []map[string]any
}

// newModules begins with the encoder, at the top of dir.
func newModules(dir string) *modules {
	m := &modules{dir: dir}
	m.append("Transformer", "")
	return m
}

func (m *modules) append(kind, folder string) {
	n := len(m.list)
	m.list = append(m.list, map[string]any{"idx": n, "name": fmt.Sprint(n), "path": folder,
		"type": "sentence_transformers.models." + kind})
}

// add writes a module's folder with its config.json, and returns the folder.
func (m *modules) add(kind string, config map[string]any) (string, error) {
	folder := fmt.Sprintf("%d_%s", len(m.list), kind)
	m.append(kind, folder)
	folder = filepath.Join(m.dir, folder)
	if err := os.Mkdir(folder, 0o755); err != nil {
		return "", err
	}
	return folder, writeJSON(filepath.Join(folder, "config.json"), config)
}

func (m *modules) write() error { return writeJSON(filepath.Join(m.dir, "modules.json"), m.list) }
