package input

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"textmill/export/storage"
	"textmill/internal/s3"
	"textmill/jobs"
)

func bucket(t *testing.T) storage.Dir {
	t.Helper()
	root, err := storage.Open("s3://"+s3.Name, storage.Options{Scratch: t.TempDir(), ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root
}

// object makes one and returns a reference to all of it.
func object(t *testing.T, root storage.Dir, key, format, content string) *jobs.Input {
	t.Helper()
	stage, err := root.MakeStage()
	if err != nil {
		t.Fatal(err)
	}
	defer stage.Close()
	if err := os.WriteFile(filepath.Join(stage.Path(), "x"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := root.Place(stage, "x", key); err != nil {
		t.Fatal(err)
	}
	st, err := root.Stat(key)
	if err != nil {
		t.Fatal(err)
	}
	return &jobs.Input{URI: "s3://" + s3.Name + "/" + key, Format: format, Size: st.Size, ETag: st.Tag}
}

func texts(t *testing.T, r *Roots, in *jobs.Input) (all []string, err error) {
	t.Helper()
	if err := in.Check(); err != nil {
		t.Fatal(err)
	}
	for rec, err := range r.Records(t.Context(), &jobs.Shard{ID: "s", Input: in}, Options{}) {
		if err != nil {
			return all, err
		}
		all = append(all, rec.ID+"="+rec.Text)
	}
	return all, nil
}

func TestObjectsAreReadByRanges(t *testing.T) {
	server := s3.ForTest(t)
	root := bucket(t)
	r, err := OpenRoots(nil, []string{"s3://" + s3.Name + "/in"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })

	line := `{"id":"a","text":"` + strings.Repeat("x", 1000) + `"}` + "\n"
	in := object(t, root, "in/a b/big.jsonl", JSONL, strings.Repeat(line, 8000))
	var asked atomic.Int64
	server.Break("in/", func(req *http.Request) s3.Action {
		asked.Add(1)
		return s3.Pass
	})
	in.Offset, in.Length = int64(4000*len(line)), int64(50*len(line))
	got, err := texts(t, r, in)
	if err != nil || len(got) != 50 || got[0] != "a="+strings.Repeat("x", 1000) {
		t.Errorf("%d records, %v", len(got), err)
	}
	if n := asked.Load(); n > 4 {
		t.Errorf("%d requests for 50 KB", n)
	}
	in.Offset++
	if _, err := texts(t, r, in); class(err) != jobs.InvalidJob || !strings.Contains(err.Error(), "inside a record") {
		t.Errorf("inside a record: %v", err)
	}

	csv := object(t, root, "in/t.csv", CSV, "key,body\n1,one\n2,two\n3,three\n")
	csv.TextColumn, csv.IDColumn, csv.Offset = "body", "key", int64(len("key,body\n1,one\n"))
	if got, err := texts(t, r, csv); err != nil || strings.Join(got, " ") != "2=two 3=three" {
		t.Errorf("%v, %v", got, err)
	}
	text := object(t, root, "in/t.txt", Text, "one\ntwo\n")
	if got, err := texts(t, r, text); err != nil || strings.Join(got, " ") != "s-0=one s-1=two" {
		t.Errorf("%v, %v", got, err)
	}
	data, err := os.ReadFile("testdata/rows.parquet")
	if err != nil {
		t.Fatal(err)
	}
	parquet := object(t, root, "in/t.parquet", Parquet, string(data))
	if got, err := texts(t, r, parquet); err != nil || len(got) == 0 {
		t.Errorf("%v, %v", got, err)
	}
}

// class is that of the dead letter that an error makes, "" where it makes none.
func class(err error) string {
	var i *jobs.Invalid
	if errors.As(err, &i) {
		return i.Class
	}
	return ""
}

func TestObjectsThatAreNotRead(t *testing.T) {
	s3.ForTest(t)
	root := bucket(t)
	open := func(allow ...string) *Roots {
		t.Helper()
		r, err := OpenRoots(nil, allow)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.Close() })
		return r
	}
	const content = "{\"text\":\"x\"}\n"
	in := object(t, root, "in/a.jsonl", JSONL, content)
	for _, c := range []struct {
		allow []string
		want  string
	}{
		{nil, jobs.InputForbidden}, {[]string{"s3://other"}, jobs.InputForbidden}, {[]string{"s3://tables/i"}, jobs.InputForbidden},
		{[]string{"s3://tables/in/a"}, jobs.InputForbidden}, {[]string{"s3://tables"}, ""}, {[]string{"s3://tables/in/"}, ""},
		{[]string{"s3://other", "s3://tables/in/a.jsonl"}, ""},
	} {
		_, err := texts(t, open(c.allow...), in)
		if class(err) != c.want || c.want == "" && err != nil || c.want != "" && !strings.Contains(err.Error(), "input.allow") {
			t.Errorf("with %v: %v", c.allow, err)
		}
	}
	r := open("s3://tables/in")
	gone := *in
	gone.URI = "s3://tables/in/none.jsonl"
	if _, err := texts(t, r, &gone); class(err) != jobs.InputMissing {
		t.Errorf("not there: %v", err)
	}
	object(t, root, "in/a.jsonl", JSONL, strings.Replace(content, "x", "y", 1))
	if _, err := texts(t, r, in); class(err) != jobs.InputChanged || !strings.Contains(err.Error(), "ETag") {
		t.Errorf("changed: %v", err)
	}

	// It changes while it is read.
	line := `{"text":"` + strings.Repeat("x", 1000) + `"}` + "\n"
	long := object(t, root, "in/long.jsonl", JSONL, strings.Repeat(line, 3000))
	n := 0
	var last error
	for _, err := range r.Records(t.Context(), &jobs.Shard{ID: "s", Input: long}, Options{}) {
		if n++; n == 1 {
			object(t, root, "in/long.jsonl", JSONL, strings.Repeat(strings.ReplaceAll(line, "x", "y"), 3000))
		}
		last = err
	}
	if class(last) != jobs.InputChanged || n >= 3000 {
		t.Errorf("changed amid %d records: %v", n, last)
	}

	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	if _, err := texts(t, open("s3://tables"), in); class(err) != jobs.InputForbidden || !strings.Contains(err.Error(), "credentials") {
		t.Errorf("with wrong credentials: %v", err)
	}
}

// pieces are what Refer makes of names: the parts in their order.
func pieces(t *testing.T, about int64, o Options, names ...string) (all []*jobs.Input) {
	t.Helper()
	err := Refer(t.Context(), names, about, o, func(in *jobs.Input) error {
		if err := in.Check(); err != nil {
			t.Error(err)
		}
		one := *in
		all = append(all, &one)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What is cut out of objects comes together to the very records that are read of the whole, each once.
func TestObjectsAreCutAtRecords(t *testing.T) {
	server := s3.ForTest(t)
	root := bucket(t)
	r, err := OpenRoots(nil, []string{"s3://tables"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	var jsonl, csv, text strings.Builder
	csv.WriteString("id,text\r\n")
	for i := range 500 {
		fill := strings.Repeat("x", i*i%977)
		fmt.Fprintf(&jsonl, "{\"id\":%d,\"text\":\"%s\"}\n", i, fill)
		fmt.Fprintf(&csv, "%d,\"a \"\"quoted\"\"\n%s\"\r\n", i, fill)
		fmt.Fprintf(&text, "line %d %s\n", i, fill)
	}
	rows, err := os.ReadFile("testdata/rows.parquet")
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	gz := gzip.NewWriter(&packed)
	if _, err := gz.Write([]byte(jsonl.String())); err != nil || gz.Close() != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		key, format, content string
		parts                int
	}{
		{"in/a.jsonl", JSONL, jsonl.String(), 20},
		{"in/b.jsonl", JSONL, strings.TrimSuffix(jsonl.String(), "\n"), 20},
		{"in/c.csv", CSV, csv.String(), 20},
		{"in/d.txt", Text, text.String(), 20},
		{"in/e.jsonl.gz", JSONL, packed.String(), 1},
		{"in/f.parquet", Parquet, string(rows), 1},
		{"in/g.jsonl", JSONL, "{\"id\":1,\"text\":\"" + strings.Repeat("x", 100_000) + "\"}\n{\"id\":2,\"text\":\"y\"}", 2},
	} {
		whole := object(t, root, c.key, c.format, c.content)
		want, err := texts(t, r, whole)
		if err != nil || len(want) == 0 {
			t.Fatal(c.key, err)
		}
		parts := pieces(t, 10_000, Options{}, "s3://tables/"+c.key)
		if len(parts) < c.parts || c.parts < 20 && len(parts) != c.parts {
			t.Errorf("%s: %d parts", c.key, len(parts))
		}
		var got []string
		for _, p := range parts {
			some, err := texts(t, r, p)
			if err != nil {
				t.Fatal(c.key, err)
			}
			got = append(got, some...)
		}
		if c.format == Text { // whose ids count in the shard
			for _, all := range [][]string{want, got} {
				for i := range all {
					_, all[i], _ = strings.Cut(all[i], "=")
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d records in parts, %d in the whole", c.key, len(got), len(want))
		}
	}

	// Of lines only the borders are read.
	big := object(t, root, "in/big.jsonl", JSONL, strings.Repeat("{\"text\":\""+strings.Repeat("x", 200)+"\"}\n", 20_000))
	var read atomic.Int64
	server.Break("in/big", func(req *http.Request) s3.Action {
		var from, to int64
		if n, _ := fmt.Sscanf(req.Header.Get("Range"), "bytes=%d-%d", &from, &to); n == 2 {
			read.Add(to - from + 1)
		}
		return s3.Pass
	})
	if parts := pieces(t, 1<<20, Options{}, "s3://tables/in/big.jsonl"); len(parts) != 5 || read.Load() > big.Size/20 {
		t.Errorf("%d parts after %d of %d bytes were read", len(parts), read.Load(), big.Size)
	}
}

func TestNamesOfObjects(t *testing.T) {
	s3.ForTest(t)
	root := bucket(t)
	for _, key := range []string{"in/b.jsonl", "in/a.jsonl", "in/c.csv", "in/deep/d.jsonl", "in/_log/e.jsonl", "in/.f.jsonl", "other.jsonl"} {
		object(t, root, key, JSONL, "{\"text\":\"x\"}\n")
	}
	object(t, root, "in/empty.jsonl", JSONL, "")
	for names, want := range map[string]string{
		"s3://tables/in/":           "in/a.jsonl in/b.jsonl in/c.csv in/deep/d.jsonl",
		"s3://tables/in/*.jsonl":    "in/a.jsonl in/b.jsonl",
		"s3://tables/in/*/*":        "in/deep/d.jsonl",
		"s3://tables/i*/[ab].jsonl": "in/a.jsonl in/b.jsonl",
		"s3://tables/":              "in/a.jsonl in/b.jsonl in/c.csv in/deep/d.jsonl other.jsonl",
		"s3://tables/in/_log/":      "in/_log/e.jsonl",
		"s3://tables/other.jsonl s3://tables/in/_log/e.jsonl": "other.jsonl in/_log/e.jsonl",
	} {
		var got []string
		for _, in := range pieces(t, 1<<20, Options{}, strings.Fields(names)...) {
			got = append(got, strings.TrimPrefix(in.URI, "s3://tables/"))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v", names, got)
		}
	}
	for name, says := range map[string]string{
		"s3://tables/in":             "say --format",
		"s3://tables/none.jsonl":     "with / at its end",
		"s3://tables/none/":          "there is no file",
		"s3://tables/in/[.jsonl":     "syntax error",
		"s3://Tables!/a.jsonl":       "no bucket's name",
		"s3://tables/in/a.jsonl/../": "there is no file",
	} {
		err := Refer(t.Context(), []string{name}, 1<<20, Options{}, func(*jobs.Input) error { return nil })
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := Refer(t.Context(), []string{"s3://tables/in/a.jsonl"}, 1<<20, Options{Format: OpenAIBatch}, nil)
	if !errors.Is(err, ErrFormat) {
		t.Errorf("a format without references: %v", err)
	}
}

// FuzzCutCSV holds the borders in CSV to the records that are read: each part begins where a record does.
func FuzzCutCSV(f *testing.F) {
	f.Add([]byte("id,text\n1,\"a\nb\"\n2,c\"d\"\n3,\"e\"\"\nf\"\n"))
	f.Add([]byte("text\r\n\"x\"\r\r\n\"\"y\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		read := func(offset, length int64) (all []string, err error) {
			r, err := openInput(bytes.NewReader(data), int64(len(data)), &jobs.Input{Format: CSV, Offset: offset, Length: length}, Options{MaxRecordBytes: 1 << 20})
			if err != nil {
				return nil, err
			}
			defer r.Close()
			var it Item
			for err = r.Next(&it); err == nil; err = r.Next(&it) {
				all = append(all, it.Record.ID+"="+it.Record.Text+fmt.Sprint(it.Record.Err != nil))
			}
			return all, err
		}
		want, err := read(0, 0)
		if !errors.Is(err, io.EOF) || len(data) == 0 {
			return
		}
		var got []string
		whole := jobs.Input{Format: CSV, Size: int64(len(data))}
		err = cutInput(bytes.NewReader(data), whole, 5, func(in *jobs.Input) error {
			some, err := read(in.Offset, in.Length)
			got = append(got, some...)
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q in parts, %q in the whole, %v", data, got, want, err)
		}
	})
}
