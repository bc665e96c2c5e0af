package client

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"textmill/export"
)

// checkFit refuses params that the model cannot honour, and vectors that the dataset's table cannot hold, where this
// process knows either.
func (s *submission) checkFit(ctx context.Context, params []byte) error {
	at := slices.IndexFunc(s.o.Local, func(m LocalModel) bool {
		return m.Name == s.o.Model && m.Task == s.o.Task && m.Check != nil
	})
	if at < 0 {
		return nil
	}
	vectors, err := s.o.Local[at].Check(params)
	s.vectors = vectors
	if err != nil || s.o.Tables == "" || s.o.Sync {
		return err
	}
	err = export.Fits(ctx, filepath.Join(s.o.Tables, s.o.Dataset), vectors)
	if err != nil && !errors.Is(err, export.ErrSchema) && !errors.Is(err, export.ErrRefused) { // a daemon may find better
		fmt.Fprintf(s.o.Stderr, "the table of dataset %s cannot be looked at: %v\n", s.o.Dataset, err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("dataset %s cannot take %s: %w (choose another --dataset, or other params)", s.o.Dataset, vectors,
			err)
	}
	return nil
}
