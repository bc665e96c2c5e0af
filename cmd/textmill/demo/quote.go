package demo

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// pythonString is a Python literal; JSON's escapes are Python's too.
func pythonString(s string) string {
	b, err := jsontext.AppendQuote(nil, strings.ToValidUTF8(s, "\uFFFD"))
	if err != nil {
		return `""`
	}
	return string(b)
}

// sqlString is an SQL literal inside a triple-quoted Python string.
func sqlString(s string) string {
	return "'" + strings.NewReplacer("'", "''", `\`, `\\`, `"`, `\"`).Replace(s) + "'"
}
