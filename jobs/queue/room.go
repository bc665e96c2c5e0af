package queue

import (
	"context"
	"fmt"
)

// Room is what the stream of dead letters holds and may hold, which its owner decides; a limit of 0 is none.
type Room struct {
	Letters, MaxLetters int64
	Bytes, MaxBytes     int64
}

// RemedyFull is what an operator can do about a full stream of dead letters.
const RemedyFull = "look at them with textmill dead list and put back what is mended with textmill dead retry, or raise the stream's limit: nats stream edit " +
	DeadStream + " --max-bytes"

// letterOverhead is more than what the server keeps of a letter beside its payload, unless its message had many
// headers.
const letterOverhead = 4 << 10

// DeadRoom asks how full the stream of dead letters is.
func (q *Queue) DeadRoom(ctx context.Context) (Room, error) {
	s, err := q.js.Stream(ctx, DeadStream)
	if err != nil {
		return Room{}, q.streamError("look up", DeadStream, err)
	}
	have := s.CachedInfo()
	return Room{Letters: int64(have.State.Msgs), MaxLetters: max(have.Config.MaxMsgs, 0),
		Bytes: int64(have.State.Bytes), MaxBytes: max(have.Config.MaxBytes, 0)}, nil
}

// For says whether a letter with so large a payload gets in; ErrFull where it does not.
func (r Room) For(payload int) error {
	if r.MaxLetters > 0 && r.Letters >= r.MaxLetters || r.MaxBytes > 0 &&
		r.Bytes+int64(payload)+letterOverhead > r.MaxBytes {
		return fmt.Errorf("%s: %w: it holds %s", DeadStream, ErrFull, r)
	}
	return nil
}

// Scarce says that less than a tenth is left: large letters may not get in any more.
func (r Room) Scarce() bool {
	return r.MaxLetters > 0 && r.Letters >= r.MaxLetters-r.MaxLetters/10 || r.MaxBytes > 0 &&
		r.Bytes >= r.MaxBytes-r.MaxBytes/10
}

func (r Room) String() string {
	said := fmt.Sprintf("%d letters, %d bytes", r.Letters, r.Bytes)
	if r.MaxLetters > 0 {
		said += fmt.Sprintf(", of at most %d letters", r.MaxLetters)
	}
	if r.MaxBytes > 0 {
		said += fmt.Sprintf(", of at most %d bytes", r.MaxBytes)
	}
	return said
}
