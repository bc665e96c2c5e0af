package page

import (
	"context"
	"html/template"
	"net/http"
	"sync"
	"time"
)

// looks are what is looked at: the templates, and the pages that somebody has open, each of which is made anew once
// for all who look at the same address.
type looks struct {
	templates map[string]*template.Template
	closing   context.Context
	making    sync.WaitGroup

	mu   sync.Mutex
	open map[string]*look // by address
}

// look is a page that somebody has open.
type look struct {
	viewers int // under looks.mu
	end     context.CancelFunc

	mu      sync.Mutex
	regions map[string]string // nil before the first time
	err     error             // why there will be no more
	changed chan struct{}
}

// maker makes the regions of a page.
type maker func(context.Context) (map[string]string, error)

func newLooks(closing context.Context) *looks {
	return &looks{templates: map[string]*template.Template{}, closing: closing, open: map[string]*look{}}
}

// wait returns once nothing is made any more; closing has ended.
func (l *looks) wait() {
	l.mu.Lock() // so that nobody enters meanwhile
	defer l.mu.Unlock()
	l.making.Wait()
}

// eventsPath is where the regions of a page are told from.
func eventsPath(path string) string { return "/events" + path }

// eventsOf is the address of a page's events, with its query.
func eventsOf(r *http.Request) string {
	at := eventsPath(r.URL.EscapedPath())
	if r.URL.RawQuery != "" {
		at += "?" + r.URL.RawQuery
	}
	return at
}

// follow tells a page's regions: first all of them, then those that changed. So whoever was away for a while has them
// right, wherever he left off.
func (s *Site) follow(w http.ResponseWriter, r *http.Request, p page) {
	regions := func(ctx context.Context) (map[string]string, error) {
		v, err := p.show(r.WithContext(ctx))
		if err != nil {
			return nil, err
		}
		return s.looks.regions(p.template, v)
	}
	s.Events(w, r, func(ctx context.Context, out *Stream) error {
		at, leave := s.looks.enter(r.URL.RequestURI(), p.every, regions)
		defer leave()
		return at.tell(ctx, out)
	})
}

// tell sends what changed since the last time, until ctx ends.
func (l *look) tell(ctx context.Context, out *Stream) error {
	told := map[string]string{}
	for {
		l.mu.Lock()
		now, err, changed := l.regions, l.err, l.changed
		l.mu.Unlock()
		if err != nil {
			return err
		}
		fresh := map[string]string{}
		for name, region := range now {
			if known, ok := told[name]; !ok || known != region {
				fresh[name] = region
			}
		}
		if told = now; len(fresh) > 0 {
			if err := out.Send("regions", fresh); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// enter has a page made anew every so often until leave is called, by the last who looks at it.
func (l *looks) enter(at string, every time.Duration, regions maker) (*look, func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.open[at]
	if one == nil {
		ctx, end := context.WithCancel(l.closing)
		one = &look{end: end, changed: make(chan struct{})}
		l.open[at] = one
		if ctx.Err() == nil {
			l.making.Go(func() { one.keep(ctx, every, regions) })
		}
	}
	one.viewers++
	return one, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if one.viewers--; one.viewers == 0 {
			one.end()
			delete(l.open, at)
		}
	}
}

// share is how much of the time goes into making a page: one that takes long is made less often.
const share = 20

// keep makes the page anew until ctx ends.
func (l *look) keep(ctx context.Context, every time.Duration, regions maker) {
	for ctx.Err() == nil {
		began := time.Now()
		now, err := regions(ctx)
		took := time.Since(began)
		if l.take(now, err); err != nil {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(max(every, share*took)):
		}
	}
}

// take keeps what was made, and says so where it is another.
func (l *look) take(now map[string]string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	same := err == nil && l.regions != nil && len(now) == len(l.regions)
	for name, region := range now {
		same = same && l.regions[name] == region
	}
	if same {
		return
	}
	l.regions, l.err = now, err
	close(l.changed)
	l.changed = make(chan struct{})
}
