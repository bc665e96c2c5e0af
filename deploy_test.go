package textmill_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"textmill/config"
)

type compose struct {
	Services map[string]struct {
		Image       string            `yaml:"image"`
		Build       any               `yaml:"build"`
		Command     []string          `yaml:"command"`
		Environment map[string]string `yaml:"environment"`
		Volumes     []string          `yaml:"volumes"`
		Ports       []string          `yaml:"ports"`
		Profiles    []string          `yaml:"profiles"`
		HealthCheck *struct {
			Test []string `yaml:"test"`
		} `yaml:"healthcheck"`
		StopGracePeriod string `yaml:"stop_grace_period"`
		DependsOn       map[string]struct {
			Condition string `yaml:"condition"`
		} `yaml:"depends_on"`
	} `yaml:"services"`
	Volumes map[string]any `yaml:"volumes"`
}

// configFlag is the file after -c, empty without one.
func configFlag(command []string) string {
	if i := slices.Index(command, "-c"); i >= 0 && i+1 < len(command) {
		return command[i+1]
	}
	return ""
}

// mounted maps a path in the container back to the file of this tree that is mounted there.
func mounted(volumes []string, target string) string {
	for _, v := range volumes {
		if parts := strings.Split(v, ":"); len(parts) >= 2 && parts[1] == target {
			return parts[0]
		}
	}
	return ""
}

func environ(env map[string]string) []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

// TestComposeIsWhatTheDaemonAccepts loads each service's variables and mounted config as the daemon would.
func TestComposeIsWhatTheDaemonAccepts(t *testing.T) {
	data, err := os.ReadFile("docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var c compose
	if err := yaml.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	daemons := 0
	for name, s := range c.Services {
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if strings.HasPrefix(from, "./") {
				if _, err := os.Stat(from); err != nil {
					t.Errorf("%s mounts what is not there: %v", name, err)
				}
			} else if _, ok := c.Volumes[from]; !ok {
				t.Errorf("%s: volume %s is not declared", name, from)
			}
		}
		for on := range s.DependsOn {
			if _, ok := c.Services[on]; !ok {
				t.Errorf("%s depends on %s, which is no service", name, on)
			}
		}
		if s.Build == nil {
			continue
		}
		file := mounted(s.Volumes, configFlag(s.Command))
		cfg, err := config.Load(config.Options{Path: file, Env: environ(s.Environment)})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s.Command[0] != "daemon" {
			continue
		}
		daemons++
		if file == "" || s.HealthCheck == nil || cfg.NATS.URL == "" {
			t.Errorf("%s lacks a mounted config, a health check or nats.url", name)
		}
		if mounted(s.Volumes, cfg.Home) == "" {
			t.Errorf("%s keeps nothing of %s when its container goes", name, cfg.Home)
		}
		if grace, err := time.ParseDuration(s.StopGracePeriod); err != nil || grace <= cfg.DrainTimeout {
			t.Errorf("%s is killed after %q, before drain_timeout (%s) is over", name, s.StopGracePeriod, cfg.DrainTimeout)
		}
	}
	if daemons != 2 || c.Services["nats"].HealthCheck == nil || !slices.Equal(c.Services["textmill-gpu"].Profiles, []string{"gpu"}) {
		t.Errorf("want a checked nats, a daemon, and one behind the profile gpu; %d daemons found", daemons)
	}
}

func TestSystemdUnitIsWhatTheDaemonAccepts(t *testing.T) {
	data, err := os.ReadFile("deploy/textmill.service")
	if err != nil {
		t.Fatal(err)
	}
	unit := string(data)
	var env []string
	for _, m := range regexp.MustCompile(`(?m)^Environment=(.*)$`).FindAllStringSubmatch(unit, -1) {
		env = append(env, m[1])
	}
	cfg, err := config.Load(config.Options{Path: "deploy/textmill.yaml", Env: env})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Home != "/var/lib/textmill" || !strings.Contains(unit, "\nStateDirectory=textmill\n") {
		t.Errorf("home is %s, which the unit does not make", cfg.Home)
	}
	stop := regexp.MustCompile(`(?m)^TimeoutStopSec=([0-9]+)$`).FindStringSubmatch(unit)
	if stop == nil {
		t.Fatal("no TimeoutStopSec")
	}
	if d, err := time.ParseDuration(stop[1] + "s"); err != nil || d <= cfg.DrainTimeout {
		t.Errorf("systemd kills after %s, before drain_timeout (%s) is over", d, cfg.DrainTimeout)
	}
}

