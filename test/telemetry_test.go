package test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// ONNX Runtime's official builds report home, and keep what they could not send below the user's directories. None of textmill's
// processes has them do so, also where the user's own environment asks for it.
func TestNothingIsReportedToAnybody(t *testing.T) {
	home := newHome(t)
	for name, env := range map[string][]string{"by default": nil, "asked for": {"ORT_DISABLE_TELEMETRY=0"}} {
		t.Run(name, func(t *testing.T) {
			user, temp, here := t.TempDir(), t.TempDir(), t.TempDir()
			c := call{home: home, dir: here, env: append([]string{"HOME=" + user, "TMPDIR=" + temp}, env...)}
			c.ok(t, "embed", "--model", model, "some words")
			var left []string
			for _, dir := range []string{user, temp, here} {
				err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
					if err == nil && !d.IsDir() {
						left = append(left, path)
					}
					return err
				})
				if err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
			}
			if slices.Sort(left); len(left) > 0 {
				t.Errorf("it left %q", left)
			}
		})
	}
}
