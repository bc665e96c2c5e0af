package cuda

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestLibrariesAreFoundByTheirNamesOnceOpened has a provider that is linked with two libraries which lie where no
// loader looks: it loads when they were opened by their paths, and not before.
func TestLibrariesAreFoundByTheirNamesOnceOpened(t *testing.T) {
	dir := t.TempDir()
	needs := []Need{
		{"libtextmillfirst.so.13", "one", "firstVersion", true, [2]int64{1000, 10}},
		{"libtextmillsecond.so.9", "two", "secondVersion", false, [2]int64{10000, 100}},
	}
	compile(t, dir, needs[0].Name, "int firstVersion(int *v) { *v = 13020; return 0; }")
	compile(t, dir, needs[1].Name, "unsigned long secondVersion(void) { return 92601; }")
	compile(t, dir, Provider, "int firstVersion(int *v); unsigned long secondVersion(void);\n"+
		"unsigned long provide(void) { int v; return firstVersion(&v) + secondVersion(); }",
		filepath.Join(dir, needs[0].Name), filepath.Join(dir, needs[1].Name))

	if _, err := dlopen(filepath.Join(dir, Provider), "", false); err == nil || !strings.Contains(err.Error(), needs[0].Name) {
		t.Fatalf("before: %v", err)
	}
	have, missing := open(needs, dir)
	if len(missing) > 0 || len(have) != 2 || have[0].Version != "13.2" || have[1].Version != "9.26" {
		t.Fatalf("%v, missing %v", have, missing)
	}
	if want := filepath.Join(dir, needs[1].Name); have[1].Path != want {
		t.Errorf("it lies at %s, not %s", have[1].Path, want)
	}
	if _, err := dlopen(filepath.Join(dir, Provider), "", false); err != nil {
		t.Errorf("after: %v", err)
	}
}

func TestWhatTheSystemLacksIsAskedFor(t *testing.T) {
	dir := t.TempDir()
	needs := []Need{
		{Name: "libc.so.6", Part: "system"}, // which every system has
		{Name: "libtextmillnowhere.so.1", Part: "absent"},
		{Name: "libm.so.6", Part: "absent"},
		{Name: "libdl.so.2", Part: "kept"},
	}
	if err := os.WriteFile(filepath.Join(dir, "libdl.so.2"), []byte("cut off"), 0o644); err != nil {
		t.Fatal(err)
	}
	if parts := lacking(needs, dir); len(parts) != 2 || parts[0] != "absent" || parts[1] != "kept" {
		t.Errorf("lacking: %q", parts)
	}
	_, missing := open(needs[1:2], dir)
	if err := missing["libtextmillnowhere.so.1"]; err == nil {
		t.Error("a library that is nowhere was opened")
	}
	if _, err := Prepare(filepath.Join(dir, "libonnxruntime.so")); err == nil || !strings.Contains(err.Error(), "textmill setup --device cuda") {
		t.Errorf("a build without a provider: %v", err)
	}
}

// compile makes a library that is called as its file. (fake, which does the same, imports this package.)
func compile(t *testing.T, dir, name, source string, with ...string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path+".c", []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-shared", "-fPIC", "-Wl,-soname," + name, "-o", path, path + ".c"}, with...)
	if out, err := exec.CommandContext(t.Context(), "cc", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
