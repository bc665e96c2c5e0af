package catalog

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"textmill/export"
	"textmill/internal/committed"
	"textmill/internal/s3"
	"textmill/jobs"
	"textmill/models"
	"textmill/work/rows"
)

var v4 = export.Vectors{Precision: "float32", Dim: 4}

func record(id string, vector ...float32) export.Row {
	return export.Row{Job: "j", Shard: "0", RecordID: id, Task: "embed", Model: "m", ModelSHA256: "abc", Text: export.Some("what " + id + " says"),
		Attributes: map[string]string{"lang": map[bool]string{true: "en", false: "de"}[len(id)%2 == 1]}, InputIDs: []int32{101, 7, 102},
		NTokens: export.Some[int32](3), Dim: export.Some(int32(len(vector))), Embedding: vector, Norm: export.Some(1.0), CreatedAt: time.Unix(1_700_000_000, 0)}
}

func failure(id, why string) export.Row {
	return export.Row{Job: "j", Shard: "0", RecordID: id, Task: "embed", Model: "m", ModelSHA256: "abc", Error: why, CreatedAt: time.Unix(1_700_000_000, 0)}
}

// commit adds rows to a dataset's table, partitioned by what is said.
func commit(t *testing.T, uri, dataset, by string, list ...export.Row) {
	t.Helper()
	var parted export.Partitioning
	if by != "" {
		var err error
		if parted, err = export.ParsePartitioning(by); err != nil {
			t.Fatal(err)
		}
	}
	held := export.Vectors{}
	if slices.ContainsFunc(list, func(r export.Row) bool { return r.Embedding != nil }) {
		held = v4
	}
	committed.Table(t, export.Options{URI: uri, PartitionBy: func(string) export.Partitioning { return parted }}, dataset, held, list)
}

// said is a model whose questions get one vector, or wait.
type said struct {
	vector []float32
	wait   <-chan struct{}
	asked  chan struct{}
}

func (s said) Vectors() export.Vectors { return v4 }

func (s said) Do(ctx context.Context, r jobs.Record, done func([]export.Row)) error {
	if s.asked != nil {
		s.asked <- struct{}{}
		go func() {
			select {
			case <-s.wait:
				done([]export.Row{{Embedding: s.vector}})
			case <-ctx.Done():
				done(nil)
			}
		}()
		return nil
	}
	row := export.Row{Embedding: s.vector}
	if r.Text == "" {
		row = export.Row{Error: "empty_text: there is no text"}
	}
	done([]export.Row{row})
	return nil
}

func over(uri, sha string, by said) *Catalog {
	return New(Options{URI: uri, Served: []Model{{Spec: &models.Spec{Name: "m", SHA256: sha, Dim: 4, Prompts: map[string]string{}},
		Asks: func(*jobs.Shard, rows.Origin) rows.Work { return by }}}})
}

