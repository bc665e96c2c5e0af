package queue

import (
	"errors"
	"testing"

	"github.com/nats-io/nats.go"
)

// The last messages of a stream were sent and did not arrive: nothing comes after them that would show the gap.
func TestFollowerNoticesThatTheLastMessagesAreMissing(t *testing.T) {
	q := dial(t, Options{URL: inProcessURL(t)})
	if err := q.EnsureStreams(within(t), StreamOptions{}); err != nil {
		t.Fatal(err)
	}
	publishEvents(t, q, committed("j", "1", 1), committed("j", "2", 1), committed("j", "3", 1))
	f := &follower{q: q, stream: EventStream, filter: eventSubjects}
	defer f.close()
	var seen []uint64
	see := func(_ *nats.Msg, a ackSubject) error {
		seen = append(seen, a.sequence)
		return nil
	}
	if err := f.read(within(t), 1, 0, see); err != nil {
		t.Fatal(err)
	}
	lose := pullRequest{Batch: 2, NoWait: true}
	if _, err := q.pull(within(t), EventStream, f.name, lose, func(*nats.Msg) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := f.read(within(t), 10, 0, see); !errors.Is(err, errGap) {
		t.Errorf("two messages are missing: %v", err)
	}
	if err := f.read(within(t), 10, 0, see); err != nil {
		t.Error(err)
	}
	if len(seen) != 3 || seen[2] != 3 || f.pending != 0 {
		t.Errorf("read %v, %d pending", seen, f.pending)
	}
}
