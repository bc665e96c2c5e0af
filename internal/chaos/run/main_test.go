package main

import (
	"slices"
	"strings"
	"testing"
)

// A name that nothing has is refused with those there are: nothing would run, and nothing would be broken.
func TestOnlyNamesWhatThereIs(t *testing.T) {
	all := []string{"plain", "bucket", "batches"}
	for only, want := range map[string][]string{"": all, "bucket": {"bucket"}, "batches,plain": {"batches", "plain"}, "buckets": nil, "plain,": nil} {
		got, err := chosen(only, all)
		if !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%q: %v, %v", only, got, err)
		}
		if err != nil && !strings.Contains(err.Error(), "plain, bucket, batches") {
			t.Errorf("%q: %v", only, err)
		}
	}
}