// What is told of a table is what was written to it, in a directory and in a bucket, before and after more came.
func TestWhatLiesInATable(t *testing.T) {
	s3.ForTest(t)
	for _, uri := range []string{t.TempDir(), "s3://" + s3.Name + "/catalog"} {
		const markup = `<script>alert("1")</script>`
		hostile := record("odd", 0.5, -0.5, 0.5, 0.5)
		hostile.Text, hostile.Attributes = export.Some(markup+strings.Repeat("ü", 1000)), map[string]string{markup: markup, "lang": "en"}
		commit(t, uri, "docs", "attribute:lang,date", hostile, record("even", 1, 0, 0, 0), record("row", 0, 1, 0, 0),
			failure("x", "timeout: it took "+strings.Repeat("long", 500)), failure("y", "timeout: again"), failure("z", "empty_text: nothing"))
		c := over(uri, "abc", said{})
		told, err := c.Table(t.Context(), "docs", 0)
		if err != nil {
			t.Fatal(err)
		}
		maker := Maker{Task: "embed", Model: "m", SHA256: "abc", Rows: 6, Served: true}
		if told.Rows != 6 || told.Errors != 3 || told.Version != 1 || told.Files != 3 || told.Bytes == 0 || !told.Whole ||
			told.Holds != "float32 vectors of 4 dimensions" || !reflect.DeepEqual(told.Makers, []Maker{maker}) || told.Last.Rows != 6 ||
			told.Refused != "" || len(told.Commits) != 2 || len(told.Columns) < 20 {
			t.Errorf("%s: %+v", uri, told.Summary)
		}
		if e := told.Classes; len(e) != 2 || e[0].Class != "timeout" || e[0].Rows != 2 || e[1].Class != "empty_text" || e[1].ID != "z" || told.ErrorsSeen != 3 ||
			len(e[0].Message) > mostMessage+3 {
			t.Errorf("%s: errors %+v", uri, e)
		}
		files, rows := 0, int64(0)
		for _, p := range told.Partitions {
			files, rows = files+p.Files, rows+p.Rows
		}
		if told.Partitioned != 3 || files != 3 || rows != 6 || !slices.ContainsFunc(told.Partitions, func(p Partition) bool { return p.Values[0] == "lang=de" && p.Rows == 1 }) {
			t.Errorf("%s: partitions %+v", uri, told.Partitions)
		}
		var seen []Sample
		for file := range told.Files {
			one, err := c.Table(t.Context(), "docs", file+1)
			if err != nil || one.File != file+1 {
				t.Fatal(one, err)
			}
			seen = append(seen, one.Samples...)
		}
		at := slices.IndexFunc(seen, func(s Sample) bool { return s.ID == "odd" })
		if len(seen) != 6 || at < 0 {
			t.Fatalf("%s: samples %+v", uri, seen)
		}
		if s := seen[at]; !strings.HasPrefix(s.Text.Text, markup) || s.Text.Cut != len(hostile.Text.V)-mostText || s.Vector != "[0.5000, -0.5000, 0.5000, 0.5000]" || s.Shape != "float32 [4]" ||
			s.Norm != 1 || s.Tokens != "101 7 102" || s.Attributes[0].Value != markup {
			t.Errorf("%s: sample %+v", uri, s)
		}
		commit(t, uri, "docs", "attribute:lang,date", record("later", 0, 0, 1, 0))
		if again, err := c.Table(t.Context(), "docs", 0); err != nil || again.Rows != 7 || again.Version != 2 || again.Makers[0].Rows != 7 || again.Commits[0].Rows != 1 {
			t.Errorf("%s: after another commit %+v, %v", uri, again.Summary, err)
		}
		if _, err := c.Table(t.Context(), "none", 0); !errors.Is(err, ErrNoTable) {
			t.Errorf("%s: a table that is not there: %v", uri, err)
		}
		if _, err := c.Table(t.Context(), "../docs", 0); !errors.Is(err, ErrNoTable) {
			t.Errorf("%s: a name that leads elsewhere: %v", uri, err)
		}
	}
}

