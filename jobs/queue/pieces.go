package queue

import "textmill/jobs"

// Piece is one shard of a job as a publisher knows it: two payloads under one name, or one payload for two models, are
// two pieces.
type Piece struct {
	Task, Model string
	Shard       string
	SHA256      string // of the payload, in hex
}

// Fate is what became of a piece, by its latest attempt. The zero Fate is none yet.
type Fate struct {
	State              string // "", StateDone or StateFailed
	Resolved           bool   // of StateFailed: its dead letter is gone, as Reason says
	Retry              int    // which retry of a dead letter it was
	Rows, Errors       int64
	Truncated, Dropped int64
	DeadRecords        int64 // that have no row
	LeftOut            int64 // rows that were not written, since the table holds their records
	Tokens             int64
	Repeat             bool   // the rows were there before, and nobody counted errors and cuts
	Class, Reason      string // of StateFailed
	Table              string // of StateDone
}

// Untold are verdicts on a shard's name that do not say of which payload they speak: those of older daemons.
type Untold struct {
	Times int
	Rows  bool // one of them is that rows were committed
}

// pieces follows the shards of one job one by one.
type pieces struct {
	fates  map[Piece]Fate
	untold map[string]Untold // by the shard's name
}

func newPieces() *pieces {
	return &pieces{fates: make(map[Piece]Fate), untold: make(map[string]Untold)}
}

func (p *pieces) see(e jobs.Event) {
	end, ended := endOf(e)
	if !ended {
		return
	}
	shard := nameOf(e)
	if e.PayloadSHA256 == "" || e.Task == "" || e.Model == "" {
		u := p.untold[shard.base]
		p.untold[shard.base] = Untold{u.Times + 1, u.Rows || e.Type == jobs.EventCommitted}
		return
	}
	at := Piece{Task: e.Task, Model: e.Model, Shard: shard.base, SHA256: e.PayloadSHA256}
	known, seen := p.fates[at]
	now := attempt{payload: e.PayloadSHA256, n: shard.retry, end: end}
	if seen && !now.after(attempt{payload: e.PayloadSHA256, n: known.Retry, end: known.end()}) {
		return
	}
	f := Fate{State: StateDone, Retry: shard.retry, Rows: e.Rows, Errors: e.Errors, Truncated: e.Truncated,
		Dropped: e.Dropped, LeftOut: e.LeftOut, DeadRecords: e.DeadRecords,
		Tokens: e.Tokens, Repeat: e.Uncounted, Table: e.Table}
	if end != endCommitted {
		f = Fate{State: StateFailed, Resolved: end == endResolved, Retry: shard.retry, Class: e.Class, Reason: e.Reason}
	}
	p.fates[at] = f
}

func (f Fate) end() ending {
	switch {
	case f.Resolved:
		return endResolved
	case f.State == StateFailed:
		return endDead
	}
	return endCommitted
}
