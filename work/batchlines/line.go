package batchlines

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"

	"textmill/export"
	"textmill/ground/naming"
	"textmill/input"
	"textmill/jobs"
	"textmill/work/answers"
)

// Line answers one request of a batch.
type Line struct {
	ID       string    `json:"id"`
	CustomID string    `json:"custom_id"`
	Response *Response `json:"response"`
	Error    *Failure  `json:"error"`
}

// Response is what the request would have been answered with.
type Response struct {
	StatusCode int    `json:"status_code"`
	RequestID  string `json:"request_id"`
	Body       any    `json:"body"`
}

// Failure is why a request, or a part of it, has no answer.
type Failure struct {
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

const requestPrefix = "batch_req_"

// idOf tells what a job answers from all else.
func idOf(job, what string) string {
	sum := sha256.Sum256([]byte(job + "\x00" + what))
	return hex.EncodeToString(sum[:12])
}

// Unanswered says why a request of a job has no answer.
func Unanswered(job, customID string, why *Failure) Line {
	return Line{ID: requestPrefix + idOf(job, customID), CustomID: customID, Error: why}
}

// lineOf is the answer to one request. Its rows are completions, chunks, or those of a list of inputs, in order. A
// completion that failed leaves the others, and the first failure is the line's error; of a list nothing is left.
func lineOf(rows []export.Row) (Line, error) {
	first := &rows[0]
	part, isPart := input.PartOf(first.RecordID, first.Attributes)
	name, customID := first.Shard+"\x00"+first.RecordID, input.CustomID(first.RecordID, first.Attributes)
	if isPart {
		name, customID = part.Request+"\x00"+first.Shard, part.CustomID
	}
	id := idOf(first.Job, name+"\x00"+first.Error)
	line := Line{ID: requestPrefix + id, CustomID: customID, Response: &Response{StatusCode: http.StatusOK,
		RequestID: "req_" + id}}
	var good []*export.Row
	var places []int
	list := "input"
	if first.Task == naming.TaskGenerate {
		list = "prompt"
	}
	for i := range rows {
		if r := &rows[i]; r.Error == "" {
			good, places = append(good, r), append(places, i)
		} else if line.Error == nil {
			e := jobs.ParseRecordError(r.Error)
			line.Error = &Failure{Code: e.Class, Message: e.Message}
			if isPart {
				line.Error.Message = fmt.Sprintf("%s[%d]: %s", list, placeOf(r).index, e.Message)
			}
		}
	}
	switch missing := missingPlace(rows, part.Inputs); {
	case missing == nil:
	case isPart && line.Error == nil:
		line.Error = &Failure{Code: CodeIncomplete, Message: fmt.Sprintf("%s[%d] of %d is not in the table",
			list, missing.index, part.Inputs)}
	case !isPart:
		return line, fmt.Errorf("%w: record %q of job %s has no row %d", ErrScattered, first.RecordID, first.Job,
			missing.chunk)
	}
	switch {
	case len(good) == 0, isPart && line.Error != nil:
		line.Response.StatusCode, line.Response.Body = refusal(line.Error)
	case first.Attributes[input.EndpointAttribute] != "":
		line.Response.Body = answers.TextsOf("cmpl-"+id, good, places)
	case first.Task == naming.TaskGenerate:
		line.Response.Body = answers.ChatOf("chatcmpl-"+id, good)
	default:
		line.Response.Body = embeddingsOf(good, isPart)
	}
	return line, nil
}

// CodeIncomplete is the code of a request whose other inputs are rows: one became a dead letter, or is yet to come.
const CodeIncomplete = "incomplete"

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
func refusal(e *Failure) (int, errorBody) {
	var b errorBody
	b.Error.Message, b.Error.Code, b.Error.Type = e.Message, e.Code, "invalid_request_error"
	status, server := answers.Status(e.Code)
	if e.Code == CodeIncomplete {
		status, server = http.StatusInternalServerError, true
	}
	if server {
		b.Error.Type = "server_error"
	}
	return status, b
}

// embeddingsOf lists vectors under the index of their input, or of one input's chunks under the chunk's.
func embeddingsOf(rows []*export.Row, parts bool) answers.Embeddings {
	list := answers.Embeddings{Object: "list", Model: rows[0].Model}
	for _, r := range rows {
		e := answers.Embedding{Object: "embedding", Index: int(r.Chunk.V), Vector: answers.VectorOf(r)}
		if parts {
			e.Index = placeOf(r).index
		}
		if r.Attributes[input.FormatAttribute] == "base64" && r.Embedding != nil {
			e.Vector = answers.Base64(r.Embedding)
		}
		list.Data = append(list.Data, e)
		list.Usage.PromptTokens += int64(r.NTokens.V)
	}
	list.Usage.TotalTokens = list.Usage.PromptTokens
	return list
}
