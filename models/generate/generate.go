// Package generate continues prompts with a decoder, many at a time: each enters a slot of the KV cache as soon as one
// is free and leaves it at once when it ends, so that no text waits for the longest.
package generate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"textmill/models"
	"textmill/models/sample"
	"textmill/models/session"
	"textmill/tokenize"
)

// Why a text ended.
const (
	FinishStop   = "stop"   // a stop string or a stop token
	FinishLength = "length" // max_new_tokens, or the end of the context
	FinishEOS    = "eos"    // the model's own end
)

// Classes of errors.
var (
	// ErrNoRoom: the prompt leaves no room for a new token, or needs more KV cache than there is.
	ErrNoRoom = errors.New("no room")
	// ErrTooLong: the prompt is longer than the context.
	ErrTooLong = errors.New("too long")
	// ErrPrompt: the prompt cannot be run.
	ErrPrompt = errors.New("cannot continue the prompt")
	// ErrNaN: the model made logits that are no numbers.
	ErrNaN = sample.ErrNaN
	// ErrStopped: the generator was stopped before the text was done.
	ErrStopped = errors.New("the generator was stopped")
	// ErrClosed is returned by Do after Close.
	ErrClosed = errors.New("the generator is closed")
)

// Options say what a Generator runs on.
type Options struct {
	Session session.Options
	// Tokenizer is the model's own.
	Tokenizer *tokenize.Tokenizer
	// Slots is how many texts run at a time; 0 means DefaultSlots.
	Slots int
	// Memory bounds the KV cache in bytes; 0 means DefaultMemory.
	Memory int64
	// MaxLength bounds prompt and text of one request in tokens; 0 and more than the model has: the model's own.
	MaxLength int
	// Observe, when set, is told of every model run.
	Observe func(RunStats)

	bound bool // a graph for processors runs as one for cards does
	chunk int  // of a prompt, 0 for chunkTokens
}

// Defaults of Options.
const (
	DefaultSlots  = 64
	DefaultMemory = 4 << 30
)

// RunStats describes one model run: Rows texts, Tokens of them, Padded when idle slots are counted, New tokens chosen.
type RunStats struct {
	Rows, Tokens, Padded, New int
	Took                      time.Duration
}

// Params are how one text is made.
type Params struct {
	sample.Params
	MaxNewTokens int      // at least 1
	Stop         []string // end the text before them
	StopIDs      []int32  // end the text with them
	IgnoreEOS    bool
}

// A Request is one prompt. Entered, when set, is called when it gets a slot for the first time. Step, when set, sees
// each token once, as it is chosen. Done is called once, after the last Step, and not at all if Do fails. All are
// called from goroutines of the generator, which waits for them.
type Request struct {
	Prompt []int32
	// Job is who asks. Those of one job enter slots in their order, and jobs take turns, by the tokens that their texts
	// may come to.
	Job string
	// Unwanted, when set, tells that nobody waits for the text any more: it ends with ErrStopped at its next token.
	Unwanted func() bool
	// Asked is a request that somebody waits for: it passes those that are not, with an eighth of the slots and of the KV
	// cache, for which others' texts make room. Beyond that it comes after them.
	Asked bool
	// Later is a request that enters a slot only when no other one waits for it.
	Later   bool
	Params  Params
	Entered func()
	Step    func(Step)
	Explain int // how many candidates of each step Step is told of
	// Temperatures are those at which it is told, too, what the other tokens weigh.
	Temperatures []float64
	Done         func(Result)
}

// A Step is one chosen token.
type Step struct {
	Index int // among the new tokens
	ID    int32
	sample.Explained
	Text   string // what became certain with it
	Finish string // "" while the text goes on
	// If asked for:
	Logprob float32
	Top     []sample.Candidate
}

// A Result is a finished text.
type Result struct {
	IDs      []int32 // the new tokens, the one that ended the text included
	Text     string  // without special tokens and stop strings
	Finish   string
	Logprobs []float32            // of each ID, if asked for
	Top      [][]sample.Candidate // beside each ID, if asked for
	Err      error                // nothing else is set
}

// A Generator continues prompts. Its methods are safe for concurrent use.
type Generator struct {
	spec   *models.Spec
	o      Options
	run    runner
	length int // of a slot
	tokens int // that live texts may hold together
	notes  []string

	company session.Company // what it does to bits
	shares  bool            // a prompt may begin with what another one left
	card    bool            // the cache lies in memory of a device, and every decode takes all slots

	turns   *turns
	stopped <-chan struct{} // closed by stop
	stop    context.CancelCauseFunc
	ended   chan struct{}
	freed   sync.Once

	loop
}

// Spec is the model that runs.
func (g *Generator) Spec() *models.Spec { return g.spec }

// MaxLength is how many tokens prompt and text of one request may have together.
func (g *Generator) MaxLength() int { return g.length }

// MaxTotalTokens is how many tokens all running texts may have together.
func (g *Generator) MaxTotalTokens() int { return g.tokens }

// Slots is how many texts run at a time.
func (g *Generator) Slots() int { return g.o.Slots }

// Notes are things worth knowing about this session, beside those of the Spec.
func (g *Generator) Notes() []string { return g.notes }

// Device is where the model runs.
func (g *Generator) Device() string { return g.o.Session.Device }

// Threads is how many threads compute.
func (g *Generator) Threads() int { return g.o.Session.Threads }

// Check says whether a prompt of n tokens can be continued.
func (g *Generator) Check(n int) error {
	switch {
	case n == 0:
		return refuse(ErrPrompt, "the prompt has no tokens")
	case n > g.length:
		return refuse(ErrTooLong, "the prompt has %d tokens, the context %d; shorten it", n, g.length)
	case n == g.length:
		return refuse(ErrNoRoom, "the prompt's %d tokens fill the context and leave no room for a new one; shorten it", n)
	}
	return nil
}

// A refusal says why a prompt cannot be run; what kind of reason it is stands beside the words.
type refusal struct {
	kind error
	text string
}

func refuse(kind error, format string, args ...any) error {
	return &refusal{kind, fmt.Sprintf(format, args...)}
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.kind }

// Do accepts a request, waiting while as many of its job as there are slots wait already, or others whose prompts have
// as many tokens as the KV cache. An error means that Done will not be called.
func (g *Generator) Do(ctx context.Context, r Request) error {
	if err := g.Check(len(r.Prompt)); err != nil {
		return err
	}
	for i, id := range r.Prompt {
		if id < 0 || int(id) >= g.spec.Decoder.VocabSize {
			return refuse(ErrPrompt, "token %d of the prompt is id %d, the model has ids 0 to %d", i, id,
				g.spec.Decoder.VocabSize-1)
		}
	}
	r.Params.MaxNewTokens = min(max(r.Params.MaxNewTokens, 1), g.length-len(r.Prompt))
	return g.turns.wait(ctx, g.newSequence(r))
}

// Stop ends runs in progress. Requests that were not through, and all that follow, end with ErrStopped; Close is still
// owed.
func (g *Generator) Stop() { g.stop(ErrStopped) }

// Stopped is closed by Stop.
func (g *Generator) Stopped() <-chan struct{} { return g.stopped }

// Close refuses further requests, finishes those accepted, and frees the model when all their Done calls have
// returned.
func (g *Generator) Close() error {
	g.turns.close()
	<-g.ended
	var err error
	g.freed.Do(func() {
		g.stop(ErrStopped)
		err = g.run.close()
	})
	return err
}

// stops tells whether an id ends a text.
func (p *Params) stops(id int32) bool { return slices.Contains(p.StopIDs, id) }
