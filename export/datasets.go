package export

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"textmill/export/delta"
	"textmill/export/storage"
	"textmill/ground/naming"
)

// Datasets lists the datasets that have a table at a path or URI of tables, in the order of their names. A place that
// is not there has none.
func Datasets(uri string) ([]string, error) {
	root, err := storage.Open(uri, storage.Options{ReadOnly: true})
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	names, err := datasets(root)
	slices.Sort(names)
	return names, errors.Join(err, root.Close())
}

// Place is where a URI of tables leads: an absolute path, or the URI of a bucket's prefix.
func Place(uri string) (string, error) { return storage.Absolute(uri) }

// TableURI is where the table of a dataset lies below a path or URI of tables.
func TableURI(uri, dataset string) (string, error) {
	path, err := storage.Absolute(uri)
	if err != nil {
		return "", err
	}
	return storage.Join(path, dataset), nil
}

func datasets(root storage.Dir) ([]string, error) {
	names, err := root.Names("")
	if err != nil {
		return nil, fmt.Errorf("list the tables of %s: %w", root.Path(), err)
	}
	var found []string
	for _, name := range names {
		if naming.CheckDataset(name) != nil {
			continue
		}
		_, err := root.Stat(storage.Join(name, delta.DirName))
		switch {
		case err == nil:
			found = append(found, name)
		case !errors.Is(err, os.ErrNotExist) && !isNotDir(err):
			return nil, fmt.Errorf("look for a table at %s: %w", storage.Join(root.Path(), name), err)
		}
	}
	return found, nil
}
