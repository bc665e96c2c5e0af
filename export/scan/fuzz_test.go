package scan

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"textmill/export/part"
)

// FuzzScan is a file that a disk or another tool has damaged: it is read, or refused as damaged, within bounds.
func FuzzScan(f *testing.F) {
	for kind := part.Float32; kind <= part.Int16; kind++ {
		f.Add(write(f, kind, rowsOf(kind, 12), 1<<10))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Open(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			if !errors.Is(err, part.ErrDamaged) {
				t.Errorf("%v is of no class", err)
			}
			return
		}
		var s Scanner
		for g, rows := range file.Groups() {
			if rows > 1<<16 || g > 16 {
				return
			}
			err := s.Vectors(context.Background(), file, g, dim, func(b *Block) error {
				if len(b.Floats)+len(b.Ints) != dim*len(b.Rows) {
					t.Errorf("%d values of %d vectors", len(b.Floats)+len(b.Ints), len(b.Rows))
				}
				for _, row := range b.Rows {
					if row < 0 || int64(row) >= rows {
						t.Errorf("row %d of %d", row, rows)
					}
				}
				return nil
			})
			if err != nil && !errors.Is(err, part.ErrDamaged) {
				t.Errorf("%v is of no class", err)
			}
			_, _ = file.Match(context.Background(), g, Conditions{{"lang", true, "en"}, {"model", false, "m"}})
			if err := file.Rows(context.Background(), g, []int64{0, rows - 1}, func(Row) {}); err != nil && !errors.Is(err, part.ErrDamaged) {
				t.Errorf("%v is of no class", err)
			}
		}
	})
}
