package input

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	"textmill/ground/regular"
)

// Open reads the file at path. Compression is recognised by the first bytes (gzip, zstd).
func Open(path string, o Options) (*Reader, error) {
	f, err := regular.Open(path)
	if err != nil {
		if st, e := os.Stat(path); e == nil && st.IsDir() {
			err = fmt.Errorf("%w: %s is a directory; name the files in it", ErrFormat, path)
		}
		return nil, err
	}
	r, err := newReader(f, path, o)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", path, err), f.Close())
	}
	r.closes = append([]func() error{f.Close}, r.closes...)
	return r, nil
}

// NewReader reads a stream such as standard input, which the caller closes. A stream that is no *os.File
// is copied to a temporary file if it is Parquet, whose index stands at its end.
func NewReader(stream io.Reader, o Options) (*Reader, error) {
	r, err := newReader(stream, "", o)
	if err != nil {
		return nil, fmt.Errorf("read the stream: %w", err)
	}
	return r, nil
}

func newReader(stream io.Reader, name string, o Options) (_ *Reader, err error) {
	o = o.withDefaults()
	r := &Reader{}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	plain, compressed, err := r.expand(bufio.NewReaderSize(stream, firstBuffer), o)
	if err != nil {
		return nil, err
	}
	r.format, err = chooseFormat(plain, name, o)
	if err != nil {
		return nil, err
	}
	if r.format == Parquet {
		return r, r.openParquet(stream, plain, compressed, o)
	}
	if err := skipBOM(plain); err != nil {
		return nil, err
	}
	r.src, err = newSource(r.format, o.Format != "", plain, o)
	return r, err
}

// newSource reads the line formats; told means that the user named the format.
func newSource(format string, told bool, plain io.Reader, o Options) (source, error) {
	lines := newLineReader(plain, o.MaxRecordBytes)
	if (format == Text || format == OpenAIBatch) && (o.TextTemplate != "" || o.AttributeColumns != nil) {
		return nil, fmt.Errorf("%w: %s has no columns; leave --text-template and --attribute-columns out", ErrFormat, format)
	}
	switch format {
	case Text:
		return &textSource{lines: lines, max: o.MaxRecordBytes}, nil
	case CSV:
		return newCSVSource(lines, ',', o)
	case TSV:
		return newCSVSource(lines, '\t', o)
	case OpenAIBatch:
		return &jsonlSource{lines: lines, o: o, openai: always}, nil
	}
	keys, err := newKeys(o)
	if told || o.TextTemplate != "" {
		return &jsonlSource{lines: lines, o: o, keys: keys}, err
	}
	return &jsonlSource{lines: lines, o: o, keys: keys, openai: byKeys}, err
}

const (
	byGzip = "gzip"
	byZstd = "zstd"
)

// compression is what the first bytes of an input say of it, "" for none.
func compression(magic []byte) string {
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		return byGzip
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return byZstd
	}
	return ""
}

// expand undoes gzip or zstd, judged by the magic number.
func (r *Reader) expand(in *bufio.Reader, o Options) (plain *bufio.Reader, compressed bool, err error) {
	magic, err := in.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, err
	}
	var out io.Reader
	switch compression(magic) {
	case byGzip:
		gz, err := gzip.NewReader(in)
		if err != nil {
			return nil, false, fmt.Errorf("gzip: %w", err)
		}
		out = named{gz, byGzip} // it holds nothing to close
	case byZstd:
		zst, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return nil, false, fmt.Errorf("zstd: %w", err)
		}
		r.closes = append(r.closes, func() error { zst.Close(); return nil })
		out = named{zst, byZstd}
	default:
		return in, false, nil
	}
	if o.MaxExpandedBytes > 0 {
		out = &capReader{r: out, left: o.MaxExpandedBytes, limit: o.MaxExpandedBytes}
	}
	return bufio.NewReaderSize(out, firstBuffer), true, nil
}

// formatNamed is the format that a name tells by its ending, whether what it names is compressed or not; "" for none.
func formatNamed(name string) (format, ext string) {
	name = strings.ToLower(filepath.Base(name))
	ext = filepath.Ext(strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst"))
	switch ext {
	case ".jsonl", ".ndjson", ".json":
		format = JSONL
	case ".csv":
		format = CSV
	case ".tsv":
		format = TSV
	case ".txt", ".text":
		format = Text
	case ".parquet", ".pq":
		format = Parquet
	}
	return format, ext
}

// chooseFormat follows the user, then the name, then the first bytes.
func chooseFormat(in *bufio.Reader, name string, o Options) (string, error) {
	switch o.Format {
	case JSONL, CSV, TSV, Text, Parquet, OpenAIBatch:
		return o.Format, nil
	case "":
	default:
		return "", fmt.Errorf("%w: %q is none of jsonl, csv, tsv, text, parquet, openai-batch", ErrFormat, o.Format)
	}
	head, err := in.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return "", err
	}
	start := bytes.TrimLeft(bytes.TrimPrefix(head, utf8BOM), " \t\r\n")
	switch format, ext := formatNamed(name); {
	case format != "" && format != JSONL:
		return format, nil
	case bytes.HasPrefix(head, []byte("PAR1")):
		return Parquet, nil
	case bytes.HasPrefix(start, []byte("[")) && ext != "" && ext != ".jsonl" && ext != ".ndjson":
		return "", fmt.Errorf("%w: a JSON array; write one object a line, for example with: jq -c '.[]'", ErrFormat)
	case format == JSONL || bytes.HasPrefix(start, []byte("{")):
		return JSONL, nil
	case len(start) == 0:
		return Text, nil
	}
	return "", fmt.Errorf("%w: cannot tell it from the name or the first bytes; say --format jsonl, csv, tsv, text, parquet or openai-batch", ErrFormat)
}

var utf8BOM = []byte{0xef, 0xbb, 0xbf}

func skipBOM(in *bufio.Reader) error {
	head, err := in.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if bytes.HasPrefix(head, []byte{0xff, 0xfe}) || bytes.HasPrefix(head, []byte{0xfe, 0xff}) {
		return fmt.Errorf("%w: UTF-16 text; convert it, for example with: iconv -f UTF-16 -t UTF-8", ErrFormat)
	}
	if bytes.HasPrefix(head, utf8BOM) {
		_, err = in.Discard(len(utf8BOM))
		return err
	}
	return nil
}

// named says which decompressor an error comes from.
type named struct {
	io.Reader
	name string
}

func (n named) Read(p []byte) (int, error) {
	k, err := n.Reader.Read(p)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = fmt.Errorf("%s: the file is cut short: %w", n.name, err)
	case err != nil && !errors.Is(err, io.EOF):
		err = fmt.Errorf("%s: %w", n.name, err)
	}
	return k, err
}

type capReader struct {
	r           io.Reader
	left, limit int64
}

func (c *capReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, fmt.Errorf("%w: beyond %d bytes", ErrTooExpanded, c.limit)
	}
	return n, err
}
