package jobs

import (
	"mime"
	"strconv"
	"strings"
	"time"
)

// Names of the headers that textmill reads or writes.
const (
	HeaderContentType = "Content-Type"
	HeaderMsgID       = "Nats-Msg-Id"
	HeaderJob         = "Textmill-Job"
	HeaderDataset     = "Textmill-Dataset"

	HeaderClass       = "Textmill-Class"
	HeaderReason      = "Textmill-Reason"
	HeaderAttempts    = "Textmill-Attempts"
	HeaderSubject     = "Textmill-Subject"
	HeaderSequence    = "Textmill-Sequence"
	HeaderModelSHA256 = "Textmill-Model-Sha256"

	// Written on dead letters and carried by their retries, so that a retry is
	// recognised as the message that it was.
	HeaderRetry         = "Textmill-Retry"
	HeaderTimestamp     = "Textmill-Timestamp"
	HeaderStreamCreated = "Textmill-Stream-Created"
	HeaderOriginalMsgID = "Textmill-Original-Msg-Id"
)

// mostRetries bounds what may be believed of a message: nobody retries as often, and the number after it is still one.
const mostRetries = 1 << 30

// Header holds a message's headers; names are compared without regard to case.
type Header map[string][]string

// Get is the first value of a header, "" without one.
func (h Header) Get(name string) string {
	if v, ok := h[name]; ok && len(v) > 0 {
		return v[0]
	}
	for k, v := range h {
		if strings.EqualFold(k, name) && len(v) > 0 {
			return v[0]
		}
	}
	return ""
}

// Origin is where a retried message was at first.
type Origin struct {
	StreamCreated time.Time
	Sequence      uint64
	Timestamp     time.Time
}

// Retry reads which retry of a dead letter a message is, 0 for none, and the
// place of the first delivery.
func (h Header) Retry() (n int, o Origin) {
	n, err := strconv.Atoi(h.Get(HeaderRetry))
	if err != nil || n < 1 || n > mostRetries {
		return 0, Origin{}
	}
	o.Sequence, _ = strconv.ParseUint(h.Get(HeaderSequence), 10, 64)
	o.Timestamp, _ = time.Parse(time.RFC3339Nano, h.Get(HeaderTimestamp))
	o.StreamCreated, _ = time.Parse(time.RFC3339Nano, h.Get(HeaderStreamCreated))
	return n, o
}

// plainText reports whether the headers say text/plain, and the charset if they name one.
func (h Header) plainText() (charset string, ok bool) {
	value := h.Get(HeaderContentType)
	kind, params, err := mime.ParseMediaType(value)
	if err != nil { // parameters that cannot be read do not change the type
		kind, _, _ = strings.Cut(value, ";")
		kind = strings.ToLower(strings.TrimSpace(kind))
	}
	return strings.ToLower(params["charset"]), kind == "text/plain"
}

func formatInt(n int64) string { return strconv.FormatInt(n, 10) }
