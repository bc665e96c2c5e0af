// Command maketable makes a table of rows that nobody computed, for checks of what loads tables elsewhere.
package main

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"textmill/export"
)

// hostile are texts and ids that quoting, escaping or a reader's guess might spoil.
var hostile = []string{
	"it's \"quoted\"; DROP TABLE docs; --", `back\slash \N \. \t`, "tab\tand\nnewline\r\n", "\\.", "\\N", "NULL", "{a,b}", "[1,2]",
	"$1 $$ ${x} {{.Files}}", "%s %d", "/* */ -- #", "“Ünïcödé” 日本語 😀 \u202eabc", "", " ", "a\u0000b", "0", "-1", "true", "\ufeffbom",
	strings.Repeat("long ", 2000),
}

type options struct {
	dir, dataset string
	rows, dim    int
	errors       int
	commits      int
	precision    string
	tag          string
	hostile      bool
	partitioning string
}

func main() {
	var o options
	flag.StringVar(&o.dir, "dir", "", "directory of tables")
	flag.StringVar(&o.dataset, "dataset", "docs", "the table's name")
	flag.IntVar(&o.rows, "rows", 1000, "rows")
	flag.IntVar(&o.dim, "dim", 384, "dimensions")
	flag.IntVar(&o.errors, "errors", 0, "rows that are errors, beside them")
	flag.IntVar(&o.commits, "commits", 2, "commits")
	flag.StringVar(&o.precision, "precision", "float32", "float32, int8 or uint8")
	flag.StringVar(&o.tag, "job", "made", "the rows' job")
	flag.BoolVar(&o.hostile, "hostile", true, "have some ids and texts be hostile")
	flag.StringVar(&o.partitioning, "partition-by", "", "what the table is partitioned by, as in export.partition_by")
	flag.Parse()
	if err := build(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "maketable:", err)
		os.Exit(1)
	}
}

func build(ctx context.Context, o options) error {
	var by export.Partitioning
	if o.partitioning != "" {
		var err error
		if by, err = export.ParsePartitioning(o.partitioning); err != nil {
			return err
		}
	}
	partitioned := func(string) export.Partitioning { return by }
	store, err := export.OpenStore(export.Options{URI: o.dir, PartitionBy: partitioned})
	if err != nil {
		return err
	}
	defer store.Close()
	table, err := store.Table(o.dataset)
	if err != nil {
		return err
	}
	for n := range o.commits {
		if err := commit(ctx, table, o, n); err != nil {
			return err
		}
	}
	fmt.Println(filepath.Join(o.dir, o.dataset))
	return nil
}

func commit(ctx context.Context, table *export.Table, o options, n int) error {
	v := export.Vectors{Precision: o.precision, Dim: o.dim}
	b, err := table.Begin(ctx, v.Kind())
	if err != nil {
		return err
	}
	defer b.Abort()
	if err := b.Bind(ctx, v); err != nil {
		return err
	}
	shard := fmt.Sprint(n)
	source := rand.New(rand.NewPCG(uint64(n), uint64(len(o.tag))))
	var rows []export.Row
	for i := n * o.rows / o.commits; i < (n+1)*o.rows/o.commits; i++ {
		rows = append(rows, row(source, o, shard, i))
	}
	for i := n * o.errors / o.commits; i < (n+1)*o.errors/o.commits; i++ {
		r := row(source, o, shard, 0)
		r.RecordID, r.Embedding, r.Embedding8, r.Embedding16 = fmt.Sprintf("e%07d", i), nil, nil, nil
		r.Dim, r.Norm, r.Error = export.Null[int32]{}, export.Null[float64]{}, "invalid_record: it's made so"
		rows = append(rows, r)
	}
	if err := b.Add(export.JobKey("embed", "made", o.tag, shard, []byte(o.tag)), rows); err != nil {
		return err
	}
	_, err = b.Commit(ctx)
	return err
}

func row(source *rand.Rand, o options, shard string, i int) export.Row {
	id, text := fmt.Sprintf("r%07d", i), fmt.Sprintf("text %d of %s, %x", i, o.tag, source.Uint64())
	attributes := map[string]string{"lang": "en", "it's": `a "b"`}
	if o.hostile && i < len(hostile) {
		text = hostile[i]
		id = "h" + hostile[i][:min(len(hostile[i]), 200)]
		attributes["hostile"] = hostile[i]
	}
	r := export.Row{
		Job: o.tag, Shard: shard, RecordID: id, Task: "embed", Model: "made", ModelSHA256: strings.Repeat("0a", 32),
		Text: export.Some(text), Attributes: attributes, InputIDs: []int32{101, int32(i), 102},
		NTokens: export.Some[int32](3), NDropped: export.Some[int32](0), Dim: export.Some(int32(o.dim)),
		Truncated: export.Some(false), Norm: export.Some(1.0),
		CreatedAt: time.UnixMicro(1700000000000000 + int64(i)).UTC()}
	vector := make([]float32, o.dim)
	sum := 0.0
	for k := range vector {
		vector[k] = float32(source.NormFloat64())
		sum += float64(vector[k]) * float64(vector[k])
	}
	for k := range vector {
		vector[k] /= float32(math.Sqrt(sum))
	}
	switch o.precision {
	case "int8":
		for _, x := range vector {
			r.Embedding8 = append(r.Embedding8, int8(max(-128, min(127, math.Round(float64(x)*500)))))
		}
	case "uint8":
		for _, x := range vector {
			r.Embedding16 = append(r.Embedding16, int16(max(0, min(255, math.Round(float64(x)*500+128)))))
		}
	default:
		r.Embedding = vector
	}
	return r
}
