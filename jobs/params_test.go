package jobs

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"textmill/ground/naming"
)

func TestParseEmbedParams(t *testing.T) {
	got, err := ParseEmbedParams([]byte(`{"prompt_name":"query","prompt":"q: ","pooling":"none","normalize":false,"dimensions":64,
		"precision":"ubinary","truncate":"error","max_length":128.0,"chunk_size":100,"chunk_overlap":99,"store_text":false,"store_token_ids":null}`))
	if err != nil {
		t.Fatal(err)
	}
	name, prompt, no := "query", "q: ", false
	want := EmbedParams{PromptName: &name, Prompt: &prompt, Pooling: "none", Normalize: &no, Dimensions: 64, Precision: "ubinary",
		Truncate: "error", MaxLength: 128, ChunkSize: 100, ChunkOverlap: 99, StoreTokenIDs: true}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	got, err = ParseEmbedParams([]byte(`{"ranges":[[-1,0.1],[2,0.1]]}`))
	if err != nil || !reflect.DeepEqual(got.Ranges, &Ranges{[]float32{-1, 0.1}, []float32{2, 0.1}}) {
		t.Errorf("ranges are read as %+v, %v", got.Ranges, err)
	}
	if got, err := ParseEmbedParams(nil); err != nil || !reflect.DeepEqual(got, defaultEmbed) {
		t.Errorf("no params give %+v, %v", got, err)
	}
}

func TestParseGenerateParams(t *testing.T) {
	got, err := ParseGenerateParams([]byte(`{"max_new_tokens":10,"min_new_tokens":2,"temperature":0,"top_k":50,"top_p":0.9,"min_p":0.05,
		"repetition_penalty":1.1,"seed":-9223372036854775808,"stop":["a","b"],"ignore_eos":true,"logprobs":true}`))
	if err != nil {
		t.Fatal(err)
	}
	if got.MaxNewTokens != 10 || *got.Temperature != 0 || *got.TopK != 50 || *got.Seed != -1<<63 || len(got.Stop) != 2 || !got.IgnoreEOS || !got.Logprobs || !got.StoreText {
		t.Errorf("got %+v", got)
	}
	if got, err := ParseGenerateParams([]byte(`{"stop":"\n"}`)); err != nil || len(got.Stop) != 1 {
		t.Errorf("one stop string gives %+v, %v", got, err)
	}
}

