package session

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"textmill/ground/places"
	"textmill/models/internal/cuda"
	"textmill/models/internal/onnx"
	"textmill/models/internal/signals"
)

// An Examination is what was found of running models on a card.
type Examination struct {
	Driver    string            // "" where there is none
	Cards     []string          // of cuda:0 and so on
	Runtime   string            // ONNX Runtime's version, "" where it does not load
	Libraries []ExaminedLibrary // what the provider needs
	// Trial is how long it took until a card had multiplied two matrices, 0 if it did not.
	Trial time.Duration
	// Provider says why ONNX Runtime's provider for CUDA was not loaded; "" if it was.
	Provider string
	Missing  []Missing
}

// Runtime loads the library that models run on by these options, and gives its version and where it lies.
func (o Options) Runtime() (version, path string, err error) {
	if o, err = o.WithDefaults(); err != nil {
		return "", "", err
	}
	if err := onnx.Load(o.Library); err != nil {
		return "", o.Library, err
	}
	return onnx.Version(), o.Library, nil
}

// An ExaminedLibrary is one of CUDA's.
type ExaminedLibrary struct{ Name, Version, Path string }

// Missing is something without which no card can be used, and the line that mends it.
type Missing struct{ What, Mend string }

// Lacking are the parts of CUDA that a home is to have since the system does not.
func Lacking(home string) []string { return cuda.Lacking(filepath.Dir(places.CUDALibrary(home))) }

// Cards are the cards of this machine that its driver lets programs use, in the order of their numbers. Its error is
// ErrDevice.
func Cards() (cards []string, err error) {
	driver, err := cuda.Machine.Find()
	if err != nil {
		return nil, errors.Join(ErrDevice, err)
	}
	for _, c := range driver.Cards {
		cards = append(cards, c.String())
	}
	return cards, nil
}

// Examine looks at everything that card n and ONNX Runtime's build in the home need, as far as it goes.
func Examine(home string, device string) (x Examination, err error) {
	n, err := parseDevice(device)
	if err != nil {
		return x, err
	}
	n = max(n, 0)
	library := places.CUDALibrary(home)
	driver, err := cuda.Machine.Find()
	if driver.CUDA > 0 {
		x.Driver = driver.String()
	}
	for _, c := range driver.Cards {
		x.Cards = append(x.Cards, c.String())
	}
	if err == nil {
		_, err = driver.Card(n)
	}
	cardless := x.miss(err)
	libraries, err := cuda.Prepare(library)
	for _, l := range libraries {
		x.Libraries = append(x.Libraries, ExaminedLibrary{l.Name, l.Version, l.Path})
	}
	if x.miss(err) {
		x.Provider = "it needs what is missing"
		return x, nil
	}
	if err := onnx.Load(library); x.miss(err) {
		x.Provider = "ONNX Runtime does not load"
		return x, nil
	}
	x.Runtime = onnx.Version()
	if cardless {
		x.Provider = providerAlone()
		return x, nil
	}
	t := tryCard(library, n)
	if !x.miss(t.err) {
		x.Trial = t.took
	}
	return x, nil
}

// providerAlone loads the provider where no card can be used, and says what became of it.
func providerAlone() string {
	defer signals.Keep()()
	ctx, cancel := context.WithTimeout(context.Background(), tryTimeout)
	defer cancel()
	if err := onnx.Try(ctx, "0"); err != nil {
		return err.Error()
	}
	return ""
}

// miss notes an error as something that is missing, and tells whether there was one.
func (x *Examination) miss(err error) bool {
	if err == nil {
		return false
	}
	var m *cuda.Missing
	switch {
	case errors.As(err, &m):
		x.Missing = append(x.Missing, Missing{m.What, m.Mend})
	case errors.Is(err, cuda.ErrNoCard):
		x.Missing = append(x.Missing, Missing{"this machine has no NVIDIA card",
			"runtime.device auto and cpu run models on the processor"})
	default:
		x.Missing = append(x.Missing, Missing{err.Error(), "look at nvidia-smi and dmesg"})
	}
	return true
}
