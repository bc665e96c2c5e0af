package queue

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"textmill/jobs"
)

// FuzzDeadLetter gives a message headers that only textmill should write: its letter says what became of it all the same,
// and what it says can be read.
func FuzzDeadLetter(f *testing.F) {
	f.Add("Textmill-Tail", "9", "Content-Type", "text/plain", "class", "two\nlines")
	f.Add("textmill-retry", "9223372036854775807", "Textmill-Sequence", "-1", "", "\xff")
	f.Add("textmill-model-sha256", "forged", "Nats-Rollup", "all", "c", "r")
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2, class, reason string) {
		h := jobs.Header{name1: {value1}, name2: {value2}}
		d := &Delivery{Task: "embed", Model: "m", Subject: subjectM, Header: h, Delivered: 3, Sequence: 7, Timestamp: time.Unix(1, 0), StreamCreated: time.Unix(0, 0)}
		d.Retry, d.Origin = h.Retry()
		first := d.Origin.Sequence
		if d.Retry == 0 {
			first = d.Sequence
		}
		l := DeadLetter{Delivery: d, Key: "k", Class: class, Reason: reason, ModelSHA256: "sha"}
		e, ok := deadEntry(jobs.DeadSubject("embed", "m", "k"), jobs.Header(l.header()), 5, 1, time.Unix(2, 0))
		if !ok || e.tail != 0 || e.Size != 5 || e.Attempts != 3 || e.Sequence != first || e.Retry != d.Retry || e.Subject != subjectM || e.ModelSHA256 != "sha" ||
			e.Class != oneLine(class, 64) || e.Reason != oneLine(reason, reasonBytes) {
			t.Errorf("%v: letter %+v", h, e)
		}
		if e.Retry < 0 || e.Retry+1 < 1 {
			t.Errorf("retry %d has no successor", e.Retry)
		}
	})
}

// FuzzProgress gives a job's events in their order, backwards, and twice: the counts are the same.
func FuzzProgress(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 2, 0})
	f.Add([]byte{1, 0, 1, 1, 1, 0}) // dead, retried, and dead is said again
	f.Add([]byte{3, 0, 3, 1, 3, 0, 27, 2, 27, 3, 4, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var events []jobs.Event
		for i := 0; i+1 < min(len(data), 2000); i += 2 {
			n := int(data[i] % 40)
			deaths := n % 4 // of this shard, before it is committed
			attempt := int(data[i+1]) % (deaths + 1)
			e := jobs.Event{Type: jobs.EventCommitted, Job: "j", Shard: fmt.Sprint(n), Rows: int64(1 + n), Time: time.Unix(int64(i), 0)}
			if n > 20 {
				e.Shard = "s" + e.Shard
			}
			if attempt > 0 {
				e.Shard += fmt.Sprintf("/r%d", attempt)
			}
			if attempt < deaths {
				e.Type, e.Rows = jobs.EventDead, 0
			}
			events = append(events, e)
		}
		count := func(events []jobs.Event) JobStatus {
			p := newProgress("j")
			for _, e := range events {
				p.apply(e)
			}
			s := p.report(time.Unix(0, 0))
			s.ETASeconds, s.RowsPerSecond = nil, 0
			return s
		}
		want := count(events)
		backwards := slices.Clone(events)
		slices.Reverse(backwards)
		for how, other := range map[string][]jobs.Event{"backwards": backwards, "twice": append(slices.Clone(events), events...)} {
			if got := count(other); got != want {
				t.Errorf("%s %+v, else %+v", how, got, want)
			}
		}
		if want.Dead > want.ShardsDone || want.ShardsDone > 40 {
			t.Errorf("%+v", want)
		}
	})
}
