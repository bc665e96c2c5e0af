package learned

import (
	"bufio"
	"os"
	"reflect"
	"runtime"
	"strings"

	"golang.org/x/sys/cpu"
)

// Processor names the processor's model, as far as the system tells, and the sets of instructions that arithmetic
// depends on.
func Processor() string { return model() + " " + Sets() }

func model() string {
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return runtime.GOARCH
}

// Sets lists the processor's sets of vector instructions, asked of the processor itself: an emulated one has fewer
// than the machine below it, whose list the system shows. What extends AVX-512 is there with its foundation only.
func Sets() string {
	var flags any = cpu.X86
	if runtime.GOARCH == "arm64" {
		flags = cpu.ARM64
	}
	var names []string
	v := reflect.ValueOf(flags)
	for i := range v.NumField() {
		name, ok := strings.CutPrefix(v.Type().Field(i).Name, "Has")
		if !ok || !v.Field(i).Bool() || strings.HasPrefix(name, "AVX512") && !cpu.X86.HasAVX512F {
			continue
		}
		for _, family := range []string{"SSE", "AVX", "FMA", "AMX", "ASIMD", "SVE", "FPHP"} {
			if strings.HasPrefix(name, family) {
				names = append(names, strings.ToLower(name))
				break
			}
		}
	}
	return strings.Join(names, ",")
}
