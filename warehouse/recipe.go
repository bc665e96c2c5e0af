package warehouse

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"sync"
	"text/template"

	"go.yaml.in/yaml/v3"

	"textmill/export"
	"textmill/ground/naming"
)

//go:embed recipes/*.tmpl
var files embed.FS

// Recipe is how one engine takes in a table. Everything that tells engines apart stands in the recipe's file.
type Recipe struct {
	Engine  string            `yaml:"-"`
	Title   string            `yaml:"title"`
	Runs    string            `yaml:"runs"`    // pgx, or a key of runners; "" where only its owner can run it
	Checked bool              `yaml:"checked"` // against the engine, by make test-engines
	Needs   string            `yaml:"needs"`
	Page    string            `yaml:"page"`     // of the vendor's documentation that it follows
	Target  string            `yaml:"target"`   // of --run, as --help shows it
	Types   map[string]string `yaml:"types"`    // of columns, by what Delta calls theirs; "embedding": vectors of one length
	Vectors int               `yaml:"vectors"`  // where it takes only rows with a vector, the most dimensions of one
	ByOrder bool              `yaml:"by_order"` // whether it takes a file's columns by their order, and must know all

	text string
}

// Recipes are all of them, in the order of their names. They are read once, and nobody may change them.
var Recipes = sync.OnceValue(func() []*Recipe {
	entries, err := files.ReadDir("recipes")
	if err != nil {
		panic(err) // it is embedded
	}
	var all []*Recipe
	for _, e := range entries {
		r, err := read(strings.TrimSuffix(e.Name(), ".tmpl"))
		if err != nil {
			panic(err) // a test reads them all
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *Recipe) int { return strings.Compare(a.Engine, b.Engine) })
	return all
})

// Engines are the names of the recipes.
func Engines() []string {
	var names []string
	for _, r := range Recipes() {
		names = append(names, r.Engine)
	}
	return names
}

// Find gives the recipe of an engine.
func Find(engine string) (*Recipe, error) {
	for _, r := range Recipes() {
		if r.Engine == engine {
			return r, nil
		}
	}
	names := Engines()
	err := fmt.Errorf("%w: there is no recipe for %q; there are %s", ErrUsage, engine, strings.Join(names, ", "))
	if near := naming.Meant(engine, names); near != "" {
		err = fmt.Errorf("%w; did you mean %s?", err, near)
	}
	return nil, err
}

func read(engine string) (*Recipe, error) {
	raw, err := files.ReadFile(path.Join("recipes", engine+".tmpl"))
	if err != nil {
		return nil, err
	}
	head, text, found := strings.Cut(strings.TrimPrefix(string(raw), "---\n"), "\n---\n")
	if !found {
		return nil, fmt.Errorf("recipe of %s: it has no head", engine)
	}
	r := &Recipe{Engine: engine, text: text}
	decoder := yaml.NewDecoder(strings.NewReader(head))
	decoder.KnownFields(true)
	if err := decoder.Decode(r); err != nil {
		return nil, fmt.Errorf("recipe of %s: %w", engine, err)
	}
	return r, nil
}

// errBare says that a recipe would put something from outside into a program as it is.
var errBare = errors.New("a value is not quoted")

// write puts the recipe for a table, filled in, to out. copyRows puts rows where the
// recipe copies them, and sent is called where they are the table's.
func (r *Recipe) write(out io.Writer, t *table, copyRows func(name string, gone bool) (string, error),
	sent func() (string, error)) error {
	functions := template.FuncMap{
		"sql": sqlText, "csql": backslashText, "ident": identifier, "tick": tickedIdentifier, "py": pythonText,
		"json": jsonText, "comment": comment, "glob": bracketed, "plain": withoutPatterns, "base": base,
		"type":      func(c column) (string, error) { return r.typeOf(t, c) },
		"typed":     func(all []column) []column { return r.typed(t, all) },
		"structure": func() (outside, error) { return r.structure(t) },
		"copy":      copyRows,
		"sent":      sent,
		"short":     shortName,
		"under":     func(dir string, file outside) outside { return outside{dir + file.text} },
	}
	parsed, err := template.New(r.Engine).Funcs(functions).Option("missingkey=error").Parse(r.text)
	if err != nil {
		return fmt.Errorf("recipe of %s: %w", r.Engine, err)
	}
	guarded := &guard{to: out}
	if err := parsed.Execute(guarded, t); err != nil {
		return fmt.Errorf("recipe of %s: %w", r.Engine, err)
	}
	return nil
}

// takes refuses a table whose vectors the engine has no place for.
func (r *Recipe) takes(t *table) error {
	if err := r.reads(t); err != nil {
		return err
	}
	if r.Vectors == 0 || t.Length > 0 && t.Length <= r.Vectors {
		return nil
	}
	return fmt.Errorf("%w: %s takes rows with a vector, all of one length, of %d dimensions at most; %s holds %s; "+
		"load it into another engine", ErrUsage, r.Title, r.Vectors, comment(t.Path), comment(t.Vectors))
}

// reads refuses files of partitioned tables that an engine would read wrongly without the table's log.
func (r *Recipe) reads(t *table) error {
	by := t.changes.By
	if r.ByOrder && len(by.Derived()) > 0 {
		return fmt.Errorf("%w: %s takes a file's columns by their order, and files of %s have more, %s, by which it is "+
			"partitioned; load it into another engine", ErrUsage, r.Title, comment(t.Path), strings.Join(by.Derived(), " and "))
	}
	if !strings.Contains(r.text, ".Files") || !slices.Contains(by, "task") && !slices.Contains(by, "model") {
		return nil
	}
	for _, f := range slices.Concat(t.Files, t.Gone) {
		if !export.Made(f.text) {
			return fmt.Errorf("%w: another tool put together %s, without the columns by which the table is partitioned, "+
				"which %s would miss; load it by --to deltalake or pyspark, which read the table's log", ErrUsage, comment(f), r.Title)
		}
	}
	return nil
}

// typeOf is the engine's type of a column.
func (r *Recipe) typeOf(t *table, c column) (string, error) {
	if c.vector {
		c.delta = "embedding"
	}
	kind, ok := r.Types[c.delta]
	if !ok {
		return "", fmt.Errorf("%s has no type for the column %s, which is %s", r.Engine, c.Name.text, c.delta)
	}
	return strings.ReplaceAll(kind, "<n>", fmt.Sprint(t.Length)), nil
}

// typed are the columns that the engine has a type for.
func (r *Recipe) typed(t *table, all []column) []column {
	return slices.DeleteFunc(slices.Clone(all), func(c column) bool {
		_, err := r.typeOf(t, c)
		return err != nil
	})
}

// structure is of the table's files as ClickHouse is told of it: those of before a column came lack it.
func (r *Recipe) structure(t *table) (outside, error) {
	var parts []string
	for _, c := range r.typed(t, t.Columns) {
		kind, err := r.typeOf(t, c)
		if err != nil {
			return outside{}, err
		}
		name, err := tickedIdentifier(c.Name)
		if err != nil {
			return outside{}, err
		}
		parts = append(parts, name+" "+kind)
	}
	return outside{strings.Join(parts, ", ")}, nil
}

// guard refuses what a recipe prints without quoting it.
type guard struct{ to io.Writer }

func (g *guard) Write(p []byte) (int, error) {
	if string(p) == bare {
		return 0, errBare
	}
	return g.to.Write(p)
}
