package decoder

import (
	"fmt"
	"slices"
	"strings"
)

// check names what config.json says of the scale and nothing can be computed of.
func (s ropeScale) check() error {
	known := []string{"default", "linear", "llama3", "yarn", longrope, proportional}
	switch {
	case !slices.Contains(known, s.Type):
		return fmt.Errorf("%w: rope_type is %q; known are %s", ErrUnsupported, s.Type, strings.Join(known, ", "))
	case s.Type != "default" && !(s.Factor >= 1):
		return fmt.Errorf("%w: rope_scaling %s has factor %v", ErrUnsupported, s.Type, s.Factor)
	case s.Original < 0:
		return fmt.Errorf("%w: original_max_position_embeddings is %d", ErrUnsupported, s.Original)
	case s.Type == "llama3" && !(s.Low > 0 && s.Low <= s.High):
		return fmt.Errorf("%w: low_freq_factor is %v, high_freq_factor %v", ErrUnsupported, s.Low, s.High)
	}
	return nil
}
