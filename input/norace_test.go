//go:build !race

package input

// streamBytes is how much the memory test reads.
const streamBytes = 200 << 20
