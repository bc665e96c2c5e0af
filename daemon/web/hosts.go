package web

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"textmill/daemon/page"
)

// hosts are the names by which this daemon may be asked. A page of another site whose name was made to lead here has a
// browser ask by that name, and is refused on every path.
type hosts struct {
	names []string
	here  netip.Addr // where it listens
}

func newHosts(configured string, listens net.Addr, allowed []string) *hosts {
	h := &hosts{names: []string{"localhost"}}
	for _, name := range allowed {
		h.names = append(h.names, plainHost(name))
	}
	if name, _, err := net.SplitHostPort(configured); err == nil && name != "" {
		h.names = append(h.names, plainHost(name))
	}
	if at, ok := listens.(*net.TCPAddr); ok {
		h.here = at.AddrPort().Addr().Unmap()
	}
	return h
}

// plainHost is a host of a request or of the configuration without its port, as it is compared.
func plainHost(s string) string {
	if name, _, err := net.SplitHostPort(s); err == nil {
		s = name
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(s, "[]"), "."))
}

// only lets pass what asks for this daemon by its name, and by no page but its own, or by a link that somebody
// followed.
func (h *hosts) only(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Host != "" && !h.are(plainHost(r.Host)): // HTTP/1.0 may name none; no browser speaks it
			http.Error(w, "this daemon is not known by that name; see http.allowed_hosts",
				http.StatusMisdirectedRequest)
		case !sameOrigin(r) && !led(r):
			forbid(w)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (h *hosts) are(name string) bool {
	if slices.Contains(h.names, name) {
		return true
	}
	ip, err := netip.ParseAddr(name)
	if err != nil {
		return false
	}
	ip = ip.Unmap()
	if ip.IsLoopback() || ip == h.here {
		return true
	}
	return h.here.IsUnspecified() && ownAddress(ip)
}

// ownAddress tells whether an address is one of this machine.
func ownAddress(ip netip.Addr) bool {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok {
			if own, ok := netip.AddrFromSlice(n.IP); ok && own.Unmap() == ip.WithZone("") {
				return true
			}
		}
	}
	return false
}

// sameOrigin is false for what a browser says comes from a page of another host or port.
func sameOrigin(r *http.Request) bool {
	return ownOrigins(r) && !page.FromElsewhere(r)
}

func ownOrigins(r *http.Request) bool {
	for _, origin := range r.Header.Values("Origin") {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || !strings.EqualFold(u.Host, r.Host) {
			return false
		}
	}
	return true
}

// led tells that somebody followed a link, so that his browser shows the answer in a window of its own: no script of
// the other page reads it, and no frame, picture or form asks so.
func led(r *http.Request) bool {
	dest := r.Header.Get("Sec-Fetch-Dest")
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && ownOrigins(r) &&
		r.Header.Get("Sec-Fetch-Mode") == "navigate" && (dest == "" || dest == "document")
}

// linked answers who followed a link of another site's page only as far as such links may lead.
func linked(may page.Links, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sameOrigin(r) || may == page.Any || may == page.Plain && r.URL.RawQuery == "" {
			next.ServeHTTP(w, r)
			return
		}
		forbid(w)
	})
}

func forbid(w http.ResponseWriter) {
	http.Error(w, "a page of another origin may not ask this", http.StatusForbidden)
}

// withoutBody refuses requests that bring a body to a page that takes none, before any of it is read. Where no
// page has that method, next says so.
func withoutBody(next *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, pattern := next.Handler(r)
		takes := strings.HasPrefix(pattern, http.MethodPost+" ")
		if r.ContentLength == 0 || takes {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Connection", "close")
		// the server would read on, to use the connection again
		_ = http.NewResponseController(w).SetReadDeadline(time.Now())
		if pattern == "" {
			next.ServeHTTP(w, r)
			return
		}
		http.Error(w, "a request to this address has no body", http.StatusRequestEntityTooLarge)
	})
}
