package jobs

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Names of the headers that say of a dead letter what became of its message.
const (
	HeaderClass       = "Textmill-Class"
	HeaderReason      = "Textmill-Reason"
	HeaderAttempts    = "Textmill-Attempts"
	HeaderSubject     = "Textmill-Subject"
	HeaderModelSHA256 = "Textmill-Model-Sha256"
	HeaderTail        = "Textmill-Tail"  // how many bytes of the payload lie under <subject>.tail
	HeaderTails       = "Textmill-Tails" // how many messages hold them, <subject>.tail.1 being the second; 1 without it
)

// Names of the headers that a dead letter's retries carry too, so that a retry is recognised as the message that it
// was.
const (
	HeaderSequence      = "Textmill-Sequence"
	HeaderTimestamp     = "Textmill-Timestamp"
	HeaderStreamCreated = "Textmill-Stream-Created"
	HeaderOriginalMsgID = "Textmill-Original-Msg-Id"
	HeaderRetry         = "Textmill-Retry"
)

var (
	ofLetters = []string{HeaderClass, HeaderReason, HeaderAttempts, HeaderSubject, HeaderModelSHA256, HeaderTail,
		HeaderTails}
	ofRetries = []string{HeaderSequence, HeaderTimestamp, HeaderStreamCreated, HeaderOriginalMsgID, HeaderRetry}
)

// mostRetries bounds what may be believed of a message: nobody retries as often, and the number after it is still one.
const mostRetries = 1 << 30

// Origin is where a message was at first.
type Origin struct {
	StreamCreated time.Time
	Sequence      uint64
	Timestamp     time.Time
}

// Letter is what the headers of a dead letter say of its message.
type Letter struct {
	Class, Reason string
	Attempts      int
	Subject       string // where the message was published
	ModelSHA256   string
	Origin        Origin
	MsgID         string // that the message had at first
	Retry         int    // 0, or which retry it was
	Tail          int    // bytes of the payload that are not in the letter
	Tails         int    // messages that hold them, where there is more than one
}

// Set writes what the letter says; what it does not say stays as it is.
func (l Letter) Set(h Header) {
	retry, tail, tails := "", "", ""
	if l.Tails > 0 {
		tails = strconv.Itoa(l.Tails)
	}
	if l.Retry > 0 {
		retry = strconv.Itoa(l.Retry)
	}
	if l.Tail > 0 {
		tail = strconv.Itoa(l.Tail)
	}
	for name, value := range map[string]string{
		HeaderClass: l.Class, HeaderReason: l.Reason, HeaderAttempts: strconv.Itoa(l.Attempts), HeaderSubject: l.Subject,
		HeaderModelSHA256: l.ModelSHA256, HeaderTail: tail, HeaderTails: tails, HeaderOriginalMsgID: l.MsgID,
		HeaderRetry:         retry,
		HeaderSequence:      strconv.FormatUint(l.Origin.Sequence, 10),
		HeaderTimestamp:     l.Origin.Timestamp.UTC().Format(time.RFC3339Nano),
		HeaderStreamCreated: l.Origin.StreamCreated.UTC().Format(time.RFC3339Nano),
	} {
		if value != "" {
			h[name] = []string{value}
		}
	}
}

// Letter reads what Set wrote. What cannot be read is zero.
func (h Header) Letter() Letter {
	l := Letter{
		Class: h.Get(HeaderClass), Reason: h.Get(HeaderReason), Subject: h.Get(HeaderSubject),
		ModelSHA256: h.Get(HeaderModelSHA256), MsgID: h.Get(HeaderOriginalMsgID), Origin: h.origin(),
	}
	l.Attempts, _ = strconv.Atoi(h.Get(HeaderAttempts))
	l.Tail, _ = strconv.Atoi(h.Get(HeaderTail))
	l.Tails, _ = strconv.Atoi(h.Get(HeaderTails))
	l.Retry, _ = h.Retry()
	return l
}

// Retry reads which retry of a dead letter a message is, 0 for none, and the
// place of the first delivery.
func (h Header) Retry() (n int, o Origin) {
	n, err := strconv.Atoi(h.Get(HeaderRetry))
	if err != nil || n < 1 || n > mostRetries {
		return 0, Origin{}
	}
	return n, h.origin()
}

func (h Header) origin() (o Origin) {
	o.Sequence, _ = strconv.ParseUint(h.Get(HeaderSequence), 10, 64)
	o.Timestamp, _ = time.Parse(time.RFC3339Nano, h.Get(HeaderTimestamp))
	o.StreamCreated, _ = time.Parse(time.RFC3339Nano, h.Get(HeaderStreamCreated))
	return o
}

// OfLetter tells whether only who writes a dead letter sets a header, whatever the message came with.
func OfLetter(name string) bool { return among(name, ofLetters) || among(name, ofRetries) }

func among(name string, names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// Own are the headers that the message itself carries, without those of letters, retries and the NATS server.
func (h Header) Own() Header { return h.without(OfLetter) }

// ForRetry are the headers that a letter's retry carries.
func (h Header) ForRetry() Header {
	return h.without(func(name string) bool { return among(name, ofLetters) })
}

func (h Header) without(drop func(name string) bool) Header {
	kept := make(Header, len(h)+len(ofLetters)+len(ofRetries))
	for name, values := range h {
		if !drop(name) && !strings.HasPrefix(strings.ToLower(name), "nats-") {
			kept[name] = values
		}
	}
	return kept
}
