package api

import (
	"fmt"
	"math"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// rates hold each client's address to so many requests a minute, which may come at once.
type rates struct {
	perMinute int // 0 for any

	mu      sync.Mutex
	clients map[string]*rate.Limiter
}

// clientsKept is how many clients are known before those are forgotten who have asked for nothing lately.
const clientsKept = 4096

func newRates(perMinute int) *rates {
	return &rates{perMinute: perMinute, clients: map[string]*rate.Limiter{}}
}

// take counts a request, or says when it may come again.
func (l *rates) take(r *http.Request, now time.Time) *failure {
	if l.perMinute == 0 {
		return nil
	}
	client, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		client = r.RemoteAddr
	}
	asked := l.of(client, now).ReserveN(now, 1)
	wait := asked.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	asked.CancelAt(now)
	f := busy(fmt.Sprintf("more than %d requests a minute come from this address (http.requests_per_minute)", l.perMinute))
	f.retry = int(math.Ceil(wait.Seconds()))
	return f
}

func (l *rates) of(client string, now time.Time) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if is := l.clients[client]; is != nil {
		return is
	}
	if len(l.clients) >= clientsKept {
		for name, is := range l.clients {
			if is.TokensAt(now) >= float64(l.perMinute) {
				delete(l.clients, name)
			}
		}
	}
	is := rate.NewLimiter(rate.Limit(float64(l.perMinute)/60), l.perMinute)
	l.clients[client] = is
	return is
}
