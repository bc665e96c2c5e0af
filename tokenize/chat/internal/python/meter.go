package python

// Limits keep a template from running or growing without end.
const (
	maxSteps = 4_000_000
	MaxBytes = 16 << 20 // of one string
	MaxRange = 100_000  // items of a range: the sandbox's own bound
	maxDepth = 200      // of nested values
	maxBits  = 1 << 20  // of an integer
	perStep  = 64       // bytes that are read or written for the price of a step
)

// Meter counts what a template has cost.
type Meter struct{ steps int }

// Exhausted is what a Meter panics with when a bound is exceeded: whoever makes a Meter recovers.
type Exhausted struct{ Err error }

func exceeded(message string) { panic(Exhausted{&Error{"LimitError", message}}) }

// Charge counts work before it is done, or memory before it is taken.
func (m *Meter) Charge(steps int) {
	if m.steps += max(steps, 0); m.steps > maxSteps || m.steps < 0 {
		exceeded("the template runs too long")
	}
}

// Bytes charges for a string of n bytes that is to be made or gone through.
func (m *Meter) Bytes(n int) {
	if n > MaxBytes || n < 0 {
		exceeded("string too large")
	}
	m.Charge(1 + n/perStep)
}

// Times charges for n copies of size bytes, and gives n as an int.
func (m *Meter) Times(n int64, size int) int {
	if n <= 0 || size == 0 {
		return int(max(min(n, 1), 0))
	}
	if n > MaxBytes || n*int64(size) > MaxBytes {
		exceeded("string too large")
	}
	m.Charge(1 + int(n)*size/perStep)
	return int(n)
}

// Nested charges for one value at a depth of values.
func (m *Meter) Nested(depth int) {
	if depth > maxDepth {
		exceeded("a value nests too deep")
	}
	m.Charge(1)
}
