package export

import (
	"context"
	"encoding/json"
	"fmt"

	"textmill/export/scan"
	"textmill/export/storage"
)

// Reading is a table at one version, whose files are read column by column. Commits that come later change nothing of
// what it reads. Its methods are safe for concurrent use.
type Reading struct {
	*Inspection
	v *view
}

// OpenReading reads the log of the table at a path or URI.
func OpenReading(ctx context.Context, uri string) (*Reading, error) {
	v, err := openView(ctx, uri)
	if err != nil {
		return nil, err
	}
	in, err := v.inspect()
	if err != nil {
		v.close()
		return nil, err
	}
	return &Reading{in, v}, nil
}

// Close ends the reading.
func (r *Reading) Close() { r.v.close() }

// Holds is what vectors the table has, as its log says, or else its files; none where it has none. Mixed ones are
// ErrSchema.
func (r *Reading) Holds(ctx context.Context) (Vectors, error) {
	if r.Vectors != (Vectors{}) {
		return r.Vectors, nil
	}
	h, err := r.v.holds(ctx)
	if err == nil && h.mixed != "" {
		err = fmt.Errorf("%w: %s holds %s", ErrSchema, r.Path, h.mixed)
	}
	return h.vectors, err
}

// Open opens a file of the table; close gives back what it holds.
func (r *Reading) Open(f LiveFile) (opened *scan.File, closed func(), err error) {
	file, err := r.v.dir.OpenRanges(f.name)
	if err != nil {
		return nil, nil, err
	}
	opened, err = openScan(file)
	if err != nil {
		_ = file.Close() // opened for reading
		return nil, nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	return opened, func() { _ = file.Close() }, nil
}

func openScan(file storage.File) (*scan.File, error) {
	st, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return scan.Open(file, st.Size)
}

// bounds are what the log says of a file's rows.
type fileBounds struct {
	NumRecords           *int64
	MinValues, MaxValues map[string]any
	NullCount            map[string]any
}

func (f LiveFile) bounds() (b fileBounds) {
	if f.stats != "" {
		_ = json.Unmarshal([]byte(f.stats), &b) // what is no JSON tells nothing
	}
	return b
}

// Only is the one value that a column of text has in all rows of the file that have one, as far as the log tells.
func (f LiveFile) Only(column string) (value string, ok bool) {
	if v, is := f.partition[column]; is {
		if v == nil {
			return "", false
		}
		return *v, true
	}
	b := f.bounds()
	least, is := b.MinValues[column].(string)
	most, too := b.MaxValues[column].(string)
	return least, is && too && least == most
}

// Without tells that no row of the file has a value in a column of text.
func (f LiveFile) Without(column, value string) bool {
	if v, is := f.partition[column]; is {
		return v == nil || *v != value
	}
	b := f.bounds()
	least, is := b.MinValues[column].(string)
	most, too := b.MaxValues[column].(string)
	return is && too && (value < least || value > most)
}

// WithoutAttribute tells that no row of a file of the table has an attribute of a value.
func (in *Inspection) WithoutAttribute(f LiveFile, name, value string) bool {
	return in.By.withoutAttribute(f.partition, name, value)
}

// OnlyAttribute tells that all rows of a file of the table have an attribute of a value.
func (in *Inspection) OnlyAttribute(f LiveFile, name, value string) bool {
	has := f.partition[name]
	return name == in.By.Attribute() && has != nil && *has == value
}

// Void tells that a column is null in all rows of the file.
func (f LiveFile) Void(column string) bool {
	if v, is := f.partition[column]; is {
		return v == nil
	}
	b := f.bounds()
	nulls, ok := b.NullCount[column].(float64)
	return ok && b.NumRecords != nil && int64(nulls) >= *b.NumRecords
}

// Full tells that a column is null in no row of the file.
func (f LiveFile) Full(column string) bool {
	if v, is := f.partition[column]; is {
		return v != nil
	}
	nulls, ok := f.bounds().NullCount[column].(float64)
	return ok && nulls == 0
}
