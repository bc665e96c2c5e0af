package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"textmill/ground/naming"
	"textmill/ground/regular"
)

// configs are the small files of a bundle as they are, before anything is decided. Absent files are zero.
type configs struct {
	model     modelConfig
	modules   []module
	sentence  sentenceConfig
	prompts   promptConfig
	tokenizer tokenizerConfig
	engine    tokenizerFile
	decoder   bool   // there is a decoder.json
	folder    string // where modules.json has the encoder, "" for the top
	static    *Static
}

// modelConfig is config.json.
type modelConfig struct {
	Architectures         []string `json:"architectures"`
	ModelType             string   `json:"model_type"`
	HiddenSize            int      `json:"hidden_size"`
	EmbeddingDim          int      `json:"embedding_dim"`
	Dim                   int      `json:"dim"`     // distilbert
	NEmbd                 int      `json:"n_embd"`  // nomic_bert, gpt2
	DModel                int      `json:"d_model"` // t5
	Heads                 int      `json:"num_attention_heads"`
	NHeads                int      `json:"n_heads"` // distilbert
	NHead                 int      `json:"n_head"`  // nomic_bert, gpt2
	MaxPositionEmbeddings int      `json:"max_position_embeddings"`
	NPositions            int      `json:"n_positions"`
	PadTokenID            *int32   `json:"pad_token_id"`
}

// hidden is how long the vectors are that the model gives.
func (m modelConfig) hidden() int {
	if strings.HasPrefix(m.ModelType, "embedding_gemma2") { // it projects what it made
		return m.EmbeddingDim
	}
	return firstPositive(m.HiddenSize, m.Dim, m.NEmbd, m.DModel)
}

func (m modelConfig) heads() int { return firstPositive(m.Heads, m.NHeads, m.NHead) }

// positions is how many the model has, 0 when it does not say. Of two numbers one is how many it was trained with.
func (m modelConfig) positions() int { return max(m.MaxPositionEmbeddings, m.NPositions) }

// offset is how many positions the RoBERTa family leaves unused: it counts from the pad id on.
func (m modelConfig) offset() int {
	switch m.ModelType {
	case "roberta", "xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl", "data2vec-text", "longformer":
		if m.PadTokenID != nil {
			return int(*m.PadTokenID) + 1
		}
		return 2
	}
	return 0
}

// module is an entry of modules.json.
type module struct {
	Path string `json:"path"`
	Type string `json:"type"`
}

func (m module) kind() string { return m.Type[strings.LastIndexByte(m.Type, '.')+1:] }

// sentenceConfig is sentence_bert_config.json, or what older versions of sentence-transformers called it.
type sentenceConfig struct {
	name         string
	MaxSeqLength *int                       `json:"max_seq_length"`
	DoLowerCase  bool                       `json:"do_lower_case"`
	Task         string                     `json:"transformer_task"`
	Modalities   map[string]json.RawMessage `json:"modality_config"`
}

// promptConfig is config_sentence_transformers.json.
type promptConfig struct {
	Prompts           map[string]string `json:"prompts"`
	DefaultPromptName *string           `json:"default_prompt_name"`
	Similarity        *string           `json:"similarity_fn_name"`
	TruncateDim       *int              `json:"truncate_dim"`
}

// tokenizerConfig is tokenizer_config.json.
type tokenizerConfig struct {
	ModelMaxLength float64             `json:"model_max_length"` // 1e30 stands for none
	PaddingSide    string              `json:"padding_side"`
	PadToken       tokenText           `json:"pad_token"`
	AddedTokens    map[int32]tokenText `json:"added_tokens_decoder"`
}

// tokenText is a token spelled as a string or as an object with its content.
type tokenText string

func (t *tokenText) UnmarshalJSON(data []byte) error {
	var object struct {
		Content string `json:"content"`
	}
	var text *string
	if err := json.Unmarshal(data, &text); err == nil {
		if text != nil {
			*t = tokenText(*text)
		}
		return nil
	}
	err := json.Unmarshal(data, &object)
	*t = tokenText(object.Content)
	return err
}

