package client

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"textmill/daemon/input"
)

// TestTextLinesSayWhereTheyStand: lines of different files have different ids, also where the files are submitted apart or
// are called the same in different directories; those of standard input are as before.
func TestTextLinesSayWhereTheyStand(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{"a.txt": "one\n\nthree\n", "sub/a.txt": "one\nbad \xff\n", "b.jsonl": `{"text":"x"}` + "\n"} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func(format string, files ...string) (all []string) {
		t.Helper()
		s := &sources{files: files, stdin: strings.NewReader("one\n"), o: input.Options{Format: format}, warn: func(string) {}}
		var it input.Item
		err := s.next(&it)
		for ; err == nil; err = s.next(&it) {
			a := it.Record.Attributes
			all = append(all, it.Record.ID+" "+a["file"]+" "+a["line"])
			it = input.Item{}
		}
		if err != io.EOF { //nolint:errorlint // it is never wrapped
			t.Fatal(err)
		}
		return all
	}
	for _, tc := range []struct {
		format string
		files  []string
		want   string
	}{
		{"", []string{"./a.txt", "sub/a.txt"}, "a.txt:1 a.txt 1|a.txt:3 a.txt 3|sub/a.txt:1 sub/a.txt 1|sub/a.txt:2 sub/a.txt 2"},
		{"", []string{"sub/a.txt"}, "sub/a.txt:1 sub/a.txt 1|sub/a.txt:2 sub/a.txt 2"},
		{"", []string{"b.jsonl"}, "  "},
		{"text", []string{"-"}, "  "},
	} {
		if got := strings.Join(read(tc.format, tc.files...), "|"); got != tc.want {
			t.Errorf("%v: %q, want %q", tc.files, got, tc.want)
		}
	}
}
