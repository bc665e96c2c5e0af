package tokenize

// Span is a half-open range.
type Span struct{ Start, End int32 }

// Encoding is an encoded text: parallel slices, one entry a token.
type Encoding struct {
	IDs, TypeIDs      []int32
	Tokens            []string
	Offsets           []Span // in characters of the sequence that the token is of; [0,0] for added special tokens
	ByteOffsets       []Span // the same in bytes
	SpecialTokensMask []int32
	AttentionMask     []int32
	Overflowing       []*Encoding // what truncation cut off
}

// Len is the number of tokens.
func (e *Encoding) Len() int { return len(e.IDs) }

// slice is a copy of the tokens from start to stop, without Overflowing.
func (e *Encoding) slice(start, stop int) *Encoding {
	return &Encoding{
		IDs: clone(e.IDs[start:stop]), TypeIDs: clone(e.TypeIDs[start:stop]), Tokens: clone(e.Tokens[start:stop]),
		Offsets: clone(e.Offsets[start:stop]), ByteOffsets: clone(e.ByteOffsets[start:stop]),
		SpecialTokensMask: clone(e.SpecialTokensMask[start:stop]), AttentionMask: clone(e.AttentionMask[start:stop]),
	}
}

func clone[T any](s []T) []T { return append(make([]T, 0, len(s)), s...) }

// truncate cuts e to maxLen tokens; pieces of what was cut off overlap by stride, which is below maxLen.
func (e *Encoding) truncate(maxLen, stride int, left bool) *Encoding {
	n := e.Len()
	if maxLen >= n {
		return e
	}
	if maxLen == 0 {
		return &Encoding{Overflowing: []*Encoding{e}}
	}
	var first *Encoding
	add := func(start, stop int) {
		if part := e.slice(start, stop); first == nil {
			first = part
		} else {
			first.Overflowing = append(first.Overflowing, part)
		}
	}
	step := maxLen - stride
	if left {
		for stop := n; stop > 0; stop -= step {
			start := max(0, stop-maxLen)
			add(start, stop)
			if start == 0 {
				break
			}
		}
		return first
	}
	for start := 0; start < n; start += step {
		stop := min(start+maxLen, n)
		add(start, stop)
		if stop == n {
			break
		}
	}
	return first
}

// copied is a copy that shares nothing that changes.
func (e *Encoding) copied() *Encoding {
	c := e.slice(0, e.Len())
	c.Overflowing = e.Overflowing
	return c
}

// append puts other behind e; their overflowing pieces are combined each with each.
func (e *Encoding) append(other *Encoding) {
	var overflowing []*Encoding
	combine := func(a, b *Encoding) {
		c := a.copied()
		c.append(b)
		overflowing = append(overflowing, c)
	}
	for _, mine := range e.Overflowing {
		combine(mine, other)
		for _, theirs := range other.Overflowing {
			combine(mine, theirs)
		}
	}
	for _, theirs := range other.Overflowing {
		combine(e, theirs)
	}
	e.IDs = append(e.IDs, other.IDs...)
	e.TypeIDs = append(e.TypeIDs, other.TypeIDs...)
	e.Tokens = append(e.Tokens, other.Tokens...)
	e.Offsets = append(e.Offsets, other.Offsets...)
	e.ByteOffsets = append(e.ByteOffsets, other.ByteOffsets...)
	e.SpecialTokensMask = append(e.SpecialTokensMask, other.SpecialTokensMask...)
	e.AttentionMask = append(e.AttentionMask, other.AttentionMask...)
	e.Overflowing = overflowing
}

// Pad fills each of a batch up to p.Length, or to the longest.
func Pad(batch []*Encoding, p Padding) {
	length := p.Length
	if length == 0 {
		for _, e := range batch {
			length = max(length, e.Len())
		}
	}
	if p.MultipleOf > 0 && length%p.MultipleOf > 0 {
		length += p.MultipleOf - length%p.MultipleOf
	}
	for _, e := range batch {
		e.pad(length, p)
	}
}

func (e *Encoding) pad(length int, p Padding) {
	for _, o := range e.Overflowing {
		o.pad(length, p)
	}
	n := length - e.Len()
	if n <= 0 {
		return
	}
	e.IDs = fill(e.IDs, p.ID, n, p.Left)
	e.TypeIDs = fill(e.TypeIDs, p.TypeID, n, p.Left)
	e.Tokens = fill(e.Tokens, p.Token, n, p.Left)
	e.Offsets = fill(e.Offsets, Span{}, n, p.Left)
	e.ByteOffsets = fill(e.ByteOffsets, Span{}, n, p.Left)
	e.SpecialTokensMask = fill(e.SpecialTokensMask, 1, n, p.Left)
	e.AttentionMask = fill(e.AttentionMask, 0, n, p.Left)
}

func fill[T any](s []T, v T, n int, left bool) []T {
	out := make([]T, 0, len(s)+n)
	if !left {
		out = append(out, s...)
	}
	for range n {
		out = append(out, v)
	}
	if left {
		out = append(out, s...)
	}
	return out
}
