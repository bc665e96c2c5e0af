package input

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func drain(t *testing.T, r *Reader) []Item {
	t.Helper()
	var items []Item
	for {
		var it Item
		err := r.Next(&it)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("record %d: %v", len(items), err)
		}
		items = append(items, it)
	}
	if err := r.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	return items
}

func readAll(t *testing.T, in string, o Options) []Item {
	t.Helper()
	r, err := NewReader(strings.NewReader(in), o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return drain(t, r)
}

// show writes items the way the cases below expect them: line:id|text|attributes, or line:id!class.
func show(items []Item) []string {
	var out []string
	for _, it := range items {
		r := it.Record
		switch {
		case r.Err != nil:
			out = append(out, fmt.Sprintf("%d:%s!%s", it.Line, r.ID, r.Err.Class))
		case len(r.Attributes) > 0:
			out = append(out, fmt.Sprintf("%d:%s|%s|%v", it.Line, r.ID, r.Text, r.Attributes))
		default:
			out = append(out, fmt.Sprintf("%d:%s|%s", it.Line, r.ID, r.Text))
		}
	}
	return out
}

func TestRecordsOfEachFormat(t *testing.T) {
	for _, tc := range []struct {
		name string
		o    Options
		in   string
		want []string
	}{
		{"text, CRLF, empty lines, no last newline", Options{Format: Text}, "a\r\n\n b \nc", []string{"1:|a", "3:| b ", "4:|c"}},
		{"text with a byte order mark", Options{Format: Text}, "\xef\xbb\xbfa\n", []string{"1:|a"}},
		{"text that is not UTF-8", Options{Format: Text}, "ok\n\xff\nok\n", []string{"1:|ok", "2:!bad_utf8", "3:|ok"}},
		{"text with NUL", Options{Format: Text}, "a\x00b\n", []string{"1:|a\x00b"}},
		{"text too long", Options{Format: Text, MaxRecordBytes: 4}, "abcd\nabcde\nabcdefghijklmnop\nx\n",
			[]string{"1:|abcd", "2:!too_long", "3:!too_long", "4:|x"}},
		{"text too long at the end", Options{Format: Text, MaxRecordBytes: 4}, "x\nabcdefgh", []string{"1:|x", "2:!too_long"}},
		{"nothing", Options{}, "", nil},

		{"jsonl", Options{}, `{"id":"a","text":"x"}` + "\r\n\n" + `{"id":7,"text":"y","lang":"en","n":1.50}`,
			[]string{"1:a|x", "3:7|y|map[lang:en n:1.50]"}},
		{"jsonl, a bad line harms no other", Options{Format: JSONL}, "{\"text\":\"x\"}\n{\"text\":\n{\"text\":3}\n{\"text\":\"\\ud800\"}\n{\"text\":\"y\"}\n",
			[]string{"1:|x", "2:!invalid_record", "3:!invalid_record", "4:!bad_utf8", "5:|y"}},
		{"jsonl too long keeps a leading id", Options{Format: JSONL, MaxRecordBytes: 30},
			`{"id":"a","text":"` + strings.Repeat("x", 40) + "\"}\n{\"text\":\"y\"}\n", []string{"1:a!too_long", "2:|y"}},
		{"jsonl with columns", Options{Format: JSONL, TextColumn: "body", IDColumn: "key"},
			`{"key":"k1","body":"hello","text":"other","id":9,"x":[1,2]}` + "\n",
			[]string{"1:k1|hello|map[id:9 text:other x:[1,2]]"}},
		{"jsonl without its column", Options{Format: JSONL, TextColumn: "body"}, `{"id":"k","text":"t"}`, []string{"1:k!invalid_record"}},

		{"csv", Options{Format: CSV}, "id,text,lang\n1,hello,en\n2,\"a, \"\"b\"\"\nc\",de\n\n3,,\n",
			[]string{"2:1|hello|map[lang:en]", "3:2|a, \"b\"\nc|map[lang:de]", "6:3||map[lang:]"}},
		{"csv with CRLF and a byte order mark", Options{Format: CSV}, "\xef\xbb\xbftext,id\r\n\"x\r\ny\",1\r\nz,2\r\n",
			[]string{"2:1|x\r\ny", "4:2|z"}},
		{"csv with a wrong number of fields", Options{Format: CSV}, "id,text\n1\n2,b,c\n3,c\n",
			[]string{"2:1!invalid_record", "3:2!invalid_record", "4:3|c"}},
		{"csv with text after a quote", Options{Format: CSV}, "id,text\n1,\"a\"b\n2,a\"b\n", []string{"2:1!invalid_record", "3:2|a\"b"}},
		{"csv with an open quote", Options{Format: CSV}, "id,text\n1,a\n2,\"b\n3,c\n", []string{"2:1|a", "3:2!invalid_record"}},
		{"csv too long keeps its id", Options{Format: CSV, MaxRecordBytes: 16},
			"text,id\n" + strings.Repeat("x", 50) + ",1\n\"" + strings.Repeat("y\n", 30) + "\",2\nz,3\n",
			[]string{"2:1!too_long", "3:2!too_long", "34:3|z"}},
		{"csv that is not UTF-8", Options{Format: CSV}, "id,text\n1,\xff\n2,b\n", []string{"2:1!bad_utf8", "3:2|b"}},
		{"csv with columns", Options{Format: CSV, TextColumn: "body", IDColumn: "n"}, "n,id,body\n1,x,t\n", []string{"2:1|t|map[id:x]"}},
		{"tsv", Options{Format: TSV}, "id\ttext\n1\ta,b\n", []string{"2:1|a,b"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := show(readAll(t, tc.in, tc.o)); !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}

func TestErrorsNameTheLine(t *testing.T) {
	items := readAll(t, "{\"text\":\"x\"}\n\n{\"text\":3}\n", Options{Format: JSONL})
	if got := items[1].Record.Err.Message; !strings.HasPrefix(got, "line 3: ") {
		t.Errorf("message %q does not name line 3", got)
	}
}

func TestInputsThatCannotBeRead(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"a.csv", "", "no CSV header"},
		{"a.csv", "id,id\n", "two columns"},
		{"a.csv", "id,body\n1,x\n", "--text-column"},
		{"a.json", "[{\"text\":\"x\"}]", "jq"},
		{"a.txt", "\xff\xfea\x00", "UTF-16"},
		{"a.bin", "hello", "--format"},
		{"a.txt", "\x1f\x8bxxxxxxxxxxxx", "gzip"},
		{"a.parquet", "PAR1 this is none", "parquet"},
	} {
		path := filepath.Join(t.TempDir(), tc.name)
		if err := os.WriteFile(path, []byte(tc.in), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := Open(path, Options{})
		if err == nil {
			t.Errorf("%s %q: opened as %s", tc.name, tc.in, r.Format())
			continue
		}
		if !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s %q: %v, want it to name the file and %q", tc.name, tc.in, err, tc.want)
		}
	}
	if _, err := Open(t.TempDir(), Options{}); !errors.Is(err, ErrFormat) {
		t.Errorf("a directory: %v", err)
	}
	if _, err := NewReader(strings.NewReader("x"), Options{Format: "xml"}); !errors.Is(err, ErrFormat) {
		t.Errorf("an unknown format: %v", err)
	}
}

func gzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstded(t *testing.T, b []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(b, nil)
}

func TestCompressedInputs(t *testing.T) {
	plain := []byte("{\"id\":\"a\",\"text\":\"x\"}\n{\"id\":\"b\",\"text\":\"y\"}\n")
	want := []string{"1:a|x", "2:b|y"}
	for name, data := range map[string][]byte{"a.jsonl.gz": gzipped(t, plain), "a.jsonl.zst": zstded(t, plain),
		"a.ndjson": zstded(t, plain), "two.jsonl.gz": append(gzipped(t, plain[:22]), gzipped(t, plain[22:])...)} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := show(drain(t, r)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestCompressedInputCutShortOrTooBig(t *testing.T) {
	plain := bytes.Repeat([]byte("aaaaaaaaaaaaaaa\n"), 1<<16)
	for name, data := range map[string][]byte{"gzip": gzipped(t, plain), "zstd": zstded(t, plain)} {
		err := lastError(t, data[:len(data)-9], Options{Format: Text})
		if want := name + ": the file is cut short: unexpected EOF"; err == nil || err.Error() != want {
			t.Errorf("%s cut short: %v, want %q, once", name, err, want)
		}
		if err := lastError(t, data, Options{Format: Text, MaxExpandedBytes: 1 << 18}); !errors.Is(err, ErrTooExpanded) {
			t.Errorf("%s expanding beyond the bound: %v", name, err)
		}
	}
}

// lastError reads to the error that ends the input; nil when it ends well.
func lastError(t *testing.T, data []byte, o Options) error {
	t.Helper()
	r, err := NewReader(bytes.NewReader(data), o)
	for err == nil {
		var it Item
		err = r.Next(&it)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if r != nil {
		err = errors.Join(err, r.Close())
	}
	return err
}
