package chaos

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a child whose output goes to a file, a line at a time.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once it has ended and its output is read

	mu    sync.Mutex
	hits  []string // what the crash points told, oldest first
	ready bool     // it has said that it is
	http  string   // and where it answers
}

func start(cmd *exec.Cmd, logFile string, see func(line string)) (*process, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	out, err := cmd.StderrPipe()
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	// Children must not outlive a campaign that is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go p.follow(out, log, see)
	return p, nil
}

func (p *process) follow(out io.Reader, log *os.File, see func(string)) {
	defer close(p.done)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			_, _ = log.WriteString(line)
			p.look(line)
			if see != nil {
				see(line)
			}
		}
		if err != nil {
			break
		}
	}
	_ = p.cmd.Wait() // how it ended is in cmd.ProcessState
	_ = log.Close()
}

func (p *process) look(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if hit, ok := strings.CutPrefix(line, "crashpoint "); ok {
		p.hits = append(p.hits, strings.TrimSpace(hit))
	}
	if strings.Contains(line, `"msg":"textmill is ready"`) {
		p.ready = true
		var told struct{ HTTP string }
		if json.Unmarshal([]byte(line), &told) == nil {
			p.http = told.HTTP
		}
	}
}

func (p *process) isReady() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ready
}

// at is where it answers clients of HTTP, "" before it is ready.
func (p *process) at() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.http
}

// told takes what the crash points have told since the last call.
func (p *process) told() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	hits := p.hits
	p.hits = nil
	return hits
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) } // an error says that it has ended

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// kill ends it without warning and waits until it is gone.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// within waits for the end; false when it did not come in time.
func (p *process) within(d time.Duration) bool {
	select {
	case <-p.done:
		return true
	case <-time.After(d):
		return false
	}
}

// broker is a nats-server with JetStream in a process of its own.
type broker struct {
	program string
	dir     string // its store is dir/store
	proc    *process
	address string
}

func (b *broker) store() string { return filepath.Join(b.dir, "store") }

// start returns when it listens, on a port of the kernel's choice.
func (b *broker) start() error {
	ports := filepath.Join(b.dir, "ports")
	if err := os.MkdirAll(ports, 0o755); err != nil {
		return err
	}
	cmd := exec.Command(b.program, "-js", "-sd", b.store(), "-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", ports)
	p, err := start(cmd, filepath.Join(b.dir, "nats.log"), nil)
	if err != nil {
		return fmt.Errorf("start nats-server: %w", err)
	}
	b.proc = p
	file := filepath.Join(ports, fmt.Sprintf("nats-server_%d.ports", cmd.Process.Pid))
	deadline := time.Now().Add(30 * time.Second)
	for {
		var told struct{ Nats []string }
		data, err := os.ReadFile(file)
		if err == nil && json.Unmarshal(data, &told) == nil && len(told.Nats) > 0 {
			b.address = strings.TrimPrefix(told.Nats[0], "nats://")
			return nil
		}
		if p.ended() || time.Now().After(deadline) {
			return fmt.Errorf("nats-server does not listen; see %s", filepath.Join(b.dir, "nats.log"))
		}
		time.Sleep(10 * time.Millisecond) // another process's file
	}
}
