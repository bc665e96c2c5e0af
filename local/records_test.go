package local

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"textmill/ground/naming"
	"textmill/input"
)

// A command that reads records as submit does names those without an id by their place, and says which are not for it.
func TestRecordsAreReadAsSubmitReadsThem(t *testing.T) {
	for name, tc := range map[string]struct {
		o    input.Options
		in   string
		want []string // id=text, or what is wrong
	}{
		"keys in objects": {input.Options{TextColumn: "meta.title", IDColumn: "id"}, `{"id":"a","meta":{"title":"one"}}` + "\n" + `{"id":"b","meta":{}}` + "\n",
			[]string{"a=one", "b: invalid_record"}},
		"lines":          {input.Options{Format: input.Text}, "one\ntwo\n", []string{"0=one", "1=two"}},
		"too long":       {input.Options{Format: input.Text}, strings.Repeat("x", 300) + "\n", []string{"0: too_long"}},
		"no such column": {input.Options{Format: input.CSV, TextColumn: "body"}, "a,b\n1,2\n", []string{"wrong usage"}},
		"requests": {input.Options{}, `{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"m","input":"x"}}` + "\n",
			[]string{"wrong usage"}},
	} {
		var got []string
		err := Texts{In: strings.NewReader(tc.in), Records: &Records{Options: tc.o}}.Each(t.Context(), 200, func(l Line) error {
			r := l.Record(naming.TaskEmbed, 200)
			if r.Err != nil {
				got = append(got, r.ID+": "+r.Err.Class)
			} else {
				got = append(got, r.ID+"="+r.Text)
			}
			return nil
		})
		if errors.Is(err, ErrUsage) {
			got = append(got, "wrong usage")
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q (%v)", name, got, tc.want, err)
		}
	}
}
