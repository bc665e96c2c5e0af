// Package users runs a nats-server with the users of a configuration file, for tests.
package users

import (
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// Server is the URL of a server with JetStream and the users of the file, on a port of the kernel's choice.
func Server(t *testing.T, file string) string {
	t.Helper()
	o, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	o.Host, o.Port, o.NoSigs, o.NoLog = "127.0.0.1", server.RANDOM_PORT, true, true
	o.JetStream, o.StoreDir = true, t.TempDir()
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	return s.ClientURL()
}
