package parquetin

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// maxPageValues bounds how many values a page may say it has; runs of nulls take no bytes.
const maxPageValues = 1 << 24

// checkPages goes through the pages of the chosen columns and refuses those that would expand beyond the limit or beyond
// what their header says, before the library gives memory to any of them: it trusts both.
func (f *File) checkPages(group int, columns []Column) (err error) {
	defer caught(&err)
	for _, c := range columns {
		meta := &f.file.Metadata().RowGroups[group].Columns[c.leaf].MetaData
		at := meta.DataPageOffset
		if d := meta.DictionaryPageOffset; d > 0 && d < at {
			at = d
		}
		size := meta.TotalCompressedSize
		if at < 0 || size < 0 || size > f.file.Size() || at > f.file.Size()-size {
			return fmt.Errorf("%w: column %q of row group %d lies outside the file", ErrFormat, c.Name, group)
		}
		for end := at + size; at < end; {
			n, err := f.checkPage(at, end-at, meta.Codec)
			if err != nil {
				return fmt.Errorf("%w: column %q of row group %d: %w", ErrFormat, c.Name, group, err)
			}
			at += n
		}
	}
	return nil
}

// checkPage returns how many bytes the page takes, header and all.
func (f *File) checkPage(at, left int64, codec format.CompressionCodec) (int64, error) {
	var compact thrift.CompactProtocol
	head := &countReader{r: io.NewSectionReader(f.r, at, left)}
	var h format.PageHeader
	if err := thrift.NewDecoder(compact.NewReader(head)).Decode(&h); err != nil {
		return 0, fmt.Errorf("page header: %w", unexpected(err))
	}
	compressed, size := int64(h.CompressedPageSize), int64(h.UncompressedPageSize)
	values := max(h.DataPageHeader.V.NumValues, h.DataPageHeaderV2.V.NumValues, h.DictionaryPageHeader.V.NumValues)
	switch {
	case compressed < 0 || head.n+compressed > left || compressed > f.maxPage:
		return 0, fmt.Errorf("a page of %d bytes does not fit its column or the limit", compressed)
	case size < 0 || size > f.maxPage:
		return 0, fmt.Errorf("a page expands to %d bytes, the limit is %d", size, f.maxPage)
	case values > maxPageValues:
		return 0, fmt.Errorf("a page has %d values, the limit is %d", values, maxPageValues)
	}
	skip := int64(0)
	if v2 := h.DataPageHeaderV2; v2.Valid {
		skip = int64(v2.V.RepetitionLevelsByteLength) + int64(v2.V.DefinitionLevelsByteLength)
		if v2.V.IsCompressed.Valid && !v2.V.IsCompressed.V {
			codec = format.Uncompressed
		}
	}
	if skip < 0 || skip > compressed || skip > size {
		return 0, fmt.Errorf("levels of %d bytes do not fit a page of %d", skip, size)
	}
	body := io.NewSectionReader(f.r, at+head.n+skip, compressed-skip)
	if err := checkBody(body, size-skip, codec); err != nil {
		return 0, err
	}
	return head.n + compressed, nil
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
	}
	d, err := zstd.NewReader(bytes.NewReader(src), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(size)+1<<20))
	if err != nil {
		return err
	}
	defer d.Close()
	return checkStream(d, size)
}

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

// countReader hands out single bytes and short runs and counts them; it reads ahead in blocks of its own.
type countReader struct {
	r    io.Reader
	n    int64
	buf  [512]byte
	have []byte
}

func (c *countReader) Read(p []byte) (int, error) {
	if len(c.have) == 0 {
		n, err := c.r.Read(c.buf[:])
		if n == 0 {
			return 0, err
		}
		c.have = c.buf[:n]
	}
	n := copy(p, c.have)
	c.have, c.n = c.have[n:], c.n+int64(n)
	return n, nil
}

func (c *countReader) ReadByte() (byte, error) {
	var b [1]byte
	_, err := c.Read(b[:])
	return b[0], err
}
