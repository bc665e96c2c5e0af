package tables

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"textmill/export"
	"textmill/ground/naming"
	"textmill/input"
	"textmill/jobs"
	"textmill/work/rows"
)

// The lines of OpenAI's batch output, field by field.
type batchOutput struct {
	ID       string         `json:"id"`
	CustomID string         `json:"custom_id"`
	Response *batchResponse `json:"response"`
	Error    *batchError    `json:"error"`
}

type batchResponse struct {
	StatusCode int    `json:"status_code"`
	RequestID  string `json:"request_id"`
	Body       any    `json:"body"`
}

type batchError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type errorBody struct {
	Error struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    string  `json:"code"`
	} `json:"error"`
}

type chatCompletion struct {
	ID                string       `json:"id"`
	Object            string       `json:"object"`
	Created           int64        `json:"created"`
	Model             string       `json:"model"`
	SystemFingerprint string       `json:"system_fingerprint"`
	Choices           []chatChoice `json:"choices"`
	Usage             usage        `json:"usage"`
}

type chatChoice struct {
	Index        int           `json:"index"`
	Message      chatMessage   `json:"message"`
	Logprobs     *chatLogprobs `json:"logprobs"`
	FinishReason string        `json:"finish_reason"`
}

type chatMessage struct {
	Role    string  `json:"role"`
	Content string  `json:"content"`
	Refusal *string `json:"refusal"`
}

type chatLogprobs struct {
	Content []tokenLogprob `json:"content"`
	Refusal []tokenLogprob `json:"refusal"`
}

// tokenLogprob names a token whose text the table does not tell by its ID: token_id:N.
type tokenLogprob struct {
	Token       string       `json:"token"`
	Logprob     float32      `json:"logprob"`
	Bytes       []int        `json:"bytes"`
	TopLogprobs []topLogprob `json:"top_logprobs"`
}

type topLogprob struct {
	Token   string  `json:"token"`
	Logprob float32 `json:"logprob"`
	Bytes   []int   `json:"bytes"`
}

type usage struct {
	PromptTokens     int64  `json:"prompt_tokens"`
	CompletionTokens *int64 `json:"completion_tokens,omitempty"`
	TotalTokens      int64  `json:"total_tokens"`
}

type embeddingList struct {
	Object string          `json:"object"`
	Data   []embeddingItem `json:"data"`
	Model  string          `json:"model"`
	Usage  usage           `json:"usage"`
}

type embeddingItem struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"`
}

// batchLine is the answer to one request. Its rows are completions, chunks, or those of a list of inputs, in order. A
// completion that failed leaves the others, and the first failure is the line's error; of a list nothing is left.
func batchLine(rows []export.Row) (batchOutput, error) {
	first := &rows[0]
	part, isPart := input.PartOf(first.RecordID, first.Attributes)
	name, customID := first.Shard+"\x00"+first.RecordID, input.CustomID(first.RecordID, first.Attributes)
	if isPart {
		name, customID = part.Request+"\x00"+first.Shard, part.CustomID
	}
	sum := sha256.Sum256([]byte(first.Job + "\x00" + name + "\x00" + first.Error))
	id := hex.EncodeToString(sum[:12])
	line := batchOutput{ID: "batch_req_" + id, CustomID: customID, Response: &batchResponse{StatusCode: http.StatusOK,
		RequestID: "req_" + id}}
	var good []*export.Row
	for i := range rows {
		if r := &rows[i]; r.Error == "" {
			good = append(good, r)
		} else if line.Error == nil {
			e := jobs.ParseRecordError(r.Error)
			line.Error = &batchError{Code: e.Class, Message: e.Message}
			if isPart {
				line.Error.Message = fmt.Sprintf("input[%d]: %s", placeOf(r).index, e.Message)
			}
		}
	}
	switch missing := missingPlace(rows, part.Inputs); {
	case missing == nil:
	case isPart && line.Error == nil:
		line.Error = &batchError{Code: codeIncomplete, Message: fmt.Sprintf("input[%d] of %d is not in the table",
			missing.index, part.Inputs)}
	case !isPart:
		return line, fmt.Errorf("%w: record %q of job %s has no row %d", ErrScattered, first.RecordID, first.Job,
			missing.chunk)
	}
	switch {
	case len(good) == 0, isPart && line.Error != nil:
		line.Response.StatusCode, line.Response.Body = refusal(line.Error)
	case first.Task == naming.TaskGenerate:
		line.Response.Body = completionOf(id, good)
	default:
		line.Response.Body = embeddingsOf(good, isPart)
	}
	return line, nil
}

