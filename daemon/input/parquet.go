package input

import (
	"bufio"
	"fmt"
	"io"
	"os"
)

func (r *Reader) openParquet(io.Reader, *bufio.Reader, bool, Options) error {
	return fmt.Errorf("%w: parquet is read once its columns can be", ErrFormat)
}

func (r *Reader) openRowGroups(*os.File, int64, []int, Options) error {
	return fmt.Errorf("%w: parquet is read once its columns can be", ErrFormat)
}
