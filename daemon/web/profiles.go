package web

import (
	"fmt"
	"net/http"
	"net/http/pprof"
	"strconv"

	"textmill/daemon/page"
)

// longestProfile is in seconds, within what an answer may take.
const longestProfile = 25

// profiles are what the Go tool's pprof reads. They show names, paths and counts, and a trace what runs when; not the
// command line, which may hold a secret.
func profiles() []Page {
	return []Page{
		{get, "/debug/pprof/{profile}", true, "where `http.pprof` is on, a profile of the process: heap, allocs, goroutine, mutex, block, threadcreate. 404: no such",
			page.Never, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				pprof.Handler(r.PathValue("profile")).ServeHTTP(w, r)
			})},
		{get, "/debug/pprof/profile", true, "likewise what the processor does for `seconds`. 400: longer than 25", page.Never, briefly(pprof.Profile)},
		{get, "/debug/pprof/trace", true, "likewise what the scheduler does", page.Never, briefly(pprof.Trace)},
	}
}

// briefly refuses what would take longer than an answer may.
func briefly(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seconds, err := strconv.ParseFloat(r.FormValue("seconds"), 64)
		if r.FormValue("seconds") == "" {
			seconds, err = 1, nil
			r.Form.Set("seconds", "1")
		}
		if err != nil || !(seconds > 0 && seconds <= longestProfile) {
			http.Error(w, fmt.Sprintf("seconds is a number up to %d", longestProfile), http.StatusBadRequest)
			return
		}
		next(w, r)
	})
}
