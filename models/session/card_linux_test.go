package session

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"textmill/ground/places"
	"textmill/models/internal/cuda"
	"textmill/models/internal/cuda/fake"
)

// on makes this machine one with that driver, which nobody has asked yet. It has no build of ONNX Runtime for cards.
func on(t *testing.T, d *fake.Driver) Options {
	t.Helper()
	before := cuda.Machine
	cuda.Machine = fake.System(t, d, d != nil)
	tried.cards, tried.said = nil, false
	t.Cleanup(func() {
		cuda.Machine = before
		tried.cards, tried.said = nil, false
	})
	return Options{Home: t.TempDir()}
}

func TestADeviceThatCannotBeHadSaysWhatMendsIt(t *testing.T) {
	for _, c := range []struct {
		name, device string
		driver       *fake.Driver
		want         string
	}{
		{"no card", "cuda:0", nil, "no NVIDIA card"},
		{"no such card", "cuda:3", &fake.Driver{Cards: 1}, "choose one of cuda:0 (Fake Card 0)"},
		{"an old driver", "cuda:0", &fake.Driver{Cards: 1, CUDA: 12040}, "install driver 580"},
		{"nothing set up", "cuda:0", &fake.Driver{Cards: 1}, "textmill setup --device cuda"},
		{"no device", "gpu", nil, "none of cpu, cuda:N, auto"},
	} {
		o := on(t, c.driver)
		o.Device = c.device
		_, err := o.WithDefaults()
		if err == nil || !strings.Contains(err.Error(), c.want) || (c.device != "gpu") != errors.Is(err, ErrDevice) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestAutoIsTheProcessorAndSaysWhyOnce(t *testing.T) {
	for _, c := range []struct {
		name   string
		driver *fake.Driver
		want   string // in the log, "" for nothing but with debugging
	}{
		{"no card", nil, ""},
		{"an old driver", &fake.Driver{Cards: 1, CUDA: 12040}, "install driver 580"},
		{"nothing set up", &fake.Driver{Cards: 1}, "textmill setup --device cuda"},
	} {
		o := on(t, c.driver)
		var said bytes.Buffer
		o.Device, o.Log = "auto", slog.New(slog.NewTextHandler(&said, nil))
		for range 2 {
			got, err := o.WithDefaults()
			if err != nil || got.Device != "cpu" || !got.Auto || got.Library != places.Library(o.Home) || len(got.Notes) > 0 {
				t.Errorf("%s: %+v, %v", c.name, got, err)
			}
			if again, err := got.WithDefaults(); err != nil || !again.Auto || again.Device != "cpu" {
				t.Errorf("%s, settled again: %+v, %v", c.name, again, err)
			}
		}
		if lines := strings.Count(said.String(), "\n"); lines > 1 || (c.want == "") != (lines == 0) || !strings.Contains(said.String(), c.want) {
			t.Errorf("%s: the log says %q", c.name, said.String())
		}
	}
}

// A process loads one library: as soon as a model is to run on a card, every model runs with the build for cards.
func TestTheLibraryFitsAllModelsOfAProcess(t *testing.T) {
	for _, c := range []struct {
		name   string
		device string
		beside []string
		setUp  bool
		cards  bool
	}{
		{"processor alone", "cpu", []string{"cpu"}, true, false},
		{"beside a card", "cpu", []string{"cpu", "cuda:0"}, true, true},
		{"beside a card that is not set up", "cpu", []string{"cuda:0"}, false, false},
	} {
		o := on(t, nil)
		o.Device, o.Beside = c.device, c.beside
		want := places.Library(o.Home)
		if c.setUp {
			provider := filepath.Join(filepath.Dir(places.CUDALibrary(o.Home)), cuda.Provider)
			if err := errors.Join(os.MkdirAll(filepath.Dir(provider), 0o755), os.WriteFile(provider, nil, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		if c.cards {
			want = places.CUDALibrary(o.Home)
		}
		got, err := o.WithDefaults()
		if err != nil || got.Library != want || got.Device != "cpu" || (len(got.Notes) > 0) != c.cards {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
}

func TestTheKeyOfACardNamesWhatBitsDependOn(t *testing.T) {
	d, err := fake.System(t, &fake.Driver{Cards: 1}, true).Find()
	if err != nil {
		t.Fatal(err)
	}
	one := cuda.Fingerprint(d, d.Cards[0], []cuda.Library{{Need: cuda.Need{Part: "cublas"}, Version: "13.1"}})
	other := cuda.Fingerprint(d, d.Cards[0], []cuda.Library{{Need: cuda.Need{Part: "cublas"}, Version: "13.2"}})
	if one == other || one != "Fake Card 0 driver=580.82.07 cublas=13.1" {
		t.Errorf("%q, %q", one, other)
	}
}

func TestWhatSetUpFinds(t *testing.T) {
	o := on(t, &fake.Driver{Cards: 2})
	x, err := Examine(o.Home, "cuda:1")
	if err != nil || len(x.Cards) != 2 || x.Driver != "580.82.07, CUDA 13.0" || x.Trial != 0 {
		t.Fatalf("%+v, %v", x, err)
	}
	if len(x.Missing) != 1 || x.Missing[0].Mend != "textmill setup --device cuda obtains it" {
		t.Errorf("missing %+v", x.Missing)
	}
	on(t, nil)
	if x, err = Examine(o.Home, "cuda"); err != nil || len(x.Missing) != 2 || x.Driver != "" {
		t.Errorf("without a card: %+v, %v", x, err)
	}
	if _, err := Cards(); !errors.Is(err, ErrDevice) {
		t.Errorf("cards of a machine without one: %v", err)
	}
}
