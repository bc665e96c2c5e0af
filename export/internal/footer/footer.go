// Package footer checks the end of a Parquet file before a library trusts what stands there.
package footer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Check reads the last eight bytes: the footer must lie inside the file, or the library would give it memory unseen.
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
	if n := int64(binary.LittleEndian.Uint32(end[:4])); n > size-least {
		return fmt.Errorf("a footer of %d bytes does not fit a file of %d", n, size)
	}
	return nil
}
