package tokenize

import (
	"strings"
	"testing"
	"time"
)

// TestAddedTokensOfSpacesStayLinear: each match in a long run of spaces must not look through the whole run again.
func TestAddedTokensOfSpacesStayLinear(t *testing.T) {
	tok, err := Parse([]byte(`{"version":"1.0","added_tokens":[{"id":1,"content":"  ","single_word":false,"lstrip":true,"rstrip":true,"normalized":false,"special":false}],
		"model":{"type":"WordLevel","vocab":{"?":0,"  ":1},"unk_token":"?"}}`))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	e, err := tok.Encode("a"+strings.Repeat(" ", 1<<20)+"b", Options{})
	if err != nil || e.IDs[0] != 0 || e.IDs[1] != 1 || e.IDs[len(e.IDs)-1] != 0 {
		t.Fatalf("%d tokens, error %v", len(e.IDs), err)
	}
	if took := time.Since(began); took > 20*time.Second { // 2^38 steps take minutes
		t.Errorf("took %v", took)
	}
}
