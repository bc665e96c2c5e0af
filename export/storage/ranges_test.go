package storage

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"

	"textmill/internal/s3"
)

// TestOpenRanges reads pieces of a file in a directory and in a bucket, and of one version of it alone.
func TestOpenRanges(t *testing.T) {
	s3.ForTest(t)
	content := bytes.Repeat([]byte("0123456789abcdef"), 50_000)
	for _, uri := range []string{t.TempDir(), uri} {
		d := open(t, uri)
		stage, err := d.MakeStage()
		if err != nil {
			t.Fatal(err)
		}
		defer stage.Close()
		if err := d.Place(stage, staged(t, stage, string(content)), "file"); err != nil {
			t.Fatal(err)
		}
		f, err := d.OpenRanges("file")
		if err != nil {
			t.Fatal(err)
		}
		if st, err := f.Stat(); err != nil || st.Size != int64(len(content)) {
			t.Errorf("%s: %+v, %v", uri, st, err)
		}
		for _, c := range []struct{ at, n int }{{0, 1}, {5, 300_000}, {799_999, 1}, {799_990, 20}, {100, 100}, {200_000, 600_000}, {700_000, 200_000}} {
			p := make([]byte, c.n)
			n, err := f.ReadAt(p, int64(c.at))
			want := content[c.at:min(c.at+c.n, len(content))]
			if !bytes.Equal(p[:n], want) || (err == nil) != (n == c.n) || err != nil && !errors.Is(err, io.EOF) {
				t.Errorf("%s: %d bytes at %d: %d, %v", uri, c.n, c.at, n, err)
			}
		}
		if n, err := f.ReadAt(make([]byte, 1), int64(len(content))); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("%s: beyond its end: %d, %v", uri, n, err)
		}
		if all, err := io.ReadAll(f); err != nil || !bytes.Equal(all, content) {
			t.Errorf("%s: read whole: %d bytes, %v", uri, len(all), err)
		}
		if err := d.Place(stage, staged(t, stage, "another"), "file"); err != nil {
			t.Fatal(err)
		}
		if n, err := f.ReadAt(make([]byte, 4), 400_000); d.Remote() && err == nil {
			t.Errorf("%s: %d bytes of another file", uri, n)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if _, err := d.OpenRanges("nothing"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: nothing is there: %v", uri, err)
		}
	}
}
