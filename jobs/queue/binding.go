package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"textmill/jobs"
)

// Binding says whose the rows of a queue are: the directory of tables with an id.
type Binding struct {
	ID   string    `json:"id"`
	URI  string    `json:"uri"`  // where it was when it was bound, for people
	Host string    `json:"host"` // who bound it
	At   time.Time `json:"at"`
	// Revision is that of the record; 0 where there is none.
	Revision uint64 `json:"-"`
}

// boundTables is the one record of its kind.
const boundTables = "bound"

// Binding is what the queue is bound to; ErrNotFound where it is bound to nothing yet.
func (q *Queue) Binding(ctx context.Context) (Binding, error) {
	r, err := q.Record(ctx, jobs.KindTables, boundTables)
	if err != nil {
		return Binding{}, err
	}
	b := Binding{Revision: r.Revision}
	if err := json.Unmarshal(r.Data, &b); err != nil || b.ID == "" {
		return b, fmt.Errorf("what %s is bound to is no binding: %.80q", q.server, r.Data)
	}
	return b, nil
}

// Bind replaces the binding of a revision, 0 for none. Of several who replace the same one succeeds, and ErrChanged is
// what the others get; ErrFull says that the server has no room for it.
func (q *Queue) Bind(ctx context.Context, b Binding) error {
	if err := q.EnsureBatches(ctx); err != nil {
		return err
	}
	data, err := json.Marshal(b)
	if err != nil {
		return err
	}
	_, err = q.PutRecord(ctx, Record{Kind: jobs.KindTables, ID: boundTables, Data: data, Revision: b.Revision})
	return err
}
