package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"textmill/export"
	"textmill/jobs"
)

// tolerance is how far a value of a vector may be from the reference, which is computed in another order.
const tolerance = 1e-4

// check holds the world to what was promised, once its daemons have ended.
func (c *cell) check(ctx context.Context) error {
	if c.holder != nil { // delta-rs and table verify cannot see into it
		if err := copyTree(c.tables(), filepath.Join(c.dir, "copy")); err != nil {
			return err
		}
		c.copied = true
	}
	if err := c.sweep(ctx); err != nil {
		return err
	}
	for place := range c.places {
		if err := c.checkTable(ctx, place); err != nil {
			return fmt.Errorf("table %s: %w", place, err)
		}
	}
	if err := c.checkLetters(ctx); err != nil {
		return err
	}
	for id, w := range c.wants {
		c.judge(id, w)
	}
	return nil
}

// sweep removes what killed daemons left, which is the next one's to do.
func (c *cell) sweep(ctx context.Context) error {
	if c.Bucket {
		return c.sweepBucket(ctx)
	}
	store, err := export.OpenStore(export.Options{URI: c.tables()})
	if err != nil {
		return err
	}
	_, err = store.Sweep(ctx)
	return errors.Join(err, store.Close())
}

// judge compares what became of a record with what should have.
func (c *cell) judge(id string, w *want) {
	c.res.Records++
	c.res.Rows += w.rows
	rows, dead := 1, 0
	switch w.fate {
	case failed:
		c.res.Errors += w.rows
	case buried, crasher:
		rows, dead = 0, 1
	}
	if w.rerun {
		dead++
	}
	switch {
	case w.deleted:
		rows = 0
	case w.open:
		rows = min(w.rows, 1)
	}
	c.res.Dead += w.dead
	switch {
	case w.deleted && w.rows > 0:
		c.res.Doubled++
		c.problem("record %s was deleted, or told not to be executed, and is in %d rows", id, w.rows)
	case w.rows+w.dead < rows+dead:
		c.res.Lost++
		c.problem("record %s is lost: it is in %d rows and %d dead letters", id, w.rows, w.dead)
	case w.rows > rows || w.dead > dead:
		c.res.Doubled++
		c.problem("record %s is in %d rows and %d dead letters", id, w.rows, w.dead)
	}
}

func (c *cell) checkTable(ctx context.Context, place string) error {
	path := c.table(place)
	v, err := export.Verify(ctx, path)
	if err != nil {
		return err
	}
	for _, p := range v.Problems {
		c.problem("%s: %s", place, p)
	}
	for _, f := range v.Unnamed {
		if (slices.Contains(c.Kinds, reworked) || slices.Contains(c.Kinds, syncedAgainst)) &&
			!strings.HasPrefix(filepath.Base(f), "textmill-") {
			continue // delta-rs leaves what it wrote for a commit that lost its race
		}
		c.problem("%s: %s is left and no entry names it", place, filepath.Base(f))
	}
	var rows int64
	err = export.Scan(ctx, path, func(all []export.Row) error {
		for i := range all {
			rows++
			c.see(place, &all[i])
		}
		return nil
	})
	if err != nil {
		return err
	}
	if rows != v.Rows {
		c.problem("%s: %d rows are read, the log says %d", place, rows, v.Rows)
	}
	n, err := c.camp.deltars.ask(ctx, "count", path)
	if err != nil {
		c.problem("%s: delta-rs cannot read it: %v", place, err)
	} else if n != rows {
		c.problem("%s: delta-rs reads %d rows, textmill %d", place, n, rows)
	}
	if n, err = c.camp.deltars.ask(ctx, "digest", path); err != nil || n != c.digest(place) {
		c.problem("%s: delta-rs reads other ids and texts than were published (%v)", place, err)
	}
	cmd := exec.CommandContext(ctx, c.camp.Binary, "table", "verify", path)
	cmd.Env = append(os.Environ(), "TEXTMILL_HOME="+c.camp.Home)
	if out, err := cmd.CombinedOutput(); err != nil {
		c.problem("%s: table verify: %v\n%s", place, err, out)
	}
	if c.Bucket {
		path = filepath.Join(c.camp.bucket.Objects(), c.prefix(), place)
	}
	return c.leftovers(path)
}

// leftovers finds unfinished files, and anything that has no business in a table.
func (c *cell) leftovers(path string) error {
	return filepath.WalkDir(path, func(file string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		switch ext := filepath.Ext(file); ext {
		case ".json", ".parquet", ".crc":
		default:
			if filepath.Base(file) != "_last_checkpoint" {
				rel, _ := filepath.Rel(path, file)
				c.problem("%s is left", rel)
			}
		}
		return nil
	})
}

// see compares a row with its record.
func (c *cell) see(place string, r *export.Row) {
	w := c.wants[wanted(r.Model, r.RecordID)]
	if w == nil || w.dataset != place {
		c.problem("%s holds a row of record %q, which nobody sent there", place, r.RecordID)
		return
	}
	w.rows++
	wrong := ""
	switch {
	case w.fate == buried || w.fate == crasher:
		return // judge tells
	case w.fate == failed:
		if !strings.HasPrefix(r.Error, w.class+": ") || r.Embedding != nil {
			wrong = fmt.Sprintf("error %q, a vector of %d", r.Error, len(r.Embedding))
		}
	case r.Error != "":
		wrong = "error " + r.Error
	case r.Text.V != w.text:
		wrong = "another text"
	case w.output != nil && !w.output.is(r.OutputIDs, r.FinishReason):
		wrong = fmt.Sprintf("tokens %v (%s) instead of %v (%s)", r.OutputIDs, r.FinishReason, w.output.ids, w.output.finish)
	case w.output == nil && !near(r.Embedding, w.vector):
		wrong = "another vector"
	}
	if wrong != "" {
		c.res.Wrong++
		c.problem("record %s: %s", r.RecordID, wrong)
	}
}

func near(a, b []float32) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if math.Abs(float64(a[i]-b[i])) > tolerance {
			return false
		}
	}
	return true
}

// checkLetters counts the records in dead letters.
func (c *cell) checkLetters(ctx context.Context) error {
	one, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	all, err := c.pub.letters(one)
	if err != nil {
		return fmt.Errorf("read the dead letters: %w", err)
	}
	for _, l := range all {
		var m struct{ Records []record }
		if err := json.Unmarshal(l.payload, &m); err != nil || len(m.Records) == 0 {
			c.problem("a dead letter of class %s has not its payload: %.200q", l.class, l.payload)
			continue
		}
		for _, r := range m.Records {
			w := c.wants[wanted(l.model, r.ID)]
			if w == nil {
				c.problem("a dead letter holds record %q, which nobody sent", r.ID)
				continue
			}
			w.dead++
			if (w.fate == row || w.fate == failed) && !(w.rerun && l.class == jobs.IdentityConflict) {
				c.problem("record %s is in a dead letter of class %s", r.ID, l.class)
			}
		}
	}
	return nil
}
