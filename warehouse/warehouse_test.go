package warehouse

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"textmill/export"
	"textmill/internal/committed"
)

// hostile end literals, comments and lines where they are not quoted.
var hostile = []string{`it's`, `a"b`, "tick`", `back\slash`, "new\nline", `'; DROP TABLE x; --`, `{{.Path}}`, "ü日本😀\u202e", "\x1b[31m", `$x %s`}

func made(t *testing.T, name string) string {
	t.Helper()
	return committed.Table(t, export.Options{URI: t.TempDir()}, name, export.Vectors{Precision: "float32", Dim: 2}, []export.Row{
		{Job: "j", Shard: "0", RecordID: "a\tb\\", Task: "embed", Text: export.Some("x\x00\n\\.\r"), Embedding: []float32{0.5, -1}, CreatedAt: time.Unix(1, 5000),
			Attributes: map[string]string{"k\x00": `"<v>"`}},
		{Job: "j", Shard: "0", RecordID: "bad", Task: "embed", Error: "no"},
	})
}

func printed(t *testing.T, o Options) string {
	t.Helper()
	var out bytes.Buffer
	o.Out, o.About = &out, io.Discard
	if err := Load(t.Context(), o); err != nil {
		t.Fatalf("%s: %v", o.Engine, err)
	}
	return out.String()
}

func TestRecipesSayWhatTheyAre(t *testing.T) {
	path := made(t, "docs")
	for _, r := range Recipes() {
		_, runs := runners[r.Runs]
		if r.Title == "" || r.Page == "" || r.Needs == "" || r.Runs != "" && r.Runs != "pgx" && !runs || r.Checked != (r.Runs != "") {
			t.Errorf("recipe of %s: %+v", r.Engine, r)
		}
		text := printed(t, Options{Table: path, Engine: r.Engine})
		if strings.Contains(text, "Not run here") == r.Checked {
			t.Errorf("recipe of %s is run by the tests: %t, and says otherwise", r.Engine, r.Checked)
		}
		if since := printed(t, Options{Table: path, Engine: r.Engine, Since: "1"}); since == text {
			t.Errorf("recipe of %s is the same for what changed", r.Engine)
		}
	}
}

// No name ends the literal, the comment or the line that it stands in; what cannot be quoted is refused.
func TestRecipesQuoteNames(t *testing.T) {
	path := made(t, "docs")
	for _, name := range hostile {
		for _, r := range Recipes() {
			var out bytes.Buffer
			err := Load(t.Context(), Options{Table: path, Engine: r.Engine, Name: name, Out: &out, About: io.Discard})
			if err != nil && !errors.Is(err, ErrUsage) {
				t.Errorf("%s, %q: %v", r.Engine, name, err)
			}
			rest := out.String()
			for _, quote := range []func(outside) (string, error){sqlText, identifier, backslashText, tickedIdentifier, pythonText, jsonText} {
				for _, text := range []string{name, name + "_embedding", name + "_textmill_new"} {
					quoted, _ := quote(outside{text})
					if quoted != "" {
						rest = strings.ReplaceAll(rest, quoted, "")
					}
				}
			}
			for line := range strings.Lines(rest) {
				said := strings.HasPrefix(line, "--") || strings.HasPrefix(line, "#")
				if strings.Contains(line, name) && !said {
					t.Errorf("%s: %q stands bare in %q", r.Engine, name, line)
				}
			}
		}
	}
	bareRecipe := &Recipe{Engine: "x", text: "CREATE TABLE {{.Name}}"}
	if err := bareRecipe.write(io.Discard, &table{Name: outside{"docs"}}, nil, nil); !errors.Is(err, errBare) {
		t.Errorf("a recipe that quotes nothing: %v", err)
	}
	if err := Load(t.Context(), Options{Table: path, Engine: "pgvector", Name: strings.Repeat("x", 64), Out: io.Discard, About: io.Discard}); !errors.Is(err, ErrUsage) {
		t.Errorf("a name that PostgreSQL would cut: %v", err)
	}
}

