package input

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"textmill/jobs"
)

const nested = `{"id":"a","meta":{"title":"T","author":{"name":"Ada","born":1815},"n":7},"meta.lang":"en","body":"B"}`

// A path leads into objects; what has the very name of a path comes first; what is left of an object stays an attribute.
func TestPathsIntoJSON(t *testing.T) {
	for _, tc := range []struct {
		name string
		o    Options
		in   string
		want string
	}{
		{"a nested text", Options{TextColumn: "meta.title"}, nested, `1:a|T|map[body:B meta:{"author":{"name":"Ada","born":1815},"n":7} meta.lang:en]`},
		{"a nested id too", Options{TextColumn: "meta.title", IDColumn: "meta.author.born"}, nested, `1:1815|T|map[body:B id:a meta:{"author":{"name":"Ada"},"n":7} meta.lang:en]`},
		{"a key of the very name", Options{TextColumn: "a.b"}, `{"a":{"b":"inner"},"a.b":"outer"}`, `1:|outer|map[a:{"b":"inner"}]`},
		{"also further in", Options{TextColumn: "a.b.c"}, `{"a":{"b":{"c":"deep"},"b.c":"shallow"}}`, `1:|shallow|map[a:{"b":{"c":"deep"}}]`},
		{"the longest key first, then others", Options{TextColumn: "a.b.c"}, `{"a.b":{"d":1},"a":{"b.c":"found"}}`, `1:|found|map[a.b:{"d":1}]`},
		{"nothing is left", Options{TextColumn: "a.b.c"}, `{"a":{"b":{"c":"x"}}}`, `1:|x`},
		{"no such path", Options{TextColumn: "meta.none"}, nested, `1:a!invalid_record`},
		{"a path through a string", Options{TextColumn: "body.x"}, nested, `1:a!invalid_record`},
		{"no text at its end", Options{TextColumn: "meta.n"}, nested, `1:a!invalid_record`},
		{"over-long, its id first", Options{TextColumn: "b", IDColumn: "a.k.id", MaxRecordBytes: 40}, `{"a":{"j":{},"k":{"x":1,"id":"z"}},"b":"` + strings.Repeat("x", 99) + `"}`, `1:z!too_long`},
		{"two keys of one name", Options{TextColumn: "meta.title"}, `{"id":"a","meta":{"title":"x","title":"y"}}`, `1:a!invalid_record`},
		{"half a surrogate pair", Options{TextColumn: "meta.title"}, `{"id":"a","meta":{"title":"\ud800"}}`, `1:a!bad_utf8`},

		{"chosen attributes", Options{TextColumn: "body", AttributeColumns: []string{"meta.lang", "meta.author.name", "none", "body"}}, nested,
			`1:a|B|map[body:B meta.author.name:Ada meta.lang:en]`},
		{"no attributes", Options{AttributeColumns: []string{}}, `{"id":"a","text":"x","attributes":{"k":"v"},"z":1}`, `1:a|x`},

		{"a template", Options{TextTemplate: `{meta.title}\n\n{body}`}, nested, "1:a|T\n\nB|map[meta:{\"author\":{\"name\":\"Ada\",\"born\":1815},\"n\":7} meta.lang:en]"},
		{"numbers and objects as JSON", Options{TextTemplate: `{{{meta.n}}}\t{meta.author}`, AttributeColumns: []string{}}, nested, "1:a|{7}\t{\"name\":\"Ada\",\"born\":1815}"},
		{"a missing key", Options{TextTemplate: `{title} {body}`}, nested, `1:a!invalid_record`},
		{"a null", Options{TextTemplate: `{title} {body}`}, `{"id":3,"title":null,"body":"B"}`, `1:3!invalid_record`},
		{"what may be missing", Options{TextTemplate: `{title?}|{sub?}|{body}`}, `{"title":null,"body":"B"}`, `1:|||B`},
		{"the keys text and id", Options{TextTemplate: `{id}: {text}`}, `{"id":"i","text":"x","z":"y"}`, `1:i|i: x|map[z:y]`},
		{"the key text, not used", Options{TextTemplate: `{z}`}, `{"id":"i","text":"x","z":"y"}`, `1:i|y|map[text:x]`},
		{"line of a batch", Options{TextTemplate: `{custom_id}`, AttributeColumns: []string{}}, `{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"input":"x"}}`, `1:|a`},
	} {
		if got := show(readAll(t, tc.in, tc.o)); len(got) != 1 || got[0] != tc.want {
			t.Errorf("%s:\ngot  %q\nwant %q", tc.name, got, tc.want)
		}
	}
}

func TestTemplatesOfTables(t *testing.T) {
	const table = "id,title,body,meta.lang\n1,T,B,en\n2,,\"B\n2\",de\n"
	for _, tc := range []struct {
		o    Options
		want []string
	}{
		{Options{TextTemplate: `{title}: {body}`}, []string{"2:1|T: B|map[meta.lang:en]", "3:2|: B\n2|map[meta.lang:de]"}},
		{Options{TextTemplate: `{title?}{none?}`, AttributeColumns: []string{"title", "meta.lang"}}, []string{"2:1|T|map[meta.lang:en title:T]", "3:2||map[meta.lang:de title:]"}},
		{Options{TextColumn: "meta.lang", AttributeColumns: []string{}}, []string{"2:1|en", "3:2|de"}},
	} {
		tc.o.Format = CSV
		if got := show(readAll(t, table, tc.o)); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%+v:\ngot  %q\nwant %q", tc.o, got, tc.want)
		}
	}
}

