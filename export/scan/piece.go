package scan

import "io"

// maxPiece is up to which size a column of a row group is read at once. Ours have 16 MiB at the most.
const maxPiece = 32 << 20

// piece is a file of which one stretch lies in memory, so that the many small reads of a library cost one of the file.
type piece struct {
	file  io.ReaderAt
	at    int64
	bytes []byte
}

// load reads a stretch of a file, unless it is too large, and reuses the memory of the one before.
func (p *piece) load(file io.ReaderAt, at, size int64) error {
	p.file, p.at, p.bytes = file, at, p.bytes[:0]
	if size <= 0 || size > maxPiece {
		return nil
	}
	if int64(cap(p.bytes)) < size {
		p.bytes = make([]byte, size)
	}
	p.bytes = p.bytes[:size]
	if n, err := file.ReadAt(p.bytes, at); n < len(p.bytes) {
		p.bytes = p.bytes[:0]
		return err
	}
	return nil
}

func (p *piece) ReadAt(b []byte, at int64) (int, error) {
	if from := at - p.at; from >= 0 && from < int64(len(p.bytes)) && int64(len(b)) <= int64(len(p.bytes))-from {
		return copy(b, p.bytes[from:]), nil
	}
	return p.file.ReadAt(b, at)
}
