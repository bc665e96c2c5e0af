package search

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"textmill/export"
	"textmill/export/parquetin"
	"textmill/export/scan"
)

// Model is what rows say made their vectors.
type Model struct{ Name, SHA256 string }

// shortHash is how much of a hash tells models of one name apart.
const shortHash = 12

func (m Model) String() string { return m.Name + "@" + m.SHA256[:min(len(m.SHA256), shortHash)] }

// ErrModels is the class of tables whose vectors several models made, none of which was chosen, and of choices that
// none of them made.
var ErrModels = errors.New("it is not known which model is meant")

// Models are the models that made the table's vectors, as the log tells, or else the rows.
func Models(ctx context.Context, t *export.Reading) ([]Model, error) {
	found := map[Model]bool{}
	for _, f := range t.Files {
		if f.Void("dim") {
			continue
		}
		name, one := f.Only("model")
		sum, same := f.Only("model_sha256")
		if one && same {
			found[Model{name, sum}] = true
			continue
		}
		var known *string
		if one && f.Full("model") {
			known = &name
		}
		if err := modelsOf(ctx, t, f, known, found); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	list := make([]Model, 0, len(found))
	for m := range found {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b Model) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.SHA256, b.SHA256))
	})
	return list, nil
}

// modelsOf reads the rows of a file, whose model's name may be known.
func modelsOf(ctx context.Context, t *export.Reading, f export.LiveFile, name *string, found map[Model]bool) error {
	opened, closed, err := t.Open(f)
	if err != nil {
		return err
	}
	defer closed()
	columns := []string{"dim", "model_sha256"}
	if name == nil {
		columns = append(columns, "model")
	}
	for g := range opened.Groups() {
		err := opened.Columns(ctx, g, columns, func(row []parquetin.Value) error {
			if row[0].Null {
				return nil
			}
			m := Model{SHA256: row[1].Text}
			if name != nil {
				m.Name = *name
			} else {
				m.Name = row[2].Text
			}
			found[m] = true
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Choose picks the model that is meant: the only one, or that of a name, or of a name and the beginning of a hash,
// NAME@HASH.
func Choose(all []Model, meant string) (Model, error) {
	name, hash, _ := strings.Cut(meant, "@")
	var fit []Model
	var names []string
	for _, m := range all {
		names = append(names, m.String())
		if meant == "" || m.Name == name && strings.HasPrefix(m.SHA256, hash) {
			fit = append(fit, m)
		}
	}
	switch {
	case len(fit) == 1:
		return fit[0], nil
	case len(fit) == 0:
		return Model{}, fmt.Errorf("%w: no vector of the table was made by %q; there are those of %s", ErrModels, meant,
			strings.Join(names, ", "))
	}
	return Model{}, fmt.Errorf("%w: the table's vectors were made by %s; name one with --model", ErrModels,
		strings.Join(names, ", "))
}

// Rows are the conditions that rows of the model meet.
func (m Model) Rows() scan.Conditions {
	return scan.Conditions{{Column: "model", Value: m.Name}, {Column: "model_sha256", Value: m.SHA256}}
}
