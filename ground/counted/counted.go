// Package counted counts the bytes that pass.
package counted

import "io"

// A Writer passes bytes on to W, and N is how many W took.
type Writer struct {
	W io.Writer
	N int64
}

func (c *Writer) Write(p []byte) (int, error) {
	n, err := c.W.Write(p)
	c.N += int64(n)
	return n, err
}
