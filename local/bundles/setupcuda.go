package bundles

import (
	"fmt"
	"io"
	"strings"
	"time"

	"textmill/ground/plain"
	"textmill/models/session"
)

// cardAnswer is what programs are told of running models on a card.
type cardAnswer struct {
	Driver    string            `json:"driver,omitempty"`
	Cards     []string          `json:"cards,omitempty"`
	Runtime   string            `json:"onnxruntime,omitempty"`
	Libraries map[string]string `json:"libraries,omitempty"` // by name: version and path
	Ready     bool              `json:"ready"`
	Missing   []missingAnswer   `json:"missing,omitempty"`
}

type missingAnswer struct {
	What string `json:"what"`
	Mend string `json:"mend"`
}

func cardAnswerOf(x session.Examination) cardAnswer {
	a := cardAnswer{Driver: x.Driver, Cards: x.Cards, Runtime: x.Runtime, Ready: len(x.Missing) == 0,
		Libraries: map[string]string{}}
	for _, l := range x.Libraries {
		a.Libraries[l.Name] = strings.TrimSpace(l.Version + " " + l.Path)
	}
	for _, m := range x.Missing {
		a.Missing = append(a.Missing, missingAnswer(m))
	}
	return a
}

// reportCard writes what was found for a person, a line for each thing, and for each that is missing what mends it.
func reportCard(out io.Writer, device string, x session.Examination) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-18s %s\n", plain.Text(name), plain.Text(fmt.Sprintf(format, args...)))
	}
	if x.Driver != "" {
		line("driver", "%s", x.Driver)
	}
	for i, c := range x.Cards {
		line(fmt.Sprintf("cuda:%d", i), "%s", c)
	}
	if x.Runtime != "" {
		line("onnxruntime", "%s", x.Runtime)
	}
	for _, l := range x.Libraries {
		line(l.Name, "%-7s %s", l.Version, l.Path)
	}
	if x.Provider != "" {
		line("provider", "not loaded: %s", x.Provider)
	}
	for _, m := range x.Missing {
		line("MISSING", "%s", m.What)
		line("  to mend it", "%s", m.Mend)
	}
	if len(x.Missing) == 0 {
		line("ready", "%s computed, %v after it was first asked", device, x.Trial.Round(time.Millisecond))
	}
	_, err := io.WriteString(out, b.String())
	return err
}
