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
func Table(t testing.TB, o export.Options, dataset string, v export.Vectors, parts ...[]export.Row) string {
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
	for i, rows := range parts {
		if err := commit(t, table, v, strconv.Itoa(i), rows); err != nil {
			t.Fatal(err)
		}
	}
	return table.Path()
}

func commit(t testing.TB, table *export.Table, v export.Vectors, shard string, rows []export.Row) error {
	kind := export.EmbeddingFloat32
	if v != (export.Vectors{}) {
		kind = v.Kind()
	}
	b, err := table.Begin(t.Context(), kind)
	if err != nil {
		return err
	}
	defer b.Abort()
	if err := b.Bind(t.Context(), v); err != nil {
		return err
	}
	if err := b.Add(export.JobKey("embed", "m", rand.Text(), shard, nil), rows); err != nil {
		return err
	}
	_, err = b.Commit(t.Context())
	return err
}