// codeIncomplete is the code of a request whose other inputs are rows: one became a dead letter, or is yet to come.
const codeIncomplete = "incomplete"

// missingPlace is the first place before the last that has no row, nil if there is none.
func missingPlace(rows []export.Row, inputs int) *place {
	want := place{}
	for i := range rows {
		p := placeOf(&rows[i])
		if p.index != want.index && want.chunk > 0 {
			want = place{want.index + 1, 0}
		}
		if p != want {
			return &want
		}
		want.chunk++
	}
	if want.index+1 < inputs {
		return &place{want.index + 1, 0}
	}
	return nil
}

// refusal is the status and the body of an error: the request is at fault, or else the model.
func refusal(e *batchError) (int, errorBody) {
	var b errorBody
	b.Error.Message, b.Error.Code, b.Error.Type = e.Message, e.Code, "invalid_request_error"
	switch e.Code {
	case jobs.NaN, jobs.OutOfMemory, jobs.Timeout, jobs.ModelFailed, codeIncomplete:
		b.Error.Type = "server_error"
		return http.StatusInternalServerError, b
	}
	return http.StatusBadRequest, b
}

func completionOf(id string, rows []*export.Row) chatCompletion {
	first := rows[0]
	c := chatCompletion{ID: "chatcmpl-" + id, Object: "chat.completion", Created: first.CreatedAt.Unix(),
		Model: first.Model}
	if len(first.ModelSHA256) >= 12 {
		c.SystemFingerprint = "fp_" + first.ModelSHA256[:12]
	}
	var made int64
	for _, r := range rows {
		choice := chatChoice{Index: int(r.Chunk.V), Message: chatMessage{Role: "assistant", Content: r.Output.V},
			FinishReason: r.FinishReason}
		if r.FinishReason == "eos" { // which OpenAI does not tell from a stop string
			choice.FinishReason = "stop"
		}
		if len(r.Logprobs) > 0 && len(r.Logprobs) == len(r.OutputIDs) {
			choice.Logprobs = logprobsOf(r)
		}
		c.Choices = append(c.Choices, choice)
		made += int64(r.NOutputTokens.V)
	}
	prompt := int64(first.NTokens.V)
	c.Usage = usage{PromptTokens: prompt, CompletionTokens: &made, TotalTokens: prompt + made}
	return c
}

func logprobsOf(r *export.Row) *chatLogprobs {
	top := topOf(r)
	out := &chatLogprobs{Content: make([]tokenLogprob, len(r.OutputIDs))}
	for i, id := range r.OutputIDs {
		chosen := tokenLogprob{Token: "token_id:" + strconv.Itoa(int(id)), Logprob: finite(r.Logprobs[i]),
			TopLogprobs: []topLogprob{}}
		if top != nil {
			for _, c := range top[i] {
				if c.ID == id {
					chosen.Token = c.Token
				}
				chosen.TopLogprobs = append(chosen.TopLogprobs, topLogprob{Token: c.Token, Logprob: finite(c.Logprob)})
			}
		}
		out.Content[i] = chosen
	}
	return out
}

// finite is what JSON has a number for; OpenAI writes this one for what is impossible.
func finite(p float32) float32 {
	if math.IsInf(float64(p), 0) || p != p {
		return -9999
	}
	return p
}

// topOf are the likeliest tokens of each step, or nil where the row does not tell them: an attribute of this name may
// also be the record's own.
func topOf(r *export.Row) [][]rows.Candidate {
	raw := r.Attributes[rows.TopLogprobs]
	if raw == "" {
		return nil
	}
	var steps [][]rows.Candidate
	if err := json.Unmarshal([]byte(raw), &steps); err != nil || len(steps) != len(r.OutputIDs) {
		return nil
	}
	return steps
}

// embeddingsOf lists vectors under the index of their input, or of one input's chunks under the chunk's.
func embeddingsOf(rows []*export.Row, parts bool) embeddingList {
	list := embeddingList{Object: "list", Model: rows[0].Model}
	for _, r := range rows {
		e := embeddingItem{Object: "embedding", Index: int(r.Chunk.V), Embedding: r.Embedding}
		if parts {
			e.Index = placeOf(r).index
		}
		switch {
		case r.Embedding8 != nil:
			e.Embedding = r.Embedding8
		case r.Embedding16 != nil:
			e.Embedding = r.Embedding16
		}
		list.Data = append(list.Data, e)
		list.Usage.PromptTokens += int64(r.NTokens.V)
	}
	list.Usage.TotalTokens = list.Usage.PromptTokens
	return list
}
