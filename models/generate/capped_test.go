package generate_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"textmill/models/generate"
)

const measuresCapped = "TEXTMILL_TEST_MEASURES_CAPPED"

// peak is the most memory that this process had, in bytes.
func peak(t *testing.T) (n int) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscan(rest, &n); err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// TestPromptsOfCappedScoresAreBounded runs a long prompt in a process of its own through Gemma 2, whose attention holds the
// scores that it caps: those of a part of the prompt at a time, with all tokens before it.
func TestPromptsOfCappedScoresAreBounded(t *testing.T) {
	const tokens, heads, part = 4096, 2, 256
	if os.Getenv(measuresCapped) == "" {
		c := exec.Command(os.Args[0], "-test.run=^TestPromptsOfCappedScoresAreBounded$", "-test.v")
		c.Env = append(os.Environ(), measuresCapped+"=1")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Logf("%s", out)
		return
	}
	spec := changed(t, "gemma2", "config.json", func(config []byte) []byte {
		return bytes.Replace(config, []byte(`"max_position_embeddings": 128`), []byte(`"max_position_embeddings": 8192`), 1)
	})
	if spec.Decoder.MaxPositions <= tokens || spec.Decoder.Heads != heads {
		t.Fatalf("%d positions, %d heads", spec.Decoder.MaxPositions, spec.Decoder.Heads)
	}
	prompt := make([]int32, tokens)
	for i := range prompt {
		prompt[i] = int32(3 + i%60)
	}
	g := open(t, spec, generate.Options{Slots: 1})
	before := peak(t)
	all(t, g, []generate.Request{{Prompt: prompt, Params: generate.Params{MaxNewTokens: 2, IgnoreEOS: true}}})
	const whole, most = 4 * heads * tokens * tokens, 4*heads*part*tokens + 32<<20 // less than parts nine times as long would take
	if grown := peak(t) - before; grown > most {
		t.Errorf("a prompt of %d tokens took %d MiB, more than %d; all its scores would take %d", tokens, grown>>20, most>>20, whole>>20)
	} else {
		fmt.Printf("%d MiB, of %d that all scores would take\n", grown>>20, whole>>20)
	}
}
