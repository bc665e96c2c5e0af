package client

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"textmill/ground/plain"
	"textmill/input"
)

// stdinName is the FILE that means standard input.
const stdinName = "-"

// sources hands out the records of several inputs as one sequence.
type sources struct {
	files []string
	names []string // of files that are a record each; nil: they are not
	stdin io.Reader
	o     input.Options
	warn  func(string) // of what is left out of an input
	left  int          // files that are left out
	told  bool         // how many
	bare  bool         // lines of text have no ids, as an earlier version published them

	placed bool // lines of text were given ids
	at     int
	open   *input.Reader
	ahead  []input.Item // read by peek, the next one first
}

// again are the same inputs from their start; what is left out of them was said.
func (s *sources) again() *sources {
	return &sources{files: s.files, names: s.names, stdin: s.stdin, o: s.o, warn: func(string) {}, placed: s.placed}
}

// repeatable says that every input can be read twice: pipes cannot.
func (s *sources) repeatable() bool {
	for _, f := range s.files {
		if st, err := os.Stat(f); f == stdinName || err != nil || !st.Mode().IsRegular() {
			return false
		}
	}
	return true
}

// checkFiles finds what is wrong with a list of inputs before anything is done with them.
func (o *SubmitOptions) checkFiles() error {
	files := o.Files
	if len(files) == 0 {
		return errors.New("no input: name files, or - for standard input")
	}
	var errs []error
	named := make(map[string]bool, len(files))
	for _, f := range files {
		if named[f] {
			errs = append(errs, fmt.Errorf("%s is named twice", f))
			continue
		}
		if named[f] = true; f == stdinName {
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
	return errors.Join(append(errs, o.checkWhole())...)
}

// checkWhole finds what does not go with files that are a record each.
func (o *SubmitOptions) checkWhole() error {
	if !o.WholeFiles {
		return nil
	}
	i := o.Input
	if i.Format != "" || i.TextColumn != "" || i.TextTemplate != "" || i.IDColumn != "" || i.AttributeColumns != nil {
		return errors.New("--whole-files makes a record of each file, called by its path; leave --format and the columns out")
	}
	if len(o.Names) != len(o.Files) {
		return fmt.Errorf("%d files have %d names", len(o.Files), len(o.Names))
	}
	by := make(map[string]string, len(o.Files))
	for at, name := range o.Names {
		if isStream(o.Files[at]) {
			return fmt.Errorf("--whole-files: %s has no path to be called by", o.Files[at])
		}
		if other, twice := by[name]; twice {
			return fmt.Errorf("--whole-files: %s and %s would both have the id %s; name the directory above them", other, o.Files[at], name)
		}
		by[name] = o.Files[at]
	}
	return nil
}

// next fills it with the next record of any input; the end of the last is io.EOF.
func (s *sources) next(it *input.Item) error {
	if len(s.ahead) > 0 {
		*it = s.ahead[0]
		s.ahead = s.ahead[1:]
		return nil
	}
	return s.read(it)
}

func (s *sources) read(it *input.Item) error {
	for {
		if s.open == nil {
			if s.at == len(s.files) {
				s.tellLeft()
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
			if why := r.LeftOut(); why != "" {
				if s.left++; s.left <= mostProblems {
					s.warn(fmt.Sprintf("%s is left out: %s", plain.Text(s.name()), why))
				}
			}
		}
		err := s.open.Next(it)
		if err == nil && s.open.Format() == input.Text && !s.bare {
			s.placed = place(it, s.files[s.at]) || s.placed
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

// tellLeft says at the end how many files were left out, if not all of them were named.
func (s *sources) tellLeft() {
	if s.left > mostProblems && !s.told {
		s.told = true
		s.warn(fmt.Sprintf("%d files in all are left out", s.left))
	}
}

func (s *sources) openNext() (*input.Reader, error) {
	if s.names != nil {
		return input.OpenWhole(s.files[s.at], s.names[s.at], s.o)
	}
	if s.files[s.at] == stdinName {
		return input.NewReader(s.stdin, s.o)
	}
	return input.Open(s.files[s.at], s.o)
}

// each calls f for all records that are left, and then end.
func (s *sources) each(f func(*input.Item) error, end func() error) error {
	var it input.Item
	for {
		err := s.next(&it)
		if errors.Is(err, io.EOF) {
			return end()
		}
		if err == nil {
			err = f(&it)
		}
		if err != nil {
			return err
		}
	}
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

// peek gives the nth record from here on without taking it; nil when there are not so many.
func (s *sources) peek(n int) (*input.Item, error) {
	for len(s.ahead) <= n {
		var it input.Item
		if err := s.read(&it); errors.Is(err, io.EOF) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		s.ahead = append(s.ahead, it)
	}
	return &s.ahead[n], nil
}

func (s *sources) close() error {
	if s.open == nil {
		return nil
	}
	err := s.open.Close()
	s.open = nil
	return err
}

// sameModel compares the model that an OpenAI-batch line names with the job's; a hub's owner before the name
// does not count.
func sameModel(named, model string) bool {
	return strings.EqualFold(named, model) || strings.EqualFold(path.Base(named), model)
}
