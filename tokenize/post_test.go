package tokenize

import (
	"slices"
	"testing"
)

// TestAppendInputFollowsAnyTemplate also where the text is left out or repeated.
func TestAppendInputFollowsAnyTemplate(t *testing.T) {
	for name, single := range map[string]string{
		"left out": ``, "alone": `{"Sequence":{"id":"A","type_id":1}}`,
		"around":   `{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":1}},{"SpecialToken":{"id":"<s>","type_id":2}}`,
		"repeated": `{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"<s>","type_id":1}},{"Sequence":{"id":"A","type_id":2}}`,
		"twice":    `{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"A","type_id":3}}`,
	} {
		tok, err := Parse([]byte(`{"version":"1.0","pre_tokenizer":{"type":"Whitespace"},
			"post_processor":{"type":"TemplateProcessing","single":[` + single + `],"pair":[],"special_tokens":{"<s>":{"id":"<s>","ids":[1,2],"tokens":["<s>","a"]}}},
			"model":{"type":"WordLevel","vocab":{"?":0,"<s>":1,"a":2,"b":3},"unk_token":"?"}}`))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"", "a", "a b c"} {
			e, err := tok.Encode(text, Options{})
			if err != nil {
				t.Fatal(err)
			}
			body, _, err := tok.AppendBody(nil, nil, text)
			if err != nil {
				t.Fatal(err)
			}
			ids, types := tok.AppendInput(nil, nil, body)
			if !slices.Equal(ids, e.IDs) || !slices.Equal(types, e.TypeIDs) {
				t.Errorf("%s: %q: AppendInput gave %v %v, Encode %v %v", name, text, ids, types, e.IDs, e.TypeIDs)
			}
		}
	}
}
