package session

import (
	"context"
	"errors"
	"testing"
)

// Models of one process share the bound; who asks for more than is left waits.
func TestScoresOfAllModelsHaveOneBound(t *testing.T) {
	o := Options{AttentionBytes: 1001}
	release, err := o.HoldScores(t.Context(), 600)
	if err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := (Options{AttentionBytes: 1001}).HoldScores(ended, 600); !errors.Is(err, context.Canceled) {
		t.Errorf("another model had %v while there was no room", err)
	}
	if none, err := (Options{AttentionBytes: 1001}).HoldScores(ended, 0); err != nil {
		t.Errorf("a run without scores had to ask: %v", err)
	} else {
		none()
	}
	waits := make(chan error)
	go func() {
		done, err := (Options{AttentionBytes: 1001}).HoldScores(t.Context(), 600)
		if err == nil {
			done()
		}
		waits <- err
	}()
	release()
	if err := <-waits; err != nil {
		t.Error(err)
	}
}
