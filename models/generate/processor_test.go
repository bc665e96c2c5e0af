package generate

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"textmill/models/checkpoint"
	"textmill/models/session"
)

// asOnAVX2 runs a program as on a processor with AVX2 and without AVX-512; `make test` makes it (internal/avx2).
const asOnAVX2 = "../../.cache/avx2/run"

// TestOneRowKernels has the graph in which ONNX Runtime multiplies a single row in another way on some processors.
func TestOneRowKernels(t *testing.T) {
	t.Logf("instruction sets: %s", session.InstructionSets())
	bundle := Imported(t, Testdata+"/tiny/llama", checkpoint.Q4).Dir
	for _, g := range loopless(t, bundle, 40, 64) {
		r := rand.New(rand.NewPCG(5, 6))
		checkCuts(t, g, someIDs(r, 34, g.spec.Decoder.VocabSize), []int{1, 2, 17, 31, 32, 33})
		checkCompany(t, g, r)
	}
}

// On a processor with AVX-512 the same is run as on one without.
func TestOneRowKernelsOnAVX2(t *testing.T) {
	if runtime.GOARCH != "amd64" || !strings.Contains(session.InstructionSets(), "avx512") {
		return // TestOneRowKernels itself did it, and TestProcessors says so
	}
	if _, err := os.Stat(asOnAVX2); err != nil {
		return // TestProcessors says so
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run, err := filepath.Abs(asOnAVX2)
	if err != nil {
		t.Fatal(err)
	}
	const small = "^(TestOneRowKernels|TestCutsAndCompanyDoNotChangeTinyModels)$"
	out, err := exec.CommandContext(t.Context(), run, self, "-test.run", small, "-test.v").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, sets, _ := strings.Cut(string(out), "instruction sets: ")
	sets, _, _ = strings.Cut(sets, "\n")
	if !strings.Contains(sets, "avx2") || strings.Contains(sets, "avx512") {
		t.Fatalf("it ran with %q\n%s", sets, out)
	}
	// ONNX Runtime must believe it too: that kernel takes a single row in a way of its own there, and not with AVX-512.
	if !strings.Contains(string(out), "the same bits in runs of 2 and more of a decode") {
		t.Fatalf("the library ran as on another processor\n%s", out)
	}
	t.Logf("%s", out)
}

// TestProcessors says on which kinds of processor the tests of this machine hold the same bits, and on which they were not run.
// `make test` prints it.
func TestProcessors(t *testing.T) {
	sets := session.InstructionSets()
	_, missing := os.Stat(asOnAVX2)
	say := func(kind string, here, hidden bool) {
		switch {
		case here:
			t.Logf("%s: run on this processor", kind)
		case hidden && missing == nil:
			t.Logf("%s: small models, with AVX-512 hidden from ONNX Runtime; make test-avx2 runs every test so", kind)
		case hidden:
			t.Logf("%s: NOT RUN HERE: make test hides AVX-512 from ONNX Runtime, go test alone does not", kind)
		default:
			t.Logf("%s: NOT RUN HERE: this processor is another kind (%s)", kind, runtime.GOARCH)
		}
	}
	wide := strings.Contains(sets, "avx512")
	say("AVX-512 with VNNI", strings.Contains(sets, "avx512vnni"), false)
	say("AVX2 without AVX-512", !wide && strings.Contains(sets, "avx2"), wide)
	say("ARM", runtime.GOARCH == "arm64", false)
}
