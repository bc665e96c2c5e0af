package checkpoint_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"textmill/models/checkpoint"
	"textmill/models/embed"
	"textmill/models/session"
)

const measuresLongTexts = "TEXTMILL_TEST_MEASURES_LONG_TEXTS"

// peak is the most memory that this process had, in bytes.
func peak(t *testing.T) int {
	t.Helper()
	for line := range strings.Lines(string(read(t, "/proc/self/status"))) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatal("no VmHWM in /proc/self/status")
	return 0
}

// TestLongTextsHoldNoScores runs one long text through each kind of attention in a process of its own, whose peak says
// whether the scores of its tokens were held.
func TestLongTextsHoldNoScores(t *testing.T) {
	const tokens, heads = 4096, 4
	const most = 4 * heads * tokens * tokens / 2 // half of what the scores would take
	if os.Getenv(measuresLongTexts) == "" {
		c := exec.Command(os.Args[0], "-test.run=^TestLongTextsHoldNoScores$", "-test.v")
		c.Env = append(os.Environ(), measuresLongTexts+"=1")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Logf("%s", out)
		return
	}
	for _, name := range []string{"tiny/nomic-plain", "tiny/modernbert-silu", "embedders/embeddinggemma", "embedders/gemma3-causal"} {
		spec := importRoomy(t, name, tokens)
		if spec.Heads != heads {
			t.Fatalf("%s has %d heads", name, spec.Heads)
		}
		e := openEmbedder(t, spec, session.Options{BatchTokens: 256})
		before := peak(t)
		if _, err := e.Embed(t.Context(), []embed.Row{{IDs: longText(tokens, 60)}}); err != nil {
			t.Fatal(err)
		}
		if grown := peak(t) - before; grown > most {
			t.Errorf("%s: a text of %d tokens took %d MiB, the bound is %d MiB", name, tokens, grown>>20, most>>20)
		} else {
			fmt.Printf("%s: %d MiB\n", name, grown>>20)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestScoresAreBounded holds that runs of graphs that do hold scores keep within attention_bytes: batches are run in
// parts, to the same bits, and a text that would not fit is refused with what to do.
func TestScoresAreBounded(t *testing.T) {
	spec := openBundle(t, importTiny(t, "mpnet", checkpoint.FP32).Dir)
	if spec.Alone != 0 || spec.MaxLength < 160 {
		t.Fatalf("%d, %d", spec.Alone, spec.MaxLength)
	}
	scores := func(n int) int64 { return int64(8 * spec.Heads * n * n) }
	free := openEmbedder(t, spec, session.Options{BatchTokens: 1024})
	defer free.Close() //nolint:errcheck // of a test
	bound := openEmbedder(t, spec, session.Options{BatchTokens: 1024, AttentionBytes: scores(100)})
	defer bound.Close() //nolint:errcheck // of a test
	var rows []embed.Row
	for _, n := range []int{60, 100, 3, 70, 20, 60} {
		rows = append(rows, embed.Row{IDs: longText(n, 60)})
	}
	want, err := free.Embed(t.Context(), rows)
	if err != nil {
		t.Fatal(err)
	}
	got, err := bound.Embed(t.Context(), rows)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if !slices.Equal(got[i], want[i]) {
			t.Errorf("text %d has other bits in a part of the batch", i)
		}
	}
	_, err = bound.Embed(t.Context(), []embed.Row{{IDs: longText(160, 60)}})
	if !errors.Is(err, session.ErrOutOfMemory) || !strings.Contains(err.Error(), "160 tokens") || !strings.Contains(err.Error(), "limits.attention_bytes") {
		t.Error(err)
	}
	if _, err := free.Embed(t.Context(), []embed.Row{{IDs: longText(160, 60)}}); err != nil {
		t.Error(err)
	}
}
