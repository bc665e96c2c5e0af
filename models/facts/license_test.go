package facts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"textmill/models"
)

var cards = map[string]string{
	"---\nlanguage: en\nlicense: apache-2.0\ntags:\n- x\n---\n# A model\nlicense: mit\n": "apache-2.0",
	"---\r\nlicense: mit\r\n---\r\n":                  "mit",
	"---\nlicense:\n- mit\n- apache-2.0\n---\n":       "mit, apache-2.0",
	"---\nlicense: other\nlicense_name: gemma\n---\n": "other, gemma",
	"---\ntags: [x]\n---\n":                           "",
	"# A model without front matter\nlicense: mit\n":  "",
	"---\nlicense: mit\n":                             "",
	"---\nlicense: {a: b}\n---\n":                     "",
	"---\n\t: broken\n---\n":                          "",
	"":                                                "",
}

func TestLicenseOfAModelCard(t *testing.T) {
	for card, want := range cards {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte(card), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := licenseOf(&models.Spec{Dir: dir}); got != want {
			t.Errorf("%q: %q, want %q", card, got, want)
		}
	}
	if got := licenseOf(&models.Spec{Dir: t.TempDir()}); got != "" {
		t.Errorf("without a card: %q", got)
	}
}

func FuzzLicense(f *testing.F) {
	for card := range cards {
		f.Add([]byte(card))
	}
	f.Fuzz(func(t *testing.T, card []byte) {
		if got := license(card); got != "" && !strings.Contains(string(card), "license") {
			t.Errorf("%q out of nothing", got)
		}
	})
}
