package signals

import (
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

func TestRestoresHandlersThatALibraryTook(t *testing.T) {
	got := make(chan os.Signal, 1)
	signal.Notify(got, syscall.SIGTERM)
	defer signal.Stop(got)

	restore := Keep()
	ignoreInC(syscall.SIGTERM)
	if n := restore(); n != 1 {
		t.Fatalf("%d handlers restored, want 1", n)
	}
	if n := restore(); n != 0 {
		t.Fatalf("%d handlers restored again, want 0", n)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-got:
	case <-time.After(10 * time.Second):
		t.Fatal("SIGTERM did not reach Go")
	}
}