func TestLiterals(t *testing.T) {
	for _, c := range []struct {
		quote func(outside) (string, error)
		text  string
		want  string
	}{
		{sqlText, `it's \ "x"`, `'it''s \ "x"'`},
		{identifier, `a"b'c`, `"a""b'c"`},
		{backslashText, "it's \\ \n", `'it\'s \\ \n'`},
		{tickedIdentifier, "docs-1", "`docs-1`"},
		{pythonText, "a\"b\\c\nü😀\u202e{x}", `"a\"b\\c\u000a\u00fc\U0001f600\u202e{x}"`},
		{jsonText, "a\"b", `"a\"b"`},
	} {
		if got, err := c.quote(outside{c.text}); got != c.want || err != nil {
			t.Errorf("%q becomes %s, %v; want %s", c.text, got, err, c.want)
		}
		if _, err := c.quote(outside{"a\x00"}); !errors.Is(err, ErrUsage) {
			t.Errorf("a zero byte: %v", err)
		}
	}
	if _, err := tickedIdentifier(outside{"a`b"}); !errors.Is(err, ErrUsage) {
		t.Errorf("a backtick: %v", err)
	}
	if _, err := withoutPatterns(outside{"/a/{b}"}); !errors.Is(err, ErrUsage) {
		t.Errorf("a pattern: %v", err)
	}
	if got := bracketed(outside{"/a[b]*?"}).text; got != "/a[[]b][*][?]" {
		t.Errorf("brackets: %s", got)
	}
}

// The rows that stand in a script are lines of COPY's text form, whatever is in them.
func TestScriptHoldsRows(t *testing.T) {
	path := made(t, "docs")
	text := printed(t, Options{Table: path, Engine: "pgvector", Errors: true})
	_, rows, _ := strings.Cut(text, "FROM STDIN;\n")
	rows, _, _ = strings.Cut(rows, "\\.\n")
	lines := strings.Split(strings.TrimSuffix(rows, "\n"), "\n")
	if len(lines) != 2 {
		t.Fatalf("rows: %q", lines)
	}
	fields := strings.Split(lines[0], "\t")
	for _, want := range []string{`a\tb\\`, "x\uFFFD\\n\\\\.\\r", `{"k` + "\uFFFD" + `":"\\"<v>\\""}`, "[0.5,-1]", "1970-01-01 00:00:01.000005+00", `\N`} {
		if !slices.Contains(fields, want) {
			t.Errorf("no field %q in %q", want, fields)
		}
	}
	if text = printed(t, Options{Table: path, Engine: "pgvector"}); strings.Contains(text, "\tbad\t") {
		t.Error("an error row is loaded unasked")
	}
}

func TestWrongUse(t *testing.T) {
	path := made(t, "docs")
	for want, o := range map[string]Options{
		"did you mean pgvector":  {Engine: "pgvectr"},
		"cannot reach":           {Engine: "snowflake", Run: "x"},
		"--since":                {Engine: "duckdb", Since: "-3"},
		"knows what was loaded":  {Engine: "duckdb", Since: SinceLast},
		"takes \"/":              {Engine: "clickhouse"},
		"not yet at 7; was it m": {Engine: "duckdb", Since: "7"},
	} {
		o.Table, o.Out, o.About = path, io.Discard, io.Discard
		if o.Engine == "clickhouse" {
			store := t.TempDir() + "/{a}"
			o.Table = madeIn(t, store)
		}
		if err := Load(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v; want %q", o, err, want)
		}
	}
}

// What has rows with one vector of a known length each, and nothing else, refuses lists of tokens, bits and texts alone.
func TestRecipesRefuseVectorsWithoutALength(t *testing.T) {
	for want, v := range map[string]export.Vectors{
		"float32 vectors of 2 dimensions for each token": {Precision: "float32", Dim: 2, PerToken: true},
		"ubinary vectors of 8 dimensions":                {Precision: "ubinary", Dim: 8},
		"float32 vectors of 70000 dimensions":            {Precision: "float32", Dim: 70000},
		"no vectors":                                     {},
	} {
		path := madeOf(t, t.TempDir(), v)
		for _, r := range Recipes() {
			err := Load(t.Context(), Options{Table: path, Engine: r.Engine, Out: io.Discard, About: io.Discard})
			refused := errors.Is(err, ErrUsage) && strings.Contains(err.Error(), want)
			if needs := r.Engine == "milvus" || r.Engine == "qdrant"; refused != needs || !needs && err != nil {
				t.Errorf("%s, %s: %v", r.Engine, want, err)
			}
		}
	}
}

