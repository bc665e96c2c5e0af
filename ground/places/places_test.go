package places

import (
	"path/filepath"
	"testing"
)

func TestHomeIsNamedOrTheUsersCache(t *testing.T) {
	t.Setenv(HomeVariable, "/somewhere")
	if home, err := Home(); home != "/somewhere" || err != nil {
		t.Errorf("%q, %v", home, err)
	}
	t.Setenv(HomeVariable, "")
	cache, err := Cache()
	if home, homeErr := Home(); home != cache || filepath.Base(home) != "textmill" || err != nil || homeErr != nil {
		t.Errorf("%q, %v; cache %q, %v", home, homeErr, cache, err)
	}
}

func TestLibraryIsNamedAsItsSystemDoes(t *testing.T) {
	for system, want := range map[string]string{"linux": "libonnxruntime.so", "darwin": "libonnxruntime.dylib"} {
		if got := libraryName(system); got != want {
			t.Errorf("%s: %s", system, got)
		}
	}
}
