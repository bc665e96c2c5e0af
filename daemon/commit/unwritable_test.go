package commit

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"textmill/daemon/metrics"
	"textmill/export"
)

// A delivery with a row that nobody could read is told so, with the record and the column; what was gathered with it is
// committed. It would be as unreadable the next time, so it is not to come again: see the daemon's table of outcomes.
func TestARowThatNobodyCouldReadIsNamed(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	store, err := export.OpenStore(export.Options{URI: t.TempDir(), Version: "test", Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	all := New(Options{Store: store, MaxOpen: 1, Interval: time.Millisecond, PartBytes: 1 << 20, Backlog: 1 << 20,
		EndsJob: func(string, int) bool { return false }, Metrics: metrics.New("test"), Log: quiet})
	var gathered []*Rows
	for n, text := range []string{"one", "tw\xff", "three"} {
		c, err := all.Open(t.Context(), "docs")
		if err != nil {
			t.Fatal(err)
		}
		r := c.Gather(delivery(t, fmt.Sprintf(`{"job":"j","shard":%d,"dataset":"docs","records":[{"text":"x"}]}`, n)),
			export.Vectors{})
		arrive := r.Expect()
		r.Fed()
		arrive([]export.Row{{Job: "j", Shard: fmt.Sprint(n), RecordID: fmt.Sprint("r", n), Text: export.Some(text)}})
		gathered = append(gathered, r)
	}
	for n, r := range gathered {
		got, _ := r.Result()
		r.to.Leave()
		if n != 1 {
			if got.Failed != nil || got.Uncommitted != nil || got.Logged != export.Committed {
				t.Errorf("delivery %d: %+v", n, got)
			}
			continue
		}
		if !errors.Is(got.Failed, export.ErrRow) || !strings.Contains(got.Failed.Error(), `text of record "r1" is not UTF-8`) {
			t.Errorf("the delivery is told %+v", got)
		}
	}
	all.Finish()
	if in, err := export.Inspect(t.Context(), store.TablePath("docs")); err != nil || in.Rows != 2 {
		t.Errorf("the table: %+v, %v", in, err)
	}
}
