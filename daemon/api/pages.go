package api

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// pageOf is which part of a list is asked for.
type pageOf struct {
	limit     int
	after     string
	ascending bool
}

// readPage reads limit, after and order, and refuses what is none of these and none of others.
func readPage(q url.Values, usual, most int, others ...string) (pageOf, *failure) {
	p := pageOf{limit: usual, after: q.Get("after")}
	for name := range q {
		switch {
		case name == "limit":
			n, err := strconv.Atoi(q.Get(name))
			if err != nil || n < 1 || n > most {
				return p, fail(http.StatusBadRequest, "limit "+quoted(q.Get(name))+": a number from 1 to "+strconv.Itoa(most)+" is needed").
					of(name)
			}
			p.limit = n
		case name == "order":
			order := q.Get(name)
			if order != "asc" && order != "desc" {
				return p, fail(http.StatusBadRequest, "order "+quoted(order)+": asc or desc is needed").of(name)
			}
			p.ascending = order == "asc"
		case name != "after" && !slices.Contains(others, name):
			return p, fail(http.StatusBadRequest, "the parameter "+quoted(name)+" is not known").of(name)
		}
	}
	return p, nil
}

// list is a part of one.
type list[T any] struct {
	Object  string  `json:"object"`
	Data    []T     `json:"data"`
	FirstID *string `json:"first_id"`
	LastID  *string `json:"last_id"`
	More    bool    `json:"has_more"`
}

// writePage answers with a part of a list, of which the newest comes first.
func writePage[T any](w http.ResponseWriter, p pageOf, all []T, id func(T) string) {
	if p.ascending {
		slices.Reverse(all)
	}
	if p.after != "" {
		at := slices.IndexFunc(all, func(one T) bool { return id(one) == p.after })
		if at < 0 {
			fail(http.StatusBadRequest, "after "+quoted(p.after)+": there is no object of this id in the list").of("after").write(w)
			return
		}
		all = all[at+1:]
	}
	l := list[T]{Object: "list", Data: []T{}, More: len(all) > p.limit}
	if all = all[:min(len(all), p.limit)]; len(all) > 0 {
		first, last := id(all[0]), id(all[len(all)-1])
		l.Data, l.FirstID, l.LastID = all, &first, &last
	}
	answer(w, http.StatusOK, l)
}
