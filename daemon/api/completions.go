package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"textmill/export"
	"textmill/ground/naming"
	"textmill/input"
	"textmill/jobs"
	"textmill/work/answers"
	"textmill/work/rows"
)

func (s *Server) completions(w http.ResponseWriter, r *http.Request) {
	body, done, f := s.read(w, r)
	if f != nil {
		f.write(w)
		return
	}
	defer done()
	c, f := s.completing(input.ReadRequest(r.URL.Path, body), r.URL.Path == input.ChatPath)
	switch {
	case f != nil:
		f.write(w)
	case c.q.Stream:
		c.stream(r.Context(), w)
	default:
		if list, f := c.whole(r.Context()); f != nil {
			f.write(w)
		} else {
			answer(w, http.StatusOK, list)
		}
	}
}

// completing is a request for texts on its way.
type completing struct {
	q     input.Request
	m     *Model
	chat  bool
	head  answers.Head
	shard jobs.Shard
	place map[string]int // of a record, by its id
	n     int            // texts of each record
	told  bool           // log-probabilities are asked for
}

// completing reads a request. Its records are called by the id of the answer: a text that is given no seed has one by
// that.
func (s *Server) completing(q input.Request, chat bool) (*completing, *failure) {
	c := &completing{q: q, chat: chat, place: map[string]int{}, n: 1}
	for i := range c.q.Items {
		if e := c.q.Items[i].Record.Err; e != nil {
			return nil, refused(e)
		}
	}
	var f *failure
	if c.m, f = s.asked(c.q.Items[0].Model, naming.TaskGenerate, c.q.SHA256); f != nil {
		return nil, f
	}
	id := make([]byte, 12)
	_, _ = rand.Read(id) // never fails
	kind, object := "cmpl-", answers.ObjectCompletion
	if c.chat {
		kind, object = "chatcmpl-", answers.ObjectChat
	}
	c.head = answers.Head{ID: kind + hex.EncodeToString(id), Object: object, Created: time.Now().Unix(), Model: c.m.Name,
		SystemFingerprint: answers.Fingerprint(c.m.SHA256), SHA256: c.m.SHA256}
	params, _ := jobs.ParseGenerateParams(nil) // the defaults
	params.StoreText, params.StoreTokenIDs = false, false
	c.shard = jobs.Shard{Task: naming.TaskGenerate, Model: c.m.Name, Generate: params}
	for i := range c.q.Items {
		r := &c.q.Items[i].Record
		if r.ID = c.head.ID; len(c.q.Items) > 1 {
			r.ID += "-" + strconv.Itoa(i)
		}
		c.place[r.ID] = i
		c.shard.Records = append(c.shard.Records, *r)
		own, err := params.With(r.Params) // the same for all
		if e, bad := errors.AsType[*jobs.RecordError](err); bad {
			return nil, refused(e)
		}
		c.n, c.told = max(own.N, 1), own.Logprobs || own.TopLogprobs > 0
	}
	return c, nil
}

// run makes the texts, and tells see of each token, which must not block.
func (c *completing) run(ctx context.Context, see func(rows.Piece)) ([][]export.Row, *failure) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	work := c.m.Asks(&c.shard, rows.Origin{Job: c.head.ID, Piece: see, Unwanted: func() bool { return ctx.Err() != nil }})
	return run(ctx, cancel, work, c.q.Items, "prompt")
}

// index is a text's place among the choices.
func (c *completing) index(p rows.Piece) int { return c.place[p.Record]*c.n + p.Completion }

// whole answers when all texts are made.
func (c *completing) whole(ctx context.Context) (any, *failure) {
	var see func(rows.Piece)
	told := make([][]rows.Piece, len(c.q.Items)*c.n) // each text's by the one goroutine that makes it
	if c.told {
		see = func(p rows.Piece) { told[c.index(p)] = append(told[c.index(p)], p) }
	}
	made, f := c.run(ctx, see)
	if f != nil {
		return nil, f
	}
	var list []*export.Row
	var places []int
	for i := range made {
		for j := range made[i] {
			list, places = append(list, &made[i][j]), append(places, len(list))
		}
	}
	if !c.chat {
		a := answers.TextsOf(c.head.ID, list, places)
		a.Head = c.head
		for i := range a.Choices {
			a.Choices[i].Logprobs, _ = c.textLogprobs(told[i], 0)
		}
		return a, nil
	}
	a := answers.ChatOf(c.head.ID, list)
	a.Head = c.head
	for i := range a.Choices {
		a.Choices[i].Logprobs = c.logprobs(told[i])
	}
	return a, nil
}

// logprobs are those of tokens of a conversation's answer, nil unless they are asked for.
func (c *completing) logprobs(pieces []rows.Piece) *answers.Logprobs {
	if !c.told {
		return nil
	}
	l := &answers.Logprobs{}
	for _, p := range pieces {
		l.Content = append(l.Content, answers.LogprobOf(p.Token, p.Top))
	}
	return l
}

// textLogprobs is logprobs for a text's continuation from an offset on, and gives the offset of what comes next.
func (c *completing) textLogprobs(pieces []rows.Piece, offset int) (*answers.TextLogprobs, int) {
	if !c.told {
		return nil, 0
	}
	l := &answers.TextLogprobs{}
	for i := range pieces {
		offset = l.Add(&pieces[i], offset)
	}
	return l, offset
}

func usageOf(made [][]export.Row) answers.Usage {
	var prompt, tokens int64
	for _, list := range made {
		prompt += int64(list[0].NTokens.V)
		for i := range list {
			tokens += int64(list[i].NOutputTokens.V)
		}
	}
	return answers.UsageOf(prompt, tokens)
}

// placed names which of several inputs is wrong.
func placed(e *jobs.RecordError, field string, i, of int) *jobs.RecordError {
	if of > 1 {
		e.Message = fmt.Sprintf("%s[%d]: %s", field, i, e.Message)
	}
	return e
}
