// Package demo runs the main job end to end on the documentation of the machine's own Go standard library.
package demo
