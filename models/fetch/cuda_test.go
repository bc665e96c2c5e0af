package fetch

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"textmill/ground/places"
	"textmill/models/internal/cuda"
)

// fakeWheels are two parts, laid out as the real wheels are, and a pip that has them.
func fakeWheels(t *testing.T) map[string]route {
	t.Helper()
	path, wheels := onlyPath(t), t.TempDir()
	script := "for last; do :; done\nwhile [ $# -gt 1 ] && [ \"$1\" != --dest ]; do shift; done\ncase \"$last\" in\n--version) ;;\n"
	routes := map[string]route{}
	for name, w := range map[string]struct {
		pkg, folder string
		files       []string
	}{
		cudaRuntime: {"onnxruntime-gpu", "onnxruntime/capi/", []string{"libonnxruntime_providers_cuda.so", "libonnxruntime.so.1.31.1"}},
		"cudart":    {"nvidia-cuda-runtime", "nvidia/cu13/lib/", []string{"libcudart.so.13"}},
		"cudnn":     {"nvidia-cudnn-cu13", "nvidia/cudnn/lib/", []string{"libcudnn.so.9"}},
	} {
		files := map[string]string{"nvidia/__init__.py": ""}
		var pins []pin
		for _, f := range w.files {
			files[w.folder+f] = f + " of " + w.pkg
			to := strings.TrimSuffix(f, ".1.31.1")
			pins = append(pins, pin{f, to, hash([]byte(f + " of " + w.pkg))})
		}
		wheel := zipped(t, files)
		at := filepath.Join(wheels, w.pkg+".whl")
		if err := os.WriteFile(at, wheel, 0o644); err != nil {
			t.Fatal(err)
		}
		script += w.pkg + "==1) cp '" + at + "' \"$2/" + w.pkg + "-1-py3-none-any.whl\";;\n"
		r := cudaWheel("any", w.pkg, "1", hash(wheel), w.folder, pins)
		r.platform = ""
		routes[name] = r
	}
	clientScript(t, path, "pip", script+"*) echo \"no $last\" >&2; exit 1;;\nesac")
	return routes
}

func TestCUDALiesBesideTheProcessorsLibrary(t *testing.T) {
	wheels := fakeWheels(t)
	o := Options{Home: t.TempDir()}
	dir := filepath.Dir(places.CUDALibrary(o.Home))
	all, err := o.cuda(t.Context(), wheels, []string{"cudart"})
	if err != nil || len(all) != 2 || !all[0].Fresh || all[1].Name != "onnxruntime-gpu" { // which comes last
		t.Fatalf("%+v, %v", all, err)
	}
	for name, want := range map[string]string{
		"libcudart.so.13": "libcudart.so.13 of nvidia-cuda-runtime", "libonnxruntime.so": "libonnxruntime.so.1.31.1 of onnxruntime-gpu",
		cuda.Provider: cuda.Provider + " of onnxruntime-gpu",
	} {
		st, err := os.Lstat(filepath.Join(dir, name))
		if err != nil || !st.Mode().IsRegular() || st.Mode().Perm() != 0o755 {
			t.Errorf("%s: %v, %v", name, st, err)
			continue
		}
		if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "libcudnn.so.9")); err == nil {
		t.Error("what the system has was obtained")
	}
	if len(left(t, o)) > 0 {
		t.Errorf("left behind: %q", left(t, o))
	}

	damaged := filepath.Join(dir, "libcudart.so.13")
	if err := os.WriteFile(damaged, []byte("cut"), 0o755); err != nil {
		t.Fatal(err)
	}
	all, err = o.cuda(t.Context(), wheels, []string{"cudart"})
	if err != nil || !all[0].Fresh || all[1].Fresh {
		t.Errorf("after damage: %+v, %v", all, err)
	}
	if data, err := os.ReadFile(damaged); err != nil || !strings.HasPrefix(string(data), "libcudart") {
		t.Errorf("the damaged library is %q, %v", data, err)
	}
}

func TestAWheelThatIsNotThePinnedOneIsRefused(t *testing.T) {
	wheels := fakeWheels(t)
	o := Options{Home: t.TempDir()}
	r := wheels["cudart"]
	r.parts[0].pins[0].sha256 = hash([]byte("another"))
	if _, err := o.cuda(t.Context(), wheels, []string{"cudart"}); !errors.Is(err, ErrHash) {
		t.Errorf("another library in the wheel: %v", err)
	}
	r.parts[0].sha256 = hash([]byte("another"))
	if _, err := o.cuda(t.Context(), wheels, []string{"cudart"}); !errors.Is(err, ErrHash) {
		t.Errorf("another wheel: %v", err)
	}
	if found, _ := filepath.Glob(filepath.Join(o.Home, "lib", "cuda", "*")); len(found) > 0 {
		t.Errorf("something was installed: %q", found)
	}
}

// What the provider needs is what the catalog has, each file with a hash of its own.
func TestEveryLibraryThatIsNeededIsPinned(t *testing.T) {
	for _, n := range cuda.Needs {
		r, ok := cudaWheels[n.Part]
		if !ok || !slices.ContainsFunc(r.parts[0].pins, func(p pin) bool { return p.to == n.Name }) {
			t.Errorf("%s is not in the part %s of the catalog", n.Name, n.Part)
		}
	}
	build := cudaWheels[cudaRuntime]
	for _, name := range []string{"libonnxruntime.so", "libonnxruntime_providers_shared.so", cuda.Provider} {
		if !slices.ContainsFunc(build.parts[0].pins, func(p pin) bool { return p.to == name }) {
			t.Errorf("the catalog has no %s", name)
		}
	}
	for name, r := range cudaWheels {
		for _, p := range r.parts[0].pins {
			if len(p.sha256) != 64 || len(r.parts[0].sha256) != 64 || filepath.Base(p.to) != p.to {
				t.Errorf("%s: %+v", name, p)
			}
		}
	}
}
