package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// genaiName is what onnxruntime-genai's builder writes in place of config.json and generation_config.json.
const genaiName = "genai_config.json"

// genaiConfig is the part of it that textmill needs.
type genaiConfig struct {
	Model struct {
		Type    string `json:"type"`
		Context int    `json:"context_length"`
		EOS     ids    `json:"eos_token_id"`
		Pad     *int32 `json:"pad_token_id"`
		Vocab   int    `json:"vocab_size"`
		Decoder struct {
			HeadSize int `json:"head_size"`
			Hidden   int `json:"hidden_size"`
			Heads    int `json:"num_attention_heads"`
			Layers   int `json:"num_hidden_layers"`
			KVHeads  int `json:"num_key_value_heads"`
		} `json:"decoder"`
	} `json:"model"`
}

// readModelConfig reads config.json, or what stands in its place in a folder of onnxruntime-genai's, in the same
// words. What config.json says only of the part that reads texts counts too.
func readModelConfig(dir string, into any) (found bool, err error) {
	var whole struct {
		Text json.RawMessage `json:"text_config"`
	}
	path := filepath.Join(dir, "config.json")
	found, err = readJSON(path, &whole)
	if err == nil && found && len(whole.Text) > 0 {
		if err := json.Unmarshal(whole.Text, into); err != nil {
			return true, fmt.Errorf("%w: read text_config of %s: %w", ErrBundle, path, err)
		}
	}
	if err == nil && found {
		_, err = readJSON(path, into)
	}
	if found || err != nil {
		return found, err
	}
	var g genaiConfig
	if found, err = readJSON(filepath.Join(dir, genaiName), &g); !found || err != nil {
		return found, err
	}
	d := g.Model.Decoder
	words := map[string]any{
		"architectures": []string{"ForCausalLM"}, "model_type": g.Model.Type, "max_position_embeddings": g.Model.Context,
		"eos_token_id": g.Model.EOS, "vocab_size": g.Model.Vocab, "head_dim": d.HeadSize, "hidden_size": d.Hidden,
		"num_attention_heads": d.Heads, "num_hidden_layers": d.Layers, "num_key_value_heads": d.KVHeads,
	}
	if g.Model.Pad != nil {
		words["pad_token_id"] = *g.Model.Pad
	}
	data, err := json.Marshal(words)
	if err != nil {
		return true, err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return true, fmt.Errorf("%w: read %s: %w", ErrBundle, filepath.Join(dir, genaiName), err)
	}
	return true, nil
}

// hasModelConfig tells whether a folder can be a bundle at all.
func hasModelConfig(dir string) error {
	_, err := os.Stat(filepath.Join(dir, "config.json"))
	if errors.Is(err, fs.ErrNotExist) {
		if _, e := os.Stat(filepath.Join(dir, genaiName)); e == nil {
			return nil
		}
	}
	return err
}
