package test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"textmill/internal/foreign"
	"textmill/internal/s3"
)

// upload puts a file into the server's bucket, with pyarrow.
const upload = `
import os, sys
from pyarrow import fs
_, path, key = sys.argv
s3 = fs.S3FileSystem(endpoint_override=os.environ["AWS_ENDPOINT_URL"])
with open(path, "rb") as f, s3.open_output_stream("tables/" + key) as out:
    out.write(f.read())
`

// TestObjectsAreSubmitted submits objects by reference: no text goes through the queue, a daemon reads what its operator allowed, and an
// object that changed is another job.
func TestObjectsAreSubmitted(t *testing.T) {
	server := s3.ForTest(t) // whose address is in the environment of this process
	aws := server.Env()
	put := func(key, content string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "object")
		write(t, path, content)
		foreign.Python(t, upload, path, key)
	}
	all := map[string]string{}
	var a, b strings.Builder
	for i := range 600 {
		id, text := fmt.Sprintf("r%03d", i), fmt.Sprintf("record number %d %s", i, strings.Repeat("word ", i%40))
		all[id] = text
		line, err := json.Marshal(map[string]any{"id": id, "text": text})
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			a.Write(append(line, '\n'))
		} else {
			fmt.Fprintf(&b, "%s,\"%s\"\n", id, text)
		}
	}
	put("corpus/a.jsonl", a.String())
	put("corpus/b.csv", "id,text\n"+b.String())
	d := startDaemon(t, newHome(t), append(aws, `TEXTMILL_INPUT_ALLOW=s3://tables/corpus`)...)
	submit := func(code int, args ...string) (s struct {
		Job                                    string
		Rows, Committed, Records, Shards, Dead int
		Bytes                                  int
		Referred                               int                              `json:"referred_bytes"`
		Reasons                                []struct{ Class, Reason string } `json:"dead_reasons"`
	}) {
		t.Helper()
		c := d.client()
		c.env = append(c.env, aws...)
		r := c.run(t, append([]string{"submit", "--json", "--model", model, "--dataset", "objects"}, args...)...)
		if r.code != code || json.Unmarshal([]byte(r.stdout), &s) != nil {
			t.Fatalf("submit %v: exit %d, %s%s", args, r.code, r.stdout, r.stderr)
		}
		return s
	}
	first := submit(0, "s3://tables/corpus/")
	if first.Rows != len(all) || first.Committed != len(all) || first.Records != 0 || first.Bytes > 2000 || first.Referred != a.Len()+b.Len()+len("id,text\n") {
		t.Errorf("%+v", first)
	}
	got := rows(t, d.table("objects"))
	for id, text := range all {
		if got[id].Text != text || got[id].Error != "" {
			t.Errorf("record %s: %+v", id, got[id])
		}
	}
	if again := submit(0, "s3://tables/corpus/*"); again.Job != first.Job || again.Committed != 0 || again.Rows != len(all) {
		t.Errorf("again: %+v", again)
	}
	put("corpus/b.csv", "id,text\nnew,text\n")
	if other := submit(0, "s3://tables/corpus/b.csv"); other.Job == first.Job || other.Committed != 1 {
		t.Errorf("changed: %+v", other)
	}
	put("private/c.jsonl", `{"id":"c","text":"secret"}`)
	if refused := submit(1, "s3://tables/private/c.jsonl"); refused.Dead != 1 || refused.Reasons[0].Class != "input_forbidden" || !strings.Contains(refused.Reasons[0].Reason, "input.allow") {
		t.Errorf("%+v", refused)
	}
	c := d.client()
	c.env = append(c.env, aws...)
	for _, args := range [][]string{{"--sync"}, {"--whole-files"}, {"--on-repeat", "replace"}, {"--text-template", "{a}"}} {
		r := c.run(t, append([]string{"submit", "--model", model, "--dataset", "objects", "s3://tables/corpus/"}, args...)...)
		if r.code != 2 || !strings.Contains(r.stderr, args[0]) || !strings.Contains(r.stderr, "s3://") {
			t.Errorf("%v: exit %d, %s", args, r.code, r.stderr)
		}
	}
}
