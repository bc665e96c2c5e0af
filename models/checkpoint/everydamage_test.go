package checkpoint_test

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// tinyCheckpoints are the folders below testdata that prove a family, one of each that has the same keys and tensors.
func tinyCheckpoints(t *testing.T) (dirs []string) {
	t.Helper()
	for _, p := range scoreboard {
		for _, parent := range []string{"tiny", "embedders"} {
			dir := filepath.Join("testdata", parent, p.checkpoint)
			if exists(filepath.Join(dir, "model.safetensors")) && exists(filepath.Join(dir, "config.json")) && !slices.Contains(dirs, dir) {
				dirs = append(dirs, dir)
			}
		}
	}
	return dirs
}

// header is what a safetensors file has before its tensors, and the tensors.
func header(t *testing.T, file string) (map[string]json.RawMessage, []byte) {
	t.Helper()
	data := read(t, file)
	n := binary.LittleEndian.Uint64(data)
	var h map[string]json.RawMessage
	if err := json.Unmarshal(data[8:8+n], &h); err != nil {
		t.Fatal(err)
	}
	delete(h, "__metadata__")
	return h, data[8+n:]
}

func writeTensors(t *testing.T, file string, header map[string]json.RawMessage, body []byte) {
	t.Helper()
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text, body), 0o644); err != nil {
		t.Fatal(err)
	}
}

// unneeded are tensors that say nothing of what an import computes: heads of other tasks, what sees, what adapters add,
// and model2vec's weights, without which its library takes each token for one.
var unneeded = regexp.MustCompile(`(^|\.)(pooler|visual|mtp)\.|^vision_tower\.|^multi_modal_projector\.|\.lora_[AB]$|^weights$`)

// parts are what checkpoints of a family have in their names that another checkpoint of it has not.
var parts = strings.NewReplacer("language_model.model.", "", "language_model.", "", "new.", "", "roberta.", "", ".parametrizations.weight.original", ".weight")

// Whatever tensor a checkpoint of any family lacks, the import is refused by its name, and nothing is left behind.
func TestEveryTensorIsMissed(t *testing.T) {
	for _, dir := range tinyCheckpoints(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			to := filepath.Join(t.TempDir(), "c")
			if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(to, "model.safetensors")
			tensors, body := header(t, file)
			for name, entry := range lastOfEach(tensors) {
				if unneeded.MatchString(name) {
					continue
				}
				delete(tensors, name)
				writeTensors(t, file, tensors, body)
				tensors[name] = entry
				if err := refused(t, to, name); err != nil && !strings.Contains(err.Error(), parts.Replace(name)) {
					t.Errorf("without %s: %v", name, err)
				}
			}
		})
	}
}

// lastOfEach leaves out tensors that a later layer has too.
func lastOfEach(tensors map[string]json.RawMessage) map[string]json.RawMessage {
	last := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		last[number.ReplaceAllString(name, ".N.")] = name
	}
	out := map[string]json.RawMessage{}
	for _, name := range last {
		out[name] = tensors[name]
	}
	return out
}

var number = regexp.MustCompile(`\.[0-9]+\.`)

// unread are keys of config.json that no import goes by: training, other tasks, tokens that the tokenizer's files name,
// and what sees and hears.
var unread = strings.Fields(`_name_or_path _sliding_window_pattern add_cross_attention architectures
	attention_dropout attention_probs_dropout_prob audio_token_id boa_token_id boi_token_id boi_token_index
	bos_token_id causal cls_token_id classifier_activation classifier_bias classifier_dropout
	classifier_dropout_prob classifier_pooling decoder_bias deterministic_flash_attn dropout dtype emb_pooler
	embd_pdrop embedding_dropout embedding_dtype eoa_token_index eoi_token_id eoi_token_index eos_token_id
	hidden_dropout_prob image_token_id image_token_index initializer_cutoff_factor initializer_range
	logn_attention_clip1 mask_token_id mlp_dropout mrope_interleaved mrope_section vision_start_token_id
	vision_end_token_id mm_tokens_per_image model_type no_rope_layer_interval pad_vocab_size_multiple
	pretraining_tp qa_dropout resid_pdrop sep_token_id seq_classif_dropout sinusoidal_pos_embds
	sparse_pred_ignore_index sparse_prediction summary_activation summary_last_dropout summary_type
	summary_use_proj transformers_version unpad_inputs use_cache use_memory_efficient_attention video_token_id
	video_token_index vision_config vocabulary_quantization`)

