package chaos

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"textmill/export"
	"textmill/internal/s3"
)

// The kinds of faults between daemons and a bucket.
const (
	refuseBucket = "bucket: requests refused with 503"
	cutBucket    = "bucket: connections cut"
	slowBucket   = "bucket: slow"
	failBucket   = "bucket: requests carried out, answered with 500"
	loseCommit   = "bucket: answers to commits lost"
	lateCommit   = "bucket: commits carried out after they were given up"
)

var bucketFaults = []string{refuseBucket, cutBucket, slowBucket, failBucket, loseCommit, lateCommit}

// openBucket starts the server that all cells with a bucket share, each under a prefix of its own. This process and
// what it runs find it as a user's programs do.
func (c *Campaign) openBucket(root string) (err error) {
	binary, err := s3.Binary(root)
	if err != nil {
		return err
	}
	if c.bucket, err = s3.Start(binary); err != nil {
		return err
	}
	for _, v := range c.bucket.Env() {
		name, value, _ := strings.Cut(v, "=")
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

// Close ends what Build started.
func (c *Campaign) Close() error { return c.bucket.Close() }

// prefix is the cell's own in the bucket.
func (c *cell) prefix() string {
	sum := sha256.Sum256([]byte(c.dir))
	return hex.EncodeToString(sum[:8])
}

// scratch is what a daemon keeps on its machine, which no other sees.
func (c *cell) scratch(daemon int) string {
	return filepath.Join(c.dir, fmt.Sprintf("scratch%d", daemon))
}

// exports tells a daemon, or a command on its machine, where the tables lie.
func (c *cell) exports(daemon int) []string {
	if !c.Bucket {
		return []string{"TEXTMILL_EXPORT_URI=" + filepath.Join(c.dir, "tables")}
	}
	return append(c.camp.bucket.Env(), "TEXTMILL_EXPORT_URI="+c.tables(), "TEXTMILL_EXPORT_SCRATCH="+c.scratch(daemon))
}

// breakBucket lets a fault meet the daemons' requests for a while. One that met none is not counted.
func (c *cell) breakBucket(ctx context.Context, kind string) error {
	met, held := 0, map[string]bool{}
	c.camp.bucket.Break(c.prefix(), func(r *http.Request) s3.Action {
		action := s3.Pass
		switch {
		case kind == refuseBucket:
			action = s3.Refuse
		case kind == cutBucket:
			action = s3.LoseRequest
		case kind == slowBucket:
			action = s3.Slow
		case kind == failBucket:
			action = s3.FailAfter
		case !s3.PutsEntry(r):
		case kind == loseCommit:
			action = s3.LoseResponse
		case held[r.URL.Path]:
			action = s3.Refuse
		default:
			held[r.URL.Path], action = true, s3.Hold
		}
		if action != s3.Pass {
			met++
		}
		return action
	})
	lasts := 500*time.Millisecond + c.upTo(2*time.Second)
	if kind == lateCommit {
		lasts += 3500 * time.Millisecond // longer than a client tries again
	}
	err := pause(ctx, lasts)
	c.camp.bucket.Break(c.prefix(), nil)
	if met > 0 { // nothing decides any more
		c.struck(kind)
	}
	if err == nil && kind == lateCommit {
		err = pause(ctx, c.upTo(time.Second))
		c.camp.bucket.Release(c.prefix())
	}
	return err
}

// sweepBucket removes what killed daemons left, on their machines and, as if orphans were old enough, in the bucket.
func (c *cell) sweepBucket(ctx context.Context) error {
	for n := range c.Daemons {
		store, err := export.OpenStore(export.Options{
			URI: c.tables(), Scratch: c.scratch(n), Now: func() time.Time { return time.Now().Add(8 * 24 * time.Hour) },
		})
		if err != nil {
			return err
		}
		if _, err := store.Sweep(ctx); err != nil {
			return err
		}
		if err := store.Close(); err != nil {
			return err
		}
		err = filepath.WalkDir(c.scratch(n), func(file string, d fs.DirEntry, err error) error {
			// The marks of deliveries that were quarantined here and settled by another machine stay for a month.
			if err == nil && !d.IsDir() && !strings.HasPrefix(d.Name(), "trial-") &&
				!strings.HasPrefix(d.Name(), "quarantine-") {
				c.problem("%s is left in the scratch directory", d.Name())
			}
			return err
		})
		if err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}