// TestParquetStructs reads what testdata/parquet.py has pyarrow write.
func TestParquetStructs(t *testing.T) {
	for _, tc := range []struct {
		o    Options
		want []string
	}{
		{Options{TextColumn: "meta.title"}, []string{"1:a|T1|map[body:B1 meta.lang:en]", "2:b!invalid_record", "3:c!invalid_record", "4:d|T4|map[meta.lang:fr]"}},
		{Options{TextColumn: "body", IDColumn: "meta.n", AttributeColumns: []string{"meta.author.name", "meta.lang"}},
			[]string{"1:1|B1|map[meta.author.name:Ada meta.lang:en]", "2:|B2|map[meta.lang:de]", "3:3|B3", "4:!invalid_record"}},
		{Options{TextTemplate: "{meta.title?}/{meta.author.name?}/{body}", AttributeColumns: []string{}}, []string{"1:a|T1/Ada/B1", "2:b|//B2", "3:c|//B3", "4:d!invalid_record"}},
		{Options{TextTemplate: "{none?}{body?}", AttributeColumns: []string{}}, []string{"1:a|B1", "2:b|B2", "3:c|B3", "4:d|"}},
	} {
		r, err := Open("testdata/structs.parquet", tc.o)
		if err != nil {
			t.Fatal(err)
		}
		if got := show(drain(t, r)); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%+v:\ngot  %q\nwant %q", tc.o, got, tc.want)
		}
	}
}

func TestColumnsThatAreNotThere(t *testing.T) {
	for want, o := range map[string]Options{
		`no column "meta.none" for the text; the file has: id, meta, meta.lang, body`: {TextColumn: "meta.none"},
		`no column "titel" for the text`:                                              {TextTemplate: "{titel} {body}"},
		`no column "meta.tags.0"`:                                                     {TextColumn: "body", AttributeColumns: []string{"meta.tags.0"}},
		`"meta.tags" is nested`:                                                       {TextColumn: "meta.tags"},
		`"meta" is nested`:                                                            {TextColumn: "body", AttributeColumns: []string{"meta"}},
		`no column "key" for the id`:                                                  {TextColumn: "body", IDColumn: "key"},
		`no column "meta.tags.list.element"`:                                          {TextColumn: "meta.tags.list.element"},
	} {
		if _, err := Open("testdata/structs.parquet", o); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", o, err, want)
		}
	}
	for _, format := range []string{Text, OpenAIBatch} {
		for _, o := range []Options{{TextTemplate: "{a}"}, {AttributeColumns: []string{}}} {
			o.Format = format
			if _, err := NewReader(strings.NewReader("x\n"), o); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "has no columns") {
				t.Errorf("%+v: %v", o, err)
			}
		}
	}
	items := readAll(t, `{"id":"a","title":null}`, Options{TextTemplate: "{title}"})
	if got := items[0].Record.Err.Message; got != "line 1: title is null; the template may say {title?} where it may be" {
		t.Errorf("a null says %q", got)
	}
}

func TestOptionsThatContradict(t *testing.T) {
	for want, o := range map[string]Options{
		"names no column": {TextTemplate: "abc"}, "byte 1: this { is not closed": {TextTemplate: "{a"}, "byte 3: this } closes nothing": {TextTemplate: "ab}"},
		"byte 2: no column is named": {TextTemplate: "x{?}"}, `\\n, \\t and \\\\`: {TextTemplate: `{a}\d`}, `"\\" is no escape`: {TextTemplate: `{a}\`},
		"leave --text-column out": {TextTemplate: "{a}", TextColumn: "a"}, "has no name": {AttributeColumns: []string{"a", ""}},
	} {
		if err := o.Check(); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), strings.ReplaceAll(want, `\\n, \\t and \\\\`, `\n, \t and \\`)) {
			t.Errorf("%+v: %v, want %s", o, err, want)
		}
	}
}

// FuzzTemplate holds templates to what they are written back as, and records to being records.
func FuzzTemplate(f *testing.F) {
	f.Add(`{title}\n\n{{{meta.body?}}}`, `{"title":"T","meta":{"body":"B"}}`)
	f.Add(`{a.b?}\\`, `{"a":{"b":1},"a.b":null}`)
	f.Add(`{id}{`, `{"id":"\ud800"}`)
	f.Fuzz(func(t *testing.T, template, line string) {
		pieces, err := parseTemplate(template)
		if err != nil {
			return
		}
		var again strings.Builder
		escape := strings.NewReplacer("{", "{{", "}", "}}", `\`, `\\`)
		for _, p := range pieces {
			switch {
			case p.column == "":
				again.WriteString(escape.Replace(p.literal))
			case p.optional:
				again.WriteString("{" + p.column + "?}")
			default:
				again.WriteString("{" + p.column + "}")
			}
		}
		if back, err := parseTemplate(again.String()); err != nil || !reflect.DeepEqual(back, pieces) {
			t.Fatalf("%q is %+v, and %q is %+v, %v", template, pieces, again.String(), back, err)
		}
		readFuzzed(t, []byte(line), Options{Format: JSONL, TextTemplate: template})
		readFuzzed(t, []byte(line), Options{Format: CSV, TextTemplate: template})
		if e := jobs.ParseRecord([]byte(line)).Err; e == nil && strings.TrimSpace(line) != "" && !strings.Contains(line, "\n") && len(line) < 1000 {
			if got := readAll(t, line, Options{Format: JSONL, TextColumn: "text", IDColumn: "id"}); len(got) != 1 || got[0].Record.Err != nil {
				t.Fatalf("%q under the names that its keys have: %+v", line, got)
			}
		}
	})
}
