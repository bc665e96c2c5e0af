package jobs

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Formats of an input.
const (
	FormatJSONL   = "jsonl"
	FormatCSV     = "csv"
	FormatText    = "text"
	FormatParquet = "parquet"
)

// Input points to records that lie in a file. Whether the file may be read at all
// is for its reader to decide.
type Input struct {
	URI       string
	Format    string
	Offset    int64     // bytes; jsonl, csv and text
	Length    int64     // bytes; 0 = to the end of the file
	RowGroups []int     // parquet; nil = all
	Size      int64     // of the whole file when the message was made
	MTime     time.Time // of a file
	ETag      string    // of an object in a bucket

	// TextColumn and IDColumn name the columns or keys of the text and the id; "" = "text" and "id".
	TextColumn, IDColumn string
}

// Path is the file that a file:// URI names, absolute and clean.
func (in *Input) Path() (string, error) {
	u, err := url.Parse(in.URI)
	switch {
	case err != nil:
		return "", fmt.Errorf("uri %q is not a URI", clip(in.URI))
	case u.Scheme != "file":
		return "", fmt.Errorf("uri %q: only file:// URIs can be read", clip(in.URI))
	case u.Host != "" && u.Host != "localhost":
		return "", fmt.Errorf("uri %q names the host %q; only this machine's files can be read", clip(in.URI), clip(u.Host))
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(in.URI, "#"):
		return "", fmt.Errorf("uri %q has a query or a fragment; write ? as %%3F and # as %%23", clip(in.URI))
	case u.Opaque != "" || !strings.HasPrefix(u.Path, "/"):
		return "", fmt.Errorf("uri %q is not an absolute path after file://", clip(in.URI))
	case strings.ContainsRune(u.Path, 0):
		return "", errors.New("uri has a NUL byte in its path")
	case strings.HasSuffix(u.Path, "/"):
		return "", fmt.Errorf("uri %q names a directory", clip(in.URI))
	}
	return filepath.Clean(u.Path), nil
}

// FileURI is the URI of an absolute path.
func FileURI(path string) string {
	return (&url.URL{Scheme: "file", Path: path}).String()
}

// Check reports what keeps the input from being read.
func (in *Input) Check() error {
	if err := in.checkPlace(); err != nil {
		return err
	}
	switch in.Format {
	case FormatParquet:
		if in.Offset != 0 || in.Length != 0 {
			return errors.New("offset and length are for jsonl, csv and text; parquet has row_groups")
		}
	case FormatJSONL, FormatCSV, FormatText:
		if in.RowGroups != nil {
			return fmt.Errorf("row_groups are for parquet; %s has offset and length", in.Format)
		}
	default:
		return fmt.Errorf("format %q is not known; formats are jsonl, csv, text and parquet", clip(in.Format))
	}
	if in.Offset > in.Size || in.Length > in.Size-in.Offset {
		return fmt.Errorf("offset %d and length %d reach beyond the size %d", in.Offset, in.Length, in.Size)
	}
	seen := make(map[int]bool, len(in.RowGroups))
	for _, g := range in.RowGroups {
		if seen[g] {
			return fmt.Errorf("row_groups names %d twice", g)
		}
		seen[g] = true
	}
	return nil
}

func parseInput(v jsontext.Value) (*Input, error) {
	if v.Kind() != '{' {
		return nil, invalidf("input: want an object, have %s", kindName(v.Kind()))
	}
	in := &Input{}
	seen := make(map[string]bool)
	err := eachMember(v, "input", func(name string, v jsontext.Value) error {
		seen[name] = true
		return in.field(name, v)
	})
	if err != nil {
		var invalid *Invalid
		if errors.As(err, &invalid) {
			return nil, invalid
		}
		return nil, invalidf("input: %s", syntaxText(err))
	}
	version := "mtime"
	if in.Remote() {
		version = "etag"
	}
	for _, name := range []string{"uri", "format", "size", version} {
		if !seen[name] {
			return nil, invalidf("input.%s is missing", name)
		}
	}
	if err := in.Check(); err != nil {
		return nil, invalidf("input: %v", err)
	}
	return in, nil
}

func (in *Input) field(name string, v jsontext.Value) (err error) {
	text := func() (string, error) {
		if v.Kind() != '"' {
			return "", invalidf("input.%s: want a string, have %s", name, kindName(v.Kind()))
		}
		return unquote(v), nil
	}
	switch name {
	case "uri":
		in.URI, err = text()
	case "format":
		in.Format, err = text()
	case "etag":
		in.ETag, err = text()
	case "text_column":
		in.TextColumn, err = text()
	case "id_column":
		in.IDColumn, err = text()
	case "offset":
		in.Offset, err = integer(v, "input.offset", 0, math.MaxInt64)
	case "length":
		in.Length, err = integer(v, "input.length", 1, math.MaxInt64)
	case "size":
		in.Size, err = integer(v, "input.size", 0, math.MaxInt64)
	case "mtime":
		var s string
		if s, err = text(); err != nil {
			return err
		}
		if in.MTime, err = time.Parse(time.RFC3339Nano, s); err != nil {
			return invalidf("input.mtime: %q is not a time as in 2026-01-02T03:04:05Z", clip(s))
		}
	case "row_groups":
		in.RowGroups = []int{}
		err = eachElement(v, "row_groups", func(e jsontext.Value) error {
			g, err := integer(e, "input.row_groups["+strconv.Itoa(len(in.RowGroups))+"]", 0, math.MaxInt32)
			in.RowGroups = append(in.RowGroups, int(g))
			return err
		})
		if err == nil && len(in.RowGroups) == 0 {
			err = invalidf("input.row_groups is empty; leave it out for all")
		}
		var wrong *RecordError
		if errors.As(err, &wrong) {
			err = invalidf("input.%s", wrong.Message)
		}
	default:
		err = invalidf("input: unknown key %q; an input has uri, format, offset, length, row_groups, size, mtime or etag, text_column and id_column",
			clip(name))
	}
	return err
}

// AppendJSON appends the input as a message carries it.
func (in *Input) AppendJSON(dst []byte) []byte {
	dst = appendQuoted(append(dst, `{"uri":`...), in.URI)
	dst = appendQuoted(append(dst, `,"format":`...), in.Format)
	if in.Format != FormatParquet {
		dst = strconv.AppendInt(append(dst, `,"offset":`...), in.Offset, 10)
		if in.Length > 0 {
			dst = strconv.AppendInt(append(dst, `,"length":`...), in.Length, 10)
		}
	}
	for i, g := range in.RowGroups {
		if i == 0 {
			dst = append(dst, `,"row_groups":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, int64(g), 10)
	}
	if len(in.RowGroups) > 0 {
		dst = append(dst, ']')
	}
	dst = strconv.AppendInt(append(dst, `,"size":`...), in.Size, 10)
	for _, column := range []struct{ name, value string }{{"text_column", in.TextColumn}, {"id_column", in.IDColumn}} {
		if column.value != "" {
			dst = appendQuoted(append(append(append(dst, `,"`...), column.name...), `":`...), column.value)
		}
	}
	if in.Remote() {
		return append(appendQuoted(append(dst, `,"etag":`...), in.ETag), '}')
	}
	return append(appendQuoted(append(dst, `,"mtime":`...), in.MTime.UTC().Format(time.RFC3339Nano)), '}')
}
