package input

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"textmill/export/parquetin"
	"textmill/jobs"
)

// formatOf is the format of an object that a job message can point to.
func formatOf(key string, o Options) (format string, err error) {
	if format = o.Format; format == "" {
		format, _ = formatNamed(key)
	}
	switch format {
	case JSONL, CSV, Text, Parquet:
		return format, nil
	case "":
		return "", fmt.Errorf("%w: cannot tell that of %s from its name; say --format jsonl, csv, text or parquet", ErrFormat, key)
	}
	return "", fmt.Errorf("%w: %s cannot be read by reference; copy the object to a file, and submit that", ErrFormat, format)
}

// cutInput calls each with references to parts of an input of about so many bytes, which begin and end at borders of
// records. Of lines only the borders are read, of CSV all, since a newline may stand in quotes, of Parquet the footer.
// What is compressed has no borders to be found, and stays whole.
func cutInput(f io.ReaderAt, whole jobs.Input, about int64, each func(*jobs.Input) error) error {
	var magic [4]byte
	if _, err := f.ReadAt(magic[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	next := nextLine
	switch {
	case compression(magic[:]) != "":
		return each(&whole)
	case whole.Format == Parquet:
		return cutRowGroups(f, whole, each)
	case whole.Format == CSV:
		next = (&csvBorders{}).next
	}
	for from := int64(0); from < whole.Size; {
		to, err := next(f, min(from+about, whole.Size), whole.Size)
		if err != nil {
			return err
		}
		part := whole
		part.Offset, part.Length = from, to-from
		if err := each(&part); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// nextLine is the first byte at or after `at` where a line begins, or size.
func nextLine(f io.ReaderAt, at, size int64) (int64, error) {
	var window [16 << 10]byte
	for at--; at < size; {
		n, err := f.ReadAt(window[:min(int64(len(window)), size-at)], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if i := bytes.IndexByte(window[:n], '\n'); i >= 0 {
			return at + int64(i) + 1, nil
		}
		at += int64(n)
	}
	return size, nil
}

// csvBorders reads a CSV from its beginning to find where records end.
type csvBorders struct {
	at    int64 // up to here it was read
	state int
}

func (c *csvBorders) next(f io.ReaderAt, at, size int64) (int64, error) {
	window := make([]byte, 256<<10)
	for c.at < size {
		n, err := f.ReadAt(window[:min(int64(len(window)), size-c.at)], c.at)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		for _, b := range window[:n] {
			c.at++
			if c.take(b) && c.at >= at {
				return c.at, nil
			}
		}
	}
	return size, nil
}

// take says whether a record ends with a byte, by the rules of csvScan.
func (c *csvBorders) take(b byte) (ends bool) {
	switch {
	case c.state == quoted:
		if b == '"' {
			c.state = quoteInQuoted
		}
	case b == '\n':
		c.state = fieldStart
		return true
	case b == ',':
		c.state = fieldStart
	case b == '"' && (c.state == fieldStart || c.state == quoteInQuoted):
		c.state = quoted
	case b == '\r' && c.state == quoteInQuoted: // of a CRLF, or a stray one that ends the quotes just so
	default:
		c.state = unquoted
	}
	return false
}

// leastRows is how many rows of a Parquet file a shard has at least, where it is not the last.
const leastRows = 1000

func cutRowGroups(f io.ReaderAt, whole jobs.Input, each func(*jobs.Input) error) error {
	file, err := parquetin.Open(f, whole.Size, parquetin.DefaultMaxPage)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	groups := file.RowGroups()
	var rows int64
	part := whole
	for g, n := range groups {
		part.RowGroups = append(part.RowGroups, g)
		if rows += n; rows < leastRows && g < len(groups)-1 {
			continue
		}
		if err := each(&part); err != nil {
			return err
		}
		part, rows = whole, 0
	}
	return nil
}
