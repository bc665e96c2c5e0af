package input

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// decode makes a string of UTF-8, with a byte order mark or without, or of UTF-16 with one; problem says what is
// wrong.
func decode(data []byte) (text, problem string) {
	switch {
	case bytes.HasPrefix(data, utf16LE):
		return decode16(data, binary.LittleEndian)
	case bytes.HasPrefix(data, utf16BE):
		return decode16(data, binary.BigEndian)
	}
	if at := invalidAt(data); at >= 0 {
		return "", fmt.Sprintf("byte %d is not valid UTF-8; convert the file, for example with: iconv -f LATIN1 -t UTF-8", at+1)
	}
	return string(bytes.TrimPrefix(data, utf8BOM)), ""
}

// decode16 reads UTF-16 behind its byte order mark. Halves of surrogate pairs are refused, not replaced.
func decode16(data []byte, order binary.ByteOrder) (text, problem string) {
	if len(data)%2 != 0 {
		return "", "UTF-16 with an odd number of bytes: the file is cut short"
	}
	out := make([]byte, 0, len(data))
	for i := 2; i < len(data); i += 2 {
		r := rune(order.Uint16(data[i:]))
		if utf16.IsSurrogate(r) {
			low := rune(utf8.RuneError)
			if i+4 <= len(data) {
				low = rune(order.Uint16(data[i+2:]))
			}
			if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
				return "", fmt.Sprintf("byte %d of the UTF-16 is half of a surrogate pair", i+1)
			}
			i += 2
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out), ""
}
