package client

import (
	"maps"
	"reflect"
	"strings"
	"testing"
)

// TestPartsMakeTheMessagesOfOne: of any number of publishers each has the job's name, and together they have its shards, each once.
func TestPartsMakeTheMessagesOfOne(t *testing.T) {
	path := writeFile(t, 230)
	made := func(part Part) (string, map[int]string) {
		o, _, _ := options(path)
		o.Part, o.Limits.RecordsPerShard = part, 20
		s, err := prepare(t.Context(), nil, o)
		if err != nil {
			t.Fatal(err)
		}
		all := map[int]string{}
		err = s.cut(t.Context(), unknownMaxPayload, func(c *cutter, one shard) error {
			all[one.number] = string(one.payload)
			return s.whole.compare(one.number, c.content(one))
		})
		if err != nil || s.cutShards != 12 || s.summary.Shards != len(all) {
			t.Errorf("part %v: %d of %d shards, %v", part, s.summary.Shards, s.cutShards, err)
		}
		return s.o.Job, all
	}
	name, whole := made(Part{})
	for _, of := range []int{1, 2, 3, 5, 12, 13} {
		together := map[int]string{}
		for k := range of {
			job, some := made(Part{k + 1, of})
			if job != name {
				t.Errorf("part %d/%d is the job %s, not %s", k+1, of, job, name)
			}
			for number := range some {
				if _, twice := together[number]; twice {
					t.Errorf("shard %d is sent twice by %d parts", number, of)
				}
			}
			maps.Copy(together, some)
		}
		if !reflect.DeepEqual(together, whole) {
			t.Errorf("%d parts send %d shards, one sends %d, and some differ", of, len(together), len(whole))
		}
	}
}

func TestPlacesOfParts(t *testing.T) {
	for _, p := range []Part{{}, {1, 1}, {1, 3}, {3, 3}, {7, 10}} {
		for at := range 5 {
			if back, own := p.at(p.shard(at)); !own || back != at || !p.has(p.shard(at)) {
				t.Errorf("part %v: place %d is shard %d, which is at %d, %t", p, at, p.shard(at), back, own)
			}
		}
	}
	for given, want := range map[string]Part{"1/1": {1, 1}, "3/10": {3, 10}, "10/10": {10, 10}} {
		if p, err := ParsePart(given); err != nil || p != want || p.String() != given {
			t.Errorf("%s: %v, %v", given, p, err)
		}
	}
	for _, given := range []string{"", "3", "/3", "3/", "0/3", "4/3", "-1/3", "1/0", "1/2/3", "a/b", "1/10001"} {
		if p, err := ParsePart(given); err == nil || !strings.Contains(err.Error(), "write K/N") {
			t.Errorf("%q: %v, %v", given, p, err)
		}
	}
}

// A part of the job that nobody could end before, since all who knew were killed, tells its end though it has nothing to send.
func TestAPartTellsTheEndThatNobodyTold(t *testing.T) {
	q := openQueue(t)
	o, _, _ := options(writeFile(t, 60))
	o.Job, o.NoWait, o.Limits.RecordsPerShard, o.Part = "j", true, 20, Part{2, 2}
	s, err := prepare(t.Context(), q, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.PublishEvent(t.Context(), s.submitted(0)); err != nil {
		t.Fatal(err)
	}
	o.Part = Part{9, 9}
	if s, err := Submit(t.Context(), q, o); err != nil || s.Records != 0 || s.Part != "9/9" {
		t.Errorf("%+v, %v", s, err)
	}
	if s, known, err := tracked(t, q, "j"); err != nil || !known || s.Shards != 3 {
		t.Errorf("the job has %d shards, %v", s.Shards, err)
	}
}
