package warehouse

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"textmill/ground/plain"
)

// outside is a text that comes from outside: a name, a path. A recipe can print it only through what quotes it.
type outside struct{ text string }

// bare is what a text from outside prints as by itself; the guard of recipes refuses it.
const bare = "\x00not quoted\x00"

func (o outside) String() string { return bare }

// URI tells a URI from a path on this machine.
func (o outside) URI() bool { return strings.Contains(o.text, "://") }

// readable refuses what no program text can hold.
func (o outside) readable() error {
	if !utf8.ValidString(o.text) || strings.ContainsRune(o.text, 0) {
		return fmt.Errorf("%w: %q is not UTF-8, or holds a zero byte, and cannot stand in a recipe", ErrUsage, o.text)
	}
	return nil
}

// sqlText is a string literal of standard SQL: PostgreSQL, DuckDB.
func sqlText(o outside) (string, error) {
	return "'" + strings.ReplaceAll(o.text, "'", "''") + "'", o.readable()
}

// backslashText is a string literal where a backslash escapes: ClickHouse, Spark, Snowflake, BigQuery.
func backslashText(o outside) (string, error) {
	var b strings.Builder
	b.WriteByte('\'')
	for _, r := range o.text {
		switch r {
		case '\'', '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		default:
			b.WriteRune(r)
		}
	}
	return b.String() + "'", o.readable()
}

// identifier is a quoted name of standard SQL.
func identifier(o outside) (string, error) {
	return `"` + strings.ReplaceAll(o.text, `"`, `""`) + `"`, o.readable()
}

// tickedIdentifier is a quoted name of ClickHouse, Spark and BigQuery.
func tickedIdentifier(o outside) (string, error) {
	if strings.ContainsAny(o.text, "`\\\n") {
		return "", fmt.Errorf("%w: the name %q holds a backtick, a backslash or a newline; give another with --name",
			ErrUsage, o.text)
	}
	return "`" + o.text + "`", o.readable()
}

// pythonText is a string literal of Python.
func pythonText(o outside) (string, error) {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range o.text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x80 && unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String() + `"`, o.readable()
}

func jsonText(o outside) (string, error) {
	b, err := json.Marshal(o.text)
	if err != nil {
		return "", err
	}
	return string(b), o.readable()
}

// comment is a text in a comment that ends with its line.
func comment(o outside) string { return plain.Text(o.text) }

// bracketed is a path whose characters of patterns stand for themselves, as DuckDB has it.
func bracketed(o outside) outside {
	return outside{strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]").Replace(o.text)}
}

// withoutPatterns refuses a path that an engine would take for a pattern.
func withoutPatterns(o outside) (outside, error) {
	if strings.ContainsAny(o.text, "*?{}[]") {
		return o, fmt.Errorf("%w: this engine takes %q for a pattern; move the table to a directory without * ? { } [ ]",
			ErrUsage, o.text)
	}
	return o, nil
}

// base is the last part of a path.
func base(file outside) outside { return outside{defaultName(file.text)} }

// shortName is a name of letters, digits and underscores, for engines that take no other.
func shortName(o outside) string {
	name := strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return unicode.ToLower(r)
		}
		return '_'
	}, o.text)
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "t" + name
	}
	return name
}
