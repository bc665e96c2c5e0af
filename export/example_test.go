package export_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"textmill/export"
)

// The rows of a delivery are in the table once, however often they are committed.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "tables-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store, err := export.OpenStore(export.Options{URI: dir})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	table, err := store.Table("docs")
	if err != nil {
		log.Fatal(err)
	}
	key := export.JobKey("embed", "all-MiniLM-L6-v2", "docs-1", "0", []byte("the message's payload"))
	rows := []export.Row{{Job: "docs-1", Shard: "0", RecordID: "a", Text: export.Some("a text"),
		Embedding: []float32{0.6, 0.8}}}
	for range 2 {
		batch, err := table.Begin(ctx, export.EmbeddingFloat32)
		if err != nil {
			log.Fatal(err)
		}
		if err := batch.Add(key, rows); err != nil {
			log.Fatal(err)
		}
		result, err := batch.Commit(ctx)
		batch.Abort() // nothing, once it is committed
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("version", result.Version, "rows", result.Rows)
	}
	err = export.Scan(ctx, store.TablePath("docs"), func(rows []export.Row) error {
		for _, r := range rows {
			fmt.Println(r.RecordID, r.Text.V, r.Embedding)
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// version 1 rows 1
	// version 1 rows 0
	// a a text [0.6 0.8]
}
