package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/nats-io/nkeys"

	"textmill/ground/durable"
)

// ErrOpen says that a server would let in everybody who can reach it.
var ErrOpen = errors.New("without a credential the embedded NATS server listens on loopback addresses only")

// checkOpen refuses an address that others than this machine's users reach.
func checkOpen(host string) error {
	names := []string{host}
	if _, err := netip.ParseAddr(host); err != nil && host != "" {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		if names, err = new(net.Resolver).LookupHost(ctx, host); err != nil {
			return fmt.Errorf("nats.embedded.addr: %w", err)
		}
	}
	for _, name := range names {
		if ip, err := netip.ParseAddr(name); err != nil || !ip.IsLoopback() {
			return fmt.Errorf("nats.embedded.addr: %q: %w; set nats.embedded.auth to credential", host, ErrOpen)
		}
	}
	return nil
}

// credential gives the public half of the nkey in a file, and makes one where there is none. The caller holds the
// store's lock.
func credential(path string) (public string, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		if err = makeCredential(path); err == nil {
			info, err = os.Stat(path)
		}
	}
	if err != nil {
		return "", fmt.Errorf("nats.embedded.auth: %w", err)
	}
	if open := info.Mode().Perm() & 0o077; open != 0 {
		return "", fmt.Errorf("nats.embedded.auth: others may read %s; run: chmod 600 %s", path, path)
	}
	seed, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("nats.embedded.auth: %w", err)
	}
	pair, err := nkeys.ParseDecoratedUserNKey(seed)
	if err != nil {
		return "", fmt.Errorf("nats.embedded.auth: %s holds no seed of a user's nkey (%w); remove it to have another made",
			path, err)
	}
	defer pair.Wipe()
	return pair.PublicKey()
}

// makeCredential leaves the whole file, durably, or none.
func makeCredential(path string) (err error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return err
	}
	defer pair.Wipe()
	seed, err := pair.Seed()
	if err != nil {
		return err
	}
	return durable.Write(path, append(seed, '\n'), 0o600)
}
