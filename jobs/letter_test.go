package jobs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLettersSayWhatTheyWereTold(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	for _, l := range []Letter{
		{Origin: Origin{StreamCreated: at, Sequence: 1, Timestamp: at}},
		{Class: "crash", Reason: "it killed 2 processes", Attempts: 7, Subject: "textmill.jobs.embed.m.j", ModelSHA256: "abc",
			Origin: Origin{StreamCreated: at, Sequence: 1 << 60, Timestamp: at.Add(time.Hour)}, MsgID: "m", Retry: 2, Tail: 99},
	} {
		h := Header{"x-mine": {"kept"}, "Nats-Msg-Id": {"m"}}
		l.Set(h)
		if got := h.Letter(); fmt.Sprint(got) != fmt.Sprint(l) {
			t.Errorf("read %+v, written %+v", got, l)
		}
		if n, o := h.Retry(); n != l.Retry || n > 0 && o != l.Origin {
			t.Errorf("retry %d of %+v", n, o)
		}
		names := func(h Header) (all []string) {
			for name := range h {
				all = append(all, name)
			}
			slices.Sort(all)
			return all
		}
		if got := names(h.Own()); !slices.Equal(got, []string{"x-mine"}) {
			t.Errorf("the message's own headers are %q", got)
		}
		again := h.ForRetry()
		if s := again.Letter(); s.Class != "" || s.Attempts != 0 || s.Tail != 0 || s.Origin != l.Origin || s.Retry != l.Retry || s.MsgID != l.MsgID || again.Get("x-mine") != "kept" {
			t.Errorf("a retry carries %q", names(again))
		}
	}
}

func TestForgedLettersAreNotCarried(t *testing.T) {
	h := Header{}
	for _, name := range slices.Concat(ofLetters, ofRetries) {
		h[strings.ToLower(name)] = []string{"forged"}
	}
	if own := h.Own(); len(own) > 0 {
		t.Errorf("carried: %v", own)
	}
	if got := h.Letter(); got.Retry != 0 || got.Attempts != 0 || !got.Origin.Timestamp.IsZero() {
		t.Errorf("read %+v", got)
	}
}
