package api

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"textmill/daemon/batches"
	"textmill/ground/naming"
	"textmill/input"
	"textmill/open/telemetry"
)

// batchObject is a batch in OpenAI's form, and where its rows are.
type batchObject struct {
	ID               string            `json:"id"`
	Object           string            `json:"object"`
	Endpoint         string            `json:"endpoint"`
	Model            *string           `json:"model"`
	Errors           *problemList      `json:"errors"`
	InputFileID      string            `json:"input_file_id"`
	CompletionWindow string            `json:"completion_window"`
	Status           batches.Status    `json:"status"`
	OutputFileID     *string           `json:"output_file_id"`
	ErrorFileID      *string           `json:"error_file_id"`
	CreatedAt        int64             `json:"created_at"`
	InProgressAt     *int64            `json:"in_progress_at"`
	ExpiresAt        *int64            `json:"expires_at"`
	FinalizingAt     *int64            `json:"finalizing_at"`
	CompletedAt      *int64            `json:"completed_at"`
	FailedAt         *int64            `json:"failed_at"`
	ExpiredAt        *int64            `json:"expired_at"`
	CancellingAt     *int64            `json:"cancelling_at"`
	CancelledAt      *int64            `json:"cancelled_at"`
	RequestCounts    batches.Counts    `json:"request_counts"`
	Metadata         map[string]string `json:"metadata"`
	Dataset          *string           `json:"dataset"` // the table, of which the job called as the batch is
}

type problemList struct {
	Object string    `json:"object"`
	Data   []problem `json:"data"`
}

type problem struct {
	Code    string  `json:"code"`
	Line    *int64  `json:"line"`
	Message string  `json:"message"`
	Param   *string `json:"param"`
}

func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func batchOf(b *batches.Batch) batchObject {
	since := func(s batches.Status) *int64 { return atOrNull(b.Since[s]) }
	o := batchObject{ID: b.ID, Object: "batch", Endpoint: b.Endpoint, Model: textOrNull(b.Model), InputFileID: b.InputFile,
		CompletionWindow: b.Window, Status: b.Status, CreatedAt: b.Created / int64(time.Second), ExpiresAt: &b.Expires,
		InProgressAt: since(batches.InProgress), FinalizingAt: since(batches.Finalizing),
		CompletedAt: since(batches.Completed), FailedAt: since(batches.Failed), ExpiredAt: since(batches.Expired),
		CancellingAt: since(batches.Cancelling), CancelledAt: since(batches.Cancelled), RequestCounts: b.Counts,
		Metadata: b.Metadata, Dataset: textOrNull(b.Dataset)}
	if b.Status.Over() { // before, nobody can read them
		for _, f := range []struct {
			file *batches.File
			id   **string
		}{{b.Output, &o.OutputFileID}, {b.Errors, &o.ErrorFileID}} {
			if f.file != nil {
				*f.id = &f.file.ID
			}
		}
	}
	if len(b.Problems) > 0 {
		o.Errors = &problemList{Object: "list"}
		for _, p := range b.Problems {
			o.Errors.Data = append(o.Errors.Data, problem{p.Code, atOrNull(p.Line), p.Message, textOrNull(p.Param)})
		}
	}
	return o
}

// batchRequest is what a client says of a batch that is to be.
type batchRequest struct {
	InputFileID        string             `json:"input_file_id"`
	Endpoint           string             `json:"endpoint"`
	CompletionWindow   string             `json:"completion_window"`
	Metadata           map[string]*string `json:"metadata"`
	OutputExpiresAfter *struct {
		Anchor  string `json:"anchor"`
		Seconds int64  `json:"seconds"`
	} `json:"output_expires_after"`
}

// BatchEndpoints are those that requests of a batch may be for.
var BatchEndpoints = []string{input.EmbeddingsPath, input.ChatPath, input.CompletionsPath}

const (
	mostWindow              = 30 * 24 * time.Hour
	mostPairs               = 16
	longestKey, longestText = 64, 512
)

var windowForm = regexp.MustCompile(`^([1-9][0-9]{0,8})([smhd])$`)

// windowOf reads how long a batch has: 24h, or another time.
func windowOf(s string) (time.Duration, bool) {
	m := windowForm.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	n, _ := strconv.ParseInt(m[1], 10, 64) // the form is that of a small number
	unit := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[m[2]]
	if n > int64(mostWindow/unit) {
		return 0, false
	}
	return time.Duration(n) * unit, true
}

