package onnx

import (
	"errors"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWithout(t *testing.T) {
	for _, c := range []struct {
		s      span
		others []span
		want   []span
	}{
		{span{10, 20}, nil, []span{{10, 20}}},
		{span{10, 20}, []span{{0, 10}, {20, 30}}, []span{{10, 20}}},
		{span{10, 20}, []span{{5, 12}, {14, 16}}, []span{{12, 14}, {16, 20}}},
		{span{10, 20}, []span{{10, 20}}, nil},
		{span{10, 20}, []span{{0, 30}}, nil},
		{span{10, 20}, []span{{18, 25}}, []span{{10, 18}}},
	} {
		if got := without(c.s, c.others); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v without %v is %v, want %v", c.s, c.others, got, c.want)
		}
	}
}

// What is in the memory stays as it is, and load's error comes back.
func TestHugePagesKeepWhatIsThere(t *testing.T) {
	var memory []byte
	err := HugePages(func() (err error) {
		memory, err = unix.Mmap(-1, 0, 16<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		for i := range memory {
			memory[i] = byte(i * 7)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range memory {
		if b != byte(i*7) {
			t.Fatalf("byte %d has become %d", i, b)
		}
	}
	if err := unix.Munmap(memory); err != nil {
		t.Error(err)
	}
	if why := errors.New("why"); !errors.Is(HugePages(func() error { return why }), why) {
		t.Error("the error of load is lost")
	}
}
