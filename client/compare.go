package client

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/maphash"

	"golang.org/x/sync/errgroup"

	"textmill/export"
	"textmill/ground/ondisk"
	"textmill/input"
	"textmill/jobs"
)

// SyncSummary is what a dataset was found to lack of its input.
type SyncSummary struct {
	Unchanged int64 `json:"unchanged"`
	New       int64 `json:"new"`
	Changed   int64 `json:"changed"`
	Deleted   int64 `json:"deleted"`
	Retried   int64 `json:"retried"` // error rows whose record is as it was
	// Missing records have rows and are not in the input; without --delete-missing they stay.
	Missing int64 `json:"missing"`
	Version int64 `json:"version"` // of the table that holds it all; in a dry run of the one that was compared
}

// difference is what a table needs to become its input.
type difference struct {
	SyncSummary
	from  export.Holding
	lines *ondisk.List // records to be published: see packLine
	ids   *ondisk.List // of records whose rows go
	hash  hash.Hash    // of both
}

func newDifference() (*difference, error) {
	c := &difference{hash: sha256.New()}
	var err error
	if c.lines, err = ondisk.NewList(""); err == nil {
		c.ids, err = ondisk.NewList("")
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *difference) close() error { return errors.Join(c.lines.Close(), c.ids.Close()) }

// take has a record's rows go.
func (c *difference) take(id []byte) error {
	fmt.Fprintf(c.hash, "%d:%s-", len(id), id)
	return c.ids.Add(id)
}

// publish has a record computed, whose rows replace those that it has.
func (c *difference) publish(id, line []byte) error {
	fmt.Fprintf(c.hash, "%d:%s+", len(line), line)
	return errors.Join(c.take(id), c.lines.Add(line))
}

// records are those whose rows go.
func (c *difference) records(task string) export.Records {
	return func(each func(task, id string) error) error {
		return c.ids.Each(func(id []byte) error { return each(task, string(id)) })
	}
}

// packLine is a record as a cutter carries it: whether it is an error, its own dimensions, and its JSON.
func packLine(invalid bool, dimensions int, line []byte) (head, rest []byte) {
	head = []byte{0}
	if invalid {
		head[0] = 1
	}
	return binary.AppendUvarint(head, uint64(dimensions)), line
}

var errSpoiled = errors.New("a temporary file holds something else than what was written to it")

func unpackLine(item []byte) (invalid bool, dimensions int, line []byte, err error) {
	if len(item) < 2 {
		return false, 0, nil, errSpoiled
	}
	n, size := binary.Uvarint(item[1:])
	if size <= 0 {
		return false, 0, nil, errSpoiled
	}
	return item[0] == 1, int(n), item[1+size:], nil
}

// sortMemory is what the input and the table each are sorted in; what is more goes to the disk.
const sortMemory = 16 << 20

// compare finds out what the dataset's table lacks of the input, in constant memory: both are sorted by the records'
// ids and joined.
func (s *submission) compare(ctx context.Context) (c *difference, err error) {
	wanted, err := ondisk.NewSorter("", sortMemory)
	if err != nil {
		return nil, err
	}
	held, err := ondisk.NewSorter("", sortMemory)
	if err != nil {
		return nil, errors.Join(err, wanted.Close())
	}
	defer func() { err = errors.Join(err, wanted.Close(), held.Close()) }()
	if c, err = newDifference(); err != nil {
		return nil, err
	}
	var both errgroup.Group
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	both.Go(func() error {
		err := s.sortInput(ctx, wanted)
		if err != nil {
			cancel()
		}
		return err
	})
	both.Go(func() (err error) {
		c.from, err = sortTable(ctx, s.table, s.o.Task, held)
		return err
	})
	if err = both.Wait(); err == nil {
		err = s.join(c, wanted, held)
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// sortInput takes in all records of the input, which all must have ids.
func (s *submission) sortInput(ctx context.Context, all *ondisk.Sorter) error {
	c, err := s.cutter(syncJob(s.o.Dataset, noSync), s.maxPayload)
	if err != nil {
		return err
	}
	c.sync = noSync
	contents := jobs.NewContents(s.sha256, c.paramsJSON)
	defer func() { s.summary.FilesLeftOut = s.src.left }()
	var head []byte
	return s.src.each(func(it *input.Item) error {
		if all.Len()%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if it.Dimensions != c.dimensions {
			if err := c.setDimensions(it.Dimensions); err != nil {
				return fmt.Errorf("%s: line %d: %w", s.src.name(), it.Line, err)
			}
			contents = jobs.NewContents(s.sha256, c.paramsJSON)
		}
		c.judge(it)
		if err := s.checkID(it); err != nil {
			return err
		}
		sum, err := hex.DecodeString(contents.SHA256(&it.Record))
		if err != nil {
			return err
		}
		head = binary.AppendUvarint(append(head[:0], sum...), uint64(s.src.at))
		head = binary.AppendUvarint(head, uint64(it.Line))
		packed, line := packLine(it.Record.Err != nil, it.Dimensions, c.line)
		if it.Record.Err != nil {
			s.summary.problem(s.src.name(), it.Record.Err)
		}
		return all.Add([]byte(it.Record.ID), head, packed, line)
	}, func() error { return nil })
}

// heldBytes are content_sha256, whether it is an error row, and a hash of what brought it.
const heldBytes = sha256.Size + 1 + 8

// sortTable takes in all rows of a task.
func sortTable(ctx context.Context, uri, task string, all *ondisk.Sorter) (export.Holding, error) {
	seed := maphash.MakeSeed()
	value := make([]byte, heldBytes)
	return export.Holds(ctx, uri, task, func(h export.Held) error {
		clear(value)
		if len(h.Content) == 2*sha256.Size {
			if _, err := hex.Decode(value, []byte(h.Content)); err != nil {
				clear(value)
			}
		}
		if h.Failed {
			value[sha256.Size] = 1
		}
		origin := maphash.String(seed, h.Job+"\x00"+h.Shard)
		binary.LittleEndian.PutUint64(value[sha256.Size+1:], origin)
		return all.Add([]byte(h.ID), value)
	})
}