// unreadIn are keys that the checkpoints of some folders say in vain.
var unreadIn = map[string]string{
	"tie_word_embeddings":      "albert bert distilbert electra gte jina-v3 labse modernbert modernbert-biased modernbert-silu mpnet xlm-roberta",
	"head_dim":                 "nomic-plain", // attention has it of hidden_size
	"block_ffn_dim_multiplier": "lfm2-biased", // which has block_auto_adjust_ff_dim false
	"block_multiple_of":        "lfm2-biased",
}

// numberIn are keys whose value is read everywhere, but is held to more than being a number in some folders only: less
// than zero is none, or another key comes before it.
var numberIn = map[string]string{
	"sliding_window":                   "embeddinggemma",
	"pad_token_id":                     "bert distilbert modernbert modernbert-biased mpnet xlm-roberta",
	"original_max_position_embeddings": "exaone4 exaone4-full olmo3 qwen2 qwen2-both-ways",
	"max_window_layers":                "",
	"global_attn_every_n_layers":       "",
	"sliding_window_pattern":           "",
	"lora_rank":                        "",
	"lora_alpha":                       "",
}

// called is what errors call keys that families have other names for.
var called = map[string]string{
	"layer_norm_eps": "epsilon", "norm_eps": "epsilon|rms_norm_eps", "layer_norm_epsilon": "epsilon", "hidden_dim": "intermediate_size",
	"n_inner": "intermediate_size", "n_heads": "num_attention_heads", "n_head": "num_attention_heads", "dim": "hidden_size",
	"n_embd": "hidden_size", "n_layers": "num_hidden_layers", "n_layer": "num_hidden_layers", "n_positions": "max_position_embeddings",
	"activation": "hidden_act", "hidden_activation": "hidden_act", "rotary_emb_base": "rope_theta", "rotary_scaling_factor": "factor",
	"type": "rope_type", "query_pre_attn_scalar": "scores are multiplied", "attention_multiplier": "scores are multiplied",
	"block_ffn_dim_multiplier": "intermediate_size", "block_multiple_of": "feed_forward.w1.weight",
	"embedding_multiplier": "embeddings are multiplied", "full_attention": "rope_parameters", "sliding_attention": "rope_parameters",
}

// Whatever key of config.json is damaged, in any family that reads it, the import is refused by its name.
func TestEveryKeyOfTheConfigurationIsRead(t *testing.T) {
	for _, dir := range tinyCheckpoints(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			to := copyDir(t, dir)
			file := filepath.Join(to, "config.json")
			var config map[string]any
			readJSON(t, file, &config)
			damageKeys(filepath.Base(dir), config, nil, func(keys []string, wrong any) {
				data, err := json.Marshal(config)
				if err == nil {
					err = os.WriteFile(file, data, 0o644)
				}
				if err != nil {
					t.Fatal(err)
				}
				err = refused(t, to, strings.Join(keys, "."))
				key := keys[len(keys)-1]
				if slices.Contains(keys, "per_layer_config") {
					key = "per_layer_config"
				}
				if err != nil && !names(err, key) && !names(err, cmp.Or(called[key], key)) {
					t.Errorf("%s is %v: %v", strings.Join(keys, "."), wrong, err)
				}
			})
		})
	}
}

// names tells whether an error has a key, or what it is called, as a word of its own; that a value is not "of type int" names no key.
func names(err error, key string) bool {
	text := regexp.MustCompile(` of type [a-z0-9]+`).ReplaceAllString(err.Error(), "")
	return regexp.MustCompile(`(^|[^A-Za-z0-9_])(` + key + `)($|[^A-Za-z0-9_])`).MatchString(text)
}

func listed(key, folder string, in map[string]string) bool {
	return slices.Contains(strings.Fields(in[key]), folder)
}

// damageKeys sets each key of an object, and of those in it, to what it cannot be, one at a time.
func damageKeys(folder string, object map[string]any, within []string, try func(keys []string, wrong any)) {
	for key, value := range object {
		if slices.Contains(unread, key) || listed(key, folder, unreadIn) {
			continue
		}
		keys := append(slices.Clone(within), key)
		wrong := any("wrong")
		switch v := value.(type) {
		case nil:
			continue
		case float64:
			if _, rarely := numberIn[key]; !rarely || listed(key, folder, numberIn) {
				wrong = -3
			}
		case map[string]any:
			damageKeys(folder, v, keys, try)
		}
		object[key] = wrong
		try(keys, wrong)
		object[key] = value
	}
}
