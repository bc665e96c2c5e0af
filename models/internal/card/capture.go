package card

import "sync"

// capture is held to write while a CUDA graph is captured: whatever else this process asks of CUDA meanwhile, for
// whichever session, may fail or spoil it.
var capture sync.RWMutex

// hold has CUDA for a call that is not captured, or for one that is; release gives it back. The processor needs
// neither.
func (s *Session) hold(captured bool) (release func()) {
	switch {
	case s.device < 0:
		return func() {}
	case captured:
		capture.Lock()
		return capture.Unlock
	}
	capture.RLock()
	return capture.RUnlock
}

// captures tells whether a run with this ID is the first one, which is captured; turn is held.
func (s *Session) captures(graphID int) bool {
	if !s.o.Graphs || graphID < 0 || s.captured[graphID] {
		return false
	}
	s.captured[graphID] = true
	return true
}