// COPY of Redshift takes a file's columns by their order, those without a value too.
func TestRedshiftHasEveryColumn(t *testing.T) {
	text := printed(t, Options{Table: madeIn(t, t.TempDir()), Engine: "redshift"})
	if !strings.Contains(text, `"embedding" SUPER`) {
		t.Errorf("no place for the column embedding in\n%s", text)
	}
	text = printed(t, Options{Table: madeOf(t, t.TempDir(), export.Vectors{Precision: "int8", Dim: 3}), Engine: "snowflake"})
	if !strings.Contains(text, `"embedding" VECTOR(INT, 3)`) || !strings.Contains(text, `"embedding"::VECTOR(INT, 3)`) {
		t.Errorf("whole numbers as others in\n%s", text)
	}
}

func madeIn(t *testing.T, dir string) string {
	t.Helper()
	return madeOf(t, dir, export.Vectors{})
}

// madeOf makes a table of one row, whose vector is of a kind.
func madeOf(t *testing.T, dir string, v export.Vectors) string {
	t.Helper()
	row := export.Row{RecordID: "a"}
	switch {
	case v == (export.Vectors{}):
	case v.Kind() == export.EmbeddingInt8:
		row.Embedding8 = make([]int8, v.Dim)
	case v.Kind() == export.EmbeddingInt16:
		row.Embedding16 = make([]int16, v.Dim)
	default:
		row.Embedding = make([]float32, v.Dim)
	}
	return committed.Table(t, export.Options{URI: dir}, "docs", v, []export.Row{row})
}

// A literal ends where it should, whatever is in it.
func FuzzLiterals(f *testing.F) {
	for _, name := range hostile {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := sqlText(outside{text}); err == nil && strings.ReplaceAll(s[1:len(s)-1], "''", "'") != text || strings.Count(s, "'")%2 != 0 {
			t.Errorf("SQL: %q", s)
		}
		for _, quote := range []func(outside) (string, error){backslashText, pythonText} {
			s, err := quote(outside{text})
			if err != nil {
				continue
			}
			for i := 1; i < len(s); i++ {
				switch {
				case s[i] == '\\':
					i++
				case s[i] == '\n' || s[i] == s[0] && i < len(s)-1:
					t.Errorf("%q ends within", s)
				}
			}
		}
	})
}

// Engines that read files and not the log are not given those that lack a column by which the table is partitioned.
func TestRecipesRefuseFilesThatLackColumns(t *testing.T) {
	for _, c := range []struct {
		by      export.Partitioning
		file    string
		refused []string
	}{
		{export.Partitioning{"task", "model"}, "task=embed/model=m/textmill-0a-1.parquet", nil},
		{export.Partitioning{"model"}, "model=m/part-00001-c000.zstd.parquet", []string{"bigquery", "clickhouse", "duckdb",
			"lancedb", "milvus", "opensearch", "pandas", "polars", "pyarrow", "qdrant", "redshift", "snowflake"}},
		{export.Partitioning{"date", "attribute:lang"}, "date=2026-11-28/lang=en/part-00001-c000.zstd.parquet", []string{"redshift"}},
	} {
		var refused []string
		for _, r := range Recipes() {
			for _, gone := range []bool{false, true} {
				files := []outside{{"/tables/docs/" + c.file}}
				tab := &table{changes: &export.Changes{Inspection: &export.Inspection{By: c.by}}, Length: 3, Files: files}
				if gone {
					tab.Files, tab.Gone = nil, files
				}
				err := r.takes(tab)
				if err != nil && !errors.Is(err, ErrUsage) {
					t.Error(err)
				}
				if err != nil && gone {
					refused = append(refused, r.Engine)
				}
			}
		}
		if !slices.Equal(refused, c.refused) {
			t.Errorf("%v, %s: refused are %q, want %q", c.by, c.file, refused, c.refused)
		}
	}
}
