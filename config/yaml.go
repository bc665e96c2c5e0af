package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// decodeYAML lays the document in data over c. Every problem goes to p; what is sound is set all the same, so that one
// run reports everything.
func decodeYAML(c *Config, name string, data []byte, p *problems) {
	var doc, next yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&doc); err != nil {
		if !errors.Is(err, io.EOF) {
			p.add(name, "", errors.New(strings.TrimPrefix(err.Error(), "yaml: ")))
		}
		return
	}
	if err := dec.Decode(&next); !errors.Is(err, io.EOF) {
		p.add(name, "", errors.New("holds more than one YAML document"))
		return
	}
	if len(doc.Content) == 0 {
		return
	}
	d := yamlDecoder{config: c, name: name, problems: p, given: map[string]bool{}}
	d.mapping(doc.Content[0], "", reflect.ValueOf(c).Elem())
	for _, set := range d.moved {
		set()
	}
}

type yamlDecoder struct {
	config   *Config
	name     string
	problems *problems
	given    map[string]bool // paths of keys that stand there
	moved    []func()        // what gone keys mean, unless their successors stand there too
}

// gone takes in a key of the version before; it reports false for what never was one.
func (d *yamlDecoder) gone(key, value *yaml.Node, path string) bool {
	now, was := moved(path)
	if !was {
		return false
	}
	d.config.warnMoved(fmt.Sprintf("%s:%d", d.name, key.Line), path, now)
	if now.To == "" {
		return true
	}
	d.moved = append(d.moved, func() {
		if d.given[now.To] {
			return
		}
		if strings.HasPrefix(now.To, "models.") {
			if err := assign(d.config, now.To, value.Value); err != nil {
				d.fail(value, path, err)
			}
			return
		}
		for _, l := range leaves(d.config) {
			if l.path == now.To {
				d.value(value, now.To, l.value)
			}
		}
	})
	return true
}

func (d *yamlDecoder) fail(n *yaml.Node, path string, err error) {
	d.problems.add(fmt.Sprintf("%s:%d", d.name, n.Line), strings.TrimSuffix(path, "."), err)
}

func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// pairs calls f for each key of a mapping; a key without a value is left as it was.
func (d *yamlDecoder) pairs(n *yaml.Node, path string, f func(key, value *yaml.Node)) {
	n = resolve(n)
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.fail(n, path, fmt.Errorf("is %s where a mapping of keys belongs", describe(n)))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], resolve(n.Content[i+1])
		if key.Kind != yaml.ScalarNode {
			d.fail(key, path, errors.New("a key must be a plain word"))
			continue
		}
		if line, ok := seen[key.Value]; ok {
			d.fail(key, path+key.Value, fmt.Errorf("stands twice, first on line %d", line))
			continue
		}
		seen[key.Value] = key.Line
		f(key, value)
	}
}

func (d *yamlDecoder) mapping(n *yaml.Node, path string, v reflect.Value) {
	fields := map[string]reflect.Value{}
	var known []string
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag.Get("yaml")
		if tag == "" {
			continue
		}
		fields[tag] = v.Field(i)
		known = append(known, tag)
	}
	d.pairs(n, path, func(key, value *yaml.Node) {
		field, ok := fields[key.Value]
		at := path + key.Value
		d.given[at] = true
		if ok {
			d.value(value, at, field)
		} else if !d.gone(key, value, at) {
			d.fail(key, at, unknown(key.Value, known))
		}
	})
}

func (d *yamlDecoder) value(value *yaml.Node, at string, field reflect.Value) {
	switch field.Kind() {
	case reflect.Struct:
		d.mapping(value, at+".", field)
	case reflect.Map:
		d.models(value, at+".", field)
	case reflect.Slice:
		d.list(value, at, field)
	default:
		d.scalar(value, at, field)
	}
}

func (d *yamlDecoder) models(n *yaml.Node, path string, field reflect.Value) {
	models := map[string]Model{}
	d.pairs(n, path, func(key, value *yaml.Node) {
		var m Model
		d.mapping(value, path+key.Value+".", reflect.ValueOf(&m).Elem())
		models[key.Value] = m
	})
	field.Set(reflect.ValueOf(models))
}

func (d *yamlDecoder) list(n *yaml.Node, path string, field reflect.Value) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.fail(n, path, fmt.Errorf("is %s where a list belongs", describe(n)))
		return
	}
	var list []string
	for i, item := range n.Content {
		item = resolve(item)
		if item.Kind != yaml.ScalarNode || isNull(item) {
			d.fail(item, fmt.Sprintf("%s[%d]", path, i), fmt.Errorf("is %s where a text belongs", describe(item)))
			continue
		}
		list = append(list, item.Value)
	}
	field.Set(reflect.ValueOf(list))
}

func (d *yamlDecoder) scalar(n *yaml.Node, path string, field reflect.Value) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.ScalarNode {
		d.fail(n, path, fmt.Errorf("is %s where a single value belongs", describe(n)))
		return
	}
	if err := set(field, n.Value); err != nil {
		d.fail(n, path, err)
	}
}

func describe(n *yaml.Node) string {
	switch {
	case isNull(n):
		return "empty"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	}
	return "a single value"
}