// A list tells of all tables; one that cannot be read is told beside the others.
func TestTablesAreListed(t *testing.T) {
	uri := t.TempDir()
	commit(t, uri, "b", "", record("x", 1, 0, 0, 0), failure("y", "timeout: no"))
	commit(t, uri, "a", "", failure("y", "timeout: no"))
	commit(t, uri, "c", "", record("x", 1, 0, 0, 0))
	if err := os.WriteFile(filepath.Join(uri, "c", "_delta_log", fmt.Sprintf("%020d.json", 1)), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := over(uri, "abc", said{})
	l, err := c.List(t.Context())
	if err != nil || len(l.Tables) != 3 || len(l.More) != 0 {
		t.Fatal(l, err)
	}
	a, b, broken := l.Tables[0], l.Tables[1], l.Tables[2]
	if a.Dataset != "a" || a.Errors != 1 || a.Holds != "no vectors" || b.Rows != 2 || b.Errors != 1 || b.Makers[0].SHA256 != "abc" || broken.Failed == "" || broken.Dataset != "c" {
		t.Errorf("%+v", l.Tables)
	}
	if of := c.Vectors("abc"); len(of) != 2 || of[1].Dataset != "b" {
		t.Errorf("tables of a model: %+v", of)
	}
	if l, err := over(filepath.Join(uri, "nowhere"), "abc", said{}).List(t.Context()); err != nil || len(l.Tables) != 0 {
		t.Errorf("no tables: %+v, %v", l, err)
	}
}

// A question is answered with the nearest rows that meet its conditions, or told why not.
func TestQuestionsAreAnswered(t *testing.T) {
	uri := t.TempDir()
	commit(t, uri, "docs", "", record("far", 0, 1, 0, 0), record("near", 1, 0.1, 0, 0), failure("bad", "timeout: no"), record("nearer", 1, 0, 0, 0))
	commit(t, uri, "bare", "", failure("bad", "timeout: no"))
	c := over(uri, "abc", said{vector: []float32{1, 0, 0, 0}})
	f, err := c.Search(t.Context(), "docs", Question{Text: "near", K: 2})
	if err != nil || len(f.Hits) != 2 || f.Hits[0].ID != "nearer" || f.Hits[1].ID != "near" || math.Abs(f.Hits[0].Score-1) > 1e-6 || f.Rows != 3 || f.Metric != "cosine" || f.Model.SHA256 != "abc" {
		t.Errorf("%+v, %v", f, err)
	}
	if f, err = c.Search(t.Context(), "docs", Question{Text: "near", K: 9, Where: []string{"lang=en"}}); err != nil || len(f.Hits) != 1 || f.Hits[0].ID != "far" {
		t.Errorf("with a condition: %+v, %v", f, err)
	}
	for name, tc := range map[string]struct {
		dataset string
		q       Question
		want    error
	}{
		"no such table":        {"none", Question{Text: "x"}, ErrNoTable},
		"no vectors":           {"bare", Question{Text: "x"}, ErrQuestion},
		"no condition":         {"docs", Question{Text: "x", Where: []string{"lang"}}, ErrQuestion},
		"another's model":      {"docs", Question{Text: "x", Model: "other"}, ErrQuestion},
		"no text":              {"docs", Question{}, ErrQuestion},
		"more than a question": {"docs", Question{Text: strings.Repeat("x", MostQuestion+1)}, ErrQuestion},
	} {
		if _, err := c.Search(t.Context(), tc.dataset, tc.q); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := over(uri, "another", said{}).Search(t.Context(), "docs", Question{Text: "x"}); !errors.Is(err, ErrNotServed) || !strings.Contains(err.Error(), "abc") {
		t.Errorf("a model of another hash: %v", err)
	}
}

// One question is answered at a time and few wait; who leaves takes no turn any more.
func TestQuestionsTakeTurns(t *testing.T) {
	uri := t.TempDir()
	commit(t, uri, "docs", "", record("x", 1, 0, 0, 0))
	wait, asked := make(chan struct{}), make(chan struct{})
	c := over(uri, "abc", said{vector: []float32{1, 0, 0, 0}, wait: wait, asked: asked})
	answers := make(chan error, mostAsking)
	leaving, leave := context.WithCancel(t.Context())
	ask := func(ctx context.Context) {
		_, err := c.Search(ctx, "docs", Question{Text: "x", K: 1})
		answers <- err
	}
	go ask(leaving)
	<-asked
	for range mostAsking - 1 {
		go ask(t.Context())
	}
	for len(c.asking) < mostAsking { // until all are there
		runtime.Gosched()
	}
	if _, err := c.Search(t.Context(), "docs", Question{Text: "x"}); !errors.Is(err, ErrBusy) {
		t.Errorf("one too many: %v", err)
	}
	select {
	case <-asked:
		t.Error("two are answered at a time")
	default:
	}
	leave()
	if err := <-answers; !errors.Is(err, context.Canceled) {
		t.Errorf("who left: %v", err)
	}
	close(wait)
	for range mostAsking - 1 {
		<-asked
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	if len(c.asking) != 0 || len(c.turn) != 0 {
		t.Error("a turn is still taken")
	}
}
