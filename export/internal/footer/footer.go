// Package footer checks the end of a Parquet file before a library trusts what stands there.
package footer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"textmill/export/internal/compact"
)

// maxBytes bounds a footer; one of 100,000 column chunks takes about as much.
const maxBytes = 16 << 20

// Check reads the footer: it must lie inside the file, and all that it counts inside of it, or the library would give
// it memory unseen.
func Check(r io.ReaderAt, size int64) error {
	const magic, least = "PAR1", 12
	if size < least {
		return fmt.Errorf("%d bytes are too few for a Parquet file", size)
	}
	var end [8]byte
	if n, err := r.ReadAt(end[:], size-8); n < len(end) {
		return fmt.Errorf("read the end of the file: %w", err)
	}
	if string(end[4:]) != magic {
		return errors.New("the file does not end as Parquet files do")
	}
	n := int64(binary.LittleEndian.Uint32(end[:4]))
	if n > size-least {
		return fmt.Errorf("a footer of %d bytes does not fit a file of %d", n, size)
	}
	if n > maxBytes {
		return fmt.Errorf("a footer of %d bytes; the limit is %d", n, maxBytes)
	}
	footer := make([]byte, n)
	if got, err := r.ReadAt(footer, size-8-n); got < len(footer) {
		return fmt.Errorf("read the footer: %w", err)
	}
	if _, err := compact.Struct(footer); err != nil {
		return fmt.Errorf("the footer cannot be read: %w", err)
	}
	return nil
}
