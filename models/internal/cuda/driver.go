// Package cuda finds what a machine has to run CUDA on: its driver, its cards, and the libraries beside ONNX Runtime.
package cuda

/*
#cgo linux LDFLAGS: -ldl
#include "driver.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"textmill/models/internal/signals"
)

// A System says where the parts of NVIDIA's driver are looked for.
type System struct {
	CUDA string // the driver's library for programs
	NVML string // that for those who watch it, which may be missing
	PCI  string // the folder of what is plugged in
}

// Machine is this machine.
var Machine = System{CUDA: "libcuda.so.1", NVML: "libnvidia-ml.so.1", PCI: "/sys/bus/pci/devices"}

// A Driver is NVIDIA's driver as it answers, with the cards that it lets programs use.
type Driver struct {
	Version string // "" where NVML does not say
	CUDA    int    // the version of CUDA that it speaks: 13000 is 13.0
	Cards   []Card
}

// A Card is one device of CUDA.
type Card struct {
	Index        int // cuda:Index
	Name         string
	Major, Minor int    // its compute capability
	Memory       int64  // bytes
	Free         int64  // bytes that nobody held when it was asked, -1 where NVML does not say
	Bus          string // its place on the PCI bus
}

func (c Card) String() string {
	free := ""
	if c.Free >= 0 {
		free = fmt.Sprintf(", %s free", Gibibytes(c.Free))
	}
	return fmt.Sprintf("%s, compute capability %d.%d, %s%s", c.Name, c.Major, c.Minor, Gibibytes(c.Memory), free)
}

func (d Driver) String() string {
	cuda := fmt.Sprintf("CUDA %d.%d", d.CUDA/1000, d.CUDA%1000/10)
	if d.Version == "" {
		return cuda
	}
	return d.Version + ", " + cuda
}

// Gibibytes says a size for a person.
func Gibibytes(n int64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }

// ErrNoCard is the class of machines that have no NVIDIA card, which is nothing to be alarmed by.
var ErrNoCard = errors.New("no NVIDIA card")

// leastCUDA is what the pinned build of ONNX Runtime and CUDA's libraries ask of a driver; leastDriver speaks it.
const (
	leastCUDA   = 13000
	leastDriver = "580"
)

// Find asks the driver for the cards. Its error is ErrNoCard, or a Missing that says what would mend it.
func (s System) Find() (Driver, error) {
	defer signals.Keep()()
	name, nvml := C.CString(s.CUDA), C.CString(s.NVML)
	defer C.free(unsafe.Pointer(name))
	defer C.free(unsafe.Pointer(nvml))
	var found C.driver
	C.ask(name, nvml, &found) //nolint:gocritic // a call of C
	d := Driver{Version: C.GoString(&found.version[0]), CUDA: int(found.cuda)}
	switch {
	case found.state == C.NOT_THERE && !s.plugged():
		return d, ErrNoCard
	case found.state == C.NOT_THERE:
		return d, noDriver(C.GoString(&found.message[0]))
	case found.state != 0:
		return d, refused(int(found.state), C.GoString(&found.message[0]), s.plugged())
	case d.CUDA < leastCUDA:
		return d, tooOld(d)
	}
	for i := range int(found.count) {
		c := found.cards[i]
		d.Cards = append(d.Cards, Card{Index: i, Name: C.GoString(&c.name[0]), Major: int(c.major), Minor: int(c.minor),
			Memory: int64(c.total), Free: min(int64(c.available), int64(c.total)), Bus: C.GoString(&c.bus[0])})
	}
	if len(d.Cards) == 0 {
		return d, hidden()
	}
	return d, nil
}

// plugged tells whether a card of NVIDIA's is in the machine, with a driver or without.
func (s System) plugged() bool {
	devices, err := filepath.Glob(filepath.Join(s.PCI, "*"))
	if err != nil {
		return false
	}
	for _, d := range devices {
		vendor, err := os.ReadFile(filepath.Join(d, "vendor"))
		if err != nil || strings.TrimSpace(string(vendor)) != "0x10de" {
			continue
		}
		class, err := os.ReadFile(filepath.Join(d, "class"))
		if err == nil && strings.HasPrefix(string(class), "0x03") { // a display controller, of which one kind only computes
			return true
		}
	}
	return false
}

// Card is the one that cuda:n names, if the library has machine code for it.
func (d Driver) Card(n int) (Card, error) {
	if n >= len(d.Cards) {
		var have []string
		for _, c := range d.Cards {
			have = append(have, fmt.Sprintf("cuda:%d (%s)", c.Index, c.Name))
		}
		return Card{}, &Missing{What: fmt.Sprintf("there is no card %d", n),
			Mend: "choose one of " + strings.Join(have, ", ")}
	}
	return d.Cards[n], d.Cards[n].check()
}
