package cuda

/*
#include "libraries.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"textmill/models/internal/signals"
)

// A Need is one of CUDA's libraries that ONNX Runtime's provider is linked with or opens by its name.
type Need struct {
	Name string // its soname
	Part string // what it comes with; the libraries of a part must be of one version
	ask  string // the function that tells its version
	// takes is whether that stores the version, instead of returning it.
	takes  bool
	digits [2]int64 // divisors of the version's first and second number
}

// Needs are in the order in which they may be opened: each after those that it is linked with. cuFFT is not among
// them: the provider opens it only for operators that no model here has.
var Needs = []Need{
	{"libcudart.so.13", "cudart", "cudaRuntimeGetVersion", true, [2]int64{1000, 10}},
	{"libnvrtc.so.13", "nvrtc", "", false, [2]int64{}},
	{"libcublasLt.so.13", "cublas", "cublasLtGetVersion", false, [2]int64{10000, 100}},
	{"libcublas.so.13", "cublas", "", false, [2]int64{}},
	{"libcurand.so.10", "curand", "curandGetVersion", true, [2]int64{1000, 100}},
	{"libcudnn.so.9", "cudnn", "cudnnGetVersion", false, [2]int64{10000, 100}},
}

// A Library is one that was opened.
type Library struct {
	Need
	Path    string
	Version string // "" where it does not say
}

// elsewhere is where CUDA's own installers put libraries that the loader may not have been told of.
var elsewhere = []string{"/usr/local/cuda/lib64", "/usr/local/cuda-13/lib64", "/usr/lib/wsl/lib"}

// opening serializes loading, so that each library is opened once and its order is kept.
var opening sync.Mutex

// Open loads every library that the provider needs, that in dir if it is there, else the system's, and leaves them in
// the process, so that whoever asks for one by its name afterwards finds it. What could not be opened is missing, with
// why.
func Open(dir string) (have []Library, missing map[string]error) { return open(Needs, dir) }

func open(needs []Need, dir string) (have []Library, missing map[string]error) {
	opening.Lock()
	defer opening.Unlock()
	defer signals.Keep()()
	missing = map[string]error{}
	for _, n := range needs {
		l, err := n.open(dir)
		if err != nil {
			missing[n.Name] = err
			continue
		}
		have = append(have, l)
	}
	return have, missing
}

// Lacking are the parts of which dir has a library, so that it should be whole, or the system lacks one.
func Lacking(dir string) []string { return lacking(Needs, dir) }

func lacking(needs []Need, dir string) (parts []string) {
	opening.Lock()
	defer opening.Unlock()
	defer signals.Keep()()
	for _, n := range needs {
		if slices.Contains(parts, n.Part) {
			continue
		}
		_, err := os.Stat(filepath.Join(dir, n.Name))
		if err != nil {
			_, err = n.system()
		} else {
			err = errKept
		}
		if err != nil {
			parts = append(parts, n.Part)
		}
	}
	return parts
}

// errKept is why a part of a folder is not looked for in the system.
var errKept = errors.New("kept in a folder")

func (n Need) open(dir string) (Library, error) {
	own := filepath.Join(dir, n.Name)
	if _, err := os.Stat(own); err == nil {
		return n.openAt(own)
	}
	return n.system()
}

func (n Need) system() (Library, error) {
	l, first := n.openAt(n.Name)
	for _, d := range elsewhere {
		if first == nil {
			return l, nil
		}
		if l, err := n.openAt(filepath.Join(d, n.Name)); err == nil {
			return l, nil
		}
	}
	return l, first
}

func (n Need) openAt(path string) (Library, error) {
	o, err := dlopen(path, n.ask, n.takes)
	l := Library{Need: n, Path: C.GoString(&o.path[0])}
	if v := int64(o.version); v > 0 {
		l.Version = fmt.Sprintf("%d.%d", v/n.digits[0], v%n.digits[0]/n.digits[1])
	}
	return l, err
}

func dlopen(path, ask string, takes bool) (o C.opened, err error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var question *C.char
	if ask != "" {
		question = C.CString(ask)
		defer C.free(unsafe.Pointer(question))
	}
	by := C.int(0)
	if takes {
		by = 1
	}
	if C.open_library(name, question, by, &o) == nil {
		return o, errors.New(C.GoString(&o.message[0]))
	}
	return o, nil
}

// Provider is ONNX Runtime's library for CUDA; it lies beside the library that opens it.
const Provider = "libonnxruntime_providers_cuda.so"

// HasProvider tells whether the build of ONNX Runtime at library is one for CUDA.
func HasProvider(library string) bool {
	_, err := os.Stat(filepath.Join(filepath.Dir(library), Provider))
	return err == nil
}

// Prepare loads what the provider beside library needs, so that no environment variable has to say where it lies. Its
// error is a Missing.
func Prepare(library string) ([]Library, error) {
	if !HasProvider(library) {
		return nil, &Missing{What: fmt.Sprintf("%s is not a build of ONNX Runtime for CUDA (no %s beside it)", library,
			Provider), Mend: setUp}
	}
	have, missing := Open(filepath.Dir(library))
	for _, n := range Needs { // in their order
		if err := missing[n.Name]; err != nil {
			return have, &Missing{What: "CUDA's library " + n.Name + " does not load: " + err.Error(), Mend: setUp}
		}
	}
	return have, nil
}

const setUp = "textmill setup --device cuda obtains it"

// Fingerprint says what bits on a card depend on beside ONNX Runtime: the card, its driver and the libraries.
func Fingerprint(d Driver, c Card, have []Library) string {
	words := []string{fmt.Sprintf("%s driver=%s", c.Name, d.Version)}
	for _, l := range have {
		if l.Version != "" {
			words = append(words, l.Part+"="+l.Version)
		}
	}
	return strings.Join(words, " ")
}
