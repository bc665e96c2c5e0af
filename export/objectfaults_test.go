package export

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"

	"textmill/internal/s3"
)

// Many committers of several daemons, with a server and a network that fail now and then.
func TestBucketFaultsKeepEachKeyOnce(t *testing.T) {
	server := s3.ForTest(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	server.Break("", func(r *http.Request) s3.Action {
		switch n := rng.IntN(40); {
		case n < int(s3.Hold):
			return s3.Action(n + 1)
		case n == 39 && s3.PutsEntry(r):
			return s3.LoseResponse
		}
		return s3.Pass
	})
	const keys = 24
	var wg sync.WaitGroup
	for range 3 {
		// The first look at the store may fail like any other.
		var store *Store
		for store == nil {
			store, _ = OpenStore(Options{URI: tablesURI, Scratch: t.TempDir(), CheckpointEvery: 4})
		}
		tab := table(t, store)
		order := rng.Perm(keys)
		wg.Go(func() {
			for i, k := range order {
				for try := 0; tryPut(t, tab, fmt.Sprint(k)) != nil; try++ {
					if try > 40 {
						t.Errorf("delivery %d never came through", i)
						break
					}
				}
			}
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	server.Break("", nil)
	for _, code := range server.Release("") {
		if code == http.StatusOK {
			t.Log("a late request was carried out")
		}
	}
	for a := s3.Refuse; a <= s3.Hold; a++ {
		if server.Counted(a) == 0 {
			t.Errorf("no request met action %d", a)
		}
	}
	var all []string
	for k := range keys {
		all = append(all, fmt.Sprint(k))
	}
	holds(t, table(t, openStore(t, tablesURI, scratch(t))), all...)
}

// An entry whose put was given up may appear long after. Whether it comes before or after the next writer's, its rows
// are in the table once.
func TestLateEntry(t *testing.T) {
	for _, early := range []bool{true, false} {
		t.Run(fmt.Sprintf("before the next writer %v", early), func(t *testing.T) {
			server := s3.ForTest(t)
			tab := table(t, openStore(t, tablesURI, scratch(t)))
			put(t, tab, "first")
			held := false
			server.Break("", func(r *http.Request) s3.Action {
				if !s3.PutsEntry(r) {
					return s3.Pass
				}
				if held {
					return s3.Refuse
				}
				held = true
				return s3.Hold
			})
			b := begin(t, tab)
			add(t, b, "a")
			if _, err := b.Commit(t.Context()); !errors.Is(err, ErrUnknown) {
				t.Fatalf("a commit without an answer: %v", err)
			}
			b.Abort()
			server.Break("", nil)
			if early {
				if codes := server.Release(""); !slices.Equal(codes, []int{http.StatusOK}) {
					t.Errorf("the late request: %v", codes)
				}
			}
			other := table(t, openStore(t, tablesURI, scratch(t)))
			put(t, other, "b", "a")
			if !early {
				if codes := server.Release(""); !slices.Equal(codes, []int{http.StatusPreconditionFailed}) {
					t.Errorf("the late request: %v", codes)
				}
			}
			put(t, tab, "a", "c")
			holds(t, tab, "first", "a", "b", "c")
		})
	}
}

// A put that was carried out but not answered is known by the id in the entry.
func TestLostAnswerToACommit(t *testing.T) {
	for name, action := range map[string]s3.Action{"cut": s3.LoseResponse, "error": s3.FailAfter} {
		for _, always := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, always %v", name, always), func(t *testing.T) {
				server := s3.ForTest(t)
				tab := table(t, openStore(t, tablesURI, scratch(t)))
				put(t, tab, "first")
				met := 0
				server.Break("", func(r *http.Request) s3.Action {
					if s3.PutsEntry(r) && (always || met == 0) {
						met++
						return action
					}
					return s3.Pass
				})
				res := put(t, tab, "a")
				if met == 0 || res.Version != 2 || res.Outcomes[key("a").AppID] != Committed {
					t.Errorf("%d requests met the fault: %+v", met, res)
				}
				server.Break("", nil)
				put(t, tab, "a", "b")
				holds(t, tab, "first", "a", "b")
			})
		}
	}
}
