package models

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
)

// TransformerFolder is where modules.json has the encoder's own files, as paths in there are written; "" is the top.
func TransformerFolder(dir string) (string, error) {
	var modules []module
	if _, err := readJSON(filepath.Join(dir, "modules.json"), &modules); err != nil {
		return "", err
	}
	i := slices.IndexFunc(modules, module.encodes)
	if i < 0 {
		return "", nil
	}
	return modules[i].folder(), modules[i].check()
}

// encodes tells whether the module is the encoder.
func (m module) encodes() bool { return IsEncoder(m.Type) }

// IsEncoder tells whether modules.json calls the encoder by a type.
func IsEncoder(moduleType string) bool { return module{Type: moduleType}.kind() == "Transformer" }

// folder is the module's path, "" for the top.
func (m module) folder() string {
	if clean := path.Clean(filepath.ToSlash(m.Path)); clean != "." {
		return clean
	}
	return ""
}

func (m module) check() error {
	if m.folder() != "" && !filepath.IsLocal(filepath.FromSlash(m.Path)) {
		return fmt.Errorf("%w: modules.json puts the %s module into %q, outside of the bundle", ErrBundle, m.kind(), m.Path)
	}
	return nil
}