func (s *Server) createBatch(w http.ResponseWriter, r *http.Request) {
	body, done, f := s.read(w, r)
	if f != nil {
		f.write(w)
		return
	}
	defer done()
	q, window, f := readBatchRequest(body)
	if f != nil {
		f.write(w)
		return
	}
	file, err := s.o.Batches.File(r.Context(), q.InputFileID)
	switch {
	case errors.Is(err, batches.ErrNotFound), err == nil && file.Purpose != batches.PurposeBatch:
		fail(http.StatusBadRequest, "input_file_id "+quoted(q.InputFileID)+": there is no file of this id with the purpose batch").
			of("input_file_id").named("invalid_input_file").write(w)
		return
	case err != nil:
		trouble(w, err)
		return
	}
	b := batches.Batch{Endpoint: q.Endpoint, InputFile: file.ID, Input: file.Content, Window: q.CompletionWindow,
		Trace: telemetry.TraceOf(r.Header.Get)}
	if q.Metadata != nil {
		b.Metadata = map[string]string{}
	}
	for key, value := range q.Metadata {
		b.Metadata[key] = *value
	}
	if q.OutputExpiresAfter != nil {
		b.OutputExpires = q.OutputExpiresAfter.Seconds
	}
	if b, err = s.o.Batches.Create(r.Context(), b, window); err != nil {
		trouble(w, err)
		return
	}
	answer(w, http.StatusOK, batchOf(&b))
}

// readBatchRequest reads what a client says of a batch.
func readBatchRequest(body []byte) (q batchRequest, window time.Duration, f *failure) {
	if err := json.Unmarshal(body, &q, json.RejectUnknownMembers(true)); err != nil {
		return q, 0, fail(http.StatusBadRequest, "the request is no batch: "+strings.TrimPrefix(err.Error(), "json: "))
	}
	window, ok := windowOf(q.CompletionWindow)
	switch {
	case q.InputFileID == "":
		f = fail(http.StatusBadRequest, "input_file_id is missing").of("input_file_id")
	case !slices.Contains(BatchEndpoints, q.Endpoint):
		f = fail(http.StatusBadRequest, "endpoint "+quoted(q.Endpoint)+": it must be one of "+strings.Join(BatchEndpoints, ", ")).
			of("endpoint")
	case !ok:
		f = fail(http.StatusBadRequest, "completion_window "+quoted(q.CompletionWindow)+
			": it must be 24h, or another number of s, m, h or d up to 30d").of("completion_window")
	case q.OutputExpiresAfter != nil:
		if f = expiryWrong(q.OutputExpiresAfter.Anchor, strconv.FormatInt(q.OutputExpiresAfter.Seconds, 10)); f != nil {
			f.of("output_" + *f.Param)
		}
	}
	if f == nil {
		f = metadataWrong(q.Metadata)
	}
	return q, window, f
}

func metadataWrong(metadata map[string]*string) *failure {
	if len(metadata) > mostPairs {
		return fail(http.StatusBadRequest, "metadata has more than 16 pairs").of("metadata")
	}
	for key, value := range metadata {
		if value == nil || utf8.RuneCountInString(key) > longestKey || utf8.RuneCountInString(*value) > longestText {
			return fail(http.StatusBadRequest, "metadata."+quoted(key)+": keys have at most 64 characters, values are strings of at most 512").of("metadata")
		}
	}
	if name, given := metadata[batches.DatasetKey]; given {
		if err := naming.CheckDataset(*name); err != nil {
			return fail(http.StatusBadRequest, "metadata.dataset is the table that the rows go into, and "+err.Error()).
				of("metadata.dataset")
		}
	}
	return nil
}

func (s *Server) batches(w http.ResponseWriter, r *http.Request) {
	q, f := readPage(r.URL.Query(), 20, 100)
	if f != nil {
		f.write(w)
		return
	}
	all, err := s.o.Batches.List(r.Context())
	if err != nil {
		trouble(w, err)
		return
	}
	objects := make([]batchObject, len(all))
	for i := range all {
		objects[i] = batchOf(&all[i])
	}
	writePage(w, q, objects, func(o batchObject) string { return o.ID })
}

func (s *Server) batch(w http.ResponseWriter, r *http.Request) {
	b, err := s.o.Batches.Batch(r.Context(), r.PathValue("batch"))
	if err != nil {
		trouble(w, err)
		return
	}
	answer(w, http.StatusOK, batchOf(&b))
}

func (s *Server) cancelBatch(w http.ResponseWriter, r *http.Request) {
	b, err := s.o.Batches.Cancel(r.Context(), r.PathValue("batch"))
	if errors.Is(err, batches.ErrOver) {
		fail(http.StatusConflict, "the batch is "+string(b.Status)+" and cannot be cancelled").named("invalid_status").write(w)
		return
	}
	if err != nil {
		trouble(w, err)
		return
	}
	answer(w, http.StatusOK, batchOf(&b))
}
