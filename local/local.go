// Package local is what the commands without a queue have in common: texts come as lines or arguments, are worked on
// side by side, and are answered in their order.
package local

import "errors"

var (
	// ErrUsage is the class of errors that are the caller's own words.
	ErrUsage = errors.New("wrong usage")
	// ErrStopped ends work whose model was stopped.
	ErrStopped = errors.New("the engine was stopped")
)
