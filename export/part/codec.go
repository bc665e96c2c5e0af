package part

import (
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/format"
)

// window is how far back a page is searched for repetitions: as far as most pages go.
const window = 256 << 10

// sharedEncoder compresses pages for every writer of the process. parquet-go's own codec holds 16 MB per encoder for a
// window that no page fills, loses them at each garbage collection and makes them again. One goroutine writes all rows
// of a dataset, and compressing was a third of its work: the fastest level takes half as long for parts that are 1 %
// larger with vectors of floats, and 5 % with those of bytes.
var sharedEncoder = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(window),
		zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false), zstd.WithZeroFrames(true))
})

// smallWindow is Zstandard with one.
type smallWindow struct{ compress.Codec }

func (smallWindow) Encode(dst, src []byte) ([]byte, error) {
	e, err := sharedEncoder()
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	return e.EncodeAll(src, dst[:0]), nil
}

// recode is a codec that a schema asks for, or ours in place of parquet-go's.
func recode(c compress.Codec) compress.Codec {
	if c != nil && c.CompressionCodec() == format.Zstd {
		return smallWindow{c}
	}
	return c
}

// schemaNode and schemaField are a schema whose columns use our codec; all else is as it was.
type (
	schemaNode  struct{ parquet.Node }
	schemaField struct{ parquet.Field }
)

func (n schemaNode) Fields() []parquet.Field      { return recodeAll(n.Node.Fields()) }
func (n schemaNode) Compression() compress.Codec  { return recode(n.Node.Compression()) }
func (f schemaField) Fields() []parquet.Field     { return recodeAll(f.Field.Fields()) }
func (f schemaField) Compression() compress.Codec { return recode(f.Field.Compression()) }
func recodeAll(fields []parquet.Field) []parquet.Field {
	own := make([]parquet.Field, len(fields))
	for i, f := range fields {
		own[i] = schemaField{f}
	}
	return own
}
