package normal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Charsmap is SentencePiece's precompiled map of characters: a double-array trie into a pool of replacements.
type Charsmap struct {
	units []uint32
	pool  string
}

// ParseCharsmap reads the blob of a Precompiled normalizer, already decoded from base64.
func ParseCharsmap(blob []byte) (*Charsmap, error) {
	if len(blob) < 4 {
		return nil, errors.New("charsmap is shorter than its own length field")
	}
	size := int64(binary.LittleEndian.Uint32(blob)) / 4 * 4
	blob = blob[4:]
	if size == 0 {
		return nil, errors.New("charsmap holds an empty trie")
	}
	if size > int64(len(blob)) {
		return nil, fmt.Errorf("charsmap says its trie is %d bytes, but only %d follow", size, len(blob))
	}
	pool := string(blob[size:])
	if !utf8.ValidString(pool) {
		return nil, errors.New("charsmap replacements are not valid UTF-8")
	}
	m := &Charsmap{units: make([]uint32, size/4), pool: pool}
	for i := range m.units {
		m.units[i] = binary.LittleEndian.Uint32(blob[4*i:])
	}
	return m, nil
}

func step(at, unit uint32) uint32 { return at ^ unit>>10<<(unit&(1<<9)>>6) }

// replacement finds the shortest key that part begins with: the whole of part is replaced by that key's value.
func (m *Charsmap) replacement(part string) (string, bool) {
	at := step(0, m.units[0])
	for i := 0; i < len(part) && part[i] != 0; i++ {
		at ^= uint32(part[i])
		if int(at) >= len(m.units) {
			return "", false
		}
		unit := m.units[at]
		if unit&(1<<31|0xff) != uint32(part[i]) {
			return "", false
		}
		at = step(at, unit)
		if unit>>8&1 == 0 {
			continue
		}
		if int(at) >= len(m.units) {
			return "", false
		}
		return m.value(int(m.units[at] &^ (1 << 31)))
	}
	return "", false
}

func (m *Charsmap) value(at int) (string, bool) {
	if at > len(m.pool) || at < len(m.pool) && !utf8.RuneStart(m.pool[at]) {
		return "", false
	}
	value, _, _ := strings.Cut(m.pool[at:], "\x00")
	return value, true
}

// Append appends the normalized s. A grapheme of less than six bytes is looked up whole, and where a key is a mere
// prefix of it the rest is swallowed; a longer one goes character by character. When nothing was found, modified is
// false and out is s itself.
func (m *Charsmap) Append(dst []Change, s string) (out []Change, modified bool) {
	from := len(dst)
	for at := 0; at < len(s); {
		end := graphemeEnd(s, at)
		grapheme := s[at:end]
		at = end
		if len(grapheme) < 6 {
			if value, ok := m.replacement(grapheme); ok {
				dst = substitute(dst, from, grapheme, value)
				modified = true
				continue
			}
		}
		for i, r := range grapheme {
			if value, ok := m.replacement(grapheme[i : i+utf8.RuneLen(r)]); ok {
				dst = substitute(dst, from, grapheme[i:i+utf8.RuneLen(r)], value)
				modified = true
			} else {
				dst = append(dst, Change{R: r})
			}
		}
	}
	return dst, modified
}

// substitute books what a replacement changed. Characters that vanish are counted with the one before, and not at all
// at the very beginning.
func substitute(dst []Change, from int, old, value string) []Change {
	for _, r := range value {
		dst = append(dst, Change{R: r})
	}
	diff := utf8.RuneCountInString(value) - utf8.RuneCountInString(old)
	switch {
	case diff > 0:
		for i := len(dst) - diff; i < len(dst); i++ {
			dst[i].D = 1
		}
	case diff < 0 && len(dst) > from:
		dst[len(dst)-1].D += int32(diff)
	}
	return dst
}
