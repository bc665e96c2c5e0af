package session

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"textmill/ground/places"
	"textmill/models"
	"textmill/models/internal/learned"
	"textmill/models/internal/onnx"
)

// A Shape says how many rows a run needs for each row to come to the same bits whatever the others are: Least at
// least, and a multiple of Multiple. The zero Shape means that no such number is known.
type Shape struct {
	Least    int `json:"least"`
	Multiple int `json:"multiple"`
}

// Any is the Shape of graphs whose rows never depend on each other.
var Any = Shape{1, 1}

// Holds tells whether there is such a number.
func (s Shape) Holds() bool { return s.Least > 0 && s.Multiple > 0 }

// Fit is the fewest rows, n or more, that a run may have.
func (s Shape) Fit(n int) int {
	if !s.Holds() {
		return n
	}
	n = max(n, s.Least)
	return (n + s.Multiple - 1) / s.Multiple * s.Multiple
}

// Most is how many rows beyond its own a run may need.
func (s Shape) Most() int { return max(s.Least, s.Multiple, 1) - 1 }

func (s Shape) String() string {
	switch {
	case !s.Holds():
		return "in no run"
	case s == Any:
		return "in every run"
	case s.Multiple == 1:
		return fmt.Sprintf("in runs of %d and more", s.Least)
	}
	return fmt.Sprintf("in runs of a multiple of %d from %d on", s.Multiple, s.Least)
}

// mostLeast is the largest number of rows that is worth its work.
const mostLeast = 16

// FindShape gives the least demand that all sizes which were tried meet: same tells of each whether its rows came to
// the same bits as in a large run. Sizes that are multiples of twice a number are no evidence for the number.
func FindShape(same map[int]bool) Shape {
	for multiple := 1; multiple <= mostLeast; multiple *= 2 {
		s := Shape{multiple, multiple}
		for n, ok := range same {
			if n%multiple == 0 && !ok {
				s.Least = max(s.Least, n+multiple)
			}
		}
		tried, agree := 0, 0
		for n := range same {
			if n%(2*multiple) == multiple {
				tried++
				if n >= s.Least {
					agree++
				}
			}
		}
		enough := 2
		if multiple <= 2 { // the longest text may be short
			enough = min(max(tried, 1), 2)
		}
		if s.Least <= mostLeast && agree >= enough {
			return s
		}
	}
	return Shape{}
}

// Company is what other rows of a run do to a row's bits, as it was measured with a graph on this machine.
type Company struct {
	// Runs counts the tokens of an embedding run, or the texts that a decode gives one more token.
	Runs Shape `json:"runs"`
	// Sizes take the place of Runs on a card, in order: the numbers of tokens that runs may have for each row to come to
	// the same bits.
	Sizes []int `json:"sizes,omitempty"`
	// Longest is what the longest text of such a run has to be taken for at least.
	Longest int `json:"longest,omitempty"`
	// Prefill counts the tokens of a run that takes a part of a prompt.
	Prefill Shape `json:"prefill,omitzero"`
	// Apart is by how much a value was off where no Shape was found, in parts of the greatest one.
	Apart float64 `json:"apart,omitempty"`
	// Rows is how many texts decodes were compared with, where memory held no more; 0 for all that are ever compared.
	Rows int `json:"rows,omitempty"`
	// Rate is about how many tokens a second a decode of RateRows texts makes.
	Rate     float64 `json:"rate,omitempty"`
	RateRows int     `json:"rate_rows,omitempty"`
}

// Holds tells whether a row's bits can be had to depend on itself alone.
func (c Company) Holds() bool { return c.Runs.Holds() || len(c.Sizes) > 0 }

// Fit is the fewest tokens, n or more, that a run may have.
func (c Company) Fit(n int) int {
	if len(c.Sizes) == 0 {
		return c.Runs.Fit(n)
	}
	if i, _ := slices.BinarySearch(c.Sizes, n); i < len(c.Sizes) {
		return c.Sizes[i]
	}
	return n
}

// String says it in words, for a person.
func (c Company) String() string {
	words := "the same bits in every batch"
	if len(c.Sizes) > 0 {
		words += fmt.Sprintf(", in runs of %d sizes from %d to %d tokens", len(c.Sizes), c.Sizes[0],
			c.Sizes[len(c.Sizes)-1])
	} else if !c.Runs.Holds() {
		words = fmt.Sprintf("BITS DEPEND ON THE BATCH, values by up to %.2g of the greatest", c.Apart)
	} else if c.Runs != Any {
		words += ", " + c.Runs.String()
	}
	if c.RateRows == 0 {
		return words
	}
	prompts := ", prompts cut anywhere"
	if !c.Prefill.Holds() {
		prompts = ", prompts whole"
	} else if c.Prefill != Any {
		prompts += ", " + c.Prefill.String()
	}
	return words + prompts + fmt.Sprintf("; %.0f tokens/s in decodes of %d", c.Rate, c.RateRows)
}

// MachineKey names everything that measurements of a model depend on; the library is loaded. device is cpu or cuda:N;
// of a card it names driver and libraries too.
func MachineKey(s *models.Spec, device string, threads int) string {
	return fmt.Sprintf("%.16s %s %s threads=%d onnxruntime=%s %s", s.SHA256, s.Graph, device+fingerprint(device),
		threads, onnx.Version(), learned.Processor())
}

// MeasuredOn is the device whose measurements of a model count: models to generate are measured on the processor
// alone.
func (o Options) MeasuredOn(s *models.Spec) string {
	if s.Decoder == nil && strings.HasPrefix(o.Device, "cuda") {
		return o.Device
	}
	return "cpu"
}

// Remembered is what an earlier session measured on the like of this machine; ok is false when none did. It needs the
// library.
func Remembered(s *models.Spec, o Options, device string) (c Company, ok bool, err error) {
	o, err = o.WithDefaults()
	if errors.Is(err, ErrDevice) {
		return c, false, nil
	}
	if err != nil {
		return c, false, err
	}
	if err := onnx.Load(o.Library); err != nil {
		return c, false, err
	}
	known, err := learned.Read[Company](places.RunShapes(o.Home))
	c, ok = known[MachineKey(s, device, o.Threads)]
	return c, ok, err
}

// Remember keeps what a session measured.
func Remember(s *models.Spec, o Options, device string, c Company) error {
	return learned.Write(places.RunShapes(o.Home), MachineKey(s, device, o.Threads), c)
}

// InstructionSets are the processor's sets of vector instructions, by which bits and speed go.
func InstructionSets() string { return learned.Sets() }
