package vocabulary

import (
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"

	"textmill/ground/regular"
)

// Words are what model2vec asks of a tokenizer.json.
type Words struct {
	Unknown       int32 // its unknown token, -1 for none
	Median        int   // half of its tokens have no more characters
	Most          int   // no token's ID reaches it
	Truncation    int   // what it cuts texts to, 0 for nothing
	TruncatesLeft bool
}

// ReadWords reads a tokenizer.json.
func ReadWords(path string) (w Words, err error) {
	data, err := regular.ReadFile(path)
	if err != nil {
		return w, err
	}
	var file struct {
		Truncation *struct {
			MaxLength int    `json:"max_length"`
			Direction string `json:"direction"`
		} `json:"truncation"`
		Added []struct {
			ID      int32  `json:"id"`
			Content string `json:"content"`
		} `json:"added_tokens"`
		Model struct {
			Vocab     json.RawMessage `json:"vocab"`
			Unknown   *string         `json:"unk_token"`
			UnknownID *int32          `json:"unk_id"`
		} `json:"model"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return w, fmt.Errorf("read %s: %w", path, err)
	}
	ids, err := readVocab(file.Model.Vocab)
	if err != nil {
		return w, fmt.Errorf("read %s: its vocabulary: %w", path, err)
	}
	for _, a := range file.Added {
		ids[a.Content] = a.ID
	}
	if len(ids) == 0 {
		return w, fmt.Errorf("read %s: it has no vocabulary", path)
	}
	lengths := make([]int, 0, len(ids))
	for token, id := range ids {
		if id < 0 {
			return w, fmt.Errorf("read %s: token %q has the ID %d", path, token, id)
		}
		lengths = append(lengths, utf8.RuneCountInString(token))
		w.Most = max(w.Most, int(id)+1)
	}
	slices.Sort(lengths)
	w.Median = (lengths[(len(lengths)-1)/2] + lengths[len(lengths)/2]) / 2
	w.Unknown = -1
	if u := file.Model.Unknown; u != nil {
		if id, ok := ids[*u]; ok {
			w.Unknown = id
		}
	} else if u := file.Model.UnknownID; u != nil {
		w.Unknown = *u
	}
	if t := file.Truncation; t != nil {
		w.Truncation, w.TruncatesLeft = max(t.MaxLength, 0), t.Direction == "Left"
	}
	return w, nil
}

// readVocab reads a map of tokens to IDs, or a list of tokens with scores in the order of IDs.
func readVocab(data json.RawMessage) (map[string]int32, error) {
	ids := map[string]int32{}
	if err := json.Unmarshal(data, &ids); err == nil {
		return ids, nil
	}
	var pieces [][]any
	if err := json.Unmarshal(data, &pieces); err != nil {
		return nil, err
	}
	for i, p := range pieces {
		token, ok := "", false
		if len(p) > 0 {
			token, ok = p[0].(string)
		}
		if !ok {
			return nil, fmt.Errorf("entry %d is no token with a score", i)
		}
		ids[token] = int32(i)
	}
	return ids, nil
}
