package plain

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func written(t *testing.T, parts ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b)
	for _, p := range parts {
		if n, err := w.Write([]byte(p)); n != len(p) || err != nil {
			t.Fatalf("Write(%q) = %d, %v", p, n, err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestNothingSteersTheTerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain äöü 漢字 👩‍🚀\tand\n":      "plain äöü 漢字 👩‍🚀\tand\n",
		"\x1b]0;title\x07\x1b[2J":      `\u001b]0;title\u0007\u001b[2J`,
		"over\rwritten\b\x7f\x00":      `over\u000dwritten\u0008\u007f\u0000`,
		"\u009b31m and \x9b31m":        `\u009b31m and \x9b31m`,
		"user\u202egnp.exe\u2066":      `user\u202egnp.exe\u2066`,
		"\U000e0041\ufeff\u2028\ufffd": `\udb40\udc41\ufeff\u2028` + "\ufffd",
		"cut \xf0\x9f":                 `cut \xf0\x9f`,
		"":                             "",
	} {
		if got := written(t, in); got != want {
			t.Errorf("%q came out as %q, want %q", in, got, want)
		}
		bytewise := strings.Split(in, "")
		if raw := []byte(in); utf8.ValidString(in) {
			bytewise = bytewise[:0]
			for _, c := range raw {
				bytewise = append(bytewise, string([]byte{c}))
			}
		}
		if got := written(t, bytewise...); got != want {
			t.Errorf("%q in pieces came out as %q, want %q", in, got, want)
		}
	}
	if got := Text("a\tb\nc\x1b"); got != `a\u0009b\u000ac\u001b` {
		t.Errorf("a field came out as %q", got)
	}
	var b bytes.Buffer
	if err := Row(&b, 7, "x\ny", nil); err != nil || b.String() != "7\tx\\u000ay\t<nil>\n" {
		t.Errorf("a row came out as %q, %v", b.String(), err)
	}
}

// FuzzWriter holds that JSON keeps its meaning and that whatever comes in, in whatever pieces, nothing harmful goes out.
func FuzzWriter(f *testing.F) {
	f.Add("\x1b[31mred\u009b\u202e", 3)
	f.Add("\xf0\x9f\x91\xa9 \xff", 2)
	f.Add("\U000e0001\U0001f600\u2029\r", 5)
	f.Fuzz(func(t *testing.T, s string, cut int) {
		cut = min(max(cut, 0), len(s))
		got := written(t, s[:cut], s[cut:])
		if whole := written(t, s); got != whole {
			t.Fatalf("cut at %d %q, whole %q", cut, got, whole)
		}
		for i, r := range got {
			if r != '\n' && r != '\t' && !harmless(r, utf8.RuneLen(r)) || r == utf8.RuneError && !strings.HasPrefix(got[i:], "\ufffd") {
				t.Fatalf("%q lets %U through", got, r)
			}
		}
		if strings.ContainsAny(Text(s), "\n\t\x1b") {
			t.Fatalf("the field %q is no single one", Text(s))
		}
		var before, after string
		line, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(line, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(written(t, string(line))), &after); err != nil || before != after {
			t.Fatalf("JSON of %q became %q, %v", before, after, err)
		}
	})
}
