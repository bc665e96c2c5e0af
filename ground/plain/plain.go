// Package plain keeps bytes from outside from steering the terminal that they are shown on.
package plain

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

// A Writer passes text on with everything escaped that could move a cursor, change colours or turn the direction of
// reading: control characters but for tab and newline, the bidirectional ones, invisible tags, bytes that are not
// UTF-8. An escape is JSON's (\u001b), so that JSON lines keep their meaning; a byte that is not UTF-8, which JSON
// never has, is \x9b. What an incomplete character at the end of a Write is shows at the next one, or at Flush. It is
// safe for concurrent use.
type Writer struct {
	to      io.Writer
	mu      sync.Mutex
	begun   []byte // an incomplete character
	escaped []byte
}

// NewWriter makes the one Writer through which a command tells what it has to tell.
func NewWriter(to io.Writer) *Writer { return &Writer{to: to} }

// Raw is where the Writer w writes, for those who steer the terminal themselves and pass nothing from outside but what
// Text gave them; any other writer is given back.
func Raw(w io.Writer) io.Writer {
	if p, ok := w.(*Writer); ok {
		return p.to
	}
	return w
}

// Write reports all of p as written, or none.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := p
	if len(w.begun) > 0 {
		all = append(w.begun, p...)
		w.begun = nil
	}
	whole := complete(all)
	if whole < len(all) {
		w.begun = append([]byte(nil), all[whole:]...)
	}
	if err := w.pass(all[:whole]); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush passes on what is incomplete.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := w.begun
	w.begun = nil
	return w.pass(rest)
}

func (w *Writer) pass(p []byte) error {
	w.escaped = w.escaped[:0]
	from := 0
	for i := 0; i < len(p); {
		c := p[i]
		if c >= ' ' && c < 0x7f || c == '\n' || c == '\t' {
			i++
			continue
		}
		r, size := utf8.DecodeRune(p[i:])
		if !harmless(r, size) {
			w.escaped = appendEscape(append(w.escaped, p[from:i]...), p[i:i+size], r)
			from = i + size
		}
		i += size
	}
	if from > 0 {
		p = append(w.escaped, p[from:]...)
		w.escaped = p
	}
	if len(p) == 0 {
		return nil
	}
	_, err := w.to.Write(p)
	return err
}

// complete is the length of p without an incomplete character at its end.
func complete(p []byte) int {
	for back := 1; back < utf8.UTFMax && back <= len(p); back++ {
		if c := p[len(p)-back]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(p[len(p)-back:]) {
				return len(p) - back
			}
			break
		}
	}
	return len(p)
}

// harmless tells whether a character, given with its bytes in UTF-8, may be shown as it is. Tab and newline are not.
func harmless(r rune, size int) bool {
	switch {
	case r == utf8.RuneError && size == 1, r < ' ', r >= 0x7f && r < 0xa0, r == 0x2028, r == 0x2029, r == 0xfeff:
		return false
	case r == 0x061c, r == 0x200e, r == 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r >= 0xe0000 &&
		r <= 0xe007f:
		return false
	}
	return true
}

func appendEscape(to, raw []byte, r rune) []byte {
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		return fmt.Appendf(to, `\x%02x`, raw[0])
	case r > 0xffff:
		r -= 0x10000
		return fmt.Appendf(to, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
	}
	return fmt.Appendf(to, `\u%04x`, r)
}

// Text is a value from outside as one field of one line: besides what a Writer escapes, tab and newline.
func Text(s string) string {
	clean := true
	for _, r := range s {
		if !harmless(r, 2) || r == utf8.RuneError {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	b := make([]byte, 0, len(s)+16)
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if harmless(r, size) {
			b = append(b, s[i:i+size]...)
		} else {
			b = appendEscape(b, []byte(s[i:i+size]), r)
		}
		i += size
	}
	return string(b)
}

// Row writes values as the fields of one line of a table with tabs between its columns.
func Row(w io.Writer, values ...any) error {
	fields := make([]string, len(values))
	for i, v := range values {
		fields[i] = Text(fmt.Sprint(v))
	}
	_, err := io.WriteString(w, strings.Join(fields, "\t")+"\n")
	return err
}

// JSON writes v as one line, without escapes that only HTML needs.
func JSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
