package generate

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"textmill/models/checkpoint"
	"textmill/models/session"
)

// emulator runs a program on a processor with AVX2 and without AVX-512, and gives the bits that such hardware does.
const emulator = "qemu-x86_64"

// TestOneRowKernels has the graph in which ONNX Runtime multiplies a single row in another way on some processors.
func TestOneRowKernels(t *testing.T) {
	t.Logf("instruction sets: %s", session.InstructionSets())
	bundle := importOnce(t, "../checkpoint/testdata/tiny/llama", checkpoint.Q4)
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
	if _, err := exec.LookPath(emulator); err != nil {
		return // TestProcessors says so
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), emulator, "-cpu", "max", self, "-test.run", "^TestOneRowKernels$", "-test.v").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, sets, _ := strings.Cut(string(out), "instruction sets: ")
	sets, _, _ = strings.Cut(sets, "\n")
	if !strings.Contains(sets, "avx2") || strings.Contains(sets, "avx512") {
		t.Fatalf("it ran with %q\n%s", sets, out)
	}
	t.Logf("%s", out)
}

// TestProcessors says on which kinds of processor the tests of this machine hold the same bits, and on which they were not run.
// `make test` prints it.
func TestProcessors(t *testing.T) {
	sets := session.InstructionSets()
	_, missing := exec.LookPath(emulator)
	say := func(kind string, here, emulated bool) {
		switch {
		case here:
			t.Logf("%s: run on this processor", kind)
		case emulated && missing == nil:
			t.Logf("%s: run under %s, small models only; make test-avx2 runs more", kind, emulator)
		case emulated:
			t.Logf("%s: NOT RUN HERE: %s is missing (apt-get install qemu-user)", kind, emulator)
		default:
			t.Logf("%s: NOT RUN HERE: this processor is another kind (%s)", kind, runtime.GOARCH)
		}
	}
	wide := strings.Contains(sets, "avx512")
	say("AVX-512 with VNNI", strings.Contains(sets, "avx512vnni"), false)
	say("AVX2 without AVX-512", !wide && strings.Contains(sets, "avx2"), wide)
	say("ARM", runtime.GOARCH == "arm64", false)
}
