package queue

import "time"

// Rate remembers the latest progress of something that comes to its end step by step, one sample a second.
// The zero Rate has seen none.
type Rate struct {
	samples []sample
}

type sample struct {
	at   time.Time
	done int64
}

const (
	mostSamples = 120
	// longestPause lies between two samples of one run; what was before a longer one says nothing of the pace now.
	longestPause = 30 * time.Minute
	// leastSpan is what samples must span to tell a pace: the shards of one commit end at one moment.
	leastSpan = time.Second
)

// Note takes in how much was done at a time, which must not be before the latest one's.
func (r *Rate) Note(at time.Time, done int64) {
	n := len(r.samples)
	if n > 0 && at.Sub(r.samples[n-1].at) > longestPause {
		r.samples, n = r.samples[:0], 0
	}
	if n > 1 && at.Sub(r.samples[n-2].at) < time.Second {
		r.samples[n-1] = sample{at, done}
		return
	}
	if n == mostSamples {
		copy(r.samples, r.samples[1:])
		r.samples = r.samples[:mostSamples-1]
	}
	r.samples = append(r.samples, sample{at, done})
}

// PerSecond is the pace as of now, 0 until it is known. Rows come by the commit, so the time since the latest counts
// only once it is longer than commits have been apart.
func (r *Rate) PerSecond(now time.Time) float64 {
	pace, _ := r.pace(now)
	return pace
}

// pace also tells until when it was measured.
func (r *Rate) pace(now time.Time) (perSecond float64, until time.Time) {
	n := len(r.samples)
	if n < 2 {
		return 0, now
	}
	first, last := r.samples[0], r.samples[n-1]
	until = last.at
	if now.Sub(until) > 2*until.Sub(first.at)/time.Duration(n-1) {
		until = now
	}
	took := until.Sub(first.at)
	if took < leastSpan || last.done <= first.done {
		return 0, now
	}
	return float64(last.done-first.done) / took.Seconds(), until
}

// ETA is how many seconds the rest takes at that pace; nil while none is known.
func (r *Rate) ETA(now time.Time, total int64) *float64 {
	pace, until := r.pace(now)
	if pace == 0 {
		return nil
	}
	left := float64(total-r.samples[len(r.samples)-1].done)/pace - max(now.Sub(until).Seconds(), 0)
	left = max(left, 0)
	return &left
}
