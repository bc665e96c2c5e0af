package syntax

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"textmill/tokenize/chat/internal/python"
)

type tokenKind uint8

const (
	tokenText tokenKind = iota
	tokenBlockBegin
	tokenBlockEnd
	tokenPrintBegin
	tokenPrintEnd
	tokenName
	tokenString
	tokenInteger
	tokenFloat
	tokenOperator
	tokenEnd
)

const (
	syntaxError    = "TemplateSyntaxError"
	assertionError = "TemplateAssertionError"
)

type token struct {
	kind tokenKind
	text string
	line int
}

// lexer cuts a template as Jinja does with trim_blocks and lstrip_blocks.
type lexer struct {
	source       string
	at           int
	lineStarting bool // what came last ended in a newline
	tokens       []token
	counted      int // up to here lines are counted
	lines        int
}

// operators, longest first.
var operators = []string{"//", "**", "==", "!=", ">=", "<=", "+", "-", "*", "/", "%", "~", "(", ")", "[", "]", "{",
	"}", ">", "<", "=", ".", ":", "|", ",", ";"}

func lex(source string) ([]token, error) {
	source = strings.ReplaceAll(strings.ReplaceAll(source, "\r\n", "\n"), "\r", "\n")
	source = strings.TrimSuffix(source, "\n")
	l := &lexer{source: source, lineStarting: true}
	for l.at < len(l.source) {
		if err := l.outside(); err != nil {
			return nil, err
		}
	}
	l.add(tokenEnd, "", l.at)
	return l.tokens, nil
}

func (l *lexer) line(at int) int {
	if at < l.counted {
		l.counted, l.lines = 0, 0
	}
	l.lines += strings.Count(l.source[l.counted:at], "\n")
	l.counted = at
	return 1 + l.lines
}

func (l *lexer) add(kind tokenKind, text string, at int) {
	l.tokens = append(l.tokens, token{kind, text, l.line(at)})
}

func (l *lexer) fail(at int, format string, args ...any) error {
	return &Error{l.line(at), syntaxError, fmt.Sprintf(format, args...)}
}

// outside takes text up to the next tag, and the tag.
func (l *lexer) outside() error {
	rest := l.source[l.at:]
	begin := -1
	for i := 0; i+1 < len(rest); i++ {
		if rest[i] == '{' && (rest[i+1] == '%' || rest[i+1] == '{' || rest[i+1] == '#') {
			begin = i
			break
		}
	}
	if begin < 0 {
		l.add(tokenText, rest, l.at)
		l.at = len(l.source)
		return nil
	}
	text, tag, at := rest[:begin], rest[begin+1], l.at+begin
	l.at = at + 2
	sign := byte(0)
	if l.at < len(l.source) && (l.source[l.at] == '-' || l.source[l.at] == '+') {
		sign = l.source[l.at]
		if tag != '{' || sign == '-' {
			l.at++
		} else {
			sign = 0 // {{+1}} is a number
		}
	}
	switch {
	case sign == '-':
		text = strings.TrimRightFunc(text, python.IsSpace)
	case sign != '+' && tag != '{':
		text = l.stripLine(text)
	}
	if text != "" {
		l.add(tokenText, text, at)
	}
	switch tag {
	case '#':
		return l.comment(at)
	case '{':
		l.add(tokenPrintBegin, "", at)
		return l.inside(at, "}}", tokenPrintEnd)
	}
	if end, ok := l.rawTag(l.at, "raw"); ok && !strings.HasSuffix(strings.TrimSuffix(l.source[:end], "\n"), "+%}") {
		if l.source[end-1] == '\n' && strings.HasSuffix(l.source[:end-1], "%}") &&
			!strings.HasSuffix(l.source[:end-1], "-%}") {
			end-- // the newline after raw stays
		}
		return l.raw(end)
	}
	l.add(tokenBlockBegin, "", at)
	return l.inside(at, "%}", tokenBlockEnd)
}

// stripLine removes the white space that a block tag is indented by.
func (l *lexer) stripLine(text string) string {
	from := strings.LastIndexByte(text, '\n') + 1
	if (from > 0 || l.lineStarting) && strings.TrimLeftFunc(text[from:], python.IsSpace) == "" {
		return text[:from]
	}
	return text
}

