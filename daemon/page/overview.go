package page

import (
	"math"
	"net/http"
	"time"

	"textmill/daemon/lately"
	"textmill/daemon/tracing"
	"textmill/models"
)

// Model is one that is served.
type Model struct {
	Name, Task, SHA256, Device string
	BatchTokens, Workers       int
	Tracer                     tracing.Tracer
	About
}

// Work is what a daemon does, for the overview.
type Work interface{ Now() Now }

// Now is how a daemon is, and what it did in the last minutes.
type Now struct {
	Problems []string // why it cannot take work, or not all of it
	Since    time.Time
	Samples  []lately.Sample
	Commits  []lately.Commit
	Troubles []lately.Trouble
	Devices  []Device // the processor first
}

// Device is one that models run on.
type Device struct {
	Name, About string
	Used        int64 // bytes of its memory: of the processor's those of this process, of a card's all that are taken
	Memory      int64 // in all; 0 where nobody says
	Promised    int64 // of a card, to the models of this process
	Cores       int   // of the processor
}

// overview is what is seen first.
type overview struct {
	Now
	Texts, Rows, Tokens, Waiting, Age, Padding series
	Processor                                  float64 // how many cores are busy
	Oldest                                     time.Duration
	InFlight, Letters                          int
	Stages                                     []stage
	StagesOf                                   string // how long they were watched
	Models                                     []modelNow
}

// series is a figure as it is now and as it was.
type series struct {
	Now  float64
	Past []float64
	Most float64 // of the past
}

// stage is a part of the way of records.
type stage struct {
	Name, About string
	Times       int64
	Mean        time.Duration
	Share       float64 // of the longest
	Known       bool
}

// modelNow is a model and what it does.
type modelNow struct {
	Model
	Texts          float64 // a second
	Tokens, Output float64 // likewise
	Padding, Busy  float64 // shares
	Waiting        int
	Oldest         time.Duration
}

// stagesAre says what is timed.
var stagesAre = map[string]string{
	"queue": "a message, until it is fetched", "tokenize": "a record, into tokens", "wait": "tokens, for the model",
	"run": "one run of the model", "assemble": "vectors of a run, into rows", "gather": "rows, for their commit to begin",
	"commit": "a part, into the table's log",
}

const (
	recent      = 3  // samples over which a rate is told
	stageWindow = 13 // samples over which stages are
	commitsSeen = 8
)

func (s *Site) overview(*http.Request) (View, error) {
	o := overview{Now: s.o.Work.Now()}
	past := o.Samples
	o.Commits = o.Commits[:min(len(o.Commits), commitsSeen)]
	o.Texts = perSecond(past, func(s lately.Sample) float64 { return s.Texts })
	o.Processor = perSecond(past, func(s lately.Sample) float64 { return s.Processor }).Now
	o.Rows = perSecond(past, func(s lately.Sample) float64 { return s.Rows })
	o.Tokens = perSecond(past, func(s lately.Sample) float64 { return s.Tokens })
	o.Padding = padding(past)
	for i, sample := range past {
		waiting, oldest := 0.0, 0.0
		for _, m := range sample.Models {
			waiting, oldest = waiting+m.Waiting, max(oldest, m.Oldest)
		}
		o.Waiting.Past, o.Age.Past = append(o.Waiting.Past, waiting), append(o.Age.Past, oldest)
		if i == len(past)-1 {
			o.Waiting.Now, o.Oldest = waiting, time.Duration(oldest*float64(time.Second))
			o.InFlight, o.Letters = int(sample.InFlight), int(sample.Letters)
		}
	}
	o.Stages, o.StagesOf = stages(past)
	for _, m := range s.o.Models {
		o.Models = append(o.Models, nowOf(m, past))
	}
	for _, one := range []*series{&o.Texts, &o.Rows, &o.Tokens, &o.Waiting, &o.Age, &o.Padding} {
		for _, v := range one.Past {
			if !math.IsNaN(v) {
				one.Most = max(one.Most, v)
			}
		}
	}
	return View{Title: "Overview", Data: o}, nil
}

// window is the first and the last sample of the latest ones.
func window(past []lately.Sample, most int) (first, last lately.Sample, seconds float64) {
	if len(past) < 2 {
		return lately.Sample{}, lately.Sample{}, 0
	}
	first, last = past[max(len(past)-1-most, 0)], past[len(past)-1]
	return first, last, last.At.Sub(first.At).Seconds()
}

func ratio(a, b float64) float64 {
	if b <= 0 {
		return 0
	}
	return a / b
}

// perSecond is how fast a sum grew.
func perSecond(past []lately.Sample, of func(lately.Sample) float64) (s series) {
	for i := 1; i < len(past); i++ {
		s.Past = append(s.Past, ratio(of(past[i])-of(past[i-1]), past[i].At.Sub(past[i-1].At).Seconds()))
	}
	first, last, seconds := window(past, recent)
	s.Now = ratio(of(last)-of(first), seconds)
	return s
}

// padding is how much of what was run was padding; unknown where nothing was.
func padding(past []lately.Sample) (s series) {
	share := func(a, b lately.Sample) float64 {
		if b.Padded <= a.Padded {
			return math.NaN()
		}
		return 1 - (b.Tokens-a.Tokens)/(b.Padded-a.Padded)
	}
	s.Now = math.NaN()
	for i := 1; i < len(past); i++ {
		s.Past = append(s.Past, share(past[i-1], past[i]))
	}
	if first, last, seconds := window(past, recent); seconds > 0 {
		s.Now = share(first, last)
	}
	return s
}

// stages are how long each took of late, or as far back as is remembered where nothing happened of late.
func stages(past []lately.Sample) (all []stage, of string) {
	for _, most := range []int{stageWindow, len(past)} {
		first, last, seconds := window(past, most)
		all, of = nil, took(time.Duration(seconds)*time.Second)
		longest, known := time.Duration(0), false
		for i, now := range last.Stages {
			if i >= len(first.Stages) {
				break
			}
			one := stage{Name: now.Name, About: stagesAre[now.Name]}
			if n := now.Count - first.Stages[i].Count; n > 0 {
				one.Times = int64(n)
				one.Mean = time.Duration((now.Seconds - first.Stages[i].Seconds) / n * float64(time.Second))
				longest, known, one.Known = max(longest, one.Mean), true, true
			}
			all = append(all, one)
		}
		for i := range all {
			all[i].Share = ratio(float64(all[i].Mean), float64(longest))
		}
		if known {
			break
		}
	}
	return all, of
}

func nowOf(m Model, past []lately.Sample) modelNow {
	one := modelNow{Model: m}
	first, last, seconds := window(past, recent)
	a, b := first.Models[m.Name], last.Models[m.Name]
	one.Texts = ratio(b.Texts-a.Texts, seconds)
	one.Tokens, one.Output = ratio(b.Tokens-a.Tokens, seconds), ratio(b.Output-a.Output, seconds)
	workers := max(m.Workers, 1)
	if m.Task == models.TaskGenerate { // whose runs are one after the other
		workers = 1
	}
	one.Busy = min(ratio(b.Busy-a.Busy, seconds*float64(workers)), 1)
	if b.Padded > a.Padded {
		one.Padding = 1 - (b.Tokens-a.Tokens)/(b.Padded-a.Padded)
	}
	one.Waiting, one.Oldest = int(b.Waiting), time.Duration(b.Oldest*float64(time.Second))
	return one
}
