package config

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const example = "textmill.example.yaml"

// withModels is the example with its commented models in force.
func withModels(t *testing.T) (whole, plain string) {
	t.Helper()
	data, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	head, models, ok := strings.Cut(string(data), "# models:\n")
	if !ok {
		t.Fatal("the example has no commented models")
	}
	return head + "models:\n" + strings.ReplaceAll("\n"+models, "\n# ", "\n"), string(data)
}

func TestExampleHoldsTheDefaults(t *testing.T) {
	_, plain := withModels(t)
	got, want := Default(), Default()
	var p problems
	decodeYAML(&got, example, []byte(plain), &p)
	if err := p.err(); err != nil {
		t.Fatal(err)
	}
	for i, l := range leaves(&got) {
		if w := leaves(&want)[i]; l.format() != w.format() {
			t.Errorf("%s: the example says %s, the default is %s", l.path, l.format(), w.format())
		}
	}
	load(t, Options{Path: example})
}

func TestExampleListsEveryKey(t *testing.T) {
	whole, _ := withModels(t)
	const model = "all-MiniLM-L6-v2"
	full := Default()
	full.Models = map[string]Model{model: {}}
	var doc map[string]any
	if err := yaml.Unmarshal([]byte(whole), &doc); err != nil {
		t.Fatal(err)
	}
	for _, l := range leaves(&full) {
		var at any = doc
		for key := range strings.SplitSeq(l.path, ".") {
			node, _ := at.(map[string]any)
			value, ok := node[key]
			if !ok {
				t.Errorf("the example lacks %s", l.path)
			}
			at = value
		}
	}
	c := load(t, Options{Path: write(t, whole)})
	if got := c.Models[model]; got.Path == "" || !reflect.DeepEqual(got, Model{Path: got.Path}) {
		t.Errorf("the example's model is %+v; only its path may differ from the zero value", got)
	}
}
