package api

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// A client may ask so often a minute, at once or one after the other; others are not held up, and no more are remembered than asked lately.
func TestClientsAreHeldToTheirRate(t *testing.T) {
	l, now := newRates(3), time.Unix(1_700_000_000, 0)
	take := func(client string) int {
		if f := l.take(&http.Request{RemoteAddr: client}, now); f != nil {
			if f.Status != http.StatusTooManyRequests || *f.Code != "rate_limit_exceeded" {
				t.Errorf("%+v", f)
			}
			return f.retry
		}
		return 0
	}
	for i, want := range []int{0, 0, 0, 20, 20} {
		if got := take(fmt.Sprintf("192.0.2.1:%d", 1000+i)); got != want {
			t.Errorf("request %d: again in %d s, want %d", i, got, want)
		}
	}
	if take("[2001:db8::1]:1000") != 0 {
		t.Error("another client waits")
	}
	now = now.Add(15 * time.Second)
	if got := take("192.0.2.1:1"); got != 5 {
		t.Errorf("again in %d s", got)
	}
	now = now.Add(5 * time.Second)
	if take("192.0.2.1:1") != 0 || take("192.0.2.1:1") == 0 {
		t.Error("a third of a minute is not one request")
	}
	for i := range clientsKept {
		take(fmt.Sprintf("10.0.%d.%d:1", i/256, i%256))
	}
	now = now.Add(time.Hour)
	if take("192.0.2.9:1"); len(l.clients) > 1 {
		t.Errorf("%d clients are remembered after an hour", len(l.clients))
	}
	l = newRates(0)
	for range 2 {
		if take("192.0.2.1:1") != 0 {
			t.Error("there is a limit where there is none")
		}
	}
}
