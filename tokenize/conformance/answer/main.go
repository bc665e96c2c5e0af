// Command answer lets the conformance scripts ask tokenize questions: one JSON object a line in, one a line out.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"

	"textmill/tokenize"
)

type request struct {
	Op         string
	Path       string           // load: of a tokenizer.json
	JSON       *string          // load: its text instead
	Texts      []string         // encode, split, normalize, pace
	Pairs      []string         // encode: parallel to Texts, or none
	Base64     bool             // Texts are bytes in base64
	NoSpecial  bool             // encode: without special tokens
	Bare       bool             // encode: no decoded text in the answer
	Truncation *json.RawMessage // encode
	Padding    *json.RawMessage
	IDs        [][]int32 // decode
	Pattern    string    // split
	Compiled   bool      // split: not by a scanner
	Form       string    // normalize, pace
	Threads    int       // pace
	Rounds     int       // pace
	Charsmap   []byte
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	decoder, encoder := json.NewDecoder(in), json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	var s session
	for {
		var r request
		if err := decoder.Decode(&r); err != nil {
			return // the scripts close the pipe when they are done
		}
		if err := encoder.Encode(s.answer(r)); err != nil {
			fmt.Fprintln(os.Stderr, "answer:", err)
			os.Exit(1)
		}
		if err := out.Flush(); err != nil {
			fmt.Fprintln(os.Stderr, "answer:", err)
			os.Exit(1)
		}
	}
}

type session struct{ tokenizer *tokenize.Tokenizer }

// answer reports a panic as such: that too is a difference to be found.
func (s *session) answer(r request) (a any) {
	defer func() {
		if p := recover(); p != nil {
			a = map[string]any{"panic": fmt.Sprint(p), "stack": string(debug.Stack())}
		}
	}()
	if r.Base64 {
		for i, t := range r.Texts {
			b, err := base64.StdEncoding.DecodeString(t)
			if err != nil {
				return refusal(err)
			}
			r.Texts[i] = string(b)
		}
	}
	switch r.Op {
	case "load":
		return s.load(r)
	case "encode":
		return s.encode(r)
	case "decode":
		return s.decode(r)
	case "split":
		return splitAll(r)
	case "normalize":
		return normalizeAll(r)
	case "load time":
		return s.loadTime(r)
	case "pace":
		return s.pace(r)
	}
	return refusal(fmt.Errorf("no such op %q", r.Op))
}

func refusal(err error) any { return map[string]string{"error": err.Error()} }

func (s *session) load(r request) any {
	var err error
	if r.JSON != nil {
		s.tokenizer, err = tokenize.Parse([]byte(*r.JSON))
	} else {
		s.tokenizer, err = tokenize.Load(r.Path)
	}
	if err != nil {
		return refusal(err)
	}
	return map[string]int{"vocab": s.tokenizer.VocabSize()}
}

type encoded struct {
	IDs         []int32    `json:"ids"`
	TypeIDs     []int32    `json:"type_ids"`
	Tokens      []string   `json:"tokens"`
	Offsets     [][2]int32 `json:"offsets"`
	Special     []int32    `json:"special"`
	Attention   []int32    `json:"attention"`
	Overflowing []encoded  `json:"overflowing"`
	Decoded     *string    `json:"decoded,omitempty"`
	Skipped     *string    `json:"skipped,omitempty"`
	Body        bool       `json:"body"` // AppendBody and AppendInput say the same
	Error       string     `json:"error,omitempty"`
}

func (s *session) encode(r request) any {
	o := tokenize.Options{NoSpecialTokens: r.NoSpecial}
	if r.Truncation != nil {
		o.Truncation = &tokenize.Truncation{}
		if err := json.Unmarshal(*r.Truncation, o.Truncation); err != nil {
			return refusal(err)
		}
	}
	if r.Padding != nil {
		o.Padding = &tokenize.Padding{}
		if err := json.Unmarshal(*r.Padding, o.Padding); err != nil {
			return refusal(err)
		}
	}
	answers := make([]encoded, len(r.Texts))
	for i, text := range r.Texts {
		o.Pair = nil
		if r.Pairs != nil {
			o.Pair = &r.Pairs[i]
		}
		e, err := s.tokenizer.Encode(text, o)
		if err != nil {
			answers[i].Error = err.Error()
			continue
		}
		answers[i] = plain(e)
		if !r.Bare {
			all, skipped := s.tokenizer.Decode(e.IDs, false), s.tokenizer.Decode(e.IDs, true)
			answers[i].Decoded, answers[i].Skipped = &all, &skipped
			answers[i].Body = o.Pair != nil || o.Truncation != nil || o.Padding != nil || s.sameByBody(text, e, o)
		}
	}
	return map[string]any{"encoded": answers}
}

// sameByBody tells whether the short ways give what Encode gives.
func (s *session) sameByBody(text string, e *tokenize.Encoding, o tokenize.Options) bool {
	body, spans, err := s.tokenizer.AppendBody(nil, nil, text)
	if err != nil {
		return false
	}
	if o.NoSpecialTokens {
		if len(body) != len(e.IDs) || len(spans) != len(e.Offsets) {
			return false
		}
		for i := range body {
			if body[i] != e.IDs[i] || spans[i] != e.Offsets[i] {
				return false
			}
		}
		return true
	}
	ids, types := s.tokenizer.AppendInput(nil, nil, body)
	if len(ids) != len(e.IDs) || len(types) != len(e.TypeIDs) {
		return false
	}
	for i := range ids {
		if ids[i] != e.IDs[i] || types[i] != e.TypeIDs[i] {
			return false
		}
	}
	// a template may repeat the text or leave it out
	return len(body) == 0 || (len(ids)-s.tokenizer.NumSpecial())%len(body) == 0
}

func plain(e *tokenize.Encoding) encoded {
	p := encoded{IDs: e.IDs, TypeIDs: e.TypeIDs, Tokens: e.Tokens, Special: e.SpecialTokensMask,
		Attention: e.AttentionMask,
		Offsets:   make([][2]int32, len(e.Offsets))}
	for i, o := range e.Offsets {
		p.Offsets[i] = [2]int32{o.Start, o.End}
	}
	for _, o := range e.Overflowing {
		p.Overflowing = append(p.Overflowing, plain(o))
	}
	return p
}

func (s *session) decode(r request) any {
	type both struct {
		Decoded string `json:"decoded"`
		Skipped string `json:"skipped"`
	}
	answers := make([]both, len(r.IDs))
	for i, ids := range r.IDs {
		answers[i] = both{s.tokenizer.Decode(ids, false), s.tokenizer.Decode(ids, true)}
	}
	return map[string]any{"decoded": answers}
}
