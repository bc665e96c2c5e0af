package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"textmill/ground/naming"
	"textmill/ground/places"
	"textmill/ground/regular"
)

const envPrefix = "TEXTMILL_"

// envOfTests begins the variables that textmill's own tests read.
const envOfTests = "TEXTMILL_TEST_"

// Options says where settings come from. Later ones win: defaults, Path, Env, Set.
type Options struct {
	Path string   // a YAML file; empty: none
	Env  []string // as os.Environ gives it
	Set  []string // "path=value", in order
}

// Load reads, resolves paths against home and the working directory, and validates. Its error is an *Error that lists
// every problem.
func Load(o Options) (Config, error) {
	c := Default()
	var p problems
	if o.Path != "" {
		data, err := regular.ReadFile(o.Path)
		if err != nil {
			p.add("", "", fmt.Errorf("read the file: %w", err))
		} else {
			decodeYAML(&c, o.Path, data, &p)
		}
	}
	env := environment(o.Env)
	givenHome := homeBeforeModels(&c, env, o.Set)
	applyEnv(&c, env, o.Set, &p)
	for _, s := range o.Set {
		path, text, ok := strings.Cut(s, "=")
		if !ok {
			p.add(FromFlag, s, errors.New("has no = between key and value"))
			continue
		}
		if now, was := moved(path); was {
			c.warnMoved(FromFlag, path, now)
			if path = now.To; path == "" {
				continue
			}
		}
		if err := assign(&c, path, text); err != nil {
			p.add(FromFlag, path, err)
		}
	}
	if err := resolvePaths(&c, givenHome); err != nil {
		p.add("", "home", err)
	}
	c.validate(&p)
	if err := p.err(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// environment picks the variables that are ours; an empty one counts as unset.
func environment(env []string) map[string]string {
	ours := map[string]string{}
	for _, e := range env {
		name, value, ok := strings.Cut(e, "=")
		if ok && value != "" && strings.HasPrefix(name, envPrefix) && !strings.HasPrefix(name, envOfTests) {
			ours[name] = value
		}
	}
	return ours
}

// homeBeforeModels sets home to what it will be, since the bundles there give names to model variables, and tells
// whether it was given.
func homeBeforeModels(c *Config, env map[string]string, set []string) (given bool) {
	if v := env[envName("home")]; v != "" {
		c.Home = v
	}
	for _, s := range set {
		if v, ok := strings.CutPrefix(s, "home="); ok {
			c.Home = v
		}
	}
	if c.Home != "" {
		return true
	}
	if dir, err := places.Cache(); err == nil { // resolvePaths reports that there is none
		c.Home = dir
	}
	return false
}

func applyEnv(c *Config, env map[string]string, set []string, p *problems) {
	byVariable := map[string]string{}
	for _, l := range leaves(c) {
		byVariable[l.env()] = l.path
	}
	models := modelNames(c, set)
	c.moveVariables(env, models)
	for _, name := range models {
		for _, path := range modelPaths(name) {
			byVariable[envName(path)] = path
		}
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		path, ok := byVariable[name]
		if !ok {
			p.add("environment", "", unknownVariable(name, slices.Sorted(maps.Keys(byVariable))))
			continue
		}
		if err := assign(c, path, env[name]); err != nil {
			p.add("environment "+name, path, err)
		}
	}
}

func unknownVariable(name string, known []string) error {
	if strings.HasPrefix(name, envPrefix+"MODELS_") {
		return fmt.Errorf("%s names no model of the config file or of <home>/models, or a key that models do not have", name)
	}
	if n := naming.Meant(name, known); n != "" {
		return fmt.Errorf("unknown variable %s; did you mean %s?", name, n)
	}
	return fmt.Errorf("unknown variable %s", name)
}

// modelNames are the models that a variable may speak of: those configured and those in the cache.
func modelNames(c *Config, set []string) []string {
	names := slices.Collect(maps.Keys(c.Models))
	for _, s := range set {
		if rest, ok := strings.CutPrefix(s, "models."); ok {
			name, _, _ := strings.Cut(rest, ".")
			names = append(names, name)
		}
	}
	entries, err := os.ReadDir(places.Models(c.Home))
	if err != nil {
		return names // no cache yet: no names from it
	}
	for _, e := range entries {
		if naming.CheckModel(e.Name()) == nil {
			names = append(names, e.Name())
		}
	}
	return names
}

// resolvePaths makes every path of the configuration absolute.
func resolvePaths(c *Config, givenHome bool) error {
	at, err := newFolders(c, givenHome)
	if err != nil {
		return err
	}
	c.Home, c.Data = at.home, at.data
	mapPaths(c, at.resolve)
	c.oldPlaces = at.notices()
	return nil
}

// Secrets returns the token and password of NATS, read from their files where those are named. Surrounding white space
// of a file is not part of its secret.
func (n NATS) Secrets() (token, password string, err error) {
	if token, err = secret(n.Token, n.TokenFile); err != nil {
		return "", "", fmt.Errorf("nats.token_file: %w", err)
	}
	if password, err = secret(n.Password, n.PasswordFile); err != nil {
		return "", "", fmt.Errorf("nats.password_file: %w", err)
	}
	return token, password, nil
}

// Secret returns the token that requests must bear; empty when none is asked for.
func (h HTTP) Secret() (string, error) {
	token, err := secret("", h.TokenFile)
	if err != nil {
		return "", fmt.Errorf("http.token_file: %w", err)
	}
	if h.TokenFile != "" && token == "" {
		return "", fmt.Errorf("http.token_file: %s is empty", h.TokenFile)
	}
	return token, nil
}

func secret(direct Secret, file string) (string, error) {
	if file == "" {
		return direct.Reveal(), nil
	}
	b, err := regular.ReadFile(file)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(b)), nil
}
