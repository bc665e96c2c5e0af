package prometheus

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// TestGrafanaUnderstandsTheBoard reads it with the types that Grafana publishes of its dashboards and panels, which
// refuse a field or a value that they do not know.
func TestGrafanaUnderstandsTheBoard(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	data, err := os.ReadFile(board)
	if err != nil {
		t.Fatal(err)
	}
	if err := understood(data); err != nil {
		t.Error(err)
	}
	for right, wrong := range map[string]string{`"gridPos"`: `"gridPosition"`, `"graphMode"`: `"graph_mode"`, `"refresh": 2`: `"refresh": "often"`} {
		misspelt := strings.Replace(string(data), right, wrong, 1)
		if err := understood([]byte(misspelt)); misspelt == string(data) || err == nil {
			t.Errorf("a board with %s is taken", wrong)
		}
	}
}

func understood(board []byte) error {
	var d dashboard.Dashboard
	err := d.UnmarshalJSONStrict(board)
	var wrong cog.BuildErrors
	if errors.As(err, &wrong) && len(wrong) == 0 { // what it says where nothing is
		err = nil
	}
	return errors.Join(err, d.Validate())
}
