package test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEmbedMakesRanges makes ranges of a sample, embeds into a table by them, and searches it: the ranges are those of
// the sample's vectors, and the table's property holds them.
func TestEmbedMakesRanges(t *testing.T) {
	home, dir := newHome(t), t.TempDir()
	var in strings.Builder
	for i := range 20 {
		fmt.Fprintf(&in, `{"id":"t%d","text":"text number %d about %s"}`+"\n", i, i, []string{"tokens", "lines", "files"}[i%3])
	}
	all := embed(t, home, in.String())
	made := call{home: home, env: quick, stdin: in.String()}.ok(t, "embed", "--model", model, "--ranges")
	if !strings.Contains(made.stderr, "few texts") {
		t.Errorf("of 20 texts it says %s", made.stderr)
	}
	var ranges [2][]float64
	if err := json.Unmarshal([]byte(made.stdout), &ranges); err != nil || len(ranges[0]) != 384 || len(ranges[1]) != 384 {
		t.Fatalf("%v: %.200s", err, made.stdout)
	}
	for d := range ranges[0] {
		least, most := math.Inf(1), math.Inf(-1)
		for _, e := range all {
			least, most = min(least, e.Embedding[d]), max(most, e.Embedding[d])
		}
		if ranges[0][d] != least || ranges[1][d] != most {
			t.Fatalf("dimension %d: %v to %v, want %v to %v", d, ranges[0][d], ranges[1][d], least, most)
		}
	}
	file, table := filepath.Join(dir, "ranges.json"), filepath.Join(dir, "docs")
	if err := os.WriteFile(file, []byte(made.stdout), 0o644); err != nil {
		t.Fatal(err)
	}
	by := []string{"--param", "precision=int8", "--param", "ranges=@" + file}
	for i, e := range embed(t, home, in.String(), by...) {
		for d, q := range e.Embedding {
			step := (ranges[1][d] - ranges[0][d]) / 255
			if off := math.Abs(ranges[0][d] + (q+128.5)*step - all[i].Embedding[d]); off > 0.51*step+1e-7 {
				t.Fatalf("text %d, dimension %d is off by %g, a step is %g", i, d, off, step)
			}
		}
	}
	c := call{home: home, env: quick, stdin: in.String()}
	c.ok(t, append([]string{"embed", "--model", model, "--out", table}, by...)...)
	info := call{home: home}.ok(t, "table", "info", table).stdout
	if !strings.Contains(info, "int8 vectors of 384 dimensions within the ranges ") {
		t.Errorf("table info: %s", info)
	}
	other := c.run(t, "embed", "--model", model, "--out", table, "--param", "precision=int8")
	if other.code == 0 || !strings.Contains(other.stderr, "within the ranges") {
		t.Errorf("vectors of another scale: %s", other.stderr)
	}
	found := call{home: home, env: quick}.ok(t, "search", "--metric", "dot", "--json", "-k", "1", table, "text number 7 about lines").stdout
	if !strings.Contains(found, `"t7"`) {
		t.Errorf("found %s", found)
	}
}
