// Package pages checks the pages of a Parquet file before a library gives memory to them: it trusts what their headers
// say.
package pages

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"

	"textmill/export/internal/compact"
)

// DefaultMax is how large a page may be once decompressed.
const DefaultMax = 256 << 20

const (
	// maxValues bounds how many values a page may say it has; runs of nulls take no bytes.
	maxValues = 1 << 24
	// together bounds the largest pages of a row group's columns: a reader of rows holds one of each.
	together = 1 << 30
)

// Check goes through the pages of the leaf columns (nil = all) of a row group and refuses those that would expand
// beyond maxPage or beyond what their header says.
func Check(r io.ReaderAt, file *parquet.File, group int, leaves []int, maxPage int64) error {
	columns := file.Metadata().RowGroups[group].Columns
	if leaves == nil {
		for i := range columns {
			leaves = append(leaves, i)
		}
	}
	c := checker{r: r, size: file.Size(), maxPage: maxPage}
	sum := int64(0)
	for _, leaf := range leaves {
		if leaf >= len(columns) {
			return fmt.Errorf("row group %d has no column %d", group, leaf)
		}
		meta := &columns[leaf].MetaData
		largest, err := c.column(meta)
		if err != nil {
			return fmt.Errorf("column %q of row group %d: %w", strings.Join(meta.PathInSchema, "."), group, err)
		}
		if sum += largest; sum > together {
			return fmt.Errorf("the pages of row group %d expand to more than %d bytes side by side", group, together)
		}
	}
	return nil
}

// CheckAll checks all row groups.
func CheckAll(r io.ReaderAt, file *parquet.File, leaves []int, maxPage int64) error {
	for group := range file.Metadata().RowGroups {
		if err := Check(r, file, group, leaves, maxPage); err != nil {
			return err
		}
	}
	return nil
}

type checker struct {
	r             io.ReaderAt
	size, maxPage int64
}

// column returns how large the column's largest page is once decompressed.
func (c *checker) column(meta *format.ColumnMetaData) (largest int64, err error) {
	at := meta.DataPageOffset
	if d := meta.DictionaryPageOffset; d != 0 { // where the library begins
		at = d
	}
	size := meta.TotalCompressedSize
	if at < 0 || size < 0 || size > c.size || at > c.size-size {
		return 0, errors.New("it lies outside the file")
	}
	for end := at + size; at < end; {
		n, expanded, err := c.page(at, end-at, meta.Codec)
		if err != nil {
			return 0, err
		}
		at, largest = at+n, max(largest, expanded)
	}
	return largest, nil
}

