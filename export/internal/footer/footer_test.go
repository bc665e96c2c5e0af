package footer

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

func file(footer []byte) []byte {
	b := append([]byte("PAR1"), footer...)
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(footer))), "PAR1"...)
}

func TestFootersAreNotBelieved(t *testing.T) {
	long := file(nil)
	binary.LittleEndian.PutUint32(long[4:], 1<<30)
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"an empty structure", file([]byte{0}), ""},
		{"too short", []byte("PAR1PAR1"), "too few"},
		{"another end", bytes.Repeat([]byte("PARX"), 5), "does not end"},
		{"longer than the file", long, "does not fit"},
		{"two thousand million row groups", file([]byte{0x49, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0, 0}), "unexpected EOF"},
		{"row groups of nothing", file(append([]byte{0x49, 0xfc, 0x80, 0x80, 0x80, 0x04}, make([]byte, 8<<20+1)...)),
			"8388609 structures in"},
		{"a footer beyond the limit", file(make([]byte, maxBytes+1)), "limit"},
	} {
		err := Check(bytes.NewReader(c.data), int64(len(c.data)))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
