package daemon

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"textmill/daemon/inflight"
	"textmill/export"
	"textmill/jobs"
)

// Every row of the table of outcomes has a case here, in its order; several hold the order itself.
func TestOutcomes(t *testing.T) {
	disk := errors.New("no space left on device")
	cases := []struct {
		row  string // as outcomes names it
		f    finding
		want outcome
		most time.Duration // where after is random between want.after and this
	}{
		{"its rows were committed before it came", finding{logged: export.Committed, version: 7, earlier: true}, outcome{kind: skipped, version: 7}, 0},
		{"its rows are committed", finding{logged: export.Committed, version: 8}, outcome{kind: committed, version: 8}, 0},
		{"another payload is committed under its name", finding{logged: export.Conflict, version: 8}, outcome{kind: dead, class: jobs.IdentityConflict}, 0},
		{"it was judged dead earlier", finding{logged: export.Dead, earlier: true}, outcome{kind: dead, class: classJudged}, 0},
		{"its job was cancelled in the table's log", finding{logged: export.Cancelled, version: 9}, outcome{kind: cancelled, version: 9}, 0},
		{"its table refuses this version", finding{failed: fmt.Errorf("d: %w", export.ErrRefused), attempt: 1}, outcome{after: handBackDelay}, 0},
		{"its table refuses this version", finding{failed: export.ErrRefused, attempt: 3}, outcome{after: 4 * handBackDelay}, 0},
		{"its table refuses this version", finding{uncommitted: export.ErrRefused, attempt: 99}, outcome{after: mostRefusedDelay}, 0},
		{"the commit failed, whatever the reason: looked up again, it may turn out to be in the table", finding{uncommitted: disk}, outcome{after: handBackDelay}, 0},
		{"the commit failed, whatever the reason: looked up again, it may turn out to be in the table", finding{uncommitted: export.ErrSchema}, outcome{after: handBackDelay}, 0},
		{"the commit failed, whatever the reason: looked up again, it may turn out to be in the table", finding{uncommitted: inflight.ErrDraining}, outcome{after: handBackDelay}, 0},
		{"its payload may come yet, or the answer was old", finding{failed: fmt.Errorf("read: %w", &jobs.Invalid{Class: jobs.ClaimMissing, Reason: "r"}), attempt: 2}, outcome{after: handBackDelay}, 0},
		{"its payload was lost on its way, which is no verdict on the shard: it may be published again", finding{failed: &jobs.Invalid{Class: jobs.ClaimMissing, Reason: "r"}, attempt: 3},
			outcome{kind: dead, class: jobs.ClaimMissing}, 0},
		{"its payload was lost on its way, which is no verdict on the shard: it may be published again", finding{failed: &jobs.Invalid{Class: jobs.ClaimDamaged, Reason: "r"}, attempt: 1},
			outcome{kind: dead, class: jobs.ClaimDamaged}, 0},
		{"it cannot be understood, or its input cannot be read as it says", finding{failed: fmt.Errorf("read: %w", &jobs.Invalid{Class: jobs.InputChanged, Reason: "other size"})},
			outcome{kind: dead, class: jobs.InputChanged, judge: true}, 0},
		{"the table holds other vectors than its own", finding{failed: fmt.Errorf("d: %w", export.ErrSchema)}, outcome{kind: dead, class: jobs.Schema}, 0},
		{"a row of it is one that readers could not read, and will be the next time", finding{failed: fmt.Errorf("d: %w", export.ErrRow)},
			outcome{kind: dead, class: jobs.Unwritable, judge: true}, 0},
		{"its job was cancelled while it was here", finding{failed: inflight.ErrCancelled}, outcome{kind: cancelled}, 0},
		{"the daemon stops", finding{failed: errors.Join(inflight.ErrDraining, context.Canceled)}, outcome{}, 0},
		{"another daemon runs it alone: not for long, and handed back never for as long as another daemon does", finding{failed: fmt.Errorf("d: %w", export.ErrQuarantined)},
			outcome{after: handBackDelay / 20}, handBackDelay/20 + handBackDelay/5},
		{"anything else, which may go better another time", finding{failed: disk}, outcome{after: handBackDelay}, 0},
		{"anything else, which may go better another time", finding{failed: disk, logged: export.Committed}, outcome{after: handBackDelay}, 0},
		{"nothing: its table was asked and does not know it", finding{logged: export.Absent}, outcome{after: handBackDelay}, 0},
	}
	at := 0 // of outcomes
	for i, c := range cases {
		for at < len(outcomes) && outcomes[at].found != c.row {
			if at++; i == 0 || at == len(outcomes) || outcomes[at].found != c.row {
				t.Fatalf("case %q is out of order, or the row before it has none", c.row)
			}
		}
		got := decide(c.f)
		after := got.after == c.want.after
		if c.most > 0 {
			after = got.after >= c.want.after && got.after < c.most
		}
		if got.kind != c.want.kind || got.version != c.want.version || got.class != c.want.class || got.judge != c.want.judge || !after {
			t.Errorf("%s: %+v became %+v, want %+v", c.row, c.f, got, c.want)
		}
		if (got.kind == handedBack) != (got.cause != nil) || (got.kind == dead) != (got.reason != "") {
			t.Errorf("%s: %+v does not say why", c.row, got)
		}
	}
	if at != len(outcomes)-1 {
		t.Errorf("no case for %q", outcomes[len(outcomes)-1].found)
	}
}
