package chaos

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// keeper has a daemon started again whenever it ends, as a service manager does.
type keeper struct {
	command func(life int) *exec.Cmd
	log     string
	tell    func(hit string) // of each crash point that struck

	mu     sync.Mutex
	proc   *process
	life   int
	closed bool
	struck bool // the process of now died at a crash point
	ended  chan struct{}
}

func keep(command func(int) *exec.Cmd, log string, tell func(string)) *keeper {
	k := &keeper{command: command, log: log, tell: tell, ended: make(chan struct{})}
	go k.run()
	return k
}

func (k *keeper) run() {
	defer close(k.ended)
	for {
		k.mu.Lock()
		if k.closed {
			k.mu.Unlock()
			return
		}
		k.life++
		p, err := start(k.command(k.life), k.log, nil)
		k.proc = p
		k.mu.Unlock()
		if err != nil {
			k.tell("not started: " + err.Error())
			return
		}
		<-p.done
		hits := p.told()
		for _, hit := range hits {
			k.tell(hit)
		}
		k.mu.Lock()
		k.struck = len(hits) > 0
		k.mu.Unlock()
		time.Sleep(50 * time.Millisecond) // a service manager waits too
	}
}

// current is the process of now, nil before the first.
func (k *keeper) current() *process {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.proc
}

// kill ends the process of now; another takes its place.
func (k *keeper) kill() {
	if p := k.current(); p != nil {
		p.kill()
	}
}

// stop drains the daemon and keeps no other. It reports what was wrong with the end.
func (k *keeper) stop(timeout time.Duration) error {
	k.mu.Lock()
	k.closed = true
	p := k.proc
	k.mu.Unlock()
	if p == nil {
		<-k.ended
		return nil
	}
	gone := p.ended()
	p.signal(syscall.SIGCONT)
	p.signal(syscall.SIGTERM)
	if !p.within(timeout) {
		p.signal(syscall.SIGQUIT) // leaves the stacks in the log
		if !p.within(5 * time.Second) {
			p.kill()
		}
		<-k.ended
		return fmt.Errorf("the daemon does not end within %v of SIGTERM; see %s", timeout, filepath.Base(k.log))
	}
	<-k.ended
	if code := p.cmd.ProcessState.ExitCode(); !gone && code != 0 && !k.struck && p.isReady() {
		return fmt.Errorf("the daemon ended with %d after SIGTERM; see %s", code, filepath.Base(k.log))
	}
	return nil
}
