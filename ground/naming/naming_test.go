package naming

import (
	"strings"
	"testing"
)

func TestNamesHaveOneRule(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct {
		what  string
		check func(string) error
		good  []string
		bad   []string
		says  string
	}{
		{"task", CheckTask, []string{"embed", "generate"}, []string{"", "Embed", "embed "}, "tasks are embed and generate"},
		{"job", CheckJob, []string{"a", "_a-Z9", long(128)}, []string{"", "a.b", "a b", "ä", "a\xff", long(129)}, "[A-Za-z0-9_-]{1,128}"},
		{"model", CheckModel, []string{"a", "_a-Z9", long(128)}, []string{"", "a/b", "..", "a\x00", long(129)}, "[A-Za-z0-9_-]{1,128}"},
		{"dataset", CheckDataset, []string{"a", "-", "a_", long(64)}, []string{"", "_delta_log", "_", "..", "a/b", long(65)}, "[A-Za-z0-9_-]{1,64}, not beginning with _"},
		{"shard", CheckShard, []string{"0", "ä b.c", long(128)}, []string{"", "1/r1", "a\n", "a\xff", "\u202e", long(129)}, `1 to 128 bytes of printable text without "/"`},
	} {
		for _, name := range c.good {
			if err := c.check(name); err != nil {
				t.Errorf("%s: %v", c.what, err)
			}
		}
		for _, name := range c.bad {
			if err := c.check(name); err == nil || !strings.Contains(err.Error(), c.says) || len(err.Error()) > 160 {
				t.Errorf("%s %q: %v", c.what, name, err)
			}
		}
	}
}

func TestDashedIsAName(t *testing.T) {
	for from, want := range map[string]string{"": "", "bge-m3.Q4_1": "bge-m3-Q4_1", "größe 1": "gr--e-1", "a\xffb": "a-b"} {
		if got := Dashed(from); got != want || got != "" && CheckModel(got) != nil {
			t.Errorf("%q: %q, want %q", from, got, want)
		}
	}
}

func TestWhatWasMeant(t *testing.T) {
	known := []string{"dimensions", "dimension_cap", "pooling", "url"}
	for s, want := range map[string]string{
		"dimension": "dimensions", "dimensoins": "dimensions", "poling": "pooling", "uri": "url", "urls": "url", "xyz": "",
		"something else": "", strings.Repeat("dimensions", 13): "", "": "",
	} {
		if got := Meant(s, known); got != want {
			t.Errorf("%q: meant %q, want %q", s, got, want)
		}
	}
	for s, want := range map[string]int{"": 3, "url": 0, "ulr": 2, "rl": 1, "curl": 1, "u": 2} {
		if near, edits := Nearest(s, []string{"url"}); near != "url" || edits != want {
			t.Errorf("%q: %q with %d edits, want %d", s, near, edits, want)
		}
	}
	if near, _ := Nearest("x", nil); near != "" {
		t.Errorf("of none: %q", near)
	}
}
