package page

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"textmill/daemon/catalog"
	"textmill/daemon/lately"
)

// The page of a job waits for no table: it says what is known, and that the rest is being read.
func TestAJobWaitsForNoTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		w := &world{jobs: []Job{{Name: "a", State: "running", Dataset: "docs", Errors: 7}}}
		s := New(Options{Work: w, Jobs: w, Letters: w, Log: slog.New(slog.NewTextHandler(&log, nil)),
			Tables: catalog.New(catalog.Options{URI: t.TempDir()})})
		answers, reads := make(chan func() (catalog.Failures, error)), 0
		s.failures.read = func(ctx context.Context, dataset, job string) (catalog.Failures, error) {
			if reads++; dataset != "docs" || job != "a" {
				t.Errorf("%s of %s is read", job, dataset)
			}
			select {
			case answer := <-answers:
				return answer()
			case <-ctx.Done():
				return catalog.Failures{}, ctx.Err()
			}
		}
		job := func() string {
			v, err := s.job(jobRequest(t, "a"))
			if err != nil {
				t.Fatal(err)
			}
			regions, err := s.looks.regions("job.html", v)
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(regions)
		}
		shows := func(wants ...string) {
			t.Helper()
			body := job()
			synctest.Wait()
			for _, want := range wants {
				if !strings.Contains(body, want) {
					t.Errorf("not %q: %s", want, body)
				}
			}
		}
		began := time.Now()
		read := func(f catalog.Failures, err error) {
			answers <- func() (catalog.Failures, error) { return f, err }
			synctest.Wait()
		}
		shows("The table is being read.")
		w.jobs[0].Classes = []lately.Class{{Name: "own", Rows: 1}}
		shows("<code>own</code>", "Of the rows that this daemon made since it began. The table is being read.")
		if reads != 1 || !time.Now().Equal(began) {
			t.Fatalf("%d reads at a time, %v waited", reads, time.Since(began))
		}
		classes := []catalog.ErrorClass{{Class: "timeout", Rows: 4, ID: "r1", Message: "it took long"}}
		read(catalog.Failures{Classes: classes, Seen: 4}, nil)
		shows("<code>timeout</code>", "it took long", "4 of 7 error rows were read so far; the rest is being read.")
		time.Sleep(time.Second) // which it takes to read on
		read(catalog.Failures{Classes: classes, Seen: 4, Whole: true}, nil)
		shows("The table has 4 error rows of this job; the others were taken out of it")
		if reads != 2 {
			t.Errorf("read %d times, the last time at once after one that took long", reads)
		}
		for range 3 { // each fails, and says the same
			time.Sleep(longestRest)
			shows("<code>timeout</code>")
			read(catalog.Failures{}, errors.New("the bucket is away"))
			shows("<code>timeout</code>", "The table could not be read the last time")
		}
		if told := strings.Count(log.String(), "error rows not read"); told != 1 || reads != 5 {
			t.Errorf("told %d times of %d reads", told, reads)
		}
		time.Sleep(longestRest)
		shows()
		s.End() // while it is read
		if shows(); reads != 6 || strings.Contains(log.String(), "canceled") {
			t.Errorf("%d reads; the log: %s", reads, log.String())
		}
	})
}

// What is known is bounded, and what is being read is not forgotten.
func TestWhatIsKnownOfJobsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		f := &failures{closing: ctx, known: map[jobOf]*errorRows{}, log: slog.New(slog.DiscardHandler)}
		slow := true
		f.read = func(ctx context.Context, _, job string) (catalog.Failures, error) {
			if slow {
				<-ctx.Done()
			}
			return catalog.Failures{Seen: 1, Whole: true}, ctx.Err()
		}
		for n := range 2 * jobsKnown {
			if k := f.of(jobOf{"docs", fmt.Sprint("slow", n)}); !k.reading {
				t.Fatalf("%d: %+v", n, k)
			}
		}
		if len(f.known) != jobsKnown {
			t.Errorf("%d are read side by side", len(f.known))
		}
		end()
		f.wait()
		f.closed, f.closing, slow = false, t.Context(), false
		for n := range 2 * jobsKnown {
			f.of(jobOf{"docs", fmt.Sprint("quick", n)})
			synctest.Wait()
			time.Sleep(time.Millisecond)
		}
		if k := f.of(jobOf{"docs", fmt.Sprint("quick", 2*jobsKnown-1)}); len(f.known) != jobsKnown || k.told == nil {
			t.Errorf("%d are known, of the last %+v", len(f.known), k)
		}
		f.wait()
	})
}

func jobRequest(t *testing.T, name string) *http.Request {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/jobs/"+name, nil)
	r.SetPathValue("job", name)
	return r
}