// header decodes a page's header and returns how many bytes it takes.
func (c *checker) header(at, left int64, h *format.PageHeader) (int64, error) {
	for size := min(left, 1<<10); ; size = min(left, 8*size) {
		b := make([]byte, size)
		if n, err := c.r.ReadAt(b, at); n < len(b) {
			return 0, unexpected(err)
		}
		n, err := compact.Struct(b)
		if errors.Is(err, io.ErrUnexpectedEOF) && size < min(left, c.maxPage) {
			continue
		}
		if err != nil {
			return 0, err
		}
		var protocol thrift.CompactProtocol
		return int64(n), thrift.NewDecoder(protocol.NewReaderFromBytes(b[:n])).Decode(h)
	}
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// page returns how many bytes the page takes, header and all, and how many once decompressed.
func (c *checker) page(at, left int64, codec format.CompressionCodec) (taken, expanded int64, err error) {
	var h format.PageHeader
	head, err := c.header(at, left, &h)
	if err != nil {
		return 0, 0, fmt.Errorf("page header: %w", err)
	}
	compressed, size := int64(h.CompressedPageSize), int64(h.UncompressedPageSize)
	values := max(h.DataPageHeader.V.NumValues, h.DataPageHeaderV2.V.NumValues, h.DictionaryPageHeader.V.NumValues)
	switch {
	case compressed < 0 || head+compressed > left || compressed > c.maxPage:
		return 0, 0, fmt.Errorf("a page of %d bytes does not fit its column or the limit", compressed)
	case size < 0 || size > c.maxPage:
		return 0, 0, fmt.Errorf("a page expands to %d bytes, the limit is %d", size, c.maxPage)
	case values > maxValues:
		return 0, 0, fmt.Errorf("a page has %d values, the limit is %d", values, maxValues)
	}
	skip := int64(0)
	if v2 := h.DataPageHeaderV2; v2.Valid {
		skip = int64(v2.V.RepetitionLevelsByteLength) + int64(v2.V.DefinitionLevelsByteLength)
		if v2.V.IsCompressed.Valid && !v2.V.IsCompressed.V {
			codec = format.Uncompressed
		}
	}
	if skip < 0 || skip > compressed || skip > size {
		return 0, 0, fmt.Errorf("levels of %d bytes do not fit a page of %d", skip, size)
	}
	body := io.NewSectionReader(c.r, at+head+skip, compressed-skip)
	if err := checkBody(body, size-skip, codec); err != nil {
		return 0, 0, err
	}
	return head + compressed, size, nil
}

// checkBody makes sure that the compressed bytes hold no more than size.
func checkBody(body *io.SectionReader, size int64, codec format.CompressionCodec) error {
	switch codec {
	case format.Uncompressed:
		return nil
	case format.Snappy:
		var head [binary.MaxVarintLen64]byte
		n, _ := body.ReadAt(head[:], 0) // a short body is a short head
		if has, _ := binary.Uvarint(head[:n]); has > uint64(size) {
			return tooLong(size)
		}
		return nil
	case format.Zstd:
		return checkZstd(body, size)
	case format.Gzip:
		r, err := gzip.NewReader(body)
		if err != nil {
			return err
		}
		return checkStream(r, size)
	case format.Brotli:
		return checkStream(brotli.NewReader(body), size)
	case format.Lz4Raw:
		src, err := io.ReadAll(body)
		if err != nil {
			return err
		}
		_, err = lz4.UncompressBlock(src, make([]byte, size))
		return err
	}
	return fmt.Errorf("compression %s is not read", codec)
}

// checkZstd trusts a frame that states its size, which the decoder then holds it to; others are expanded and counted.
func checkZstd(body *io.SectionReader, size int64) error {
	src, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	var h zstd.Header
	if err := h.Decode(src); err == nil && h.HasFCS && h.FirstBlock.OK {
		if h.FrameContentSize > uint64(size) {
			return tooLong(size)
		}
		if !h.Skippable && alone(src[h.HeaderSize:], h.HasCheckSum) {
			return nil
		}
	}
	if size <= usual {
		d := decoders.Get().(*zstd.Decoder)
		defer decoders.Put(d)
		if err := d.Reset(bytes.NewReader(src)); err != nil {
			return err
		}
		return checkStream(d, size)
	}
	d, err := zstd.NewReader(bytes.NewReader(src), zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderMaxMemory(uint64(size)+1<<20))
	if err != nil {
		return err
	}
	defer d.Close()
	return checkStream(d, size)
}

// alone tells whether the blocks of a frame are all that there is.
func alone(blocks []byte, checksum bool) bool {
	const header, repeated, reserved = 3, 1, 3
	for len(blocks) >= header {
		h := int(blocks[0]) | int(blocks[1])<<8 | int(blocks[2])<<16
		last, kind, size := h&1 == 1, h>>1&3, h>>3
		if kind == repeated {
			size = 1
		}
		if kind == reserved || size > len(blocks)-header {
			return false
		}
		if blocks = blocks[header+size:]; last {
			return len(blocks) == 0 && !checksum || len(blocks) == 4 && checksum
		}
	}
	return false
}

// usual is up to which size pages are expanded by a decoder that is kept: to make one takes longer than such a page.
const usual = 4 << 20

var decoders = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(usual+1<<20))
	if err != nil {
		panic(err) // these options are valid
	}
	return d
}}

func checkStream(r io.Reader, size int64) error {
	n, err := io.Copy(io.Discard, io.LimitReader(r, size+1))
	if err != nil {
		return err
	}
	if n > size {
		return tooLong(size)
	}
	return nil
}

func tooLong(size int64) error {
	return fmt.Errorf("a page holds more than the %d bytes that its header says", size)
}
