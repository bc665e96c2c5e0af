//go:build !linux

package onnx

// HugePages runs load.
func HugePages(load func() error) error { return load() }
