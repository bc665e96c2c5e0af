// Command avx2 makes a copy of ONNX Runtime that takes this processor for one without AVX-512, and a script that runs
// programs with it, so that what such processors do is tested on a machine that has more, at its own speed.
//
// A library asks the processor by the instruction CPUID. The copy has HLT in its place, which stops a program; a
// library that is loaded before all others (mask/mask.c) then answers in the processor's place, as one with AVX2
// would. Go's own packages are told by GODEBUG.
package main

import (
	"bufio"
	"bytes"
	"context"
	"debug/elf"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"textmill/ground/places"
)

//go:embed mask/mask.c
var mask string

func main() {
	out := flag.String("out", "", "directory to be made: a home with that copy, and the script `run`")
	flag.Parse()
	if *out == "" || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "usage: avx2 -out DIR")
		os.Exit(2)
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		fmt.Fprintln(os.Stderr, "avx2: only Linux on x86-64 can take its processor for one without AVX-512")
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	home, err := places.Home()
	if err == nil {
		err = run(ctx, home, *out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "avx2:", err)
		os.Exit(1)
	}
}

// script runs a program as on such a processor. The models and what was fetched are the home's own; what is measured
// is not.
const script = `#!/bin/sh
LD_PRELOAD=%[1]s/mask.so GODEBUG=cpu.avx512f=off TEXTMILL_HOME=%[1]s/home exec "$@"
`

func run(ctx context.Context, home, out string) error {
	out, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	of, err := os.ReadFile(filepath.Join(filepath.Dir(places.Library(home)), version))
	if err != nil {
		return fmt.Errorf("which library it is (textmill setup obtains one): %w", err)
	}
	of = fmt.Appendf(of, "%s\n%s\n%s%s", home, out, script, mask)
	made := filepath.Join(out, "made") // holds what the rest was made of, once it is whole
	if is, err := os.ReadFile(made); err == nil && bytes.Equal(is, of) {
		return nil
	}
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	if err := furnish(ctx, home, filepath.Join(out, "home")); err != nil {
		return err
	}
	if err := compile(ctx, filepath.Join(out, "mask.so")); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, "run"), fmt.Appendf(nil, script, out), 0o755); err != nil {
		return err
	}
	return os.WriteFile(made, of, 0o644)
}

// version is the file beside the library that says which it is.
const version = "VERSION"

// furnish makes a home with that copy in the place of the library.
func furnish(ctx context.Context, home, to string) error {
	library := places.Library(to)
	if err := os.MkdirAll(filepath.Dir(library), 0o755); err != nil {
		return err
	}
	folders := []string{"models", "checkpoints", "downloads"}
	for _, name := range folders {
		// One that nothing was fetched into yet: a link to nothing is neither a folder nor the place for one.
		if err := os.MkdirAll(filepath.Join(home, name), 0o755); err != nil {
			return err
		}
	}
	for _, name := range append(folders, filepath.Join(filepath.Base(filepath.Dir(library)), version)) {
		if err := os.Symlink(filepath.Join(home, name), filepath.Join(to, name)); err != nil {
			return err
		}
	}
	return copyMasked(ctx, places.Library(home), library)
}

func compile(ctx context.Context, to string) error {
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "cc"
	}
	cmd := exec.CommandContext(ctx, cc, "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", to, "-x", "c", "-") //nolint:gosec // CC is whoever runs this
	cmd.Stdin = strings.NewReader(mask)
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compile the library that answers: %w\n%s", err, said)
	}
	return nil
}

// copyMasked copies a library with HLT in the place of the first byte of each CPUID.
func copyMasked(ctx context.Context, from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	file, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	addresses, err := questions(ctx, from)
	if err != nil {
		return err
	}
	if len(addresses) == 0 {
		return fmt.Errorf("%s never asks what the processor is", from)
	}
	for _, address := range addresses {
		at, err := offset(file, address)
		if err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
		if !bytes.Equal(data[at:at+2], []byte{0x0f, 0xa2}) {
			return fmt.Errorf("%s has no CPUID at %#x", from, address)
		}
		data[at] = 0xf4
	}
	return os.WriteFile(to, data, 0o755)
}

// line is an instruction as objdump prints it.
var line = regexp.MustCompile(`^\s*([0-9a-f]+):\s+cpuid\b`)

// questions are the addresses of the instructions CPUID in a library.
func questions(ctx context.Context, library string) (addresses []uint64, err error) {
	cmd := exec.CommandContext(ctx, "objdump", "-d", "--no-show-raw-insn", library)
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("list the instructions of %s: %w", library, err)
	}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if found := line.FindStringSubmatch(lines.Text()); found != nil {
			address, err := strconv.ParseUint(found[1], 16, 64)
			if err != nil {
				return nil, errors.Join(err, cmd.Wait())
			}
			addresses = append(addresses, address)
		}
	}
	if err := errors.Join(lines.Err(), cmd.Wait()); err != nil {
		return nil, fmt.Errorf("list the instructions of %s: %w", library, err)
	}
	return addresses, nil
}

// offset is where in the file an address of its code lies.
func offset(file *elf.File, address uint64) (uint64, error) {
	for _, p := range file.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && address >= p.Vaddr && address+2 <= p.Vaddr+p.Filesz {
			return address - p.Vaddr + p.Off, nil
		}
	}
	return 0, fmt.Errorf("address %#x is not in the file", address)
}
