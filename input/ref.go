package input

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"time"

	"textmill/jobs"
)

// OpenInput reads what a job's input points to: the bytes of JSONL, CSV or text from offset on, length of
// them, or the row groups of a Parquet file. The file must be the one that was meant, by size and time, at
// the beginning and still at the end. Compressed files are read only whole, and may grow to 64 GiB where o sets
// no other bound: whoever sent the job need not be whom the daemon trusts.
func (r *Roots) OpenInput(in *jobs.Input, o Options) (*Reader, error) {
	o = o.withDefaults()
	if o.MaxExpandedBytes <= 0 {
		o.MaxExpandedBytes = jobExpandedBytes
	}
	o.TextColumn, o.IDColumn = in.TextColumn, in.IDColumn
	if in.Remote() {
		return r.openObject(in, o)
	}
	f, st, err := r.open(in)
	if err != nil {
		return nil, err
	}
	if err := sameFile(st, in); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	reader, err := openInput(f, st.Size(), in, o)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", in.URI, err), f.Close())
	}
	reader.closes = append([]func() error{f.Close}, reader.closes...)
	reader.atEnd = func() error {
		now, err := f.Stat()
		if err != nil {
			return fmt.Errorf("stat %s: %w", in.URI, err)
		}
		return sameFile(now, in)
	}
	return reader, nil
}

// told tells of each read how many bytes it gave.
type told struct {
	io.ReaderAt
	read func(bytes int)
}

func (t told) ReadAt(p []byte, at int64) (int, error) {
	n, err := t.ReaderAt.ReadAt(p, at)
	t.read(n)
	return n, err
}

// openInput reads what an input says of a file or an object.
func openInput(f io.ReaderAt, size int64, in *jobs.Input, o Options) (*Reader, error) {
	if o.Read != nil {
		f = told{f, o.Read}
	}
	switch in.Format {
	case Parquet:
		r := &Reader{format: Parquet}
		return r, r.openRowGroups(f, size, in.RowGroups, o)
	case JSONL, CSV, Text:
	default:
		return nil, fmt.Errorf("%w: %q is none of jsonl, csv, text, parquet", ErrFormat, in.Format)
	}
	o.Format = in.Format
	length := in.Length
	if length == 0 {
		length = size - in.Offset
	}
	if in.Offset == 0 && length == size {
		return newReader(io.NewSectionReader(f, 0, size), in.URI, o)
	}
	if in.Offset < 0 || length < 0 || length > math.MaxInt64-in.Offset || in.Offset+length > size {
		return nil, fmt.Errorf("%w: offset %d and length %d in a file of %d bytes", ErrInputRange, in.Offset, length,
			size)
	}
	return openRange(f, in.Offset, length, size, o)
}

// openRange reads the records of a byte range, which must begin and end at a border of records.
func openRange(f io.ReaderAt, offset, length, size int64, o Options) (*Reader, error) {
	for _, at := range []int64{offset, offset + length} {
		if err := border(f, at, size); err != nil {
			return nil, err
		}
	}
	section := io.NewSectionReader(f, offset, length)
	var err error
	r := &Reader{format: o.Format}
	switch {
	case offset == 0:
		plain := bufio.NewReaderSize(section, firstBuffer)
		if err := skipBOM(plain); err != nil {
			return nil, err
		}
		r.src, err = newSource(o.Format, true, plain, o)
	case o.Format == CSV:
		r.src, err = openCSVRange(io.NewSectionReader(f, 0, offset), section, o)
	default:
		r.src, err = newSource(o.Format, true, section, o)
	}
	if err != nil {
		return nil, err
	}
	if csv, ok := r.src.(*csvSource); ok {
		csv.cut = offset+length < size
	}
	return r, nil
}

// openCSVRange takes the header from what is before the range and the records from section.
func openCSVRange(before, section io.Reader, o Options) (*csvSource, error) {
	head := bufio.NewReaderSize(before, firstBuffer)
	if err := skipBOM(head); err != nil {
		return nil, err
	}
	csv, err := newCSVSource(newLineReader(head, o.MaxRecordBytes), ',', o)
	if err != nil {
		return nil, err
	}
	csv.lines = newLineReader(section, o.MaxRecordBytes)
	return csv, nil
}

// border says whether a record may begin at byte at: the beginning, the end, or after a newline.
func border(f io.ReaderAt, at, size int64) error {
	if at == 0 || at == size {
		return nil
	}
	var before [1]byte
	if _, err := f.ReadAt(before[:], at-1); err != nil {
		return fmt.Errorf("read byte %d: %w", at-1, err)
	}
	if !bytes.Equal(before[:], []byte{'\n'}) {
		return fmt.Errorf("%w: byte %d is inside a record; a range begins and ends after a newline", ErrInputRange, at)
	}
	return nil
}

// sameFile compares size and modification time. The time need only agree as far as its publisher wrote it:
// to the second, millisecond or microsecond when it has no finer digits.
func sameFile(st fs.FileInfo, in *jobs.Input) error {
	if st.Size() != in.Size {
		return fmt.Errorf("%w: %s has %d bytes, the job was made when it had %d", ErrInputChanged, in.URI, st.Size(),
			in.Size)
	}
	unit := time.Nanosecond
	for _, coarser := range []time.Duration{time.Microsecond, time.Millisecond, time.Second} {
		if in.MTime.Nanosecond()%int(coarser) == 0 {
			unit = coarser
		}
	}
	if d := st.ModTime().Sub(in.MTime).Abs(); d >= unit {
		return fmt.Errorf("%w: %s was modified at %s, the job was made when that was %s", ErrInputChanged, in.URI,
			st.ModTime().UTC().Format(time.RFC3339Nano), in.MTime.UTC().Format(time.RFC3339Nano))
	}
	return nil
}
