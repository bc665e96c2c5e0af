package export

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestATablesPlaceThatCannotBeOpenedIsNamedOnce in the error.
func TestATablesPlaceThatCannotBeOpenedIsNamedOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tables")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Datasets(file)
	if err == nil || strings.Count(err.Error(), file) != 1 {
		t.Errorf("it says %v", err)
	}
}