// tagEnd tells how long the end of a tag is at the current place: with a sign, and with the white space it swallows.
func (l *lexer) tagEnd(at int, end string) (next int, ok bool) {
	rest := l.source[at:]
	switch {
	case strings.HasPrefix(rest, "-"+end):
		at += 1 + len(end)
		rest = l.source[at:]
		return at + len(rest) - len(strings.TrimLeftFunc(rest, python.IsSpace)), true
	case end != "}}" && strings.HasPrefix(rest, "+"+end):
		return at + 1 + len(end), true
	case strings.HasPrefix(rest, end):
		at += len(end)
		if end != "}}" && at < len(l.source) && l.source[at] == '\n' {
			at++
		}
		return at, true
	}
	return 0, false
}

func (l *lexer) finish(next int) {
	l.at = next
	l.lineStarting = l.source[next-1] == '\n'
}

func (l *lexer) comment(from int) error {
	if l.at == len(l.source) { // jinja2 misses the end only where something follows
		return nil
	}
	for i := l.at; i < len(l.source); i++ {
		if next, ok := l.tagEnd(i, "#}"); ok {
			l.finish(next)
			return nil
		}
	}
	return l.fail(from, "comment has no end")
}

// rawTag matches the rest of {% raw %} or {% endraw %}.
func (l *lexer) rawTag(at int, name string) (next int, ok bool) {
	skip := func() {
		for at < len(l.source) {
			r, size := utf8.DecodeRuneInString(l.source[at:])
			if !python.IsSpace(r) {
				return
			}
			at += size
		}
	}
	skip()
	if !strings.HasPrefix(l.source[at:], name) {
		return 0, false
	}
	at += len(name)
	skip()
	return l.tagEnd(at, "%}")
}

func (l *lexer) raw(from int) error {
	if from == len(l.source) {
		l.at = from
		return nil
	}
	for i := from; i+1 < len(l.source); i++ {
		if l.source[i] != '{' || l.source[i+1] != '%' {
			continue
		}
		at, sign := i+2, byte(0)
		if at < len(l.source) && (l.source[at] == '-' || l.source[at] == '+') {
			sign = l.source[at]
			at++
		}
		next, ok := l.rawTag(at, "endraw")
		if !ok {
			continue
		}
		text := l.source[from:i]
		if sign == '-' {
			text = strings.TrimRightFunc(text, python.IsSpace)
		} else if sign != '+' {
			l.lineStarting = l.source[from-1] == '\n'
			text = l.stripLine(text)
		}
		l.add(tokenText, text, from)
		l.finish(next)
		return nil
	}
	return l.fail(from, "raw has no end")
}

// inside takes the tokens of a tag.
func (l *lexer) inside(from int, end string, kind tokenKind) error {
	var open []byte
	for l.at < len(l.source) {
		if len(open) == 0 {
			if next, ok := l.tagEnd(l.at, end); ok {
				l.add(kind, "", l.at)
				l.finish(next)
				return nil
			}
		}
		r, size := utf8.DecodeRuneInString(l.source[l.at:])
		switch {
		case python.IsSpace(r):
			l.at += size
		case r == '"' || r == '\'':
			if err := l.string(byte(r)); err != nil {
				return err
			}
		case r >= '0' && r <= '9':
			l.number()
		case isNamePart(r):
			if err := l.name(); err != nil {
				return err
			}
		default:
			if err := l.operator(&open); err != nil {
				return err
			}
		}
	}
	return l.fail(from, "tag has no end")
}

func (l *lexer) operator(open *[]byte) error {
	for _, op := range operators {
		if !strings.HasPrefix(l.source[l.at:], op) {
			continue
		}
		switch op {
		case "(", "[", "{":
			*open = append(*open, op[0])
		case ")", "]", "}":
			n := len(*open)
			if n == 0 || (*open)[n-1] != map[string]byte{")": '(', "]": '[', "}": '{'}[op] {
				return l.fail(l.at, "unexpected %q", op)
			}
			*open = (*open)[:n-1]
		}
		l.add(tokenOperator, op, l.at)
		l.at += len(op)
		return nil
	}
	return l.fail(l.at, "unexpected character %q", l.source[l.at:min(len(l.source), l.at+1)])
}
