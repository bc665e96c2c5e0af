package input

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"textmill/jobs"
)

var modified = time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC)

// place writes a file with a known time and returns a reference to all of it.
func place(t *testing.T, path, content string) *jobs.Input {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, modified, modified); err != nil {
		t.Fatal(err)
	}
	return &jobs.Input{URI: jobs.FileURI(path), Format: JSONL, Size: int64(len(content)), MTime: modified}
}

func openRoots(t *testing.T, paths ...string) *Roots {
	t.Helper()
	r, err := OpenRoots(paths, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestOnlyFilesUnderRootsAreRead(t *testing.T) {
	top := t.TempDir()
	in, out := filepath.Join(top, "in"), filepath.Join(top, "out")
	good := place(t, filepath.Join(in, "sub dir", "a#%.jsonl"), "{\"text\":\"x\"}\n")
	place(t, filepath.Join(out, "secret.jsonl"), "{\"text\":\"s\"}\n")
	link := func(target, name string) {
		if err := os.Symlink(target, filepath.Join(in, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("../out/secret.jsonl", "up.jsonl")
	link(filepath.Join(out, "secret.jsonl"), "absolute.jsonl")
	link("../out", "updir")
	link("sub dir/a#%.jsonl", "inside.jsonl")
	link("loop", "loop")
	if err := syscall.Mkfifo(filepath.Join(in, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	link(in, "../linked-root")
	roots := openRoots(t, filepath.Join(top, "linked-root"))
	for _, tc := range []struct {
		uri  string
		want error
	}{
		{good.URI, nil},
		{jobs.FileURI(filepath.Join(top, "linked-root", "inside.jsonl")), nil},
		{jobs.FileURI(in + "/sub dir/../inside.jsonl"), nil},
		{jobs.FileURI(filepath.Join(in, "none.jsonl")), ErrInputMissing},
		{jobs.FileURI(filepath.Join(in, "inside.jsonl", "x")), ErrInputMissing},
		{jobs.FileURI(filepath.Join(in, "up.jsonl")), ErrInputForbidden},
		{jobs.FileURI(filepath.Join(in, "absolute.jsonl")), ErrInputForbidden},
		{jobs.FileURI(filepath.Join(in, "updir", "secret.jsonl")), ErrInputForbidden},
		{jobs.FileURI(filepath.Join(in, "loop")), ErrInputForbidden},
		{jobs.FileURI(filepath.Join(in, "pipe")), ErrInputForbidden},
		{jobs.FileURI(in), ErrInputForbidden},
		{jobs.FileURI(filepath.Join(out, "secret.jsonl")), ErrInputForbidden},
		{jobs.FileURI(in + "/../out/secret.jsonl"), ErrInputForbidden},
		{jobs.FileURI(in) + "/%2e%2e/out/secret.jsonl", ErrInputForbidden},
		{jobs.FileURI(in) + "/a%00.jsonl", ErrInputForbidden},
		{jobs.FileURI(in + "side"), ErrInputForbidden},
		{"file:///etc/passwd", ErrInputForbidden},
		{"file://host" + in + "/inside.jsonl", ErrInputForbidden},
		{"file://localhost" + in + "/inside.jsonl", nil},
		{"file:inside.jsonl", ErrInputForbidden},
		{in + "/inside.jsonl", ErrInputForbidden},
		{"https://example.com/x", ErrInputForbidden},
		{jobs.FileURI(in+"/inside.jsonl") + "?x", ErrInputForbidden},
		{"file://%zz", ErrInputForbidden},
	} {
		ref := *good
		ref.URI = tc.uri
		r, err := roots.OpenInput(&ref, Options{})
		if !errors.Is(err, tc.want) || (tc.want == nil) != (err == nil) {
			t.Errorf("%s: %v, want %v", tc.uri, err, tc.want)
		}
		if err == nil {
			if got := show(drain(t, r)); !reflect.DeepEqual(got, []string{"1:|x"}) {
				t.Errorf("%s: %q", tc.uri, got)
			}
		}
	}
	if _, err := openRoots(t).OpenInput(good, Options{}); !errors.Is(err, ErrInputForbidden) {
		t.Errorf("without roots: %v", err)
	}
	if _, err := OpenRoots([]string{"relative"}, nil); err == nil {
		t.Error("a relative root was taken")
	}
}

func TestChangedInputIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.jsonl")
	good := place(t, path, "{\"text\":\"x\"}\n{\"text\":\"y\"}\n")
	roots := openRoots(t, dir)
	for name, tc := range map[string]struct {
		change func(*jobs.Input)
		ok     bool
	}{
		"as it was":             {func(*jobs.Input) {}, true},
		"time to the second":    {func(in *jobs.Input) { in.MTime = modified.Truncate(time.Second) }, true},
		"time to the micro":     {func(in *jobs.Input) { in.MTime = modified.Truncate(time.Microsecond) }, true},
		"a microsecond rounded": {func(in *jobs.Input) { in.MTime = modified.Round(time.Microsecond) }, true},
		"another zone":          {func(in *jobs.Input) { in.MTime = modified.In(time.FixedZone("", 3600)) }, true},
		"a nanosecond later":    {func(in *jobs.Input) { in.MTime = modified.Add(time.Nanosecond) }, false},
		"another second":        {func(in *jobs.Input) { in.MTime = modified.Truncate(time.Second).Add(2 * time.Second) }, false},
		"another size":          {func(in *jobs.Input) { in.Size++ }, false},
	} {
		in := *good
		tc.change(&in)
		r, err := roots.OpenInput(&in, Options{})
		if tc.ok != (err == nil) || (err != nil && !errors.Is(err, ErrInputChanged)) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			drain(t, r)
		}
	}
	r, err := roots.OpenInput(good, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("{\"text\":\"z\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var it Item
	for err == nil {
		err = r.Next(&it)
	}
	if !errors.Is(err, ErrInputChanged) {
		t.Errorf("changed while it was read: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestRanges(t *testing.T) {
	dir := t.TempDir()
	roots := openRoots(t, dir)
	jsonl := "{\"text\":\"a\"}\n{\"text\":\"b\"}\n{\"text\":\"c\"}"
	csv := "\xef\xbb\xbfid,text\n1,a\n2,\"b\nb\"\n3,c\n"
	for _, tc := range []struct {
		name, format, content string
		offset, length        int64
		want                  string
		err                   error
	}{
		{"first line", JSONL, jsonl, 0, 13, "1:|a", nil},
		{"second line", JSONL, jsonl, 13, 13, "1:|b", nil},
		{"last line without newline", JSONL, jsonl, 26, 12, "1:|c", nil},
		{"to the end by length 0", JSONL, jsonl, 13, 0, "1:|b 2:|c", nil},
		{"nothing at the end", JSONL, jsonl, int64(len(jsonl)), 0, "", nil},
		{"all by length 0", JSONL, jsonl, 0, 0, "1:|a 2:|b 3:|c", nil},
		{"begins inside", JSONL, jsonl, 5, 8, "", ErrInputRange},
		{"ends inside", JSONL, jsonl, 0, 15, "", ErrInputRange},
		{"beyond the end", JSONL, jsonl, 26, 13, "", ErrInputRange},
		{"negative", JSONL, jsonl, -1, 3, "", ErrInputRange},
		{"overflow", JSONL, jsonl, 13, 1<<63 - 1, "", ErrInputRange},
		{"csv from the header", CSV, csv, 0, 15, "2:1|a", nil},
		{"csv from a row", CSV, csv, 15, 8, "1:2|b\nb", nil},
		{"csv to the end", CSV, csv, 23, 4, "1:3|c", nil},
		{"csv cut in a quote", CSV, csv, 15, 5, "", ErrInputRange},
		{"csv inside the header", CSV, csv, 4, 11, "", ErrInputRange},
		{"text", Text, "a\nb\n", 2, 2, "1:|b", nil},
		{"another format", "xml", "x", 0, 1, "", ErrFormat},
		{"batch requests are no job input", OpenAIBatch, "{}", 0, 2, "", ErrFormat},
	} {
		in := place(t, filepath.Join(dir, "f"), tc.content)
		in.Format, in.Offset, in.Length = tc.format, tc.offset, tc.length
		r, err := roots.OpenInput(in, Options{})
		var got []string
		for err == nil {
			var it Item
			if err = r.Next(&it); err == nil {
				got = append(got, show([]Item{it})...)
			}
		}
		if tc.err != nil {
			if !errors.Is(err, tc.err) {
				t.Errorf("%s: %v, want %v", tc.name, err, tc.err)
			}
			continue
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s: got %q (%v), want %q", tc.name, got, err, tc.want)
		}
	}
}
