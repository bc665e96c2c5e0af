package input

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"textmill/internal/s3"
)

// The records of files, of objects and of a stream come in order, whatever holds them.
func TestEachReadsFilesObjectsAndStreams(t *testing.T) {
	s3.ForTest(t)
	dir := t.TempDir()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	if _, err := zip.Write([]byte(`{"key":"g","meta":{"title":"T"},"body":"B"}` + "\n" + `{"key":"h","meta":{},"body":"B"}` + "\n")); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"a.csv": "key,body\nx,\"one, two\"\ny,three\n", "n.jsonl": `{"key":"1","meta":{"title":"nested"}}` + "\n" + `{"key":"2","meta.title":"plain"}` + "\n",
		"z.jsonl.gz": packed.String(), "l.txt": "first\n\nsecond\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root := bucket(t)
	for name, path := range map[string]string{"a.csv": filepath.Join(dir, "a.csv"), "p.parquet": rowsFile} {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		object(t, root, "in/"+name, "", string(content))
	}
	type given struct {
		from []string
		o    Options
	}
	for name, tc := range map[string]struct {
		r    given
		in   string
		want []string // id=text, or what is wrong
	}{
		"a CSV file":           {r: given{from: []string{"a.csv"}, o: Options{TextColumn: "body", IDColumn: "key"}}, want: []string{"x=one, two", "y=three"}},
		"keys in objects":      {r: given{from: []string{"n.jsonl"}, o: Options{TextColumn: "meta.title", IDColumn: "key"}}, want: []string{"1=nested", "2=plain"}},
		"a template, packed":   {r: given{from: []string{"z.jsonl.gz"}, o: Options{TextTemplate: `{meta.title?}: {body}`, IDColumn: "key"}}, want: []string{"g=T: B", "h=: B"}},
		"lines, two files":     {r: given{from: []string{"l.txt", "a.csv"}, o: Options{}}, want: []string{"=first", "=second", "refused"}},
		"a stream":             {r: given{o: Options{Format: TSV, TextColumn: "b"}}, in: "a\tb\n1\ttext\n", want: []string{"=text"}},
		"an object":            {r: given{from: []string{"s3://" + s3.Name + "/in/a.csv"}, o: Options{TextColumn: "body", IDColumn: "key"}}, want: []string{"x=one, two", "y=three"}},
		"all below a prefix":   {r: given{from: []string{"s3://" + s3.Name + "/in/"}, o: Options{IDColumn: "key", TextTemplate: "{key?}{id?}"}}, want: []string{"x=x", "y=y", "refused"}},
		"an object of Parquet": {r: given{from: []string{"s3://" + s3.Name + "/in/p.parquet"}, o: Options{MaxRecordBytes: 1000}}, want: []string{"a=one", "b!", "c=three", "d!", "e!", "=six"}},
		"no object":            {r: given{from: []string{"s3://" + s3.Name + "/none.csv"}}, want: []string{"refused"}},
	} {
		for i, file := range tc.r.from {
			if !InBucket(file) {
				tc.r.from[i] = filepath.Join(dir, file)
			}
		}
		if tc.r.from == nil {
			tc.r.from = []string{Stream}
		}
		var got []string
		err := Each(t.Context(), tc.r.from, strings.NewReader(tc.in), tc.r.o, func(it Item) error {
			if it.Record.Err != nil {
				got = append(got, it.Record.ID+"!")
			} else {
				got = append(got, it.Record.ID+"="+it.Record.Text)
			}
			return nil
		})
		if errors.Is(err, ErrFormat) || errors.Is(err, ErrNoFiles) {
			got = append(got, "refused")
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q (%v)", name, got, tc.want, err)
		}
	}
}
