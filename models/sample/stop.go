package sample

import "strings"

// Stopper looks for stop strings in text that comes in pieces, and lets text
// through once it is certain that no stop string begins in it.
//
// The text ends before the stop string that is complete first, whatever the
// pieces; of several that are complete at the same byte, before the longest.
type Stopper struct {
	stops   []string
	held    string // may be the beginning of a stop string
	stopped bool
}

// NewStopper makes a stopper for one sequence. Empty stop strings never match.
func NewStopper(stops []string) *Stopper {
	s := &Stopper{}
	for _, stop := range stops {
		if stop != "" {
			s.stops = append(s.stops, stop)
		}
	}
	return s
}

// Feed takes the next piece and returns the text that is now certain. Once a stop
// string is complete it reports so, and nothing more comes out.
func (s *Stopper) Feed(piece string) (text string, stopped bool) {
	if s.stopped {
		return "", true
	}
	if len(s.stops) == 0 {
		return piece, false
	}
	all := s.held + piece
	if cut := s.find(all); cut >= 0 {
		s.held, s.stopped = "", true
		return all[:cut], true
	}
	keep := 0
	for _, stop := range s.stops {
		keep = max(keep, overlap(all, stop))
	}
	s.held = all[len(all)-keep:]
	return all[:len(all)-keep], false
}

// Flush returns what was held back, when the text ends for another reason.
func (s *Stopper) Flush() string {
	text := s.held
	s.held = ""
	return text
}

// find is where the stop string begins that ends first; -1 if there is none.
func (s *Stopper) find(text string) int {
	start, end := -1, 0
	for _, stop := range s.stops {
		at := strings.Index(text, stop)
		if at < 0 {
			continue
		}
		if e := at + len(stop); start < 0 || e < end || e == end && at < start {
			start, end = at, e
		}
	}
	return start
}

// overlap is the length of the longest end of text that begins stop without being all of it.
func overlap(text, stop string) int {
	for n := min(len(text), len(stop)-1); n > 0; n-- {
		if text[len(text)-n:] == stop[:n] {
			return n
		}
	}
	return 0
}
