package jobs

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"textmill/ground/naming"
)

func FuzzNamed(f *testing.F) {
	for _, s := range []string{`{"job":"j","shard":3,"dataset":"d","records":7}`, `{"job":"j","records":[{"te`, `{"job":1,"shard":"\ud800"}`, `[`, `{"a":{"job":"x"}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n := (Message{Subject: "textmill.jobs.embed.m", Data: data}).Named()
		if n.Job != "" && naming.CheckJob(n.Job) != nil || n.Dataset != "" && naming.CheckDataset(n.Dataset) != nil || n.Shard != "" && naming.CheckShard(n.Shard) != nil {
			t.Errorf("%+v", n)
		}
		s, err := Decode(Message{Subject: "textmill.jobs.embed.m", Data: data}, Limits{})
		if err == nil && (n.Job != "" && n.Job != s.Job || n.Shard != "" && n.Shard != s.ID) {
			t.Errorf("%+v, decoded %s/%s", n, s.Job, s.ID)
		}
		renamed, err := WithJob(data, "other")
		if err != nil || s == nil {
			return
		}
		if again, err := Decode(Message{Subject: "textmill.jobs.embed.m", Data: renamed}, Limits{}); err != nil || n.Job != "" && again.Job != "other" {
			t.Errorf("%s became %s, %v", data, renamed, err)
		}
	})
}

func FuzzParseGenerateParams(f *testing.F) {
	for _, s := range []string{
		`{"max_new_tokens":9,"min_new_tokens":2,"temperature":0.7,"top_k":5,"top_p":0.9,"min_p":0.1,"typical_p":0.5,"epsilon_cutoff":1e-4,"seed":-1}`,
		`{"repetition_penalty":1.1,"presence_penalty":-2,"frequency_penalty":2,"logit_bias":{"5":-100,"7":1e2},"stop":["a","b"],"stop_token_ids":[1,2]}`,
		`{"ignore_eos":true,"chat":true,"n":128,"logprobs":true,"top_logprobs":20,"store_text":false,"store_token_ids":null}`,
		`{"stop":"","n":0,"top_p":1e-400,"logit_bias":{"-1":1},"seed":9223372036854775808}`, `{"max_new_tokens":1,"min_new_tokens":2}`, `{"n":1,"n":2}`, `[`,
	} {
		f.Add([]byte(s), []byte(`{"n":3}`))
	}
	f.Fuzz(func(t *testing.T, raw, own []byte) {
		p, err := ParseGenerateParams(raw)
		if err == nil {
			checkGenerate(t, p)
			p, err = p.With(own)
		}
		if err == nil {
			checkGenerate(t, p)
			return
		}
		if e := (*RecordError)(nil); !errors.As(err, &e) || e.Class != InvalidParam || e.Message == "" {
			t.Errorf("error %v", err)
		}
	})
}

// checkGenerate holds params to the bounds that sampling takes for granted.
func checkGenerate(t *testing.T, p GenerateParams) {
	within := func(name string, x *float64, least, most float64) {
		if x != nil && !(*x >= least && *x <= most) {
			t.Errorf("%s is %v", name, *x)
		}
	}
	within("temperature", p.Temperature, 0, 100)
	within("top_p", p.TopP, 0, 1)
	within("min_p", p.MinP, 0, 1)
	within("typical_p", p.TypicalP, 0, 1)
	within("epsilon_cutoff", p.EpsilonCutoff, 0, 1)
	within("repetition_penalty", p.RepetitionPenalty, 0, 100)
	within("presence_penalty", &p.PresencePenalty, -2, 2)
	within("frequency_penalty", &p.FrequencyPenalty, -2, 2)
	for id, bias := range p.LogitBias {
		if within("logit_bias", &bias, -100, 100); id < 0 {
			t.Errorf("logit_bias of %d", id)
		}
	}
	for _, s := range p.Stop {
		if s == "" {
			t.Error("an empty stop string")
		}
	}
	for _, id := range p.StopTokenIDs {
		if id < 0 {
			t.Errorf("stop_token_ids %d", id)
		}
	}
	if p.MaxNewTokens < 0 || p.MinNewTokens != nil && (*p.MinNewTokens < 0 || p.MaxNewTokens > 0 && *p.MinNewTokens > p.MaxNewTokens) || p.TopK != nil && *p.TopK < 0 || p.NoRepeatNGramSize != nil && *p.NoRepeatNGramSize < 0 || p.N < 1 || p.N > 128 || p.TopLogprobs < 0 || p.TopLogprobs > 20 {
		t.Errorf("%+v", p)
	}
}

func FuzzInputPath(f *testing.F) {
	for _, s := range []string{"file:///data/a%20b.jsonl", "file://localhost/x/../y", "file:///a%00", "file:///a?b#c", "http://[::1%25]/", "file:////etc//passwd", "FILE:///%2e%2e/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		path, err := (&Input{URI: uri}).Path()
		if err != nil {
			return
		}
		if !filepath.IsAbs(path) || filepath.Clean(path) != path || strings.ContainsRune(path, 0) {
			t.Errorf("%q is path %q", uri, path)
		}
		if again, err := (&Input{URI: FileURI(path)}).Path(); path != "/" && (err != nil || again != path) {
			t.Errorf("%q is path %q, whose own URI %q is %q, %v", uri, path, FileURI(path), again, err)
		}
	})
}
