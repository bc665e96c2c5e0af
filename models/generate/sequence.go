package generate

import (
	"slices"
	"strings"

	"textmill/models/sample"
	"textmill/tokenize"
)

// A sequence is a request on its way through a slot.
type sequence struct {
	Request
	sampler *sample.Sampler
	stream  *tokenize.Stream
	stopper *sample.Stopper
	eos     []int32
	job     *job

	opening []int32 // what runs in parts, before single tokens do: the prompt, or all with which the text became long
	long    bool    // it is computed as texts of more than the original positions are

	arrival int
	begun   bool // some of the prompt was run
	used    int  // tokens of prompt and text that the slot holds
	next    int32
	out     Result
	text    strings.Builder
}

func (g *Generator) newSequence(r Request) *sequence {
	s := &sequence{Request: r, opening: r.Prompt, long: g.outgrows(len(r.Prompt)), stream: g.o.Tokenizer.NewStream(true),
		stopper: sample.NewStopper(r.Params.Stop)}
	if !r.Params.IgnoreEOS {
		s.eos = g.spec.Generation.EOS
	}
	p := r.Params.Params
	p.EOS, p.StopIDs, p.MaxNewTokens = s.eos, r.Params.StopIDs, r.Params.MaxNewTokens
	s.sampler = sample.New(p, r.Prompt, g.spec.Decoder.VocabSize)
	return s
}

func (s *sequence) unwanted() bool { return s.Unwanted != nil && s.Unwanted() }

// need is the most tokens that the slot will hold.
func (s *sequence) need() int { return len(s.Prompt) + s.Params.MaxNewTokens }

// prefilled tells whether the slot holds all that runs in parts.
func (s *sequence) prefilled() bool { return s.used >= len(s.opening) }

// sooner tells whether a part of its prompt is to be run before one of another's.
func (s *sequence) sooner(than *sequence) bool {
	if s.Asked != than.Asked {
		return s.Asked
	}
	if s.job.ran != than.job.ran {
		return s.job.ran < than.job.ran
	}
	return s.arrival < than.arrival
}

// made is the token that was chosen behind so many ones when the text was in a slot before, or negative.
func (s *sequence) made(used int) int32 {
	if n := used - len(s.Prompt); n < len(s.out.IDs) {
		return s.out.IDs[n]
	}
	return -1
}

// candidates tells whether the next token can be picked from a few.
func (s *sequence) candidates() bool { return s.sampler.Needs() == sample.NeedsBest }

// pick takes the next token, and tells of others that it could have been.
func (s *sequence) pick(scratch *sample.Scratch, next *scored, step *Step) (c sample.Choice, err error) {
	explain := s.Step != nil && s.Explain > 0
	if next.logits == nil && !explain {
		var picked bool
		if c, picked, err = s.sampler.NextOf(scratch, &next.best); picked || err != nil {
			return c, err
		}
	}
	logits, err := next.all()
	if err != nil {
		return c, err
	}
	if explain {
		if step.Explained, err = s.sampler.Trace(scratch, logits, s.Explain, s.Temperatures); err != nil {
			return c, err
		}
	}
	return s.sampler.Next(scratch, logits)
}

// choose takes the next token from what a run scored. It reports whether the text has ended.
func (s *sequence) choose(scratch *sample.Scratch, next *scored) (ended bool, err error) {
	if id := s.made(s.used); id >= 0 {
		s.next = id
		return false, nil
	}
	var step Step
	choice, err := s.pick(scratch, next, &step)
	if err != nil {
		return true, err
	}
	s.next = choice.ID
	s.out.IDs = append(s.out.IDs, choice.ID)
	if s.Params.Logprobs {
		s.out.Logprobs = append(s.out.Logprobs, choice.Logprob)
	}
	if s.Params.TopLogprobs > 0 {
		s.out.Top = append(s.out.Top, slices.Clone(choice.Top))
	}
	piece := s.finish(choice.ID)
	s.text.WriteString(piece)
	if s.Step != nil {
		step.Index, step.ID, step.Text, step.Finish = len(s.out.IDs)-1, choice.ID, piece, s.out.Finish
		step.Logprob = choice.Logprob
		if s.Params.TopLogprobs > 0 {
			step.Top = s.out.Top[step.Index]
		}
		s.Step(step)
	}
	return s.out.Finish != "", nil
}

// finish sees whether a token ends the text, and gives the text that became certain with it.
func (s *sequence) finish(id int32) string {
	if slices.Contains(s.eos, id) {
		return s.end(FinishEOS, "")
	}
	fresh, hit := s.stopper.Feed(s.stream.Add(id))
	switch {
	case hit:
		s.out.Finish = FinishStop
	case s.Params.stops(id):
		return s.end(FinishStop, fresh)
	case len(s.out.IDs) >= s.Params.MaxNewTokens:
		return s.end(FinishLength, fresh)
	}
	return fresh
}

// end gives what was held back. A stop string that only becomes whole now is one all the same.
func (s *sequence) end(why, fresh string) string {
	s.out.Finish = why
	last, hit := s.stopper.Feed(s.stream.Flush())
	if hit {
		s.out.Finish = FinishStop
		return fresh + last
	}
	return fresh + last + s.stopper.Flush()
}

// conclude hands the result over.
func (s *sequence) conclude(err error) {
	if err != nil {
		s.Done(Result{Err: err})
		return
	}
	s.out.Text = s.text.String()
	s.Done(s.out)
}
