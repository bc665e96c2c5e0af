package export

import (
	"context"
	"encoding/binary"
	"hash/maphash"
	"slices"
	"strings"

	"textmill/export/parquetin"
)

// uniqueAtOnce is how many rows are compared in one pass over the files, at 16 bytes each.
const uniqueAtOnce = 8 << 20

var identity = []string{"job", "shard", "record_id", "chunk", "task", "model", "error"}

// verifyUnique finds rows of the same task, model, job, shard, record_id and chunk. Rows are told apart by hashes of
// 128 bits; a table of more rows than are held at once takes several passes, each over one share of the hashes.
func (v *view) verifyUnique(ctx context.Context, files []LiveFile, out *Verification) error {
	return v.findRepeats(ctx, files, uint64(out.RowsRead/uniqueAtOnce+1), out)
}

func (v *view) findRepeats(ctx context.Context, files []LiveFile, passes uint64, out *Verification) error {
	seeds := [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}
	repeated := map[[2]uint64]bool{}
	for pass := range passes {
		var hashes [][2]uint64
		err := v.identities(ctx, files, seeds, func(h [2]uint64, _ LiveFile, _ []parquetin.Value) {
			if h[0]%passes == pass {
				hashes = append(hashes, h)
			}
		})
		if err != nil {
			return err
		}
		slices.SortFunc(hashes, compareHashes)
		for i := 1; i < len(hashes); i++ {
			if hashes[i] == hashes[i-1] && len(repeated) <= maxProblems {
				repeated[hashes[i]] = true
			}
		}
	}
	if len(repeated) == 0 {
		return nil
	}
	return v.nameRepeats(ctx, files, seeds, repeated, out)
}

// nameRepeats reads once more to say which rows they are and where.
func (v *view) nameRepeats(ctx context.Context, files []LiveFile, seeds [2]maphash.Seed, repeated map[[2]uint64]bool,
	out *Verification) error {
	first := map[[2]uint64]string{}
	return v.identities(ctx, files, seeds, func(h [2]uint64, f LiveFile, row []parquetin.Value) {
		if !repeated[h] {
			return
		}
		if other, seen := first[h]; seen {
			out.problem("record %q (job %q, shard %q, chunk %s) is in %s and again in %s",
				row[2].Text, row[0].Text, row[1].Text, chunkText(row[3]), other, f.Path)
			return
		}
		first[h] = f.Path
	})
}

func chunkText(v parquetin.Value) string {
	if v.Null {
		return "null"
	}
	return v.Text
}

// identities goes through all rows but those that say of themselves that they repeat an id.
func (v *view) identities(ctx context.Context, files []LiveFile, seeds [2]maphash.Seed,
	each func([2]uint64, LiveFile, []parquetin.Value)) error {
	var buf []byte
	for _, f := range files {
		err := v.readCells(ctx, f, identity, func(row []parquetin.Value) error {
			if strings.HasPrefix(row[6].Text, "duplicate_id") {
				return nil
			}
			buf = buf[:0]
			for _, cell := range row[:6] {
				if cell.Null {
					buf = append(buf, 0)
					continue
				}
				buf = append(binary.AppendUvarint(append(buf, 1), uint64(len(cell.Text))), cell.Text...)
			}
			each([2]uint64{maphash.Bytes(seeds[0], buf), maphash.Bytes(seeds[1], buf)}, f, row)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
