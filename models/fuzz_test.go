package models

import (
	"errors"
	"path/filepath"
	"testing"

	"textmill/ground/naming"
	"textmill/models/internal/tiny"
)

// openFuzzed opens a bundle of the tiny model with these files; nil when it is refused, for a reason that has a class.
func openFuzzed(t *testing.T, m tiny.Model, change tiny.Files) *Spec {
	s, err := OpenBundle(tiny.Bundle(t, m, change))
	if err != nil {
		if !errors.Is(err, ErrBundle) && !errors.Is(err, ErrDamaged) {
			t.Fatalf("%v is of no class", err)
		}
		return nil
	}
	if s.MaxLength < 1 || s.MaxLength > 1<<30 {
		t.Errorf("texts may have %d tokens", s.MaxLength)
	}
	return s
}

func FuzzOpenEncoder(f *testing.F) {
	const config = `{"architectures":["BertModel"],"model_type":"bert","hidden_size":4,"max_position_embeddings":8,"pad_token_id":5}`
	const tokenizer = `{"added_tokens":[{"id":5,"content":"[PAD]"}],"truncation":{"max_length":8},"padding":{"direction":"Left","pad_id":5,"pad_token":"[PAD]"}}`
	const modules = `[{"path":"","type":"x.Transformer"},{"path":"1_Pooling","type":"x.Pooling"},{"path":"2_Normalize","type":"x.Normalize"}]`
	f.Add(config, tokenizer, `{"pad_token":"[PAD]","model_max_length":8,"padding_side":"left"}`, modules,
		`{"word_embedding_dimension":4,"pooling_mode_mean_tokens":true,"include_prompt":false}`, `{"max_seq_length":8,"do_lower_case":true}`, `{"prompts":{"query":"query: "},"default_prompt_name":"query"}`)
	f.Add(`{"model_type":"roberta","hidden_size":4,"max_position_embeddings":8,"pad_token_id":1}`, `{"added_tokens":[]}`,
		`{"pad_token":{"content":"<pad>"},"model_max_length":1e30,"added_tokens_decoder":{"1":{"content":"<pad>"}}}`, ``, ``, ``, ``)
	f.Add(`{"dim":4,"n_positions":8}`, `{"padding":{"pad_id":-1}}`, `{}`, `[{"path":"../x","type":"Pooling"}]`, `{"pooling_mode":"lasttoken","embedding_dimension":4}`, `{"max_seq_length":-1}`, `{}`)
	f.Fuzz(func(t *testing.T, config, tokenizer, tokenizerConfig, modules, pooling, sentence, prompts string) {
		s := openFuzzed(t, tiny.Model{Types: true}, tiny.Files{"config.json": config, "tokenizer.json": tokenizer, "tokenizer_config.json": tokenizerConfig,
			"modules.json": modules, "1_Pooling/config.json": pooling, "sentence_bert_config.json": sentence, "config_sentence_transformers.json": prompts})
		if s == nil || s.Task != naming.TaskEmbed {
			return
		}
		if s.Hidden != 4 || s.Dim < 1 || s.PadID < 0 || s.PaddingSide != "left" && s.PaddingSide != "right" || s.Pooling == "" {
			t.Errorf("%+v", s)
		}
		if _, ok := s.Prompts[s.DefaultPrompt]; !ok && s.DefaultPrompt != "" {
			t.Errorf("the prompt %q is none of %v", s.DefaultPrompt, s.Prompts)
		}
	})
}

