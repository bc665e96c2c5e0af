package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"textmill/internal/avx2/processor"
)

// open starts everything that a cell is made of.
func (c *cell) open(ctx context.Context) (err error) {
	if err := os.MkdirAll(filepath.Join(c.dir, "tables"), 0o755); err != nil {
		return err
	}
	if c.TmpFS {
		if err := c.mount(ctx); err != nil {
			return err
		}
	}
	c.broker = &broker{program: c.camp.NATS, dir: c.dir}
	if c.clean, err = newProxy(rand.New(rand.NewPCG(c.seed, 1))); err != nil {
		return err
	}
	if c.dirty, err = newProxy(rand.New(rand.NewPCG(c.seed, 2))); err != nil {
		return err
	}
	if err := c.startBroker(); err != nil {
		return err
	}
	if c.pub, err = newPublisher(c.clean.url()); err != nil {
		return err
	}
	c.startDaemons()
	deadline := time.Now().Add(time.Minute)
	for {
		if c.pub.hasStreams(ctx) { // the first daemon has made them
			return nil
		}
		if time.Now().After(deadline) {
			return errors.New("no daemon makes the streams within a minute")
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

func (c *cell) startDaemons() {
	c.keepers = nil
	for n := range c.Daemons {
		arms := rand.New(rand.NewPCG(c.seed, uint64(100+n)))
		log := filepath.Join(c.dir, fmt.Sprintf("daemon%d.log", n))
		c.keepers = append(c.keepers, keep(func(int) *exec.Cmd { return c.command(n, arms) }, log, c.hit))
	}
}

// mount makes a namespace with a small file system where the tables lie.
func (c *cell) mount(ctx context.Context) error {
	cmd := exec.Command("unshare", "-rm", "sh", "-c",
		`mount -t tmpfs -o size="$2" tmpfs "$1" && touch "$1/.mounted" && exec sleep 1000000`,
		"sh", filepath.Join(c.dir, "tables"), cmp.Or(c.Room, "24m"))
	p, err := start(cmd, filepath.Join(c.dir, "mount.log"), nil)
	if err != nil {
		return err
	}
	c.holder = p
	for {
		if _, err := os.Stat(filepath.Join(c.tables(), ".mounted")); err == nil {
			return nil
		}
		if p.ended() {
			return errors.New("cannot mount a file system of its own with unshare -rm; see mount.log")
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

func (c *cell) startBroker() error {
	if err := c.broker.start(); err != nil {
		return err
	}
	c.clean.lead(c.broker.address)
	c.dirty.lead(c.broker.address)
	return nil
}

// command is a daemon's next life.
func (c *cell) command(n int, arms *rand.Rand) *exec.Cmd {
	args := c.limited([]string{c.camp.Binary, "daemon"})
	if c.holder != nil {
		pid := fmt.Sprint(c.holder.cmd.Process.Pid)
		args = append([]string{"nsenter", "--preserve-credentials", "-U", "-m", "-t", pid}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + c.camp.Home, "TEXTMILL_HOME=" + c.camp.Home, "GOMAXPROCS=2",
		"TEXTMILL_NATS_URL=" + c.dirty.url(), "TEXTMILL_NATS_ACK_WAIT=" + ackWait.String(),
		"TEXTMILL_EXPORT_COMMIT_INTERVAL=100ms",
		"TEXTMILL_HTTP_ADDR=127.0.0.1:0", "TEXTMILL_LOG_FORMAT=json", "TEXTMILL_DRAIN_TIMEOUT=" + cmp.Or(c.Drain,
			20*time.Second).String(),
		"TEXTMILL_LIMITS_RUN_TIMEOUT=" + runLimit.String(), "TEXTMILL_RUNTIME_THREADS=" + strconv.Itoa(sessionThreads),
		"TEXTMILL_RUNTIME_DEVICE=cpu",
	}
	cmd.Env = slices.Concat(cmd.Env, processor.Env(), c.exports(n), c.camp.Env)
	if c.Writes {
		slots := fmt.Sprint(writerSlots)
		cmd.Env = append(cmd.Env, "TEXTMILL_MODELS_WRITER_SLOTS="+slots, "TEXTMILL_MODELS_TRAPWRITER_SLOTS="+slots)
	} else {
		cmd.Env = append(cmd.Env, "TEXTMILL_MODELS_CHAOS_BATCH_TOKENS=1024", "TEXTMILL_MODELS_TRAP_BATCH_TOKENS=1024")
		if c.Twin {
			cmd.Env = append(cmd.Env, "TEXTMILL_MODELS_TWIN_BATCH_TOKENS=1024")
		}
	}
	if c.Batches {
		cmd.Env = append(cmd.Env, fmt.Sprintf("TEXTMILL_LIMITS_RECORDS_PER_SHARD=%d", batchShard))
	}
	if c.Armed {
		cmd.Env = append(cmd.Env, "CRASH_POINT="+c.arm(arms))
	}
	if c.Poison {
		cmd.Env = append(cmd.Env, fmt.Sprintf("CRASH_TOKENS=%d", poisonous))
	}
	if c.Faulty > 0 {
		cmd.Env = append(cmd.Env, fmt.Sprintf("CRASH_FILES=%d:%d", arms.Uint64(), c.Faulty))
	}
	if c.Jumps {
		cmd.Env = append(cmd.Env, fmt.Sprintf("CRASH_CLOCK=%d", arms.Uint64()))
	}
	return cmd
}

// point is where a daemon may die, and how often it may pass before.
type point struct {
	name string
	most int
}

var points = []point{
	{"fetched", 12}, {"run", 200}, {"before-commit", 3}, {"after-commit", 3}, {"before-event", 12}, {"before-ack", 12},
	{"after-ack", 12},
	{"before-letter", 1}, {"before-term", 1}, {"create", 6}, {"create+", 6}, {"write", 40}, {"write~", 40},
	{"write+", 40}, {"fsync", 6}, {"fsync+", 6},
	{"close", 6}, {"link", 3}, {"link+", 3}, {"rename", 3}, {"rename+", 3}, {"unlink", 6}, {"unlink+", 6}, {"syncdir", 6},
	{"syncdir+", 6},
}

func (c *cell) arm(arms *rand.Rand) string {
	all := c.Points
	if all == nil {
		all = points
	}
	p := all[arms.IntN(len(all))]
	return fmt.Sprintf("%s:%d", p.name, 1+arms.IntN(p.most))
}
