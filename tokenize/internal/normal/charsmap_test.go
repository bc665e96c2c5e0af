package normal

import (
	"encoding/binary"
	"testing"
	"unicode/utf8"
)

// FuzzCharsmap is a binary map out of a tokenizer.json: refused, or usable on any text.
func FuzzCharsmap(f *testing.F) {
	blob := func(units []uint32, pool string) []byte {
		b := binary.LittleEndian.AppendUint32(nil, uint32(4*len(units)))
		for _, u := range units {
			b = binary.LittleEndian.AppendUint32(b, u)
		}
		return append(b, pool...)
	}
	one := make([]uint32, 256)
	one[0], one['a'^1] = 1<<10, 'a'|1<<8|3<<10 // "a" is a key: its value's place stands three steps on
	f.Add(blob(one, "bc\x00"), "a\u0301 abc漢")
	f.Add(blob([]uint32{1<<31 | 1<<9}, "\x00"), "\xff")
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1}, "x")
	f.Fuzz(func(t *testing.T, blob []byte, text string) {
		m, err := ParseCharsmap(blob)
		if err != nil || !utf8.ValidString(text) {
			return
		}
		out, modified := m.Append(nil, text)
		if len(out) > len(text)*(1+len(blob)) {
			t.Errorf("%d characters out of %d bytes", len(out), len(text))
		}
		if !modified {
			var same []rune
			for _, c := range out {
				same = append(same, c.R)
			}
			if string(same) != text {
				t.Errorf("%q became %q, unmodified", text, string(same))
			}
		}
	})
}
