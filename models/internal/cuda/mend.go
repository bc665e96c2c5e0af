package cuda

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Missing is something without which CUDA cannot be used here, and the line that mends it.
type Missing struct{ What, Mend string }

func (m *Missing) Error() string { return m.What + "; " + m.Mend }

const installDriver = "install NVIDIA's driver, " + leastDriver +
	" or later; in a container, start it with its cards (docker run --gpus all, with the NVIDIA Container Toolkit)"

// noDriver is where a card is plugged in that nothing drives.
func noDriver(said string) error {
	return &Missing{What: "an NVIDIA card is in this machine, but its driver is not: " + said, Mend: installDriver}
}

func tooOld(d Driver) error {
	return &Missing{What: fmt.Sprintf("the driver (%v) is too old: CUDA %d.%d is needed", d, leastCUDA/1000,
		leastCUDA%1000/10), Mend: "install driver " + leastDriver + " or later"}
}

// hidden is a driver that shows no card.
func hidden() error {
	if v, set := os.LookupEnv("CUDA_VISIBLE_DEVICES"); set {
		return &Missing{What: fmt.Sprintf("CUDA_VISIBLE_DEVICES=%q hides every card", v),
			Mend: "unset CUDA_VISIBLE_DEVICES, or name a card in it"}
	}
	return ErrNoCard
}

// What the driver answers when it is asked for its cards, by CUDA's numbers, and what helps.
var mends = map[int]string{
	NoDevice: "look at nvidia-smi; in a container, start it with its cards (docker run --gpus all)",
	34:       "remove CUDA's stubs folder from LD_LIBRARY_PATH, and " + installDriver,
	3:        "restart the program, or the machine",
	101:      "look at nvidia-smi and dmesg",
	46:       "another program holds the card for itself: end it, or nvidia-smi -c DEFAULT",
	802:      "start the fabric manager (systemctl start nvidia-fabricmanager)",
	803:      "restart the machine: the driver was replaced while it was loaded",
	804:      "remove CUDA's compat folder from LD_LIBRARY_PATH: this card does not take it",
	999:      "look at nvidia-smi and dmesg; load the driver's modules (nvidia-modprobe -u), or restart the machine",
}

// NoDevice is CUDA's error of a driver that finds no card.
const NoDevice = 100

func refused(status int, said string, plugged bool) error {
	if status == NoDevice {
		if err := hidden(); !plugged || !errors.Is(err, ErrNoCard) {
			return err
		}
	}
	mend, ok := mends[status]
	if !ok {
		mend = "look at nvidia-smi and dmesg"
	}
	return &Missing{What: strings.TrimSpace(fmt.Sprintf("the driver refuses: error %d %s", status, said)), Mend: mend}
}

// code are the compute capabilities that the pinned build of ONNX Runtime has machine code for. A card runs that of
// its own major number and a minor one no higher than its own.
var code = [][2]int{{7, 5}, {8, 0}, {8, 6}, {8, 9}, {9, 0}, {12, 0}}

func (c Card) check() error {
	var all []string
	for _, v := range code {
		if v[0] == c.Major && v[1] <= c.Minor {
			return nil
		}
		all = append(all, fmt.Sprintf("%d.%d", v[0], v[1]))
	}
	return &Missing{What: fmt.Sprintf("cuda:%d (%s) has compute capability %d.%d, for which ONNX Runtime's build has no "+
		"machine code (it has %s)", c.Index, c.Name, c.Major, c.Minor, strings.Join(all, ", ")),
		Mend: "choose another card, or point runtime.library at a build for it"}
}
