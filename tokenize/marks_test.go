package tokenize

import (
	"fmt"
	"slices"
	"testing"
)

func TestMarksAreThoseOfTheDecoder(t *testing.T) {
	const file = `{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"decoder":%s}`
	for decoder, want := range map[string][]string{
		`null`: nil, `{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}`: {"Ġ", "Ċ", "ĉ"}, `{"type":"WordPiece","prefix":"##","cleanup":true}`: {"##"},
		`{"type":"BPEDecoder","suffix":"</w>"}`:                            {"</w>"},
		`{"type":"Metaspace","replacement":"▁","prepend_scheme":"always"}`: {"▁"},
		`{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"}]}`: {"▁", "<0x"},
	} {
		tok, err := Parse(fmt.Appendf(nil, file, decoder))
		if err != nil {
			t.Errorf("%s: %v", decoder, err)
			continue
		}
		var got []string
		for _, m := range tok.Marks() {
			if m.Means == "" {
				t.Errorf("%s: %q means nothing", decoder, m.Mark)
			}
			got = append(got, m.Mark)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", decoder, got, want)
		}
	}
}
