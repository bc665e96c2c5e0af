package test

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDrain ends a daemon that has far more to do than its drain_timeout allows, ends a patient one by a second signal,
// and lets a third one finish.
func TestDrain(t *testing.T) {
	const records = 500
	const limit = 2 * time.Second
	home := newHome(t)
	d := startDaemon(t, home, "TEXTMILL_DRAIN_TIMEOUT="+limit.String())
	d.submit("drain", "d", corpus(records, 120))
	d.await(logged("committed"), 1)
	begun := time.Now()
	d.signal(syscall.SIGTERM)
	code := d.wait()
	if took := time.Since(begun); code != 0 || took > limit+8*time.Second { // room for a machine under load
		t.Errorf("SIGTERM ended the daemon with %d after %s, want 0 within %s:\n%s", code, took, limit, d.text())
	}
	held, after := drained(t, d.text())
	if held == 0 || after < held {
		t.Errorf("%d deliveries were held at the signal, %d were finished or handed back:\n%s", held, after, d.text())
	}
	t.Logf("drained %d deliveries in %s", held, time.Since(begun))

	d = startDaemon(t, home, "TEXTMILL_DRAIN_TIMEOUT=10m")
	d.await(logged("committed"), 1)
	d.signal(syscall.SIGTERM)
	d.await(logged("draining"), 1)
	d.signal(syscall.SIGINT) // another, so that it is no echo of the first
	if code := d.wait(); code != 1 || !strings.Contains(d.text(), "ended at once") {
		t.Errorf("the second signal ended the daemon with %d:\n%s", code, d.text())
	}

	d = startDaemon(t, home)
	d.client().ok(t, "watch", "d")
	if n := len(rows(t, d.table("drain"))); n != records {
		t.Errorf("%d of %d records are in the table", n, records)
	}
}

// drained counts the deliveries that a daemon held when it was told to end, and those settled from then on.
func drained(t *testing.T, log string) (held, settled int) {
	t.Helper()
	at := strings.Index(log, logged("draining"))
	if at < 0 {
		t.Fatalf("the log does not say that it drains:\n%s", log)
	}
	held = logLines[struct{ Deliveries int }](t, log, "draining")[0].Deliveries
	return held, strings.Count(log[at:], logged("delivery settled"))
}