// tokenizerFile is the part of tokenizer.json that speaks of length and padding.
type tokenizerFile struct {
	Truncation *struct {
		MaxLength int `json:"max_length"`
	} `json:"truncation"`
	Padding *struct {
		Direction string `json:"direction"`
		PadID     int32  `json:"pad_id"`
		PadToken  string `json:"pad_token"`
	} `json:"padding"`
	AddedTokens []struct {
		ID      int32  `json:"id"`
		Content string `json:"content"`
	} `json:"added_tokens"`
}

// configNames are the small files that a Spec is made of.
var configNames = []string{"config.json", "tokenizer.json", "tokenizer_config.json", "modules.json", SentenceName,
	"config_sentence_transformers.json", StaticName, genaiName}

// TemplatesFolder has the chat templates beside the one that is asked for by no name.
const TemplatesFolder = "additional_chat_templates"

// SentenceName is the file in which sentence-transformers keeps what it does with texts before the encoder.
const SentenceName = "sentence_bert_config.json"

// SentenceNames are the names that it had, the first that is there counts.
var SentenceNames = []string{SentenceName, "sentence_roberta_config.json", "sentence_distilbert_config.json",
	"sentence_camembert_config.json", "sentence_albert_config.json", "sentence_xlm-roberta_config.json",
	"sentence_xlnet_config.json"}

func (c *sentenceConfig) read(dir string) error {
	for _, name := range SentenceNames {
		if found, err := readJSON(filepath.Join(dir, name), c); found || err != nil {
			c.name = name
			return err
		}
	}
	return nil
}

// readConfigs reads the files of a folder in which modules.json, which lies at its top, has the encoder in folder.
func readConfigs(dir, folder string) (*configs, error) {
	_, err := os.Stat(filepath.Join(dir, DecoderName))
	c := &configs{decoder: err == nil, folder: folder}
	inner := filepath.Join(dir, filepath.FromSlash(folder))
	into := []any{ // genai_config.json is read in place of the first
		&c.model, &c.engine, &c.tokenizer, &c.modules, &c.sentence, &c.prompts, &c.static, new(json.RawMessage)}
	for i, name := range configNames {
		read, dir := readJSON, dir
		switch into[i].(type) {
		case *modelConfig:
			read = func(_ string, into any) (bool, error) { return readModelConfig(inner, into) }
		case *sentenceConfig:
			read = func(string, any) (bool, error) { return true, c.sentence.read(inner) }
		case *tokenizerFile, *tokenizerConfig:
			dir = inner
		}
		found, err := read(filepath.Join(dir, name), into[i])
		if err != nil {
			return nil, err
		}
		if !found && i < 2 { // the first two no model can do without
			return nil, fmt.Errorf("%w: %s is missing", ErrBundle, filepath.Join(dir, name))
		}
	}
	return c, nil
}

func readJSON(path string, into any) (found bool, err error) {
	data, err := regular.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrBundle, err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return true, fmt.Errorf("%w: read %s: %w", ErrBundle, path, err)
	}
	return true, nil
}

// task is what the model was made for.
func (c *configs) task() string {
	if len(c.modules) > 0 || c.sentence.MaxSeqLength != nil {
		return naming.TaskEmbed
	}
	for _, a := range c.model.Architectures {
		if strings.HasSuffix(a, "ForCausalLM") || strings.HasSuffix(a, "LMHeadModel") || c.decoder {
			return naming.TaskGenerate
		}
	}
	return naming.TaskEmbed
}

// tokenID finds an added token's id by its text.
func (c *configs) tokenID(text string) (int32, bool) {
	for _, t := range c.engine.AddedTokens {
		if t.Content == text {
			return t.ID, true
		}
	}
	for id, t := range c.tokenizer.AddedTokens {
		if string(t) == text {
			return id, true
		}
	}
	return 0, false
}

func firstPositive(ns ...int) int {
	for _, n := range ns {
		if n > 0 {
			return n
		}
	}
	return 0
}

// VocabSize is how many tokens config.json promises, 0 where it does not say.
func (s *Spec) VocabSize() int {
	var c struct {
		Vocab int `json:"vocab_size"`
	}
	if _, err := readModelConfig(s.Dir, &c); err != nil {
		return 0
	}
	return c.Vocab
}
