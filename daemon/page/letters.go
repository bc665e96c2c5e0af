package page

import (
	"context"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// Letters are the dead letters of the queue. One that is not there is a Failure.
type Letters interface {
	// Letters are the newest, the newest first, and how many there are in all. It is the same list for a while.
	Letters(ctx context.Context) (newest []Letter, all uint64, err error)
	Letter(ctx context.Context, id string) (l Letter, payload []byte, err error)
	// Settle retries a letter, or does with it what a conflict of two payloads wants.
	Settle(ctx context.Context, id string, how Settlement) error
}

// Letter is a message that became a dead letter.
type Letter struct {
	ID, Task, Model, Job, Subject, Class, Reason string
	Attempts, Retry, Size                        int
	Sequence                                     uint64
	Time                                         time.Time
	Conflict                                     bool // the table's rows have its name: it cannot simply be retried
}

// Settlement is what becomes of a letter; the zero one retries it.
type Settlement struct {
	Drop     bool   // the table's rows shall live
	AsNewJob string // publish it under another job's name
}

type letterList struct {
	Letters []Letter
	All     uint64
}

// letter is one with as much of its payload as a page shows.
type letter struct {
	Letter
	Payload string
	Hex     bool // it is no text
	More    int  // bytes that are not shown
}

// payloadSeen is how much of a payload is shown.
const payloadSeen = 16 << 10

func (s *Site) letters(r *http.Request) (View, error) {
	newest, all, err := s.o.Letters.Letters(r.Context())
	if err != nil {
		return View{}, err
	}
	return View{Title: "Dead letters", Data: letterList{newest, all}}, nil
}

func (s *Site) letter(r *http.Request) (View, error) {
	l, payload, err := s.o.Letters.Letter(r.Context(), r.PathValue("id"))
	if err != nil {
		return View{}, err
	}
	shown := letter{Letter: l}
	shown.Payload, shown.Hex, shown.More = excerpt(payload)
	return View{Title: "Dead letter", Data: shown}, nil
}

// excerpt is the beginning of a payload as text, or as hex where it is none, and how many bytes follow.
func excerpt(payload []byte) (text string, isHex bool, more int) {
	if !utf8.Valid(payload) {
		n := min(len(payload), payloadSeen/16)
		return strings.TrimRight(hex.Dump(payload[:n]), "\n"), true, len(payload) - n
	}
	n := min(len(payload), payloadSeen)
	for n < len(payload) && n > 0 && !utf8.RuneStart(payload[n]) {
		n--
	}
	return string(payload[:n]), false, len(payload) - n
}

func (s *Site) settleLetter(r *http.Request) (string, error) {
	how := Settlement{Drop: r.PostFormValue("how") == "drop"}
	if r.PostFormValue("how") == "rename" {
		if how.AsNewJob = strings.TrimSpace(r.PostFormValue("job")); how.AsNewJob == "" {
			return "", &Failure{http.StatusBadRequest, "Say which job the letter is to be published under."}
		}
	}
	l, _, err := s.o.Letters.Letter(r.Context(), r.PathValue("id"))
	if err == nil {
		err = s.o.Letters.Settle(r.Context(), l.ID, how)
	}
	switch {
	case err != nil:
		return "", err
	case how.AsNewJob != "":
		return "/jobs/" + url.PathEscape(how.AsNewJob), nil
	case l.Job != "" && !how.Drop:
		return "/jobs/" + url.PathEscape(l.Job), nil
	}
	return "/dead", nil
}
