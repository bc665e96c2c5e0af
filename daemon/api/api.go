// Package api answers the clients of OpenAI's API: with the very models that the queue's records run through.
package api

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"golang.org/x/sync/semaphore"

	"textmill/daemon/batches"
	"textmill/input"
	"textmill/jobs"
	"textmill/work/answers"
	"textmill/work/rows"
)

// Options are what is answered, and to how many at a time.
type Options struct {
	Models []Model
	// RequestBytes bounds a request; four of that size are answered at a time, or more smaller ones.
	RequestBytes int64
	// RequestsPerMinute is how often an address may ask for vectors and texts; 0 for any.
	RequestsPerMinute int
	// Batches keeps files, each of at most FileBytes, and batches of requests.
	Batches   *batches.Batches
	FileBytes int64
}

// Model is one that may be asked for.
type Model struct {
	Name, Task, SHA256 string
	// Asks is the work of a request, which does not wait behind the queue's; nil where the model's task has no path here.
	Asks func(*jobs.Shard, rows.Origin) rows.Work
}

// A Route is a path that is answered.
type Route struct {
	Method, Path string
	About        string
	Answer       http.HandlerFunc
	Says
}

// Server answers. Its methods are safe for concurrent use.
type Server struct {
	o     Options
	since time.Time
	room  *semaphore.Weighted // bytes of requests that are being answered
	gate  *gate
	rates *rates

	uploads chan struct{} // has a value for each file that is taken in
}

// requestsAtOnce is how many requests of the greatest size are answered at a time.
const requestsAtOnce = 4

// least is what a request takes of that, however short it is: its answer is longer.
const least = 16 << 10

// New makes a server.
func New(o Options) *Server {
	return &Server{o: o, since: time.Now(), room: semaphore.NewWeighted(requestsAtOnce * o.RequestBytes),
		gate: newGate(), rates: newRates(o.RequestsPerMinute), uploads: make(chan struct{}, uploadsAtOnce)}
}

// Drain refuses what comes from now on. The channel is closed when all that came before was answered.
func (s *Server) Drain() <-chan struct{} { return s.gate.close() }

// Routes are all there are.
func (s *Server) Routes() []Route {
	routes := []Route{
		{http.MethodGet, "/v1/models", "the models that are served, with `model_sha256`, in OpenAI's form", s.models,
			Says{Gives: reflect.TypeFor[modelList]()}},
		{http.MethodGet, "/v1/models/{model}", "one of them. 404: there is none of that name", s.model,
			Says{Gives: reflect.TypeFor[modelObject](), In: schema{"model": s.named("")}}},
		{http.MethodPost, input.EmbeddingsPath, "vectors of the texts of a request, in OpenAI's form: see below", s.embeddings,
			Says{Takes: s.embeddingsBody(), Gives: reflect.TypeFor[answers.Embeddings]()}},
		{http.MethodPost, input.ChatPath, "what a model answers to a conversation, in OpenAI's form, also while it is made: see below",
			s.completions, Says{Takes: s.chatBody(), Gives: reflect.TypeFor[answers.Chat](), Streams: true}},
		{http.MethodPost, input.CompletionsPath, "texts continued, likewise", s.completions,
			Says{Takes: s.promptBody(), Gives: reflect.TypeFor[answers.Completion](), Streams: true}},
	}
	routes = append(routes, s.batchRoutes()...)
	return append(routes, Route{http.MethodGet, "/v1/openapi.json", "the OpenAPI document of these paths", s.openapi,
		Says{Gives: reflect.TypeFor[map[string]any]()}})
}

// The types of OpenAI's errors.
const (
	badRequest  = "invalid_request_error"
	tooMany     = "rate_limit_error"
	serverError = "server_error"
)

// failure is an error in OpenAI's form.
type failure struct {
	Status  int     `json:"-"`
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`

	retry int // seconds after which the request may come again; 0 for soon
}

func (f *failure) of(param string) *failure { f.Param = &param; return f }

func (f *failure) named(code string) *failure { f.Code = &code; return f }

// fail is an error of the type that goes with its status.
func fail(status int, message string) *failure {
	kind := badRequest
	switch {
	case status == http.StatusTooManyRequests:
		kind = tooMany
	case status >= http.StatusInternalServerError:
		kind = serverError
	}
	return &failure{Status: status, Message: message, Type: kind}
}

// Refuse answers a request with an error in OpenAI's form.
func Refuse(w http.ResponseWriter, status int, message string) { fail(status, message).write(w) }

func (f *failure) write(w http.ResponseWriter) {
	if f.Status == http.StatusInsufficientStorage {
		w.Header().Set("X-Should-Retry", "false") // OpenAI's clients would send the file again at once
	}
	if f.Status == http.StatusTooManyRequests || f.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(max(f.retry, 1)))
	}
	answer(w, f.Status, map[string]*failure{"error": f})
}

func answer(w http.ResponseWriter, status int, body any) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(sending))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// sending is the time that a client has for its request, and for reading an answer or an event of it.
const sending = time.Minute

// read takes the body of a request, once there is room for it. The caller calls done when the request was answered.
func (s *Server) read(w http.ResponseWriter, r *http.Request) (body []byte, done func(), f *failure) {
	if f := s.rates.take(r, time.Now()); f != nil {
		w.Header().Set("Connection", "close")
		return nil, nil, f
	}
	size := r.ContentLength
	if size < 0 {
		size = s.o.RequestBytes
	}
	if size > s.o.RequestBytes {
		w.Header().Set("Connection", "close")
		return nil, nil, tooLong(s.o.RequestBytes)
	}
	size = min(max(size, least), s.o.RequestBytes)
	if done, f = s.enter(size); f != nil {
		w.Header().Set("Connection", "close")
		return nil, nil, f
	}
	conn := http.NewResponseController(w)
	_ = conn.SetReadDeadline(time.Now().Add(sending))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.o.RequestBytes))
	if err == nil {
		_ = conn.SetReadDeadline(time.Time{}) // which would end the request, however long its answer takes
		return body, done, nil
	}
	done()
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return nil, nil, tooLong(s.o.RequestBytes)
	}
	return nil, nil, fail(http.StatusBadRequest, "the request did not come whole")
}

// enter lets in a request of so many bytes. The caller calls done when it was answered.
func (s *Server) enter(size int64) (done func(), f *failure) {
	if !s.gate.enter() {
		return nil, goingDown()
	}
	if !s.room.TryAcquire(size) {
		s.gate.leave()
		return nil, busy("too many requests are being answered")
	}
	return func() {
		s.room.Release(size)
		s.gate.leave()
	}, nil
}

func tooLong(most int64) *failure {
	return fail(http.StatusRequestEntityTooLarge, "the request is longer than "+strconv.FormatInt(most, 10)+
		" bytes; send fewer texts at a time, or raise http.request_bytes")
}
