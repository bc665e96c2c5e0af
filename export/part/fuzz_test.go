package part

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
)

// FuzzOpen is a part that a disk or another tool has damaged: it is read, or refused as damaged, within bounds.
func FuzzOpen(f *testing.F) {
	for _, kind := range []Embedding{Float32, Int8} {
		var out bytes.Buffer
		w, err := New(&out, Options{Kind: kind})
		if err != nil {
			f.Fatal(err)
		}
		rows := benchRows(3)
		for i := range rows {
			rows[i].Embedding = rows[i].Embedding[:4]
			if kind == Int8 {
				rows[i].Embedding, rows[i].Embedding8 = nil, []int8{1, 2, 3}
			}
		}
		if err := errors.Join(w.Write(rows), w.Close()); err != nil {
			f.Fatal(err)
		}
		f.Add(out.Bytes(), w.Stats())
	}
	f.Add([]byte("PAR1PAR1PAR1"),
		`{"numRecords":1e3,"minValues":{"job":1},"maxValues":{"created_at":"x"},"nullCount":{"job":"a"}}`)
	f.Fuzz(func(t *testing.T, data []byte, stats string) {
		r, err := Open(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("%v is of no class", err)
			}
			return
		}
		r.Footer()
		errEnough := errors.New("enough")
		rows := 0
		err = r.Rows(t.Context(), func(some []Row) error {
			if rows += len(some); rows > 1<<16 {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, errEnough) {
			t.Errorf("%v is of no class", err)
		}
		if err != nil {
			return
		}
		if n, _, err := r.Check(t.Context(), stats); err != nil || n != int64(rows) {
			t.Errorf("%d rows, checked %d, %v", rows, n, err)
		}
		counted := map[Delivery]Tally{}
		if err := r.AddTallies(context.Background(), counted); err != nil {
			t.Error(err)
		}
		var sum int64
		for _, c := range counted {
			sum += c.Rows
		}
		if sum != int64(rows) {
			t.Errorf("%d rows, counted %d", rows, sum)
		}
	})
}

// A schema that we can write to stays one, with its other columns, when the type of its vectors is bound.
func FuzzSchema(f *testing.F) {
	for kind := Float32; kind <= Int16; kind++ {
		f.Add(SchemaString(kind))
	}
	f.Add(strings.Replace(SchemaString(Float32), `"fields":[`,
		`"fields":[{"name":"x","type":{"type":"struct","fields":[]},"nullable":true,"metadata":{"comment":"y"}},`, 1))
	f.Add(`{"type":"struct","fields":[null,{"name":5}]}`)
	f.Fuzz(func(t *testing.T, schema string) {
		if _, err := KindOf(schema); err != nil {
			return
		}
		bound, err := Evolved(schema, Int8)
		if err != nil {
			t.Fatal(err)
		}
		if kind, err := KindOf(bound); err != nil || kind != Int8 {
			t.Errorf("%s becomes %s: %v, %v", schema, bound, kind, err)
		}
		before, err := fieldsOf(schema)
		if err != nil {
			t.Fatal(err)
		}
		if after, err := fieldsOf(bound); err != nil || len(after) < len(before) || Lacks(bound) {
			t.Errorf("%d columns become %d, %v", len(before), len(after), err)
		}
	})
}
