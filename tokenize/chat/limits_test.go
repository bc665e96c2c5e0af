package chat

import (
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Small templates that ask for endless time or memory are refused in little of both.
func TestTemplatesAreBounded(t *testing.T) {
	const shared = "{% set ns = namespace(a=['x']) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}"
	const deep = "{% set ns = namespace(a=['x']) %}{% for j in range(300) %}{% for i in range(1000) %}{% set ns.a = [ns.a] %}{% endfor %}{% endfor %}"
	const long = "{% set s = 'a' * 16000000 %}"
	for name, source := range map[string]string{
		"shared parts, printed":      shared + "{{ ns.a }}",
		"shared parts, as JSON":      shared + "{{ ns.a | tojson }}",
		"shared parts, compared":     shared + shared + "{{ ns.a == ns.a }}{% set b = ns.a %}" + shared + "{{ ns.a == b }}",
		"shared parts, ordered":      shared + "{% set b = ns.a %}" + shared + "{{ [ns.a, b] | sort }}",
		"shared parts, searched":     shared + "{% set b = ns.a %}" + shared + "{{ ns.a in [b, b, b] }}",
		"deep, printed":              deep + "{{ ns.a }}",
		"deep, as JSON":              deep + "{{ ns.a | tojson }}",
		"deep, compared":             deep + "{% set b = ns.a %}" + deep + "{{ ns.a == b }}",
		"characters of a long text":  long + "{% for c in s %}{{ c }}{% endfor %}",
		"a long text, joined":        long + "{{ ([s] * 1000) | join }}{{ ''.join([s] * 1000) }}",
		"a long text, mapped":        long + "{{ ([s] * 1000) | map('upper') | list | length }}",
		"a long text, split":         long + "{{ s.split('a') | length }}",
		"a long text, in lines":      "{{ ('\n' * 16000000).splitlines() | length }}",
		"a long text, in words":      "{{ ('a ' * 8000000).split() | length }}",
		"a long text, stripped":      long + "{{ s.strip('b' * 16000000) }}",
		"a long text, counted":       long + "{% for i in range(100000) %}{% set n = s.count('b') %}{% endfor %}",
		"a long text, looked into":   long + "{% for i in range(100000) %}{% if 'b' in s %}{% endif %}{% endfor %}",
		"a long text, by its end":    long + "{% for i in range(100000) %}{% set c = s[-1] %}{% endfor %}",
		"a long text, printed aside": long + "{% for i in range(100000) %}{% set c %}{{ s }}{% endset %}{% endfor %}",
		"a long margin":              "{% set m = ' ' * 16000000 %}{{ [[[[[[[[[[[[1]]]]]]]]]]]] | tojson(indent=m) }}",
		"long lists, summed":         "{{ ([range(1000) | list] * 100) | sum(start=[]) | length }}{{ ([range(100) | list] * 1000) | sum(start=[]) | length }}",
		"long lists, compared":       "{% set a = range(100000) | list %}{% set b = range(100000) | list %}{% for i in range(100000) %}{% if a == b %}{% endif %}{% endfor %}",
		"many tests":                 "{% set a = range(100000) | list %}{% for i in range(100000) %}{% set n = a | select('odd') | list | length %}{% endfor %}",
		"many attributes":            "{% set a = [{'b': 1}] * 100000 %}{% for i in range(100000) %}{% set n = a | map(attribute='b') | list | length %}{% endfor %}",
		"a tower of powers":          "{{ 9 ** (9 ** (9 ** 9)) }}",
		"a number that squares":      "{% set ns = namespace(a=3) %}{% for i in range(99) %}{% set ns.a = ns.a * ns.a %}{% endfor %}",
		"large numbers, divided":     "{% set a = 7 ** 300000 %}{% set b = 3 ** 300000 %}{% for i in range(100000) %}{% set c = a // b %}{% endfor %}",
		"large numbers, in bases":    "{% set a = 7 ** 300000 %}{% for i in range(100000) %}{% set c = '%x' % a %}{% endfor %}",
		"a wide format":              "{{ '{:99999999999}'.format(1) }}",
		"a precise format":           "{{ '%.99999999f' % 1.5 }}",
		"zeros with commas":          "{{ '{:0999999999,}'.format(1) }}",
		"a width from an argument":   "{{ '%*d' % (999999999, 1) }}",
		"formats within formats":     "{{ ('{:>{}}' * 1000).format(*range(2000)) }}{% for i in range(100000) %}{% set c = '{0:>9999999}'.format(1) %}{% endfor %}",
		"a wide centre":              "{{ 'a' | center(999999999999) }}",
		"wide justification":         "{% for i in range(100000) %}{% set c = 'a'.ljust(16000000) %}{% endfor %}",
		"many zeros":                 "{{ '7'.zfill(99999999999) }}",
		"wide tabs":                  "{{ ('\t' * 1000).expandtabs(999999999) }}",
		"a wide indent":              "{{ ('a\n' * 100000) | indent(99999) }}",
		"a wide date":                "{% for i in range(1000) %}{% set c = strftime_now('%9999999Y') %}{% endfor %}",
		"a long text, wrapped":       "{% for i in range(100) %}{% set c = ('a-b ' * 400000) | wordwrap(1) %}{% endfor %}",
		"a long text, linked":        "{% for i in range(100) %}{% set c = ('(www.a.org) ' * 100000) | urlize %}{% endfor %}",
		"a long word, linked":        "{% for i in range(100) %}{% set c = ('a.' * 1000000) | urlize %}{% endfor %}",
		"a long text, in titles":     long + "{% for i in range(1000) %}{% set c = s | title %}{% endfor %}",
		"a long text, translated":    long + "{{ s.translate({97: 'b' * 16000000}) | length }}",
		"a long text, without tags":  "{% for i in range(1000) %}{% set c = ('<' * 8000000) | striptags %}{% endfor %}",
		"shared parts, pretty":       shared + "{{ ns.a | pprint }}",
		"rows without end":           "{{ [1] | batch(999999999, 'x') | list | length }}",
		"columns without end":        "{{ [1] | slice(999999999) | list | length }}",
		"groups of many":             "{% set a = range(100000) | list %}{% for i in range(1000) %}{% set g = a | groupby('real') %}{% endfor %}",
		"long lists, unpacked":       "{% for i in range(100000) %}{% set d = dict(zip=range(100000) | list) %}{% set e = joiner(*range(100000)) if false else cycler(*range(100000)) %}{% endfor %}",
		"a cycle of blocks":          "{% block a %}{{ self.a() }}{{ self.a() }}{% endblock %}",
		"a macro that calls itself":  "{% macro f(x) %}{{ x }}{{ f(x ~ x) }}{{ f(x) }}{% endmacro %}{{ f('a') }}",
		"a loop that calls itself":   "{% for i in range(9) recursive %}{{ loop(range(9)) }}{% endfor %}",
	} {
		t.Run(name, func(t *testing.T) {
			template, err := ParseTemplate(source, &Config{})
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err = template.Render(Conversation{Messages: json.RawMessage("[]")})
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, ErrTemplate) {
				t.Errorf("not refused: %v", err)
			}
			// All that was ever allocated, which is more than what was held at a time.
			if made := after.TotalAlloc - before.TotalAlloc; made > 2<<30 || took > 30*time.Second {
				t.Errorf("refused after %s and %d MiB", took, made>>20)
			}
			t.Log(took, (after.TotalAlloc-before.TotalAlloc)>>20, "MiB", err)
		})
	}
}

func TestLongTemplatesAreRefused(t *testing.T) {
	for size, refused := range map[int]bool{mostSource - 8: false, mostSource + 8: true} {
		_, err := ParseTemplate(strings.Repeat("{{ 1 }} ", size/8), &Config{})
		if refused != errors.Is(err, ErrTemplate) || !refused && err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}
