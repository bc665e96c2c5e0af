package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"textmill/ground/naming"
	"textmill/input"
	"textmill/jobs"
)

// cutAll cuts text of the given format and decodes every shard as a daemon would.
func cutAll(t *testing.T, c cutter, maxPayload int64, text string, o input.Options) (payloads [][]byte, shards []*jobs.Shard) {
	t.Helper()
	c.task, c.job, c.dataset = naming.TaskEmbed, "j", "d"
	c.emit = func(s shard) error {
		if s.number != len(payloads) {
			t.Errorf("shard %d came as number %d", len(payloads), s.number)
		}
		payloads = append(payloads, bytes.Clone(s.payload))
		return nil
	}
	cut, err := newCutter(c, maxPayload)
	if err != nil {
		t.Fatal(err)
	}
	r, err := input.NewReader(strings.NewReader(text), o)
	if err != nil {
		t.Fatal(err)
	}
	var it input.Item
	for err = r.Next(&it); err == nil; err = r.Next(&it) {
		if err := cut.add(&it); err != nil {
			t.Fatal(err)
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if err := cut.flush(); err != nil {
		t.Fatal(err)
	}
	for i, p := range payloads {
		if int64(len(p)) > maxPayload-headroom {
			t.Errorf("shard %d has %d bytes", i, len(p))
		}
		s, err := jobs.Decode(jobs.Message{Subject: "textmill.jobs.embed.m.j", Data: p}, jobs.Limits{})
		if err != nil {
			t.Fatalf("shard %d: %v", i, err)
		}
		if s.ID != fmt.Sprint(i) || s.Job != "j" || s.Dataset != "d" || s.KeyID != s.ID {
			t.Errorf("shard %d decodes to %+v", i, s)
		}
		shards = append(shards, s)
	}
	return payloads, shards
}

func lines(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format+"\n", i)
	}
	return b.String()
}

func TestCuttingIsDeterministicAndLosesNothing(t *testing.T) {
	text := lines(1234, `{"id":"r%d","text":"some \"text\" é <b>","z":1,"a":"x","m":true}`)
	first, shards := cutAll(t, cutter{}, 1<<20, text, input.Options{})
	second, _ := cutAll(t, cutter{}, 1<<20, text, input.Options{})
	if len(first) != 3 || !reflect.DeepEqual(first, second) {
		t.Errorf("cut into %d and %d shards", len(first), len(second))
	}
	n := 0
	for _, s := range shards {
		for _, r := range s.Records {
			want := jobs.Record{ID: fmt.Sprintf("r%d", n), Text: "some \"text\" é <b>",
				Attributes: map[string]string{"z": "1", "a": "x", "m": "true"}}
			if !reflect.DeepEqual(r, want) {
				t.Fatalf("record %d is %+v", n, r)
			}
			n++
		}
	}
	if n != 1234 {
		t.Errorf("%d records", n)
	}
}

func TestShardsStayBelowTheTarget(t *testing.T) {
	text := lines(300, strings.Repeat("x", 5000)+"%d")
	payloads, _ := cutAll(t, cutter{}, 1<<20, text, input.Options{Format: input.Text})
	for i, p := range payloads {
		if len(p) > targetBytes || (i < len(payloads)-1 && len(p) < targetBytes-6000) {
			t.Errorf("shard %d has %d bytes", i, len(p))
		}
	}
	_, shards := cutAll(t, cutter{limits: jobs.Limits{RecordsPerShard: 100}}, 1<<20, text, input.Options{Format: input.Text})
	for i, s := range shards {
		if len(s.Records) > 100 {
			t.Errorf("shard %d has %d records where 100 are allowed", i, len(s.Records))
		}
	}
}

