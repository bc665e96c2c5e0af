package tokenize

import "fmt"

// truncate cuts one or two sequences so that they and the special tokens fit, by Hugging Face's rules.
func (t *Tokenizer) truncate(parts []*Encoding, o Options) error {
	tr := o.Truncation
	specials := 0
	if !o.NoSpecialTokens {
		specials = t.specials(len(parts) > 1)
	}
	room, err := tr.room(specials)
	if err != nil {
		return err
	}
	cut := func(i, n int) error {
		if n > 0 && n < parts[i].Len() && tr.Stride >= n {
			return fmt.Errorf("%w: stride %d is not below the %d tokens of a piece", ErrOptions, tr.Stride, n)
		}
		parts[i] = parts[i].truncate(n, tr.Stride, tr.Left)
		return nil
	}
	total := 0
	for _, e := range parts {
		total += e.Len()
	}
	switch {
	case room == 0:
		for i := range parts {
			if err := cut(i, 0); err != nil {
				return err
			}
		}
		return nil
	case total <= room:
		return nil
	}
	over := total - room
	switch tr.Strategy {
	case OnlyFirst, OnlySecond:
		i := 0
		if tr.Strategy == OnlySecond {
			i = 1
		}
		if i >= len(parts) {
			return fmt.Errorf("%w: only_second without a second sequence", ErrOptions)
		}
		if parts[i].Len() <= over {
			return fmt.Errorf("%w: the sequence to cut is too short for max_length %d", ErrOptions, tr.MaxLength)
		}
		return cut(i, parts[i].Len()-over)
	case LongestFirst, "":
		if len(parts) == 1 {
			return cut(0, room)
		}
		first, second := share(parts[0].Len(), parts[1].Len(), room)
		if err := cut(0, first); err != nil {
			return err
		}
		return cut(1, second)
	}
	return fmt.Errorf("%w: unknown truncation strategy %q", ErrOptions, tr.Strategy)
}

// share divides the room between two sequences of lengths a and b: the shorter is cut only when it must be.
func share(a, b, room int) (int, int) {
	n1 := min(a, b)
	n2 := max(n1, room-n1)
	if n1+n2 > room {
		n1 = room / 2
		n2 = n1 + room%2
	}
	if a > b {
		return n2, n1
	}
	return n1, n2
}
