package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// leaf is one setting: where it stands and its value, settable when the Config it came from was given by pointer.
type leaf struct {
	path  string
	value reflect.Value
	file  bool // a path of the file system
}

// env is the variable that sets the leaf.
func (l leaf) env() string { return envName(l.path) }

func envName(path string) string {
	return envPrefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(path))
}

// leaves lists every setting in the order of the struct; models, which live in a map, come as read-only copies.
func leaves(c *Config) []leaf { return walk(nil, "", reflect.ValueOf(c).Elem()) }

func walk(out []leaf, prefix string, v reflect.Value) []leaf {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		path := prefix + field.Tag.Get("yaml")
		switch field.Type.Kind() {
		case reflect.Struct:
			out = walk(out, path+".", v.Field(i))
		case reflect.Map:
			models := v.Field(i).Interface().(map[string]Model)
			for _, name := range slices.Sorted(maps.Keys(models)) {
				m := models[name]
				out = walk(out, path+"."+name+".", reflect.ValueOf(&m).Elem())
			}
		default:
			out = append(out, leaf{path: path, value: v.Field(i), file: field.Tag.Get("kind") == "path"})
		}
	}
	return out
}

// modelKeys are the keys of a model's entry.
func modelKeys() []string {
	var m Model
	var keys []string
	for _, l := range walk(nil, "", reflect.ValueOf(&m).Elem()) {
		keys = append(keys, l.path)
	}
	return keys
}

// assign sets the leaf at path from text. It reports an unknown path as such, with the nearest known one.
func assign(c *Config, path, text string) error {
	if rest, ok := strings.CutPrefix(path, "models."); ok {
		name, key, ok := strings.Cut(rest, ".")
		if !ok || !slices.Contains(modelKeys(), key) {
			return unknown(path, modelPaths(name))
		}
		return assignModel(c, name, key, text)
	}
	var known []string
	for _, l := range leaves(c) {
		if l.path == path {
			return set(l.value, text)
		}
		known = append(known, l.path)
	}
	return unknown(path, known)
}

func modelPaths(name string) []string {
	keys := modelKeys()
	for i, k := range keys {
		keys[i] = "models." + name + "." + k
	}
	return keys
}

func assignModel(c *Config, name, key, text string) error {
	m := c.Models[name]
	for _, l := range walk(nil, "", reflect.ValueOf(&m).Elem()) {
		if l.path == key {
			if err := set(l.value, text); err != nil {
				return err
			}
		}
	}
	if c.Models == nil {
		c.Models = map[string]Model{}
	}
	c.Models[name] = m
	return nil
}

// mapPaths rewrites every file path of the config, models included.
func mapPaths(c *Config, rewrite func(string) string) {
	apply := func(v reflect.Value) {
		for _, l := range walk(nil, "", v) {
			if !l.file || !l.value.CanSet() {
				continue
			}
			if list, ok := l.value.Interface().([]string); ok {
				for i := range list {
					list[i] = rewrite(list[i])
				}
				continue
			}
			l.value.SetString(rewrite(l.value.String()))
		}
	}
	for name, m := range c.Models {
		apply(reflect.ValueOf(&m).Elem())
		c.Models[name] = m
	}
	models := c.Models
	c.Models = nil
	apply(reflect.ValueOf(c).Elem())
	c.Models = models
}
