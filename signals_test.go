package textmill_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestBoardAndAlertsNameMetricsThatExist finds metrics that were renamed. Whether their queries are understood, and alerts fire when
// they should, make test-alerts asks Prometheus' own code.
func TestBoardAndAlertsNameMetricsThatExist(t *testing.T) {
	page, err := os.ReadFile("docs/reference/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"deploy/grafana/textmill.json", "deploy/alerts.yaml"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		names := regexp.MustCompile(`\btextmill_[a-z_]+`).FindAllString(string(data), -1)
		if len(names) < 10 {
			t.Errorf("%s names %q only", file, names)
		}
		for _, name := range names {
			histogram := strings.TrimSuffix(name, "_bucket")
			if !strings.Contains(string(page), "| `"+name+"` |") && (histogram == name || !strings.Contains(string(page), "| `"+histogram+"` | histogram")) {
				t.Errorf("%s: docs/reference/metrics.md has no %s", file, name)
			}
		}
	}
}
