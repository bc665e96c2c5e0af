package input

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"textmill/jobs"
)

// piece is a part of a text: a literal, or the value of a column or key.
type piece struct {
	literal  string
	column   string // "" of a literal
	optional bool   // it may be missing or null, and is empty then
}

// parseTemplate reads a template: {NAME} stands for the value of a column or key, which must be there, {NAME?} for
// one that is empty where it is missing or null, {{ and }} for braces, \n, \t and \\ for a newline, a tab and a
// backslash.
func parseTemplate(s string) ([]piece, error) {
	var all []piece
	var literal strings.Builder
	for i := 0; i < len(s); i++ {
		two := s[i:min(i+2, len(s))]
		switch {
		case two == "{{" || two == "}}" || two == `\\`:
			literal.WriteByte(s[i])
			i++
		case two == `\n` || two == `\t`:
			literal.WriteByte(map[string]byte{`\n`: '\n', `\t`: '\t'}[two])
			i++
		case s[i] == '\\':
			return nil, fmt.Errorf(`byte %d: %q is no escape; there are \n, \t and \\`, i+1, two)
		case s[i] == '}':
			return nil, fmt.Errorf("byte %d: this } closes nothing; a brace is written }}", i+1)
		case s[i] == '{':
			name, _, closed := strings.Cut(s[i+1:], "}")
			if !closed || strings.ContainsRune(name, '{') {
				return nil, fmt.Errorf("byte %d: this { is not closed; a brace is written {{", i+1)
			}
			column, optional := strings.CutSuffix(name, "?")
			if column == "" {
				return nil, fmt.Errorf("byte %d: no column is named between { and }", i+1)
			}
			all = append(all, piece{literal: literal.String()}, piece{column: column, optional: optional})
			literal.Reset()
			i += 1 + len(name)
		default:
			literal.WriteByte(s[i])
		}
	}
	if len(all) == 0 {
		return nil, errors.New("it names no column; write {NAME} where a column's value belongs")
	}
	all = append(all, piece{literal: literal.String()})
	return slices.DeleteFunc(all, func(p piece) bool { return p == piece{} }), nil
}

// pieces are what the text is put together from, one alone without a template.
func (o Options) pieces() ([]piece, error) {
	if o.TextTemplate == "" {
		return []piece{{column: o.textColumn()}}, nil
	}
	all, err := parseTemplate(o.TextTemplate)
	if err != nil {
		return nil, fmt.Errorf("%w: the template %q: %w", ErrFormat, o.TextTemplate, err)
	}
	return all, nil
}

// Check finds what is wrong with the options, whatever the input.
func (o Options) Check() error {
	_, err := o.pieces()
	switch {
	case err != nil:
		return err
	case o.TextTemplate != "" && o.TextColumn != "":
		return fmt.Errorf("%w: a template names the columns of the text; leave --text-column out", ErrFormat)
	case slices.Contains(o.AttributeColumns, ""):
		return fmt.Errorf("%w: a column of --attribute-columns has no name", ErrFormat)
	}
	return nil
}

// absent is the error of a record without a value that a template needs; what is "missing" or "null".
func absent(column, what string) *jobs.RecordError {
	return &jobs.RecordError{Class: jobs.InvalidRecord,
		Message: fmt.Sprintf("%s is %s; the template may say {%s?} where it may be", column, what, column)}
}

// fillIn makes the text of a template; value gives that of the column of a piece, or what that is instead: "missing"
// or "null".
func fillIn(template []piece, value func(i int) (text, instead string)) (string, *jobs.RecordError) {
	var b strings.Builder
	for i, p := range template {
		if p.column == "" {
			b.WriteString(p.literal)
			continue
		}
		text, instead := value(i)
		if instead != "" && !p.optional {
			return "", absent(p.column, instead)
		}
		b.WriteString(text)
	}
	return b.String(), nil
}
