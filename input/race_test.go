//go:build race

package input

// streamBytes is how much the memory test reads under the race detector, which is many times slower.
const streamBytes = 24 << 20
