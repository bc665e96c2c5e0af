package input

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"textmill/jobs"
)

func utf16Of(order binary.AppendByteOrder, text string) string {
	out := order.AppendUint16(nil, 0xfeff)
	for _, u := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, u)
	}
	return string(out)
}

// TestWholeFiles says of each file what becomes of it: id|text|attributes, id!class and message, or why it is left out.
func TestWholeFiles(t *testing.T) {
	const most = 20_000
	little, big := utf16Of(binary.LittleEndian, "größe 😀\r\n"), utf16Of(binary.BigEndian, "größe 😀\r\n")
	plain := func(name, text string) string {
		return name + "|" + text + "|map[file:" + name + " media_type:text/plain]"
	}
	for _, tc := range []struct{ name, data, want string }{
		{"d/a.md", "# T\n\n*b*\n", "d/a.md|# T\n\n*b*\n|map[file:d/a.md media_type:text/markdown]"},
		{"a.MARKDOWN", "x", "a.MARKDOWN|x|map[file:a.MARKDOWN media_type:text/markdown]"},
		{"a.txt", "\xef\xbb\xbfx\r\n", plain("a.txt", "x\r\n")},
		{"le.txt", little, plain("le.txt", "größe 😀\r\n")},
		{"be.txt", big, plain("be.txt", "größe 😀\r\n")},
		{"p.html", "\xef\xbb\xbf<title> A\n&amp; B</title><p>x &lt; y<script>z</script>", "p.html|x < y|map[file:p.html media_type:text/html title:A & B]"},
		{"p16.HTM", utf16Of(binary.LittleEndian, "<p>ü"), "p16.HTM|ü|map[file:p16.HTM media_type:text/html]"},
		{"page", "<!doctype html><p>x", "page|x|map[file:page media_type:text/html]"},
		{"p.md", "<!doctype html><p>x", "p.md|<!doctype html><p>x|map[file:p.md media_type:text/markdown]"},
		{"a.py", "x = 1", plain("a.py", "x = 1")},
		{"bm", "BM is how a picture begins, and this does not", plain("bm", "BM is how a picture begins, and this does not")},
		{"id3.txt", "ID3 tags\x01", plain("id3.txt", "ID3 tags\x01")},
		{"cut.txt", strings.Repeat("x", sniffed-1) + "é", plain("cut.txt", strings.Repeat("x", sniffed-1)+"é")},

		{"latin1.txt", "gr\xf6\xdfe", "latin1.txt!bad_utf8: latin1.txt: byte 3 is not valid UTF-8; convert the file, for example with: iconv -f LATIN1 -t UTF-8"},
		{"latin1.html", "<p>gr\xf6\xdfe", "latin1.html!bad_utf8: latin1.html: byte 6 is"},
		{"odd.txt", little + "x", "odd.txt!bad_utf8: odd.txt: UTF-16 with an odd number"},
		{"half.txt", "\xfe\xff\xd8\x3d\x00x", "half.txt!bad_utf8: half.txt: byte 3 of the UTF-16 is half"},
		{"half2.txt", "\xfe\xff\x00x\xd8\x3d", "half2.txt!bad_utf8: half2.txt: byte 5 of the UTF-16 is half"},
		{"half3.txt", "\xfe\xff\xde\x00", "half3.txt!bad_utf8: half3.txt: byte 3 of the UTF-16 is half"},
		{"long.txt", strings.Repeat("x", most+1), "long.txt!too_long: long.txt: the file has 20001 bytes, the limit is 20000; split it, or raise limits.record_bytes"},
		{"deep.html", strings.Repeat("<p><div>", 1000), "deep.html!invalid_record: deep.html: parse HTML: html: open stack"},

		{"empty", "", "it has no text"},
		{"blank.md", "\xef\xbb\xbf \r\n\t", "it has no text"},
		{"blank.html", "<title>x</title><script>y</script>", "it has no text"},
		{"p.png", "\x89PNG\x0d\x0a\x1a\x0a....", "it is no text (image/png)"},
		{"p.txt", "\x1f\x8b\x08xxxxxx", "it is no text (application/x-gzip)"},
		{"p.pdf", "%PDF-1.7\nonly ASCII", "it is no text (application/pdf)"},
		{"nul.txt", "a\x00b", "it is no text (application/octet-stream)"},
		{"late.txt", strings.Repeat("x", sniffed) + "\x00", "it is no text (application/octet-stream)"},
		{"utf32.txt", "\xff\xfe\x00\x00a\x00\x00\x00", "it is no text (application/octet-stream)"},
		{"film", strings.Repeat("\x00\x01", most), "it is no text (application/octet-stream)"},
	} {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(tc.data), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := OpenWhole(path, tc.name, Options{MaxRecordBytes: most})
		if err != nil {
			t.Fatal(err)
		}
		got := r.LeftOut()
		for _, it := range drain(t, r) {
			if got += it.Record.ID; it.Record.Err != nil {
				got += "!" + it.Record.Err.String()
			} else {
				got += fmt.Sprintf("|%s|%v", it.Record.Text, it.Record.Attributes)
			}
		}
		if got != tc.want && !(strings.Contains(got, "!") && strings.HasPrefix(got, tc.want)) {
			t.Errorf("%s:\ngot  %.300q\nwant %.300q", tc.name, got, tc.want)
		}
	}
}

func FuzzWholeFile(f *testing.F) {
	f.Add([]byte("<title>x</title><p>y"), "a.html")
	f.Add([]byte(utf16Of(binary.LittleEndian, "x😀")), "a.txt")
	f.Add([]byte("\xfe\xff\xd8\x3d\x00"), "")
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		if len(data) > 1<<12 || !utf8.ValidString(name) {
			return
		}
		rec, leftOut := wholeRecord(data, name)
		if leftOut != "" {
			if rec.Text != "" || rec.Err != nil {
				t.Fatalf("left out as %s: %+v", leftOut, rec)
			}
			return
		}
		if rec.ID != name || rec.Err == nil && (strings.TrimSpace(rec.Text) == "" || !utf8.ValidString(rec.Text)) {
			t.Fatalf("%+v", rec)
		}
		again := jobs.ParseRecord(rec.AppendJSON(nil))
		if rec.Err == nil && (again.Err != nil || again.Text != rec.Text || again.Attributes["title"] != rec.Attributes["title"]) {
			t.Fatalf("%s is read back as %+v", rec.AppendJSON(nil), again)
		}
	})
}
