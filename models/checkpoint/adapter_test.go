package checkpoint_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"textmill/models/checkpoint"
)

func adapterOf(name string) string { return filepath.Join("testdata", "adapters", name) }

func importAdapted(t *testing.T, name, adapter string) (checkpoint.Result, error) {
	t.Helper()
	return checkpoint.Import(t.Context(), checkpoint.Options{Source: filepath.Join("testdata", "tiny", name), Dir: t.TempDir(),
		Adapter: adapter})
}

func TestAdaptersAreFoldedAsPeftMergesThem(t *testing.T) {
	for _, name := range []string{"llama", "bert"} {
		t.Run(name, func(t *testing.T) {
			var rows []referenceRow
			readJSON(t, filepath.Join(adapterOf(name), "reference.json"), &rows)
			r, err := importAdapted(t, name, adapterOf(name))
			if err != nil {
				t.Fatal(err)
			}
			plain, changed := readReference(t, name), 0.0
			for i, row := range rows {
				for j, want := range row.Values {
					changed = max(changed, far(plain[i].Values[j], want))
				}
			}
			if changed < 0.1 {
				t.Fatalf("the adapter changes nothing by more than %g", changed)
			}
			if name == "bert" {
				spec := openBundle(t, r.Dir)
				session := openSession(t, filepath.Join(spec.Dir, filepath.FromSlash(spec.Graph)), spec.Inputs, []string{"last_hidden_state"})
				compareHidden(t, session, len(spec.Inputs), rows, len(rows[0].IDs), false)
				return
			}
			s := openSlots(t, r.Dir, 0, 1, 16)
			for _, row := range rows {
				clear(s.used)
				for j, got := range s.run(0, [][]int64{row.IDs}, true) {
					if d := far(got, row.Values[j]); !(d < 1e-4) {
						t.Errorf("logits of token %d are off by %g", j, d)
					}
				}
			}
		})
	}
}

func TestAdaptersThatCannotBeFoldedAreNamed(t *testing.T) {
	for want, change := range map[string]func(map[string]any){
		"use_dora is true":                    func(c map[string]any) { c["use_dora"] = true },
		"alpha_pattern is":                    func(c map[string]any) { c["alpha_pattern"] = map[string]int{"q_proj": 3} },
		`bias is "lora_only"`:                 func(c map[string]any) { c["bias"] = "lora_only" },
		`peft_type is "IA3"`:                  func(c map[string]any) { c["peft_type"] = "IA3" },
		`init_lora_weights is "pissa"`:        func(c map[string]any) { c["init_lora_weights"] = "pissa" },
		"lora_alpha is 0":                     func(c map[string]any) { c["lora_alpha"] = 0 },
		"trainable_token_indices is [1":       func(c map[string]any) { c["trainable_token_indices"] = []int{1, 2} },
		"directories with safetensors":        nil, // a GGUF file
		"for which the model has no place":    nil, // an adapter of another model
		"it is no adapter as peft saves one":  nil,
		"lora_A.weight: its shape is [4 31]":  nil,
		"lora_A.weight or lora_B.weight":      nil,
		"lora_A and lora_B of linear layers":  nil,
		"adapter_model.safetensors: no such ": nil,
	} {
		t.Run(want, func(t *testing.T) {
			dir, source := filepath.Join(t.TempDir(), "adapter"), filepath.Join("testdata", "tiny", "llama")
			if err := os.CopyFS(dir, os.DirFS(adapterOf("llama"))); err != nil {
				t.Fatal(err)
			}
			tensors := filepath.Join(dir, "adapter_model.safetensors")
			const module = "base_model.model.model.layers.0.self_attn.q_proj."
			switch {
			case change != nil:
				var c map[string]any
				readJSON(t, filepath.Join(dir, "adapter_config.json"), &c)
				change(c)
				data, _ := json.Marshal(c)
				if err := os.WriteFile(filepath.Join(dir, "adapter_config.json"), data, 0o644); err != nil {
					t.Fatal(err)
				}
			case strings.HasPrefix(want, "directories"):
				source = llamaGGUF
			case strings.HasPrefix(want, "for which"):
				source = filepath.Join("testdata", "tiny", "bert")
			case strings.HasPrefix(want, "it is no"):
				dir = t.TempDir()
			case strings.Contains(want, "no such"):
				if err := os.Remove(tensors); err != nil {
					t.Fatal(err)
				}
			case strings.Contains(want, "linear layers"):
				growHeader(t, tensors, module+"lora_A.weight", module+"lora_magnitude_vector")
			case strings.Contains(want, " or "):
				growHeader(t, tensors, module+"lora_B.weight", "base_model.model.x.lora_B.weight")
			default:
				shrinkTensor(t, tensors, module+"lora_A.weight")
			}
			out := t.TempDir()
			_, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: source, Dir: out, Adapter: dir})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want it to name %q", err, want)
			}
			if change != nil && !errors.Is(err, checkpoint.ErrUnsupported) {
				t.Errorf("%v is of no class", err)
			}
			if left, err := os.ReadDir(out); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// shrinkTensor takes the last column of a matrix of [4, 32] floats away.
func shrinkTensor(t *testing.T, path, name string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	header := string(data)
	at := strings.Index(header, `"`+name+`"`)
	entry := header[at : at+strings.Index(header[at:], "}")+1]
	var e struct {
		At []int `json:"data_offsets"`
	}
	if err := json.Unmarshal([]byte(entry[strings.Index(entry, "{"):]), &e); err != nil {
		t.Fatal(err)
	}
	e.At[1] -= 16
	to, _ := json.Marshal(map[string]any{"dtype": "F32", "shape": []int{4, 31}, "data_offsets": e.At})
	growHeader(t, path, entry, `"`+name+`":`+string(to))
}