func TestOpenAIsParams(t *testing.T) {
	got, err := ParseGenerateParams([]byte(`{"presence_penalty":-2,"frequency_penalty":0.5,"logit_bias":{"7":-100,"0":1.5},"stop_token_ids":[2,0],"n":3,"top_logprobs":20}`))
	if err != nil || got.PresencePenalty != -2 || got.FrequencyPenalty != 0.5 || len(got.LogitBias) != 2 || got.LogitBias[7] != -100 ||
		!reflect.DeepEqual(got.StopTokenIDs, []int32{2, 0}) || got.N != 3 || got.TopLogprobs != 20 {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := ParseGenerateParams(nil); err != nil || got.N != 1 {
		t.Errorf("no params give %+v, %v", got, err)
	}
}

func TestRecordsParamsReplaceTheShards(t *testing.T) {
	shard, err := ParseGenerateParams([]byte(`{"temperature":0.5,"max_new_tokens":10,"stop":["x"],"store_text":false}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := shard.With([]byte(`{"temperature":1,"stop":["y","z"],"max_new_tokens":null}`))
	if err != nil || *got.Temperature != 1 || got.MaxNewTokens != 10 || len(got.Stop) != 2 || got.StoreText {
		t.Errorf("got %+v, %v", got, err)
	}
	if *shard.Temperature != 0.5 || len(shard.Stop) != 1 {
		t.Errorf("the shard's own changed: %+v", shard)
	}
	if _, err := shard.With([]byte(`{"min_new_tokens":11}`)); err == nil {
		t.Error("min_new_tokens above the shard's max_new_tokens is taken")
	}
	if got, err := shard.With(nil); err != nil || !reflect.DeepEqual(got, shard) {
		t.Errorf("no params give %+v, %v", got, err)
	}
}

func TestBadParamsAreNamed(t *testing.T) {
	for raw, want := range map[string]string{
		`{"dimension":1}`:             "did you mean dimensions",
		`{"MaxLength":1}`:             "did you mean max_length",
		`{"dimensions":"64"}`:         "dimensions: want a number, have a string",
		`{"dimensions":0}`:            "dimensions: 0 is not within [1, 2147483647]",
		`{"dimensions":1.5}`:          "dimensions: 1.5 is not a whole number",
		`{"dimensions":1e999}`:        "dimensions: 1e999 is too large",
		`{"pooling":"man"}`:           "did you mean mean",
		`{"truncate":true}`:           "truncate: want a string, have a boolean",
		`{"normalize":"true"}`:        "normalize: want true or false, have a string",
		`{"chunk_overlap":5}`:         "chunk_overlap: 5 is not below chunk_size",
		`{"prompt":["a"]}`:            "prompt: want a string, have an array",
		`{"prompt":"a","prompt":"b"}`: "given twice",
		`{"ranges":"x"}`:              "ranges: want two arrays of as many numbers",
		`{"ranges":[[1],2]}`:          "ranges: want two arrays of as many numbers",
		`{"ranges":[[1],[2,3]]}`:      "ranges: want two arrays of as many numbers",
		`{"ranges":[[1]]}`:            "ranges: want two arrays of as many numbers",
		`{"ranges":[[0,1],[1,null]]}`: "ranges[1][1]: want a number that a float32 holds, have null",
		`{"ranges":[[1e39],[2]]}`:     "ranges[0][0]: want a number",
		`{"ranges":[[0,2],[1,1]]}`:    "ranges: dimension 1 goes from 2 to 1",
		`[]`:                          "want an object",
		`{`:                           "not valid JSON",
	} {
		_, err := ParseEmbedParams([]byte(raw))
		if e := (*RecordError)(nil); !errors.As(err, &e) || e.Class != InvalidParam || !strings.Contains(e.Message, want) {
			t.Errorf("%s: %v does not say %q", raw, err, want)
		}
	}
	for raw, want := range map[string]string{
		`{"temperature":-1}`:                      "temperature: -1 is not within [0, 100]",
		`{"repetition_penalty":0}`:                "[0.01, 100]",
		`{"stop":[1]}`:                            "stop[0]: want a string, have a number",
		`{"stop":1}`:                              "stop: want a string or an array",
		`{"max_new_tokens":1,"min_new_tokens":2}`: "min_new_tokens: 2 is above",
		`{"logprobs":3}`:                          "logprobs: want true or false",
		`{"pooling":"mean"}`:                      `unknown param "pooling"`,
		`{"top_p":0}`:                             "top_p: 0 is not within (0, 1]",
		`{"top_p":1.01}`:                          "top_p: 1.01 is not within (0, 1]",
		`{"seed":9223372036854775808}`:            "seed: 9223372036854775808 is not within [-9223372036854775808, 9223372036854775807]",
		`{"seed":-1e19}`:                          "seed: -1e19 is not within",
		`{"seed":1e18}`:                           "seed: 1e18 is not exact",
		`{"seed":1.5}`:                            "seed: 1.5 is not a whole number",
		`{"stop":""}`:                             "stop: the string is empty",
		`{"stop":["a",""]}`:                       "stop[1]: the string is empty",
		`{"presence_penalty":2.1}`:                "presence_penalty: 2.1 is not within [-2, 2]",
		`{"frequency_penalty":-3}`:                "frequency_penalty: -3 is not within [-2, 2]",
		`{"logit_bias":[1]}`:                      "logit_bias: want an object",
		`{"logit_bias":{"x":1}}`:                  "logit_bias: x is not a token ID",
		`{"logit_bias":{"-1":1}}`:                 "logit_bias: -1 is not a token ID",
		`{"logit_bias":{"7":101}}`:                "logit_bias[7]: 101 is not within [-100, 100]",
		`{"logit_bias":{"7":"1"}}`:                "logit_bias[7]: want a number, have a string",
		`{"stop_token_ids":[1,-2]}`:               "stop_token_ids[1]: -2 is not a token ID",
		`{"stop_token_ids":[1.0]}`:                "stop_token_ids[0]: 1.0 is not a token ID",
		`{"stop_token_ids":"a"}`:                  "stop_token_ids: want a number or an array",
		`{"n":0}`:                                 "n: 0 is not within [1, 128]",
		`{"top_logprobs":21}`:                     "top_logprobs: 21 is not within [0, 20]",
		`{"no_repeat_ngram_size":-1}`:             "no_repeat_ngram_size: -1 is not within",
		`{"do_sample":1}`:                         "do_sample: want true or false",
		`{"do_sample":true,"temperature":0}`:      "do_sample: true needs a temperature above 0",
		`{"typical_p":0}`:                         "typical_p: 0 is not within (0, 1]",
	} {
		_, err := ParseGenerateParams([]byte(raw))
		if e := (*RecordError)(nil); !errors.As(err, &e) || e.Class != InvalidParam || !strings.Contains(e.Message, want) {
			t.Errorf("%s: %v does not say %q", raw, err, want)
		}
	}
}

func TestParamsJSON(t *testing.T) {
	got, err := ParamsJSON(naming.TaskEmbed, map[string]string{"truncate": "left", "dimensions": "64", "normalize": "true", "prompt": "1"})
	if want := `{"dimensions":64,"normalize":true,"prompt":"1","truncate":"left"}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	if _, err := ParamsJSON(naming.TaskEmbed, map[string]string{"dimensions": "many"}); err == nil {
		t.Error("a text for a number is taken")
	}
	if _, err := ParamsJSON(naming.TaskGenerate, map[string]string{"poling": "mean"}); err == nil {
		t.Error("an unknown param is taken")
	}
	for value, want := range map[string]string{"logit_bias={\"5\": -1}": `{"logit_bias":{"5": -1}}`, "stop_token_ids=[2, 3]": `{"stop_token_ids":[2, 3]}`, "stop_token_ids=2": `{"stop_token_ids":2}`,
		`stop=["a","b"]`: `{"stop":["a","b"]}`, "stop=END": `{"stop":"END"}`, "stop=7": `{"stop":"7"}`, "stop= x": `{"stop":" x"}`, `stop=[a`: `{"stop":"[a"}`} {
		name, v, _ := strings.Cut(value, "=")
		if got, err := ParamsJSON(naming.TaskGenerate, map[string]string{name: v}); err != nil || string(got) != want {
			t.Errorf("%s gives %s, %v, want %s", value, got, err, want)
		}
	}
	if _, err := ParamsJSON(naming.TaskGenerate, map[string]string{"logit_bias": "5:1"}); err == nil || !strings.Contains(err.Error(), "logit_bias: want an object") {
		t.Errorf("logit_bias=5:1 gives %v", err)
	}
	if got, err := ParamsJSON(naming.TaskEmbed, nil); got != nil || err != nil {
		t.Errorf("no pairs give %s, %v", got, err)
	}
}

func FuzzParseEmbedParams(f *testing.F) {
	for _, s := range []string{`{"pooling":"cls","dimensions":3}`, `{"max_length":1e3}`, `{"stop":["a"],"seed":-1}`, `{"a":1,"a":2}`, `null`, `{"normalize":`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := ParseEmbedParams(raw); err != nil {
			if e := (*RecordError)(nil); !errors.As(err, &e) || e.Class != InvalidParam {
				t.Errorf("error %v", err)
			}
		}
		if _, err := ParseGenerateParams(raw); err != nil {
			if e := (*RecordError)(nil); !errors.As(err, &e) || e.Class != InvalidParam {
				t.Errorf("error %v", err)
			}
		}
	})
}

func FuzzParseEvent(f *testing.F) {
	e := Event{Type: EventCommitted, Job: "j", Shard: "0/r1", Shards: 3, Rows: 5, Errors: 1, Table: "/t", Version: 4}
	f.Add(e.AppendJSON(nil))
	f.Add([]byte(`{"type":"later","job":"j","new":[1],"time":"2026-01-02T03:04:05Z","shard":3}`))
	f.Add([]byte(`{"type":1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := ParseEvent(raw)
		if err != nil {
			return
		}
		first := e.AppendJSON(nil)
		again, err := ParseEvent(first)
		if err != nil {
			if e.Time.Year() > 9999 || e.Time.Year() < 0 {
				return // RFC 3339 cannot say it
			}
			t.Fatalf("%s is not read back: %v", first, err)
		}
		if second := again.AppendJSON(nil); !bytes.Equal(first, second) {
			t.Errorf("%s is read back as %s", first, second)
		}
	})
}
