package export

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"textmill/export/part"
	"textmill/export/storage"
)

// Verification is what Verify found.
type Verification struct {
	*Inspection
	RowsRead int64
	Problems []string // what is wrong; empty for a sound table
	// Unnamed are files that the log does not name: parts whose commit is still to come, or that a sweep will remove.
	Unnamed []string
}

// maxProblems bounds the list; the last one then says so.
const maxProblems = 200

func (v *Verification) problem(format string, args ...any) {
	switch {
	case len(v.Problems) < maxProblems:
		v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
	case len(v.Problems) == maxProblems:
		v.Problems = append(v.Problems, "further problems are not listed")
	}
}

// Verify reads every file of the table at a path or URI and compares it with what the log says: existence, size,
// footer, columns, rows, stats, and that no record is there twice. The log's entries must be whole and without gaps.
// Memory is bounded. An error means that the table could not be read at all.
func Verify(ctx context.Context, uri string) (*Verification, error) {
	v, err := openView(ctx, uri)
	if err != nil {
		return nil, err
	}
	defer v.close()
	in, err := v.inspect()
	if err != nil {
		return nil, err
	}
	out := &Verification{Inspection: in}
	if in.Refused != nil {
		out.problem("%v", in.Refused)
	}
	if err := v.verifyLog(ctx, out); err != nil {
		return nil, err
	}
	var sound []LiveFile
	for _, f := range in.Files {
		ok, err := v.verifyFile(ctx, f, out)
		if err != nil {
			return nil, err
		}
		if ok {
			sound = append(sound, f)
		}
	}
	if err := v.verifyUnique(ctx, sound, out); err != nil {
		return nil, err
	}
	return out, v.unnamed(ctx, out)
}

// verifyLog reads every entry that is still there. The hint comes first, since a daemon may write the first checkpoint
// meanwhile, and points to it when it is there.
func (v *view) verifyLog(ctx context.Context, out *Verification) error {
	last, hintErr := v.log.LastCheckpoint()
	list, err := v.log.List()
	if err != nil {
		return err
	}
	for _, gap := range list.Gaps() {
		out.problem("the log has no entry %d", gap)
	}
	for _, n := range list.Entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, _, err := v.log.Read(n); err != nil && !errors.Is(err, os.ErrNotExist) {
			out.problem("%v", err)
		}
	}
	for _, c := range list.Checkpoints() {
		if err := v.log.CheckCheckpoint(ctx, c); err != nil && !errors.Is(err, os.ErrNotExist) {
			out.problem("%v", err)
		}
	}
	switch {
	case errors.Is(hintErr, os.ErrNotExist):
	case hintErr != nil:
		out.problem("%v", hintErr)
	case len(list.Checkpoints()) == 0:
		out.problem("_last_checkpoint points to %d, which is not there", last)
	}
	return nil
}

// verifyFile reports whether the file can be read.
func (v *view) verifyFile(ctx context.Context, f LiveFile, out *Verification) (bool, error) {
	st, err := v.dir.Stat(f.name)
	if err != nil {
		out.problem("%s: %v", f.Path, err)
		return false, nil
	}
	if st.Size != f.Size {
		out.problem("%s: the log says %d bytes, the file has %d", f.Path, f.Size, st.Size)
	}
	err = v.read(f, func(_ storage.File, r *part.Reader) error {
		if kind := r.Footer().Kind; kind.String() != out.Embedding {
			out.problem("%s: embeddings are %s, the table's are %s", f.Path, kind, out.Embedding)
		}
		rows, problems, err := r.Check(ctx, f.stats)
		out.RowsRead += rows
		for _, p := range problems {
			out.problem("%s: %s", f.Path, p)
		}
		return err
	})
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		out.problem("%v", err)
	}
	return err == nil, nil
}

// unnamed lists parts and temporary files that the log, read again, does not name.
func (v *view) unnamed(ctx context.Context, out *Verification) error {
	names, err := namesIn(v.dir)
	if err != nil {
		return err
	}
	named, err := readNamed(ctx, v.dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		if filepath.Ext(n) == ".parquet" && !named.has(n) {
			out.Unnamed = append(out.Unnamed, storage.Join(v.dir.Path(), n))
		}
	}
	aux, err := v.dir.Stage()
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer aux.Close()
	if names, err = aux.Names(); err != nil {
		return err
	}
	for _, n := range names {
		if ourTemp.MatchString(n) {
			out.Unnamed = append(out.Unnamed, filepath.Join(aux.Path(), n))
		}
	}
	return nil
}
