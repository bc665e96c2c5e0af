// Package answers says what rows are in the form of OpenAI's API.
package answers

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"net/http"

	"textmill/export"
	"textmill/jobs"
)

// What a completion's object says of it.
const (
	ObjectChat       = "chat.completion"
	ObjectChunk      = "chat.completion.chunk"
	ObjectCompletion = "text_completion"
)

// A Chat is the answer to a conversation.
type Chat struct {
	Head
	Choices []ChatChoice `json:"choices"`
	Usage   Usage        `json:"usage"`
}

// Head is what every answer of a generation model begins with, whole or in chunks.
type Head struct {
	ID                string `json:"id"`
	Object            string `json:"object"`
	Created           int64  `json:"created"`
	Model             string `json:"model"`
	SystemFingerprint string `json:"system_fingerprint"`
	SHA256            string `json:"model_sha256,omitempty"`
}

// ChatChoice is one completion of a conversation.
type ChatChoice struct {
	Index        int       `json:"index"`
	Message      Message   `json:"message"`
	Logprobs     *Logprobs `json:"logprobs"`
	FinishReason string    `json:"finish_reason"`
	Seed         *int64    `json:"seed,omitempty"` // of a text that was drawn
}

// A ChatChunk is a part of a Chat that is answered while it is made.
type ChatChunk struct {
	Head
	Choices []ChunkChoice `json:"choices"`
	Usage   *Usage        `json:"usage,omitempty"`
}

// ChunkChoice is what a chunk adds to a completion.
type ChunkChoice struct {
	Index        int       `json:"index"`
	Delta        Delta     `json:"delta"`
	Logprobs     *Logprobs `json:"logprobs"`
	FinishReason *string   `json:"finish_reason"` // null while the text goes on
}

// Delta is what a chunk adds to a message; the first one names its role.
type Delta struct {
	Role    string  `json:"role,omitempty"`
	Content *string `json:"content,omitempty"`
}

// A Completion is the answer to texts to continue, whole or as a chunk.
type Completion struct {
	Head
	Choices []TextChoice `json:"choices"`
	Usage   *Usage       `json:"usage,omitempty"`
}

// TextChoice is one completion of a text, or what a chunk adds to it.
type TextChoice struct {
	Index        int           `json:"index"`
	Text         string        `json:"text"`
	Logprobs     *TextLogprobs `json:"logprobs"`
	FinishReason *string       `json:"finish_reason"`
	Seed         *int64        `json:"seed,omitempty"`
}

// Message is what a model answered.
type Message struct {
	Role    string  `json:"role"`
	Content string  `json:"content"`
	Refusal *string `json:"refusal"`
}

// Usage counts tokens; vectors complete nothing.
type Usage struct {
	PromptTokens     int64  `json:"prompt_tokens"`
	CompletionTokens *int64 `json:"completion_tokens,omitempty"`
	TotalTokens      int64  `json:"total_tokens"`
}

// UsageOf counts the tokens of prompts and of completions.
func UsageOf(prompt, made int64) Usage {
	return Usage{PromptTokens: prompt, CompletionTokens: &made, TotalTokens: prompt + made}
}

// Embeddings is the answer to texts of which vectors were asked.
type Embeddings struct {
	Object string      `json:"object"`
	Data   []Embedding `json:"data"`
	Model  string      `json:"model"`
	SHA256 string      `json:"model_sha256,omitempty"`
	Usage  Usage       `json:"usage"`
}

// Embedding is one vector: numbers, or base64 of little-endian float32.
type Embedding struct {
	Object string `json:"object"`
	Index  int    `json:"index"`
	Vector any    `json:"embedding"`
}

// Fingerprint is a model's hash as OpenAI's system_fingerprint, "" where the hash is not known.
func Fingerprint(sha256 string) string {
	if len(sha256) < 12 {
		return ""
	}
	return "fp_" + sha256[:12]
}

// ChatOf is the answer that the rows of one conversation are, none of which failed.
func ChatOf(id string, made []*export.Row) Chat {
	first := made[0]
	c := Chat{Head: Head{ID: id, Object: ObjectChat, Created: first.CreatedAt.Unix(), Model: first.Model,
		SystemFingerprint: Fingerprint(first.ModelSHA256)}}
	var tokens int64
	for _, r := range made {
		c.Choices = append(c.Choices, ChatChoice{Index: int(r.Chunk.V), FinishReason: Finish(r.FinishReason),
			Message: Message{Role: "assistant", Content: r.Output.V}, Logprobs: logprobsOf(r), Seed: SeedOf(r)})
		tokens += int64(r.NOutputTokens.V)
	}
	c.Usage = UsageOf(int64(first.NTokens.V), tokens)
	return c
}

// TextsOf is the answer that the rows of texts to continue are, none of which failed, in the places that they have
// among all of the request's. The chunk of a row counts the completions of its text.
func TextsOf(id string, made []*export.Row, places []int) Completion {
	first := made[0]
	c := Completion{Head: Head{ID: id, Object: ObjectCompletion, Created: first.CreatedAt.Unix(), Model: first.Model,
		SystemFingerprint: Fingerprint(first.ModelSHA256)}}
	var prompts, tokens int64
	last := ""
	for i, r := range made {
		finish := Finish(r.FinishReason)
		c.Choices = append(c.Choices, TextChoice{Index: places[i], Text: r.Output.V, FinishReason: &finish, Seed: SeedOf(r)})
		tokens += int64(r.NOutputTokens.V)
		if i == 0 || r.RecordID != last {
			prompts += int64(r.NTokens.V)
		}
		last = r.RecordID
	}
	usage := UsageOf(prompts, tokens)
	c.Usage = &usage
	return c
}

// SeedOf is what a text was drawn with, nil of one that was not.
func SeedOf(r *export.Row) *int64 {
	if !r.Seed.Valid {
		return nil
	}
	return &r.Seed.V
}

// Finish is why a text ended, as OpenAI has it, who does not tell a model's own end from a stop string.
func Finish(why string) string {
	if why == "eos" {
		return "stop"
	}
	return why
}

// VectorOf is a row's vector as the table holds it.
func VectorOf(r *export.Row) any {
	switch {
	case r.Embedding8 != nil:
		return r.Embedding8
	case r.Embedding16 != nil:
		return r.Embedding16
	}
	return r.Embedding
}

// Base64 is a vector as OpenAI packs it.
func Base64(v []float32) string {
	raw := make([]byte, 0, 4*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// Status is that of an answer to what failed for a class of errors, and whether the model is at fault.
func Status(class string) (status int, server bool) {
	switch class {
	case jobs.OutOfMemory:
		return http.StatusServiceUnavailable, true
	case jobs.NaN, jobs.Timeout, jobs.ModelFailed:
		return http.StatusInternalServerError, true
	}
	return http.StatusBadRequest, false
}
