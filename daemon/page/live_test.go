package page

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// watch opens a stream of events; next gives the regions of the next one, or false once the stream has ended.
func (b *browser) watch(path string) (status int, next func() (map[string]string, bool), leave func()) {
	b.t.Helper()
	ctx, leave := context.WithCancel(b.t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+path, http.NoBody)
	if err != nil {
		b.t.Fatal(err)
	}
	got, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { leave(); got.Body.Close() })
	if lacks := closed(got.Header); len(lacks) > 0 {
		b.t.Errorf("%s lacks %v", path, lacks)
	}
	lines := bufio.NewScanner(got.Body)
	return got.StatusCode, func() (map[string]string, bool) {
		event := ""
		for lines.Scan() {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				event = name
			}
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && event == "regions" {
				var regions map[string]string
				if err := json.Unmarshal([]byte(data), &regions); err != nil {
					b.t.Error(err)
				}
				return regions, true
			}
		}
		return nil, false
	}, leave
}

func TestRegionsAreTold(t *testing.T) {
	b := open(t, Options{Watchers: 3, Models: []Model{{Name: hostile}}})
	if status, _, _ := b.watch("/events/jobs/none"); status != http.StatusNotFound {
		t.Errorf("the events of what there is not: %d", status)
	}
	status, next, leave := b.watch("/events/")
	regions, ok := next()
	if status != 200 || !ok || !strings.Contains(b.get("/").body, regions["live-models"]) || regions["live-models"] == "" {
		t.Fatalf("%d: %v is not what the page holds", status, regions)
	}
	harmless(t, "an event", regions["live-models"])
	_, second, _ := b.watch("/events/")
	if again, ok := second(); !ok || again["live-models"] != regions["live-models"] {
		t.Errorf("who comes later is told %v", again)
	}
	_, third, _ := b.watch("/events/jobs")
	if _, ok := third(); !ok {
		t.Error("another page is not told")
	}
	if status, _, _ := b.watch("/events/"); status != http.StatusServiceUnavailable {
		t.Errorf("one too many: %d", status)
	}
	leave()                                          // and the next takes that place
	for deadline := time.Now().Add(time.Minute); ; { // there is room once the daemon has noticed
		if status, _, _ := b.watch("/events/"); status == 200 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("who left keeps his place")
		}
	}
	b.site.End()
	if _, ok := second(); ok {
		t.Error("a stream goes on after the daemon's end")
	}
	if status, next, _ := b.watch("/events/"); status == 200 {
		if _, ok := next(); ok {
			t.Error("a stream begins after the daemon's end")
		}
	}
}

// A page is made once for all who look at it, told where it changed, and not made when nobody looks.
func TestOnePageForAllWhoLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		l := newLooks(ctx)
		var made atomic.Int64
		regions := func(context.Context) (map[string]string, error) {
			n := made.Add(1)
			return map[string]string{"slow": string(rune('a' + n/10)), "same": "x"}, nil
		}
		one, leaveOne := l.enter("/a", time.Second, regions)
		two, leaveTwo := l.enter("/a", time.Second, regions)
		if one != two {
			t.Fatal("two who look at one page have it made for each")
		}
		changes := 0
		for range 3 {
			one.mu.Lock()
			changed := one.changed
			one.mu.Unlock()
			<-changed
			changes++
		}
		synctest.Wait()
		if n := made.Load(); n != 20 {
			t.Errorf("%d times made for %d changes, want 20", n, changes)
		}
		leaveOne()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n := made.Load(); n != 25 {
			t.Errorf("%d times made while one looks on, want 25", n)
		}
		leaveTwo()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := made.Load(); n != 25 || len(l.open) != 0 {
			t.Errorf("made while nobody looks: %d times; %d pages are open", n-25, len(l.open))
		}
		_, leave := l.enter("/a", time.Second, func(ctx context.Context) (map[string]string, error) {
			made.Add(1)
			time.Sleep(time.Second)
			return map[string]string{}, nil
		})
		time.Sleep(100*time.Second - time.Millisecond)
		if n := made.Load() - 25; n != 5 {
			t.Errorf("a page that takes a second is made %d times in 100 s, want 5", n)
		}
		end()
		l.wait()
		leave()
	})
}