func TestRecordsThatNoMessageCarriesBecomeErrors(t *testing.T) {
	text := `{"id":"a","text":"x"}` + "\n" +
		`{"id":"big","text":"` + strings.Repeat("é", 60_000) + `","k":"v"}` + "\n" +
		`{"id":"` + strings.Repeat("i", 120_000) + `","text":"x"}` + "\n" +
		`{"id":"bad","text":3}` + "\n" + `{"id":"b","text":"` + strings.Repeat("y", 50_000) + `"}` + "\n"
	_, shards := cutAll(t, cutter{}, 100_000, text, input.Options{})
	var got []string
	for _, s := range shards {
		for _, r := range s.Records {
			class := ""
			if r.Err != nil {
				class = r.Err.Class
			}
			got = append(got, r.ID+":"+class)
		}
	}
	if want := []string{"a:", "big:too_long", "0-2:too_long", "bad:invalid_record", "b:"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
	if m := shards[0].Records[1].Err.Message; !strings.Contains(m, "line 2") || !strings.Contains(m, "limits.claim_bytes") {
		t.Errorf("the error %q names no line or no remedy", m)
	}
	_, shards = cutAll(t, cutter{limits: jobs.Limits{RecordBytes: 10}}, 1<<20, "short\n"+strings.Repeat("z", 11)+"\n", input.Options{Format: input.Text})
	if e := shards[0].Records[1].Err; e == nil || e.Class != jobs.TooLong {
		t.Errorf("a text beyond limits.record_bytes: %v", e)
	}
	if _, err := newCutter(cutter{task: naming.TaskEmbed}, 4096); err == nil {
		t.Error("a server that carries 4 KiB was accepted")
	}
}

func TestOpenAIBatchShards(t *testing.T) {
	request := func(id, model, more string) string {
		return `{"custom_id":"` + id + `","method":"POST","url":"/v1/embeddings","body":{"model":"` + model + `","input":"x"` + more + "}}\n"
	}
	text := request("a", "m", "") + request("b", "owner/M", "") + request("c", "m", `,"dimensions":8`) + request("d", "m", `,"dimensions":8`) +
		request("e", "other", "") + request("f", "m", "")
	_, shards := cutAll(t, cutter{model: "m", params: map[string]string{"precision": "int8"}}, 1<<20, text, input.Options{})
	var got []string
	for _, s := range shards {
		if s.Embed.Precision != "int8" {
			t.Errorf("shard %s lost the job's params", s.ID)
		}
		for _, r := range s.Records {
			got = append(got, fmt.Sprintf("%s/%s/%d/%t", s.ID, r.ID, s.Embed.Dimensions, r.Err == nil))
		}
	}
	want := []string{"0/a/0/true", "0/b/0/true", "1/c/8/true", "1/d/8/true", "2/e/0/false", "2/f/0/true"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
	_, shards = cutAll(t, cutter{model: "m", anyModel: true}, 1<<20, request("e", "other", ""), input.Options{})
	if e := shards[0].Records[0].Err; e != nil {
		t.Errorf("with --force: %v", e)
	}
}

func BenchmarkCutShortLines(b *testing.B) {
	for name, block := range map[string]string{
		"text":  lines(1000, "a short line of text, the %dth of them"),
		"jsonl": lines(1000, `{"id":"%d","text":"a short line of text"}`),
		"csv":   "id,text\n" + lines(1000, "%d,a short line of text"),
	} {
		b.Run(name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				c, err := newCutter(cutter{task: naming.TaskEmbed, job: "j", dataset: "d", emit: func(s shard) error {
					_ = s.sum()
					n += s.records
					return nil
				}}, 1<<20)
				if err != nil {
					b.Fatal(err)
				}
				r, err := input.NewReader(bytes.NewReader([]byte(block)), input.Options{Format: name})
				if err != nil {
					b.Fatal(err)
				}
				var it input.Item
				for r.Next(&it) == nil {
					if err := c.add(&it); err != nil {
						b.Fatal(err)
					}
				}
				if err := c.flush(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}

func TestChatRequestsCarryTheirOwnParams(t *testing.T) {
	const line = `{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"x"}],"seed":1,"max_tokens":5}}
{"custom_id":"b","method":"POST","url":"/v1/chat/completions","body":{"model":"other","messages":[{"role":"user","content":"y"}],"seed":2}}
{"custom_id":"e","method":"POST","url":"/v1/embeddings","body":{"input":"z"}}
`
	c := cutter{task: naming.TaskGenerate, model: "m", job: "j", dataset: "d", params: map[string]string{"seed": "9", "temperature": "0.5"}}
	var payload []byte
	c.emit = func(s shard) error { payload = append(payload, s.payload...); return nil }
	cut, err := newCutter(c, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	r, err := input.NewReader(strings.NewReader(line), input.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var it input.Item
	for err = r.Next(&it); err == nil; err = r.Next(&it) {
		if err := cut.add(&it); err != nil {
			t.Fatal(err)
		}
	}
	if err := cut.flush(); err != nil {
		t.Fatal(err)
	}
	s, err := jobs.Decode(jobs.Message{Subject: "textmill.jobs.generate.m.j", Data: payload}, jobs.Limits{})
	if err != nil || len(s.Records) != 3 {
		t.Fatalf("%s decodes to %+v, %v", payload, s, err)
	}
	p, err := s.Generate.With(s.Records[0].Params)
	if err != nil || *p.Seed != 1 || *p.Temperature != 0.5 || p.MaxNewTokens != 5 || s.Records[0].Messages[0].Content != "x" {
		t.Errorf("the first record has %+v and %+v, %v", s.Records[0], p, err)
	}
	for i, want := range []string{1: `line 2: body.model is "other"`, 2: "line 3: the request is for the task embed"} {
		if e := s.Records[i].Err; want != "" && (e == nil || !strings.Contains(e.Message, want)) {
			t.Errorf("record %d: %v does not say %q", i, e, want)
		}
	}
}
