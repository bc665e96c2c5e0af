package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Work is what a model did since the daemon began.
type Work struct {
	Runs   int64
	Tokens int64         // padding left out
	Padded int64         // padding counted
	Made   int64         // output tokens
	Took   time.Duration // of all runs, one after the other
}

// Rate is tokens a second of one run at a time, 0 where there was none.
func (w Work) Rate() float64 {
	if w.Took <= 0 {
		return 0
	}
	return float64(w.Tokens) / w.Took.Seconds()
}

// Padding is the share of what was run that was padding.
func (w Work) Padding() float64 {
	if w.Padded == 0 {
		return 0
	}
	return 1 - float64(w.Tokens)/float64(w.Padded)
}

// Work adds up what was told of the model.
func (m *Model) Work() Work {
	w := Work{Runs: counted(m.batches), Tokens: counted(m.tokens), Padded: counted(m.padded), Made: counted(m.made)}
	var d dto.Metric
	if m.run.Write(&d) == nil {
		w.Took = time.Duration(d.GetHistogram().GetSampleSum() * float64(time.Second))
	}
	return w
}

func counted(c prometheus.Counter) int64 {
	var d dto.Metric
	if c.Write(&d) != nil {
		return 0
	}
	return int64(d.GetCounter().GetValue())
}
