package prometheus

import (
	ctx "context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
)

const (
	reference = "../../docs/reference/metrics.md"
	board     = "../../deploy/grafana/textmill.json"
	alerts    = "../../deploy/alerts.yaml"
)

// metric is one that docs/reference/metrics.md has, which a test holds to the code.
type metric struct {
	kind   string
	labels []string
}

func metricsThatExist(t *testing.T) map[string]metric {
	t.Helper()
	page, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]metric{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(textmill_[a-z_]+)` \\| ([a-z]+)((?:, `[a-z0-9_]+`)*) \\|").FindAllStringSubmatch(string(page), -1) {
		one := metric{kind: m[2], labels: []string{"instance", "job"}}
		for _, l := range regexp.MustCompile("`([a-z0-9_]+)`").FindAllStringSubmatch(m[3], -1) {
			one.labels = append(one.labels, l[1])
		}
		all[m[1]] = one
	}
	if len(all) < 30 {
		t.Fatalf("the reference has %d metrics only", len(all))
	}
	return all
}

// known says what is wrong with the metrics and labels of a query.
func known(t *testing.T, where, query string, exist map[string]metric) (used []string) {
	t.Helper()
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		t.Errorf("%s: %s: %v", where, query, err)
		return nil
	}
	allowed := []string{"le"}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		s, ok := n.(*parser.VectorSelector)
		if !ok || !strings.HasPrefix(s.Name, "textmill_") {
			return nil
		}
		name := s.Name
		m, there := exist[name]
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base, cut := strings.CutSuffix(s.Name, suffix); cut && !there && exist[base].kind == "histogram" {
				name, m, there = base, exist[base], true
			}
		}
		if !there || m.kind == "histogram" && name == s.Name {
			t.Errorf("%s: %s: there is no metric %s", where, query, s.Name)
			return nil
		}
		used = append(used, name)
		allowed = append(allowed, m.labels...)
		for _, l := range s.LabelMatchers {
			if l.Name != model.MetricNameLabel && l.Name != "le" && !slices.Contains(m.labels, l.Name) {
				t.Errorf("%s: %s: %s has no label %s", where, query, s.Name, l.Name)
			}
		}
		return nil
	})
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		var named []string
		switch n := n.(type) {
		case *parser.AggregateExpr:
			named = n.Grouping
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				named = append(slices.Clone(n.VectorMatching.MatchingLabels), n.VectorMatching.Include...)
			}
		}
		for _, l := range named {
			if !slices.Contains(allowed, l) {
				t.Errorf("%s: %s: none of its metrics has the label %s", where, query, l)
			}
		}
		return nil
	})
	return used
}

// asked is a variable of a board in the place where one is asked for: $name, ${name} or ${name:format}.
var asked = regexp.MustCompile(`\$\{?(\w+)`)

// variablesOf says what is wrong with a board's variables: each that is asked for is there, and each that is there is
// asked for by something but itself.
func variablesOf(t *testing.T, board []byte) (wrong []string) {
	t.Helper()
	var b map[string]any
	if err := json.Unmarshal(board, &b); err != nil {
		t.Fatal(err)
	}
	there, used := map[string]bool{}, map[string]bool{}
	list, _ := b["templating"].(map[string]any)["list"].([]any)
	for _, v := range list {
		name, _ := v.(map[string]any)["name"].(string)
		there[name] = true
	}
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range asked.FindAllStringSubmatch(string(text), -1) {
		name := m[1]
		if !strings.HasPrefix(name, "__") { // Grafana's own
			used[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(used)) {
		if !there[name] {
			wrong = append(wrong, "it asks for $"+name+", and has no such variable")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(there)) {
		if !used[name] {
			wrong = append(wrong, "nothing asks for its variable "+name)
		}
	}
	return wrong
}

func TestVariablesOfTheBoard(t *testing.T) {
	data, err := os.ReadFile(board)
	if err != nil {
		t.Fatal(err)
	}
	if wrong := variablesOf(t, data); wrong != nil {
		t.Error(wrong)
	}
	// A board that loses any one of them is found.
	var whole map[string]any
	if err := json.Unmarshal(data, &whole); err != nil {
		t.Fatal(err)
	}
	templating := whole["templating"].(map[string]any)
	list := templating["list"].([]any)
	if len(list) < 3 {
		t.Fatalf("%d variables", len(list))
	}
	for i, v := range list {
		templating["list"] = slices.Delete(slices.Clone(list), i, i+1)
		less, err := json.Marshal(whole)
		if err != nil {
			t.Fatal(err)
		}
		if name := v.(map[string]any)["name"].(string); !slices.Contains(variablesOf(t, less), "it asks for $"+name+", and has no such variable") {
			t.Errorf("a board without the variable %s is not found", name)
		}
	}
}

func TestBoardAsksForWhatThereIs(t *testing.T) {
	data, err := os.ReadFile(board)
	if err != nil {
		t.Fatal(err)
	}
	var b struct {
		Panels []struct {
			ID      int
			Title   string
			Type    string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct {
				Name  string
				Type  string
				Query json.RawMessage
			}
		}
	}
	if err := json.Unmarshal(data, &b); err != nil {
		t.Fatal(err)
	}
	exist, shown := metricsThatExist(t), map[string]bool{}
	variables := strings.NewReplacer("$__rate_interval", "5m")
	for _, v := range b.Templating.List {
		variables = strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*", "$model", ".*")
		if m := regexp.MustCompile(`label_values\((\w+), (\w+)\)`).FindStringSubmatch(string(v.Query)); v.Type == "query" &&
			(m == nil || !slices.Contains(exist[m[1]].labels, m[2])) {
			t.Errorf("variable %s: %s", v.Name, v.Query)
		}
	}
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range b.Panels {
		if ids[p.ID] {
			t.Errorf("panel %s has the id of another", p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("panel %s lies over %s or beside the board", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %s asks for nothing", p.Title)
		}
		for _, q := range p.Targets {
			for _, name := range known(t, "panel "+p.Title, variables.Replace(q.Expr), exist) {
				shown[name] = true
			}
		}
	}
	for name := range exist {
		if !shown[name] && !slices.Contains([]string{"textmill_batches_total", "textmill_commits_total", "textmill_dead_letters_full"}, name) {
			t.Errorf("the board does not show %s", name)
		}
	}
}

func groupsOfRules(t *testing.T) []rulefmt.RuleGroup {
	t.Helper()
	all, errs := rulefmt.ParseFile(alerts, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return all.Groups
}

func TestAlertsAskForWhatThereIs(t *testing.T) {
	exist := metricsThatExist(t)
	for _, g := range groupsOfRules(t) {
		for _, r := range g.Rules {
			if used := known(t, r.Alert, r.Expr, exist); len(used) == 0 {
				t.Errorf("%s asks for no metric of textmill's", r.Alert)
			}
			if r.Annotations["summary"] == "" || r.Annotations["description"] == "" || r.Labels["severity"] != "page" && r.Labels["severity"] != "ticket" {
				t.Errorf("%s lacks a summary, a description or a severity", r.Alert)
			}
		}
	}
}

// TestAlertsFire is what promtool test rules does: series as daemons write them, and the alerts that come of them.
func TestAlertsFire(t *testing.T) {
	const calm = `
load 1m
  textmill_ready{instance="a"} 1x200
  textmill_lag_messages{instance="a",model="m"} 50+0x200
  textmill_lag_seconds{instance="a",model="m"} 30+0x200
  textmill_tokens_total{instance="a",model="m"} 0+60000x200
  textmill_dropped_tokens_total{instance="a",model="m"} 0+10x200
  textmill_unserved_subjects{instance="a"} 0x200
  textmill_commits_total{instance="a",dataset="docs",result="committed"} 0+10x200
  textmill_commits_total{instance="a",dataset="docs",result="failed"} 0x200
  textmill_commit_seconds_bucket{instance="a",le="0.064"} 0+10x200
  textmill_commit_seconds_bucket{instance="a",le="4.096"} 0+10x200
  textmill_commit_seconds_bucket{instance="a",le="8.192"} 0+10x200
  textmill_commit_seconds_bucket{instance="a",le="+Inf"} 0+10x200
  textmill_dead_letters_held{instance="a"} 3x200
  textmill_dead_letters_full{instance="a"} 0x200
  textmill_stream_bytes{instance="a",stream="TEXTMILL_DEAD"} 100x200
  textmill_stream_limit_bytes{instance="a",stream="TEXTMILL_DEAD"} 1000x200
  textmill_rows_total{instance="a",dataset="docs",error="false"} 0+1000x200
  textmill_rows_total{instance="a",dataset="docs",error="true"} 0+2x200
  textmill_deliveries_total{instance="a",verdict="committed"} 0+10x200
  textmill_deliveries_total{instance="a",verdict="handed_back"} 5x200
  textmill_model_info{instance="a",model="m",model_sha256="one"} 1x200
  textmill_build_info{instance="a",version="v1"} 1x200
`
	all := map[string]bool{}
	for name, test := range map[string]struct {
		instead map[string]string // values by the beginning of a line, or one that is added
		want    []string
	}{
		"calm":      {nil, nil},
		"not ready": {map[string]string{`textmill_ready{instance="a"}`: "1x100 0x100"}, []string{"TextmillNotReady"}},
		"stalled": {map[string]string{`textmill_tokens_total{instance="a",model="m"}`: "0+60000x100 6000000x100"},
			[]string{"TextmillStalled", "TextmillTextsCut"}},
		"behind": {map[string]string{`textmill_lag_seconds{instance="a",model="m"}`: "0+60x200",
			`textmill_lag_messages{instance="a",model="m"}`: "50+5x200"}, []string{"TextmillNotKeepingUp"}},
		"a long queue that gets shorter": {map[string]string{`textmill_lag_seconds{instance="a",model="m"}`: "9000x200",
			`textmill_lag_messages{instance="a",model="m"}`: "5000-5x200"}, nil},
		"unserved":      {map[string]string{`textmill_unserved_subjects{instance="a"}`: "2x200"}, []string{"TextmillUnserved"}},
		"commits fail":  {map[string]string{`textmill_commits_total{instance="a",dataset="docs",result="failed"}`: "0+1x200"}, []string{"TextmillCommitsFail"}},
		"commits slow":  {map[string]string{`textmill_commit_seconds_bucket{instance="a",le="4.096"}`: "0+5x200", `textmill_commit_seconds_bucket{instance="a",le="0.064"}`: "0x200"}, []string{"TextmillCommitsSlow"}},
		"refused":       {map[string]string{`textmill_refused_tables{instance="a",dataset="docs"}`: "1x200"}, []string{"TextmillTableRefused"}},
		"dead letters":  {map[string]string{`textmill_dead_letters_held{instance="a"}`: "3+1x200"}, []string{"TextmillDeadLetters"}},
		"letters full":  {map[string]string{`textmill_dead_letters_full{instance="a"}`: "1x200"}, []string{"TextmillDeadLettersFull"}},
		"little room":   {map[string]string{`textmill_stream_bytes{instance="a",stream="TEXTMILL_DEAD"}`: "900x200"}, []string{"TextmillDeadLettersNearlyFull"}},
		"errors":        {map[string]string{`textmill_rows_total{instance="a",dataset="docs",error="true"}`: "0+100x200"}, []string{"TextmillErrorRows"}},
		"cut":           {map[string]string{`textmill_dropped_tokens_total{instance="a",model="m"}`: "0+6000x200"}, []string{"TextmillTextsCut"}},
		"twice":         {map[string]string{`textmill_deliveries_total{instance="a",verdict="handed_back"}`: "0+10x200"}, []string{"TextmillWorkDoneTwice"}},
		"other files":   {map[string]string{`textmill_model_info{instance="b",model="m",model_sha256="two"}`: "1x200"}, []string{"TextmillModelsDiffer"}},
		"other version": {map[string]string{`textmill_build_info{instance="b",version="v2"}`: "1x200"}, []string{"TextmillVersionsDiffer"}},
	} {
		t.Run(name, func(t *testing.T) {
			fired := firing(t, replaced(t, calm, test.instead), 199*time.Minute)
			for _, alert := range test.want {
				all[alert] = true
				if !slices.Contains(fired, alert) {
					t.Errorf("%s does not fire", alert)
				}
			}
			for _, alert := range fired {
				if !slices.Contains(test.want, alert) {
					t.Errorf("%s fires", alert)
				}
			}
		})
	}
	for _, r := range groupsOfRules(t)[0].Rules {
		if !all[r.Alert] {
			t.Errorf("nothing here has %s fire", r.Alert)
		}
	}
}

// replaced gives series other values.
func replaced(t *testing.T, load string, instead map[string]string) string {
	t.Helper()
	for series, values := range instead {
		line := regexp.MustCompile(`(?m)^  ` + regexp.QuoteMeta(series) + ` .*$`)
		if line.MatchString(load) {
			load = line.ReplaceAllString(load, "  "+series+" "+values)
		} else {
			load += "  " + series + " " + values + "\n"
		}
	}
	return load
}

// firing are the alerts that fire after so long, evaluated each minute as Prometheus does.
func firing(t *testing.T, load string, after time.Duration) (names []string) {
	t.Helper()
	storage := promqltest.LoadedStorage(t, load)
	engine := promqltest.NewTestEngineWithOpts(t, promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, Parser: parser.NewParser(parser.Options{})})
	m := rules.NewManager(&rules.ManagerOptions{ExternalURL: &url.URL{}, QueryFunc: rules.EngineQueryFunc(engine, storage),
		NotifyFunc: func(_ ctx.Context, _ string, _ ...*rules.Alert) {}, Context: t.Context(), AppendableV2: storage, Queryable: storage,
		Logger: slog.New(slog.DiscardHandler)})
	groups, errs := m.LoadGroups(time.Minute, labels.EmptyLabels(), "", nil, false, alerts)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for _, g := range groups {
		for at := time.Duration(0); at <= after; at += time.Minute {
			g.Eval(t.Context(), time.Unix(0, 0).Add(at).UTC())
		}
		for _, r := range g.AlertingRules() {
			if r.LastError() != nil {
				t.Errorf("%s: %v", r.Name(), r.LastError())
			}
			for _, a := range r.ActiveAlerts() {
				if a.State == rules.StateFiring && !slices.Contains(names, r.Name()) {
					names = append(names, r.Name())
				}
			}
		}
	}
	return names
}
