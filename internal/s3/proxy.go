package s3

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"
)

// Action is what becomes of a request.
type Action int

const (
	Pass         Action = iota
	Refuse              // 503 SlowDown; the server never sees it
	LoseRequest         // the connection is cut; the server never sees it
	LoseResponse        // the server carries it out, then the connection is cut
	FailAfter           // the server carries it out, the answer is 500
	Hold                // the connection is cut; the server gets it at Release, late
	Slow                // the server gets it after slowness
	Stall               // the server gets it once Resume is called, and the client waits
)

const slowness = 300 * time.Millisecond

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	action, under := Pass, s.under(r)
	if decide := s.decide[under]; decide != nil {
		action = decide(r)
	}
	s.counted[action]++
	if action == Stall && s.stalled[under] == nil {
		s.stalled[under] = make(chan struct{})
	}
	resumed := s.stalled[under]
	s.mu.Unlock()
	switch action {
	case Pass:
		s.back.ServeHTTP(w, r)
	case Slow:
		select {
		case <-time.After(slowness):
			s.back.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	case Stall:
		select {
		case <-resumed:
			s.back.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	case Refuse:
		answer(w, http.StatusServiceUnavailable, "SlowDown")
	case LoseRequest:
		panic(http.ErrAbortHandler)
	case LoseResponse:
		s.back.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case FailAfter:
		s.back.ServeHTTP(httptest.NewRecorder(), r)
		answer(w, http.StatusInternalServerError, "InternalError")
	case Hold:
		body, err := io.ReadAll(r.Body)
		if err == nil {
			late := r.Clone(context.Background())
			late.Body = io.NopCloser(bytes.NewReader(body))
			s.mu.Lock()
			s.held[under] = append(s.held[under], late)
			s.mu.Unlock()
		}
		panic(http.ErrAbortHandler)
	}
}

func answer(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>made by the test</Message></Error>", code)
}

// under is the prefix that a request is for, of those that Break was told; "" where it told none.
func (s *Server) under(r *http.Request) string {
	key := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/"+Name), "/")
	if key == "" {
		key = r.URL.Query().Get("prefix") // of a listing
	}
	first, _, _ := strings.Cut(key, "/")
	if _, told := s.decide[first]; told {
		return first
	}
	return ""
}

// Break lets decide say what becomes of each request for objects below a prefix from now on; nil lets all pass. The
// prefix is one name, or "" for what no other is told of. decide is called by one request at a time.
func (s *Server) Break(prefix string, decide func(*http.Request) Action) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.decide[prefix] = decide
}

// Counted is how many requests met an action.
func (s *Server) Counted(a Action) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counted[a]
}

// Release hands the server what was held of a prefix, and returns its answers' status codes.
func (s *Server) Release(prefix string) []int {
	s.mu.Lock()
	held := s.held[prefix]
	delete(s.held, prefix)
	s.mu.Unlock()
	var codes []int
	for _, r := range held {
		w := httptest.NewRecorder()
		s.back.ServeHTTP(w, r)
		codes = append(codes, w.Code)
	}
	return codes
}

// Resume lets the requests of a prefix go on that are stalled.
func (s *Server) Resume(prefix string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if resumed := s.stalled[prefix]; resumed != nil {
		close(resumed)
		delete(s.stalled, prefix)
	}
}

// PutsEntry reports whether a request puts an entry into the log of a Delta table.
func PutsEntry(r *http.Request) bool {
	return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/_delta_log/") &&
		strings.HasSuffix(r.URL.Path, ".json")
}
