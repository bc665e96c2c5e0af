package page

import (
	"context"
	"html"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"textmill/daemon/catalog"
	"textmill/daemon/metrics"
	"textmill/export"
	"textmill/jobs"
	"textmill/models"
	"textmill/models/facts"
	"textmill/work/rows"
)

// near answers every question with the same vector.
type near struct{}

func (near) Vectors() export.Vectors { return export.Vectors{Precision: "float32", Dim: 2} }

func (near) Do(_ context.Context, _ jobs.Record, done func([]export.Row)) error {
	done([]export.Row{{Embedding: []float32{1, 0}}})
	return nil
}

// tabled is a site with a table of a name, all whose texts are hostile, and the model that made it.
func tabled(t *testing.T, dataset, model, sha string) *browser {
	t.Helper()
	evil := strings.ReplaceAll(hostile, "\x00", "")
	store, err := export.OpenStore(export.Options{URI: filepath.Join(t.TempDir(), "a <b> & c"), PartitionBy: func(string) export.Partitioning {
		return export.Partitioning{"attribute:lang"}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	table, err := store.Table(dataset)
	if err != nil {
		t.Fatal(err)
	}
	row := func(id, failure string, vector ...float32) export.Row {
		r := export.Row{Job: evil, Shard: "0", RecordID: evil + id, Task: "embed", Model: model, ModelSHA256: sha, Error: failure, FinishReason: evil,
			Attributes: map[string]string{evil: evil, "lang": evil}, Text: export.Some(evil), Output: export.Some(evil), Embedding: vector, CreatedAt: time.Unix(1, 0)}
		if vector != nil {
			r.Dim = export.Some(int32(len(vector)))
		}
		return r
	}
	b, err := table.Begin(t.Context(), export.EmbeddingFloat32)
	if err == nil {
		err = b.Bind(t.Context(), near{}.Vectors())
	}
	if err == nil {
		err = b.Add(export.JobKey("embed", "m", "j", "0", nil), []export.Row{row("1", "", 1, 0), row("2", "", 0, 1), row("3", "timeout: "+evil)})
	}
	if err == nil {
		_, err = b.Commit(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	spec := &models.Spec{Name: model, SHA256: sha, Task: "embed", Dim: 2}
	told, _ := facts.Of(&models.Spec{Name: model, Task: "embed", Dir: hostile, Source: hostile, SHA256: sha, Architecture: hostile, Graph: hostile,
		Inputs: []string{hostile}, Pooling: hostile, Prompts: map[string]string{hostile: hostile}, Similarity: hostile})
	return open(t, Options{
		Models: []Model{{Name: model, Task: "embed", SHA256: sha, Device: hostile, Tracer: echo{}, About: About{Facts: told, Notes: []string{hostile}, Bits: hostile,
			Found: func() ([]Finding, error) { return []Finding{{About: hostile, Says: hostile}}, nil },
			Files: []models.File{{Path: hostile, SHA256: hostile, Size: 3}}, Cards: []models.CardGraph{{File: hostile, Why: hostile}},
			Work: func() metrics.Work { return metrics.Work{Runs: 1, Tokens: 7, Padded: 8, Took: time.Second} }}}},
		Tables: catalog.New(catalog.Options{URI: store.Path(), Refused: func() map[string]string { return map[string]string{dataset: hostile} },
			Served: []catalog.Model{{Spec: spec, Asks: func(*jobs.Shard, rows.Origin) rows.Work { return near{} }}}}),
	})
}

// Nothing of a table, of a question or of a model is ever markup, on the pages and in what is told of them later.
func TestTablesAreNeverMarkup(t *testing.T) {
	b := tabled(t, "docs", hostile, hostile)
	asked := url.Values{"q": {hostile}, "k": {hostile}, "where": {"lang=" + hostile, hostile}, "model": {hostile}, "engine": {hostile}, "file": {hostile}}
	fine := url.Values{"q": {hostile}, "engine": {"polars"}}
	for path, says := range map[string]string{
		"/tables": "rows not told by the log", "/tables/docs": "alert(1)", "/tables/docs?" + asked.Encode(): "alert(1)", "/tables/docs?" + fine.Encode(): "a &lt;b&gt; &amp; c",
		"/models": "alert(1)", "/models/" + url.PathEscape(hostile): "alert(1)",
	} {
		got := b.get(path)
		if got.status != 200 || !strings.Contains(got.body, says) {
			t.Errorf("%s: status %d\n%s", path, got.status, got.body)
		}
		harmless(t, path, got.body)
		if lacks := closed(got.header); len(lacks) > 0 {
			t.Errorf("%s: without %v", path, lacks)
		}
	}
	for _, path := range []string{"/tables/none", "/tables/" + url.PathEscape(hostile), "/tables/..%2f..%2fetc", "/models/none"} {
		if got := b.get(path); got.status != 404 {
			t.Errorf("%s: status %d", path, got.status)
		} else {
			harmless(t, path, got.body)
		}
	}
}

// What a table is asked stands in its address, and the answer's links and its command ask the same.
func TestAQuestionIsAnAddress(t *testing.T) {
	b := tabled(t, "docs", "m", "abcdef")
	got := b.get("/tables/docs?q=it%27s+what&k=1&where=&where=lang%3Dnone")
	if !strings.Contains(got.body, "No row with a vector meets the conditions") || !strings.Contains(got.body, `value="lang=none"`) {
		t.Errorf("with a condition: %s", got.body)
	}
	got = b.get("/tables/docs?q=it%27s+what&k=1")
	if n := strings.Count(got.body, `<span class="score"`); n != 1 || !strings.Contains(got.body, ">1.0000</span>") || !strings.Contains(got.body, "2 compared by cosine in version 1") {
		t.Errorf("%d answers: %s", n, got.body)
	}
	command := regexp.MustCompile(`<pre data-copy>(textmill search [^<]*)</pre>`).FindStringSubmatch(got.body)
	if command == nil {
		t.Fatal("no command")
	}
	said, err := exec.CommandContext(t.Context(), "sh", "-c", "textmill() { printf '%s|' \"$@\"; }; "+html.UnescapeString(command[1])).Output()
	if err != nil || string(said) != "search|docs|-k|1|--|it's what|" {
		t.Errorf("%s, %v", said, err)
	}
	link := regexp.MustCompile(`<a href="(/tables/docs\?[^"]*)" title="Only such rows">lang=`).FindStringSubmatch(got.body)
	if link == nil {
		t.Fatal("no link to rows of the same language")
	}
	address, err := url.Parse(html.UnescapeString(link[1]))
	if err != nil || address.Query().Get("q") != "it's what" || !strings.HasPrefix(address.Query().Get("where"), "attributes.lang=") {
		t.Fatal(link[1], err)
	}
	if again := b.get(address.RequestURI()); !strings.Contains(again.body, "2 compared by cosine") {
		t.Errorf("narrowed to rows of the same: %s", again.body)
	}
	for query, want := range map[string]string{"q=x&where=lang": "is not of the form NAME=VALUE", "q=x&model=other": "no vector of the table was made by",
		"engine=duckdb": "CREATE OR REPLACE TABLE", "engine=pgvector": "--run TARGET", "file=2": "file 2 of 2"} {
		if got := b.get("/tables/docs?" + query); got.status != 200 || !strings.Contains(html.UnescapeString(got.body), want) {
			t.Errorf("%s: status %d\n%s", query, got.status, got.body)
		}
	}
}

func TestModelsAreShown(t *testing.T) {
	b := tabled(t, "docs", "m", "abcdef")
	got := b.get("/models/m")
	for _, want := range []string{"abcdef", `href="/tables/docs"`, "3 rows, float32 vectors of 2 dimensions", `href="/trace?model=m"`, "<dt>pooling</dt>", "12.5 %", "<dt>Tokens run</dt><dd>7</dd>"} {
		if !strings.Contains(got.body, want) {
			t.Errorf("%q is missing in\n%s", want, got.body)
		}
	}
	if list := b.get("/tables"); !strings.Contains(list.body, `<a href="/models/m">m</a>`) {
		t.Errorf("the list names no model: %s", list.body)
	}
}
