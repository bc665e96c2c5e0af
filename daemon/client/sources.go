package client

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"textmill/daemon/input"
)

// stdinName is the FILE that means standard input.
const stdinName = "-"

// sources hands out the records of several inputs as one sequence.
type sources struct {
	files []string
	stdin io.Reader
	o     input.Options
	warn  func(string) // of what is left out of an input

	at    int
	open  *input.Reader
	first *input.Item // read ahead by peek
}

// checkFiles finds what is wrong with a list of inputs before anything is done with them.
func checkFiles(files []string) error {
	if len(files) == 0 {
		return errors.New("no input: name files, or - for standard input")
	}
	var errs []error
	for i, f := range files {
		if slices.Contains(files[:i], f) {
			errs = append(errs, fmt.Errorf("%s is named twice", f))
			continue
		}
		if f == stdinName {
			continue
		}
		st, err := os.Stat(f)
		switch {
		case err != nil:
			errs = append(errs, err)
		case st.IsDir():
			errs = append(errs, fmt.Errorf("%s is a directory; name the files in it", f))
		}
	}
	return errors.Join(errs...)
}

// next fills it with the next record of any input; the end of the last is io.EOF.
func (s *sources) next(it *input.Item) error {
	if s.first != nil {
		*it, s.first = *s.first, nil
		return nil
	}
	for {
		if s.open == nil {
			if s.at == len(s.files) {
				return io.EOF
			}
			r, err := s.openNext()
			if err != nil {
				return err
			}
			s.open = r
			if skipped := r.Skipped(); len(skipped) > 0 {
				s.warn(fmt.Sprintf("%s: columns without a text form are left out: %s", s.name(), strings.Join(skipped, ", ")))
			}
		}
		err := s.open.Next(it)
		if err == nil && s.open.Format() == input.Text {
			place(it, s.files[s.at])
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, io.EOF) {
			return fmt.Errorf("%s: %w", s.name(), err)
		}
		if err := s.close(); err != nil {
			return fmt.Errorf("close %s: %w", s.name(), err)
		}
		s.at++
	}
}

func (s *sources) openNext() (*input.Reader, error) {
	if s.files[s.at] == stdinName {
		return input.NewReader(s.stdin, s.o)
	}
	return input.Open(s.files[s.at], s.o)
}

// name is the input being read, as the user wrote it.
func (s *sources) name() string {
	if s.at >= len(s.files) {
		return "the input"
	}
	if s.files[s.at] == stdinName {
		return "standard input"
	}
	return s.files[s.at]
}

// peek reads the first record without taking it; nil when there is none.
func (s *sources) peek() (*input.Item, error) {
	var it input.Item
	if err := s.next(&it); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	s.first = &it
	return s.first, nil
}

func (s *sources) close() error {
	if s.open == nil {
		return nil
	}
	err := s.open.Close()
	s.open = nil
	return err
}

// jobName is the default name of a job: the same inputs, unchanged, with the same task, model, dataset and
// params are the same job. ok is false where standard input makes that impossible to say.
func jobName(o SubmitOptions, paramsJSON []byte) (name string, ok bool, err error) {
	h := sha256.New()
	part := func(s string) { fmt.Fprintf(h, "%d:%s\n", len(s), s) }
	for _, s := range []string{o.Dataset, o.Task, o.Model, string(paramsJSON), o.Input.Format, o.Input.TextColumn, o.Input.IDColumn} {
		part(s)
	}
	for _, f := range o.Files {
		if f == stdinName {
			return "", false, nil
		}
		abs, err := filepath.Abs(f)
		if err != nil {
			return "", false, err
		}
		st, err := os.Stat(abs)
		if err != nil {
			return "", false, err
		}
		part(abs)
		part(fmt.Sprintf("%d %d", st.Size(), st.ModTime().UnixNano()))
	}
	return o.Dataset + "-" + hex.EncodeToString(h.Sum(nil)[:8]), true, nil
}

// sameModel compares the model that an OpenAI-batch line names with the job's; a hub's owner before the name
// does not count.
func sameModel(named, model string) bool {
	return strings.EqualFold(named, model) || strings.EqualFold(path.Base(named), model)
}