func FuzzOpenDecoder(f *testing.F) {
	const config = `{"architectures":["LlamaForCausalLM"],"num_hidden_layers":1,"num_attention_heads":2,"num_key_value_heads":1,"head_dim":2,"hidden_size":4,"vocab_size":10,"max_position_embeddings":8,"eos_token_id":[2]}`
	const genai = `{"model":{"type":"llama","context_length":8,"eos_token_id":2,"pad_token_id":0,"vocab_size":10,"decoder":{"head_size":2,"hidden_size":4,"num_attention_heads":2,"num_hidden_layers":1,"num_key_value_heads":1}}}`
	const decoder = `{"layout":"slots-1","layers":1,"heads":2,"kv_heads":1,"head_size":2,"hidden_size":4,"vocab_size":10,"max_positions":8,"cache_type":"float32","graphs":[{"file":"onnx/model.onnx","activations":"float32","min_rows":2}]}`
	f.Add(config, ``, `{"do_sample":true,"temperature":0.6,"top_p":0.9,"top_k":5,"min_p":0.1,"repetition_penalty":1.1,"eos_token_id":2,"max_new_tokens":9}`, decoder)
	f.Add(``, genai, `{"do_sample":true,"temperature":-1,"top_p":2,"top_k":-3}`, ``)
	f.Add(config, ``, `{"bad_words_ids":[[1],[2,3]],"sequence_bias":[[[4],-1.5]],"forced_eos_token_id":[2],"exponential_decay_length_penalty":[3,1.5],"stop_strings":"x","num_beams":4,"x":{}}`, decoder)
	f.Add(config, ``, `{"eos_token_id":null}`, `{"layout":"slots-1","layers":1000000000,"kv_heads":1000000000,"head_size":1000000000,"graphs":[{"file":"../x"}]}`)
	f.Fuzz(func(t *testing.T, config, genai, generation, decoder string) {
		s := openFuzzed(t, tiny.Model{Extra: "past_key_values.0.key"}, tiny.Files{"config.json": config, genaiName: genai, "generation_config.json": generation, DecoderName: decoder,
			"modules.json": "", "1_Pooling/config.json": "", "sentence_bert_config.json": ""})
		if s == nil || s.Task != naming.TaskGenerate {
			return
		}
		d, g := s.Decoder, s.Generation
		if d.KVBytes() < 1 || d.VocabSize < 1 || len(d.Graphs) == 0 {
			t.Errorf("a token takes %d bytes: %+v", d.KVBytes(), d)
		}
		for _, x := range d.Graphs {
			if !filepath.IsLocal(x.File) {
				t.Errorf("graph %q lies outside", x.File)
			}
		}
		if err := g.check(d.VocabSize); err != nil || g.MaxNewTokens < 0 {
			t.Errorf("%+v cannot be sampled with: %v", g, err)
		}
	})
}

func FuzzReadRecord(f *testing.F) {
	f.Add([]byte(`{"name":"m","source":"s","graph":"onnx/model.onnx","files":[{"path":"config.json","sha256":"00","size":2},{"path":"onnx/model.onnx","size":3}]}`))
	f.Add([]byte(`{"files":[{"path":"../x"},{"path":"/etc/passwd"},{"path":""}]}`))
	f.Add([]byte(`{"files":[{"path":"a","size":-1}]`))
	f.Add([]byte(`{"files":[],"card":[{"file":"onnx/card_fp16.onnx","precision":"fp16","choice":"onnx/card_choice.onnx","fp32_layers":[3,-1],"why":"x"}]}`))
	f.Add([]byte(`{"card":[{"file":"../card_fp16.onnx"},{"file":"onnx/model.onnx","choice":"/x"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		tiny.WriteFile(t, filepath.Join(dir, RecordName), data)
		r, err := ReadRecord(dir)
		if err != nil {
			return
		}
		for _, file := range r.Files {
			if !filepath.IsLocal(filepath.FromSlash(file.Path)) {
				t.Errorf("file %q lies outside of the bundle", file.Path)
			}
		}
		for _, c := range r.Card {
			for _, file := range c.files() {
				if !filepath.IsLocal(filepath.FromSlash(file)) || !isCard(file) {
					t.Errorf("%q is no graph for a card of the bundle", file)
				}
			}
		}
		if err := WriteRecord(dir, r); err != nil {
			t.Fatal(err)
		}
		again, err := ReadRecord(dir)
		if err != nil || identity(again.Files) != identity(r.Files) || again.Graph != r.Graph {
			t.Errorf("%+v is read back as %+v, %v", r, again, err)
		}
	})
}
