package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// successor is what became of a key of the version before: another name, or, where To is empty, Why it does nothing
// any more.
type successor struct{ To, Why string }

// renamed are the keys of the version before that are gone, by path; "models.*.key" is a key of every model. They are
// read, with a warning, for one version: whoever renames a key adds it here, and empties this table after the release.
var renamed = map[string]successor{}

// moved tells what became of a key, for the model that it names.
func moved(path string) (now successor, was bool) {
	if now, was = renamed[path]; was {
		return now, true
	}
	if rest, ok := strings.CutPrefix(path, "models."); ok {
		if name, key, ok := strings.Cut(rest, "."); ok {
			now, was = renamed["models.*."+key]
			now.To = strings.Replace(now.To, "*", name, 1)
		}
	}
	return now, was
}

// warnMoved says where a key was found that is gone.
func (c *Config) warnMoved(source, path string, now successor) {
	if now.To == "" {
		c.notices = append(c.notices, fmt.Sprintf("%s: %s is gone and does nothing: %s", source, path, now.Why))
		return
	}
	c.notices = append(c.notices, fmt.Sprintf("%s: %s is now %s; the next version will not know the old name", source,
		path, now.To))
}

// moveVariables has variables of gone keys mean their successors, which win where both are set.
func (c *Config) moveVariables(env map[string]string, models []string) {
	paths := map[string]bool{}
	for path := range renamed {
		if !strings.Contains(path, "*") {
			paths[path] = true
			continue
		}
		for _, name := range models {
			paths[strings.Replace(path, "*", name, 1)] = true
		}
	}
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		name := envName(path)
		value, ok := env[name]
		if !ok {
			continue
		}
		now, _ := moved(path)
		c.warnMoved("environment "+name, path, now)
		delete(env, name)
		if to := envName(now.To); now.To != "" && env[to] == "" {
			env[to] = value
		}
	}
}
