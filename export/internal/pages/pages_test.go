package pages

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
)

type row struct {
	A string `parquet:"a,plain"`
	B int64  `parquet:"b,plain"`
}

func written(t *testing.T) []byte {
	var b bytes.Buffer
	w := parquet.NewGenericWriter[row](&b)
	if _, err := w.Write([]row{{strings.Repeat("x", 100), 1}, {"y", 2}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func opened(t *testing.T, data []byte) *parquet.File {
	f, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)), parquet.SkipPageIndex(true))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestHeadersAreNotBelieved(t *testing.T) {
	data := written(t)
	f := opened(t, data)
	if err := CheckAll(bytes.NewReader(data), f, nil, DefaultMax); err != nil {
		t.Fatalf("a sound file: %v", err)
	}
	if err := CheckAll(bytes.NewReader(data), f, nil, 50); err == nil ||
		!strings.Contains(err.Error(), `column "a" of row group 0`) {
		t.Errorf("a page beyond the limit: %v", err)
	}
	if err := CheckAll(bytes.NewReader(data), f, []int{1}, 50); err != nil {
		t.Errorf("the other column: %v", err)
	}
	// A data page whose statistics claim a greatest value of 2 GiB.
	claim := []byte{0x15, 0x00, 0x15, 0x10, 0x15, 0x10, 0x2c, 0x15, 0x02, 0x15, 0x00, 0x15, 0x00, 0x15, 0x00, 0x1c, 0x18,
		0xff, 0xff, 0xff, 0xff, 0x07}
	copy(data[f.Metadata().RowGroups[0].Columns[0].MetaData.DataPageOffset:], claim)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := CheckAll(bytes.NewReader(data), f, nil, DefaultMax)
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "page header") {
		t.Errorf("a header that claims 2 GiB: %v", err)
	}
	if made := after.TotalAlloc - before.TotalAlloc; made > 1<<20 {
		t.Errorf("it took %d bytes to refuse", made)
	}
}

// A frame that states its size is taken at its word only where it is all that the page has: the decoder holds it to it.
func TestFramesAreHeldToTheirSize(t *testing.T) {
	for _, checksum := range []bool{true, false} {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderCRC(checksum))
		if err != nil {
			t.Fatal(err)
		}
		text := bytes.Repeat([]byte("some text. "), 60_000)
		one := e.EncodeAll(text, nil)
		two := e.EncodeAll(text, bytes.Clone(one))
		check := func(src []byte, size int) error {
			return checkZstd(io.NewSectionReader(bytes.NewReader(src), 0, int64(len(src))), int64(size))
		}
		if err := check(one, len(text)); err != nil {
			t.Errorf("one frame: %v", err)
		}
		for what, err := range map[string]error{
			"a byte too many": check(one, len(text)-1), "two frames": check(two, len(text)), "cut off": check(one[:len(one)-6], len(text)),
		} {
			if err == nil {
				t.Errorf("%s is taken", what)
			}
		}
		if err := check(two, 2*len(text)); err != nil {
			t.Errorf("two frames in their size: %v", err)
		}
	}
}
