package page

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"textmill/daemon/catalog"
	"textmill/models"
)

// tableTime is what looking into a table, and answering a question, may take beyond any page.
const tableTime = 30 * time.Second

func (s *Site) tables(r *http.Request) (View, error) {
	l, err := s.o.Tables.List(r.Context())
	return View{Title: "Tables", Data: l}, err
}

// tableView is what is seen of a table.
type tableView struct {
	*catalog.Table
	Ask    question
	Load   loading
	Before int // the file whose rows are seen before these, 0 where there is none
	After  int
}

// question is what a table is asked, and what came of it.
type question struct {
	catalog.Question
	Models  []catalog.Maker // to choose from; none where there is one at most
	Blank   []int           // fields for further conditions, by their numbers
	Found   *catalog.Found
	Failed  string
	Link    string // this address, where a link from elsewhere led here, for which nothing is searched
	Command string // that asks the same
	Can     bool   // the table has vectors
}

// loading is what takes the table into an engine.
type loading struct {
	Engine  string
	Command string
	Recipe  string
	Failed  string
}

// regionsOnly tells that only what changes is asked for.
func regionsOnly(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/events/") }

func (s *Site) table(r *http.Request) (View, error) {
	dataset, query := r.PathValue("dataset"), r.URL.Query()
	file, _ := strconv.Atoi(query.Get("file"))
	told, err := s.o.Tables.Table(r.Context(), dataset, file)
	switch {
	case errors.Is(err, catalog.ErrNoTable):
		return View{}, &Failure{http.StatusNotFound, "There is no table of that name here."}
	case err != nil:
		return View{}, err
	}
	v := tableView{Table: told}
	if told.File > 1 {
		v.Before = told.File - 1
	}
	if told.File > 0 && told.File < told.Files {
		v.After = told.File + 1
	}
	if !regionsOnly(r) {
		v.ask(query)
		if v.Ask.Text != "" && FromElsewhere(r) {
			v.Ask.Link = r.URL.RequestURI() + "#search"
		} else if err := s.search(r.Context(), &v); err != nil {
			return View{}, err
		}
		s.load(r.Context(), &v, query.Get("engine"))
	}
	return View{Title: dataset, Data: v}, nil
}

// usualHits is how many rows answer where nothing else is asked for.
const usualHits = 10

// ask reads the question of a query.
func (v *tableView) ask(query url.Values) {
	a := &v.Ask
	a.Can = v.Searchable
	a.Question = catalog.Question{Text: strings.TrimSpace(query.Get("q")), K: usualHits, Model: query.Get("model")}
	if k, err := strconv.Atoi(query.Get("k")); err == nil {
		a.K = min(max(k, 1), catalog.MostHits)
	}
	for _, one := range query["where"] {
		if strings.TrimSpace(one) != "" {
			a.Where = append(a.Where, one)
		}
	}
	for n := len(a.Where); n < max(2, len(a.Where)+1); n++ {
		a.Blank = append(a.Blank, n+1)
	}
	for _, m := range v.Makers {
		if m.Task == models.TaskEmbed {
			a.Models = append(a.Models, m)
		}
	}
	if len(a.Models) > 1 && a.Model == "" {
		a.Model = nameOf(a.Models[0])
	}
	if len(a.Models) == 1 {
		a.Models = nil
	}
	a.Command = searchCommand(v.Dataset, a.Question)
}

// search answers the question, if there is one.
func (s *Site) search(ctx context.Context, v *tableView) error {
	a := &v.Ask
	if a.Text == "" {
		return nil
	}
	found, err := s.o.Tables.Search(ctx, v.Dataset, a.Question)
	switch {
	case errors.Is(err, catalog.ErrBusy):
		return &Failure{http.StatusServiceUnavailable, "Other questions are being answered. Ask again in a moment."}
	case err != nil && ctx.Err() != nil:
		return err
	case err != nil:
		a.Failed = err.Error()
	}
	a.Found = found
	return nil
}

// nameOf is the name of a model with its hash.
func nameOf(m catalog.Maker) string { return m.Model + "@" + m.SHA256 }

// load shows what takes the table into an engine.
func (s *Site) load(ctx context.Context, v *tableView, engine string) {
	i := slices.IndexFunc(v.Engines, func(e catalog.Engine) bool { return e.Name == engine })
	if i < 0 {
		return
	}
	v.Load = loading{Engine: engine, Command: "textmill table load --to " + engine + " " + v.Dataset}
	if !v.Engines[i].Prints {
		return
	}
	recipe, err := s.o.Tables.Recipe(ctx, v.Dataset, engine)
	if err != nil {
		v.Load.Failed = err.Error()
	}
	v.Load.Recipe = recipe
}

// searchCommand asks the same in a shell.
func searchCommand(dataset string, q catalog.Question) string {
	words := []string{"textmill search", shell(dataset), "-k", strconv.Itoa(q.K)}
	if q.Model != "" {
		words = append(words, "--model", shell(q.Model))
	}
	for _, one := range q.Where {
		words = append(words, "--where", shell(one))
	}
	return strings.Join(append(words, "--", shell(q.Text)), " ")
}

// shell is a word as a POSIX shell reads it.
func shell(s string) string {
	plain := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("_-.,:/@=+", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Narrow is the address of the same question of fewer rows.
func (v tableView) Narrow(attribute, value string) string {
	query := url.Values{"q": {v.Ask.Text}, "k": {strconv.Itoa(v.Ask.K)}, "where": slices.Clone(v.Ask.Where)}
	if one := "attributes." + attribute + "=" + value; !slices.Contains(query["where"], one) {
		query["where"] = append(query["where"], one)
	}
	if v.Ask.Model != "" {
		query.Set("model", v.Ask.Model)
	}
	return "/tables/" + url.PathEscape(v.Dataset) + "?" + query.Encode() + "#search"
}

// At is the address of the rows of another file.
func (v tableView) At(file int) string {
	return "/tables/" + url.PathEscape(v.Dataset) + "?file=" + strconv.Itoa(file) + "#rows"
}

// Counts are how many rows may be asked for.
func (v tableView) Counts() []int {
	all := []int{5, usualHits, 20, catalog.MostHits}
	if !slices.Contains(all, v.Ask.K) {
		all = append(all, v.Ask.K)
		slices.Sort(all)
	}
	return all
}

// chips are the attributes of a row, with what a link to rows of one of them needs.
type chips struct {
	All   []catalog.Attribute
	View  tableView
	Links bool
}

func chipsOf(v tableView, all []catalog.Attribute) chips {
	return chips{All: all, View: v, Links: v.Ask.Text != "" && v.Ask.Can}
}
