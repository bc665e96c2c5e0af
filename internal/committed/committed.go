// Package committed makes tables for tests.
package committed

import (
	"crypto/rand"
	"strconv"
	"testing"

	"textmill/export"
)

// Table adds each list of rows to a dataset's table in a commit of its own, and gives the table's path. v are the
// vectors that the rows have; where it is none, the table is left unbound.
func Table(t testing.TB, o export.Options, dataset string, v export.Vectors, parts ...[]export.Row) (path string) {
	t.Helper()
	with(t, o, dataset, func(table *export.Table) {
		for i, rows := range parts {
			commit(t, table, v, export.JobKey("embed", "m", rand.Text(), strconv.Itoa(i), nil), rows)
		}
		path = table.Path()
	})
	return path
}

// Delivery adds rows to a dataset's table as what a delivery brought.
func Delivery(t testing.TB, o export.Options, dataset string, v export.Vectors, k export.Key, rows []export.Row) {
	t.Helper()
	with(t, o, dataset, func(table *export.Table) { commit(t, table, v, k, rows) })
}

func with(t testing.TB, o export.Options, dataset string, use func(*export.Table)) {
	t.Helper()
	if o.Scratch == "" {
		o.Scratch = t.TempDir()
	}
	store, err := export.OpenStore(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	table, err := store.Table(dataset)
	if err != nil {
		t.Fatal(err)
	}
	use(table)
}

func commit(t testing.TB, table *export.Table, v export.Vectors, k export.Key, rows []export.Row) {
	t.Helper()
	kind := export.EmbeddingFloat32
	if v != (export.Vectors{}) {
		kind = v.Kind()
	}
	b, err := table.Begin(t.Context(), kind)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Abort()
	if err := b.Bind(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	if err := b.Add(k, rows); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}
