package chat

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// classTable is what transformers 5.24 knows of its tokenizer classes; testdata/tokens.py writes it.
type classTable struct {
	Tokens  map[string]map[string]*string // class → the tokens that it implies; null: none, whatever tokenizer.json says
	Models  map[string]string             // model_type → the class that goes with it
	Configs map[string]string             // model_type → the class that its configuration names
	Last    map[string]string             // model_type → the class where no file names one
	Wrong   []string                      // model types whose files name a wrong class
}

//go:embed classes.json
var classesJSON []byte

var classes = sync.OnceValue(func() classTable {
	var t classTable
	if err := json.Unmarshal(classesJSON, &t); err != nil {
		panic(err) // the file is part of this program
	}
	return t
})

// standardTokens are those that transformers knows by name.
var standardTokens = []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token",
	"mask_token"}

// llamaClass is not believed where tokenizer.json works on bytes.
const llamaClass = "LlamaTokenizer"

// members is a JSON object, value by value.
type members map[string]json.RawMessage

// tokenFiles are the files that say which named tokens a tokenizer has.
type tokenFiles struct {
	tokenizer members // tokenizer_config.json
	old       members // special_tokens_map.json
	model     members // config.json
	path      string  // of tokenizer.json
}

func readMembers(path string) (members, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var m members
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		return nil, fmt.Errorf("read tokenizer config %s: %w", path, err)
	}
	return m, nil
}

// readTokens finds the named tokens as transformers does: the files', and those that the tokenizer's class implies.
func readTokens(dir string) (map[string]string, error) {
	f := tokenFiles{path: filepath.Join(dir, "tokenizer.json")}
	var errs [3]error
	f.tokenizer, errs[0] = readMembers(filepath.Join(dir, "tokenizer_config.json"))
	f.old, errs[1] = readMembers(filepath.Join(dir, "special_tokens_map.json"))
	f.model, errs[2] = readMembers(filepath.Join(dir, "config.json"))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return f.tokens()
}

func (f *tokenFiles) tokens() (map[string]string, error) {
	given, specific := f.given()
	class, err := f.class()
	if err != nil {
		return nil, err
	}
	for name, token := range classes().Tokens[class] {
		if _, ok := given[name]; ok {
			continue
		}
		given[name] = nil
		if token != nil {
			given[name], err = json.Marshal(*token)
			if err != nil {
				return nil, err
			}
		}
	}
	if _, ok := given["pad_token"]; !ok {
		if given["pad_token"], err = paddingToken(f.path); err != nil {
			return nil, err
		}
	}
	out := map[string]string{}
	for name, raw := range given {
		if content, ok := tokenContent(raw); ok && strings.HasSuffix(name, "_token") {
			out[name] = content
		}
	}
	for name, raw := range specific {
		if content, ok := tokenContent(raw); ok {
			out[name] = content
		}
	}
	return out, nil
}

// given takes the files together: what the class is given, and the tokens that the model has names of its own for.
func (f *tokenFiles) given() (given, specific members) {
	const extra, additional, own = "extra_special_tokens", "additional_special_tokens", "model_specific_special_tokens"
	given = members{}
	maps.Copy(given, f.tokenizer)
	if raw, ok := given[additional]; ok && !truthy(given[extra]) {
		given[extra] = raw
		delete(given, additional)
	}
	found := members{}
	for name, raw := range given {
		if strings.HasSuffix(name, "_token") && !slices.Contains(standardTokens, name) && kindOf(raw) == '"' {
			found[name] = raw
			delete(given, name)
		}
	}
	maps.Copy(found, objectOf(given[extra]))
	if kindOf(given[extra]) == '{' {
		delete(given, extra)
	}
	specific = objectOf(given[own])
	if len(found) > 0 {
		specific = found
	}
	if specific == nil {
		specific = members{}
	}
	if _, ok := given["added_tokens_decoder"]; !ok { // else the older file says nothing
		for name, raw := range f.old {
			if name != own {
				given[name] = raw
			}
		}
		if late := objectOf(given[extra]); late != nil {
			maps.Copy(specific, late)
			delete(given, extra)
		}
	}
	if _, ok := given[extra]; !ok {
		for name, raw := range objectOf(given[additional]) {
			if _, ok := specific[name]; !ok {
				specific[name] = raw
			}
		}
	}
	return given, specific
}

func kindOf(raw json.RawMessage) jsontext.Kind { return jsontext.Value(raw).Kind() }

func objectOf(raw json.RawMessage) (m members) {
	if kindOf(raw) != '{' || json.Unmarshal(raw, &m) != nil {
		return nil
	}
	return m
}

// truthy is what Python calls true.
func truthy(raw json.RawMessage) bool {
	var b bytes.Buffer
	if len(raw) == 0 || json.Compact(&b, raw) != nil {
		return false
	}
	return !slices.Contains([]string{"null", "false", "0", `""`, "[]", "{}"}, b.String())
}

func (m members) text(name string) string {
	var s string
	if json.Unmarshal(m[name], &s) != nil {
		return ""
	}
	return s
}

// class is the one that AutoTokenizer takes; "" is one that implies no tokens.
func (f *tokenFiles) class() (string, error) {
	const general = "TokenizersBackend"
	t := classes()
	modelType := f.model.text("model_type")
	wrong := slices.Contains(t.Wrong, modelType) || slices.Contains(t.Wrong, f.model.text("model_name"))
	named := strings.TrimSuffix(f.tokenizer.text("tokenizer_class"), "Fast")
	declared := named
	if declared == "" {
		declared = f.model.text("tokenizer_class")
	}
	if declared == "" {
		declared = t.Configs[modelType]
	}
	declared = strings.TrimSuffix(declared, "Fast")
	registered := strings.TrimSuffix(t.Models[modelType], "Fast")
	_, remote := f.tokenizer["auto_map"]
	if !remote && declared == llamaClass && !wrong {
		if bytesAlone, err := contains(f.path, `"ByteLevel"`); err != nil || bytesAlone {
			return "", err
		}
	}
	switch {
	case remote || declared == "" || registered == "" || registered == declared:
	case registered == general:
		return "", nil
	case wrong:
		return registered, nil
	default:
		return declared, nil
	}
	switch {
	case named != "":
		return named, nil
	case declared != "":
		return declared, nil
	}
	return t.Last[modelType], nil
}

// contains tells whether a file, where there is one, holds a text.
func contains(path, text string) (bool, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read tokenizer: %w", err)
	}
	return bytes.Contains(data, []byte(text)), nil
}

// paddingToken is the token that tokenizer.json pads with, as JSON; nil if it does not pad. Where another program
// judges the file, it is not judged here.
func paddingToken(path string) (json.RawMessage, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read tokenizer: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	dec := jsontext.NewDecoder(f, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if t, err := dec.ReadToken(); err != nil || t.Kind() != '{' {
		return nil, nil //nolint:nilerr // the tokenizer says what is wrong with its file
	}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			break
		}
		if name.String() != "padding" {
			if dec.SkipValue() != nil {
				break
			}
			continue
		}
		v, err := dec.ReadValue()
		if err != nil {
			break
		}
		return objectOf(json.RawMessage(v))["pad_token"], nil
	}
	return nil, nil
}
