package session

import (
	"errors"
	"fmt"

	"textmill/models/internal/cuda"
)

// CardMemory is what a card's memory is taken by.
type CardMemory struct {
	Device, Name string
	Bytes        int64 // in all
	Free         int64 // that nobody holds, of any process; -1 where the driver does not say
	Promised     int64 // to this process's models
}

// MemoryOf asks the driver about devices, those that are no cards left out. Its error is ErrDevice.
func MemoryOf(devices []string) (all []CardMemory, err error) {
	var driver *cuda.Driver
	for _, device := range devices {
		n, err := parseDevice(device)
		if err != nil || n < 0 {
			continue
		}
		if driver == nil {
			found, err := cuda.Machine.Find()
			if err != nil {
				return nil, errors.Join(ErrDevice, err)
			}
			driver = &found
		}
		if n >= len(driver.Cards) {
			return nil, fmt.Errorf("%w %s: it is gone", ErrDevice, device)
		}
		c := driver.Cards[n]
		all = append(all, CardMemory{Device: device, Name: c.Name, Bytes: c.Memory, Free: c.Free,
			Promised: promised(device)})
	}
	return all, nil
}

// promised is what of a card this process's models may take.
func promised(device string) (bytes int64) {
	budgets.Lock()
	b := budgets.cards[device]
	budgets.Unlock()
	if b == nil {
		return 0
	}
	b.Lock()
	defer b.Unlock()
	for _, n := range b.promised {
		bytes += n
	}
	return bytes
}
