package client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"textmill/ground/naming"
	"textmill/input"
	"textmill/jobs"
)

// How much of an object of lines a shard points to.
const (
	referredBytes   = 1 << 20
	referredPrompts = 64 << 10
)

// remote says whether the inputs are objects, to which shards point.
func (o *SubmitOptions) remote() bool { return slices.ContainsFunc(o.Files, input.InBucket) }

func (o *SubmitOptions) checkInputs() error {
	if o.remote() {
		return o.checkObjects()
	}
	return o.checkFiles()
}

// checkObjects refuses what needs the records themselves, of which a publisher of references sees nothing.
func (o *SubmitOptions) checkObjects() error {
	if slices.ContainsFunc(o.Files, func(f string) bool { return !input.InBucket(f) }) {
		return errors.New("objects (s3://…) and files are submitted apart: give one kind of them")
	}
	var errs []error
	refuse := func(is bool, what, remedy string) {
		if is {
			errs = append(errs, fmt.Errorf("%s does not work with s3:// inputs, which daemons read by themselves: %s", what, remedy))
		}
	}
	const copied = "copy the objects to files, or stream them to standard input (-)"
	refuse(o.Sync, "--sync", copied)
	refuse(o.OnRepeat != "" && o.OnRepeat != naming.RepeatAppend, "--on-repeat "+o.OnRepeat, copied)
	refuse(o.WholeFiles, "--whole-files", copied)
	refuse(o.Input.TextTemplate != "", "--text-template", copied)
	refuse(o.Input.AttributeColumns != nil, "--attribute-columns", copied)
	refuse(o.Part.Of > 0, "--part", "one publisher sends references only; leave it out")
	refuse(o.Model == "", "a submit without --model", "name it")
	return errors.Join(errs...)
}

// refer has the objects cut into shards that point to their parts.
func (s *submission) refer(ctx context.Context) {
	about := int64(referredBytes)
	if s.o.Task == naming.TaskGenerate {
		about = referredPrompts
	}
	s.feed = func(c *cutter) error {
		err := input.Refer(ctx, s.o.Files, about, s.o.Input, c.refer)
		if err == nil && c.number == 0 {
			err = errNoRecords
		}
		return err
	}
}

// refer makes a shard of what an input points to.
func (c *cutter) refer(in *jobs.Input) error {
	e := c.envelope()
	e.Input = in
	one := shard{number: c.number, payload: e.Encode(), referred: in.Length}
	if in.Length == 0 && (in.RowGroups == nil || in.RowGroups[0] == 0) {
		one.referred = in.Size
	}
	c.number++
	return c.emit(one)
}