// TestTheUnitsHeaderInstallsWhatTheUnitUses follows the lines of textmill.service's own header; deploy/check runs them.
func TestTheUnitsHeaderInstallsWhatTheUnitUses(t *testing.T) {
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join("deploy", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	unit := read("textmill.service")
	value := func(key string) string {
		m := regexp.MustCompile(`(?m)^` + key + `=(.*)$`).FindStringSubmatch(unit)
		if m == nil {
			t.Fatalf("the unit has no %s", key)
		}
		return m[1]
	}
	installed, lines := map[string]string{}, []string{}
	for _, m := range regexp.MustCompile(`(?m)^#     (.*)$`).FindAllStringSubmatch(unit, -1) {
		lines = append(lines, m[1])
		if words := strings.Fields(m[1]); words[0] == "install" {
			from, to := words[len(words)-2], words[len(words)-1]
			if _, err := os.Stat(from); err != nil && from != "bin/textmill" {
				t.Errorf("%s: %v", m[1], err)
			}
			installed[to] = from
		}
	}
	command := strings.Fields(value("ExecStart"))
	for to, from := range map[string]string{
		command[0]: "bin/textmill", configFlag(command): "deploy/textmill.yaml", "/etc/systemd/system/textmill.service": "deploy/textmill.service",
		"/usr/lib/sysusers.d/textmill.conf": "deploy/textmill.sysusers", "/usr/lib/tmpfiles.d/textmill.conf": "deploy/textmill.tmpfiles",
	} {
		if installed[to] != from {
			t.Errorf("the header installs %q as %s, not %s", installed[to], to, from)
		}
	}
	home := "/var/lib/" + value("StateDirectory")
	if user := strings.Fields(read("textmill.sysusers")); user[0] != "u" || user[1] != value("User") || user[4] != home {
		t.Errorf("sysusers makes %v for the user %s with home %s", user, value("User"), home)
	}
	if dir := strings.Fields(read("textmill.tmpfiles")); !slices.Equal(dir[:5], []string{"d", home, value("StateDirectoryMode"), value("User"), value("Group")}) {
		t.Errorf("tmpfiles makes %v", dir)
	}
	setup := "runuser -u " + value("User") + " -- env HOME=" + home + " " + value("Environment") + " " + command[0] + " setup"
	order := []string{"systemd-sysusers textmill.conf", "systemd-tmpfiles --create textmill.conf", setup, "systemctl enable --now textmill"}
	at := -1
	for _, line := range order {
		i := slices.Index(lines, line)
		if i <= at {
			t.Errorf("the header has not, or too early: %s", line)
		}
		at = max(at, i)
	}
	if out, err := exec.CommandContext(t.Context(), "/bin/sh", "-n", filepath.Join("deploy", "check")).CombinedOutput(); err != nil {
		t.Errorf("deploy/check: %v\n%s", err, out)
	}
}

// TestTheGPUImageSetsUpAsAnyMachineDoes: one command obtains what cards need, wherever it runs, and nothing in the image
// points past it.
func TestTheGPUImageSetsUpAsAnyMachineDoes(t *testing.T) {
	data, err := os.ReadFile("docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var c compose
	if err := yaml.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	setup, daemon := c.Services["setup-gpu"], c.Services["textmill-gpu"]
	if !slices.Equal(setup.Command, []string{"setup", "--device", "cuda"}) || !slices.Equal(setup.Profiles, daemon.Profiles) {
		t.Errorf("setup-gpu runs %q with the profiles %q", setup.Command, setup.Profiles)
	}
	if daemon.DependsOn["setup-gpu"].Condition != "service_completed_successfully" || !slices.Equal(setup.Volumes, c.Services["setup"].Volumes) {
		t.Errorf("the daemon waits for %v; set up is in %q", daemon.DependsOn, setup.Volumes)
	}
	file, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	stage := regexp.MustCompile(`(?ms)^FROM \S+ AS gpu$(.*?)^FROM `).FindSubmatch(file)
	if stage == nil {
		t.Fatal("the Dockerfile has no stage gpu")
	}
	for word, want := range map[string]bool{
		"python3-pip": true, "NVIDIA_DRIVER_CAPABILITIES=compute,utility": true, // which NVML is part of
		"LD_LIBRARY_PATH": false, "TEXTMILL_RUNTIME_LIBRARY": false, "ln -s": false,
	} {
		if strings.Contains(string(stage[1]), word) != want {
			t.Errorf("%q in the stage gpu: %v, want %v", word, !want, want)
		}
	}
}

// TestRequireNamesWhatIsMissing runs the prerequisite check where nothing is installed.
func TestRequireNamesWhatIsMissing(t *testing.T) {
	empty := t.TempDir()
	for step, want := range map[string][]string{
		"build":  {"Go 1.26 or newer", "a C compiler"},
		"python": {"Python 3.11 or newer"},
	} {
		cmd := exec.CommandContext(t.Context(), "/bin/sh", filepath.Join("deploy", "require"), step)
		cmd.Env = []string{"PATH=" + empty}
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Errorf("%s: nothing is missing on an empty PATH", step)
		}
		for _, w := range want {
			if !strings.Contains(string(out), w) || !strings.Contains(string(out), "Install it: ") {
				t.Errorf("%s: %q is not named with its remedy in:\n%s", step, w, out)
			}
		}
	}
}
