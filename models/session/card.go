package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"textmill/ground/places"
	"textmill/models/internal/cuda"
	"textmill/models/internal/onnx"
	"textmill/models/internal/signals"
)

// ErrDevice is the class of devices that cannot be had.
var ErrDevice = errors.New("cannot use the device")

// A trial is what came of trying a card, once in a process.
type trial struct {
	card        cuda.Card
	fingerprint string
	took        time.Duration
	err         error
}

var tried struct {
	sync.Mutex
	cards map[string]trial // by library and number
	said  bool             // what auto came to
}

// tryTimeout bounds the trial run, of which the first on a card loads most of CUDA.
const tryTimeout = time.Minute

// tryCard finds out whether models can run on card n with the build of ONNX Runtime at library, and loads it if so.
func tryCard(library string, n int) trial {
	tried.Lock()
	defer tried.Unlock()
	key := fmt.Sprintf("%s %d", library, n)
	if t, ok := tried.cards[key]; ok {
		return t
	}
	begin := time.Now()
	var t trial
	t.card, t.fingerprint, t.err = try(library, n)
	t.took = time.Since(begin)
	if tried.cards == nil {
		tried.cards = map[string]trial{}
	}
	tried.cards[key] = t
	return t
}

func try(library string, n int) (card cuda.Card, fingerprint string, err error) {
	driver, err := cuda.Machine.Find()
	if err != nil {
		return card, "", err
	}
	if card, err = driver.Card(n); err != nil {
		return card, "", err
	}
	if _, err := os.Stat(library); err != nil {
		return card, "", &cuda.Missing{What: "ONNX Runtime's build for CUDA is not there: " + err.Error(),
			Mend: "textmill setup --device cuda obtains it"}
	}
	libraries, err := cuda.Prepare(library)
	if err != nil {
		return card, "", err
	}
	if err := onnx.Load(library); err != nil {
		return card, "", err
	}
	defer signals.Keep()() // the CUDA provider takes Go's handlers, without which SIGTERM would not drain
	ctx, cancel := context.WithTimeout(context.Background(), tryTimeout)
	defer cancel()
	if err := onnx.Try(ctx, strconv.Itoa(n)); err != nil {
		return card, "", fmt.Errorf("a trial run on %s: %w", card.Name, err)
	}
	return card, cuda.Fingerprint(driver, card, libraries), nil
}

// fingerprint says what bits on a card depend on, of one that was tried.
func fingerprint(device string) string {
	n, err := parseDevice(device)
	if err != nil || n < 0 {
		return ""
	}
	if t := tryCard(onnx.Loaded(), n); t.fingerprint != "" {
		return " (" + t.fingerprint + ")"
	}
	return ""
}

// parseDevice gives the number of a card, -1 for the processor. auto is card 0.
func parseDevice(name string) (n int, err error) {
	switch name {
	case "", "cpu":
		return -1, nil
	case "auto", "cuda":
		return 0, nil
	}
	number, ok := strings.CutPrefix(name, "cuda:")
	if n, err = strconv.Atoi(number); !ok || err != nil || n < 0 {
		return 0, fmt.Errorf("device %q is none of cpu, cuda:N, auto", name)
	}
	return n, nil
}

// place settles what the model runs on, and the library: a process can load only one, so that it is the build for
// cards as soon as any of its models is to run on one. That build runs models on the processor too.
func (o Options) place() (Options, error) {
	n, err := parseDevice(o.Device)
	if err != nil {
		return o, err
	}
	o.Auto, o.Notes = o.Auto || o.Device == "auto", nil
	given := o.Library != ""
	if !given {
		o.Library = o.library()
	}
	if n >= 0 {
		t := trial{err: cuda.ErrNoCard}
		if !o.Auto || cuda.HasProvider(o.Library) {
			t = tryCard(o.cardLibrary(given), n)
		}
		if o.Auto {
			o.say(t)
		} else if t.err != nil {
			return o, fmt.Errorf("%w %s: %w", ErrDevice, o.Device, t.err)
		}
		if o.Device = "cpu"; t.err == nil {
			o.Device = fmt.Sprintf("cuda:%d", n)
		}
	} else {
		o.Device = "cpu"
	}
	if o.Device == "cpu" && o.Library == places.CUDALibrary(o.Home) {
		o.Notes = []string{"runs on the processor with ONNX Runtime's build for cards, of another version than that for " +
			"processors: this process has loaded it for another model, or for a card that did not work"}
	}
	return o, nil
}

// cardLibrary is the build that cards need: the one that was given, else that which set-up puts into the home.
func (o Options) cardLibrary(given bool) string {
	if given {
		return o.Library
	}
	return places.CUDALibrary(o.Home)
}

// library is that of the home which fits everything that this process is to run.
func (o Options) library() string {
	processor, cards := places.Library(o.Home), places.CUDALibrary(o.Home)
	switch onnx.Loaded() {
	case processor:
		return processor
	case cards:
		return cards
	}
	auto := false
	for _, device := range append(slices.Clone(o.Beside), o.Device) {
		if strings.HasPrefix(device, "cuda") && cuda.HasProvider(cards) {
			return cards
		}
		auto = auto || device == "auto"
	}
	if !auto {
		return processor
	}
	t := tryCard(cards, 0)
	o.say(t)
	if t.err == nil || onnx.Loaded() == cards {
		return cards
	}
	return processor
}

// say tells once what auto came to. A machine without a card is nothing to speak of.
func (o Options) say(t trial) {
	level := slog.LevelInfo
	if errors.Is(t.err, cuda.ErrNoCard) {
		level = slog.LevelDebug
	}
	tried.Lock()
	defer tried.Unlock()
	if tried.said || !o.Log.Enabled(context.Background(), level) {
		return
	}
	tried.said = true
	if t.err != nil {
		o.Log.Log(context.Background(), level, "device auto is the processor", "reason", t.err)
		return
	}
	o.Log.Log(context.Background(), level, "device auto is a card", "device", "cuda:0", "card", t.card.String())
}
