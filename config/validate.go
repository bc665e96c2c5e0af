package config

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"textmill/ground/naming"
	"textmill/ground/regular"
)

var (
	device   = regexp.MustCompile(`^(auto|cpu|cuda:[0-9]{1,3})$`)
	hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$`)
	prefix   = regexp.MustCompile(`^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^*?]+)?/?$`)
	inbox    = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
)

// Validate reports every problem of the values, alone and together, as an *Error.
func (c Config) Validate() error {
	var p problems
	c.validate(&p)
	return p.err()
}

func (c *Config) validate(p *problems) {
	bad := func(path, format string, args ...any) { p.add("", path, fmt.Errorf(format, args...)) }

	c.validateFiles(bad)
	c.validateNATS(bad)
	for path, addr := range map[string]string{"http.addr": c.HTTP.Addr, "nats.embedded.addr": c.NATS.Embedded.Addr} {
		if err := checkAddr(addr); err != nil {
			bad(path, "%w", err)
		}
	}
	c.validateHTTP(bad)
	c.validateTelemetry(bad)
	oneOf(bad, "log.level", c.Log.Level, "debug", "info", "warn", "error")
	oneOf(bad, "log.format", c.Log.Format, "text", "json")
	if c.Export.URI == "" {
		bad("export.uri", "is empty; name the directory that holds the tables, or s3://bucket/prefix")
	} else if scheme, _, ok := strings.Cut(c.Export.URI, "://"); ok && scheme != "file" && scheme != "s3" {
		bad("export.uri", "%s:// is not supported; use a directory or s3://bucket/prefix", scheme)
	}
	if c.Export.Scratch == "" || strings.Contains(c.Export.Scratch, "://") {
		bad("export.scratch", "%q must be a directory of this machine", c.Export.Scratch)
	}
	if m := c.Export.DirMode; m&0o700 != 0o700 {
		bad("export.dir_mode", "%s keeps textmill itself out; its owner needs 7, as in 0750", m)
	}
	if m := c.Export.FileMode; m&0o600 != 0o600 || m&0o111 != 0 {
		bad("export.file_mode", "%s: its owner needs to read and write, and nobody to execute, as in 0640", m)
	}
	c.validateUpkeep(bad)
	c.validateNumbers(bad)
	checkDevice(bad, "runtime.device", c.Runtime.Device)
	for name, m := range c.Models {
		path := "models." + name
		if err := naming.CheckModel(name); err != nil {
			bad(path, "the name %w", err)
		}
		if m.Device != "" {
			checkDevice(bad, path+".device", m.Device)
		}
		oneOf(bad, path+".tokenizer_engine", m.TokenizerEngine, "", EngineTextmill, EngineSugarme)
		if m.ONNXFile != "" && !localFile(m.ONNXFile) {
			bad(path+".onnx_file", "%q must lie inside the bundle, such as onnx/model.onnx", m.ONNXFile)
		}
	}
	slices.SortStableFunc(*p, func(a, b Problem) int {
		if a.Source != "" || b.Source != "" {
			return 0
		}
		return strings.Compare(a.Path, b.Path)
	})
}

func (c *Config) validateUpkeep(bad func(string, string, ...any)) {
	if _, _, err := c.Export.CompactWindow(); err != nil {
		bad("export.compact_between", "%w", err)
	}
	if _, err := c.Export.Repeats(); err != nil {
		bad("export.on_repeat", "%w", err)
	}
	for i, entry := range c.Export.PartitionBy {
		name, by, ok := strings.Cut(entry, "=")
		if err := naming.CheckDataset(name); !ok || by == "" || err != nil {
			bad(fmt.Sprintf("export.partition_by[%d]", i), "%q is not DATASET=COLUMN,COLUMN, such as docs=date,attribute:lang", entry)
		}
	}
}

func localFile(name string) bool {
	return !strings.HasPrefix(name, "/") && !slices.Contains(strings.Split(name, "/"), "..")
}

func (c *Config) validateQueue(bad func(string, string, ...any)) {
	if c.NATS.AckWait < time.Second {
		bad("nats.ack_wait", "%s is below 1s; heartbeats could not keep up", c.NATS.AckWait)
	}
	if c.NATS.ClaimsMaxAge < time.Hour {
		bad("nats.claims_max_age", "%s is below 1h; payloads would be gone before their messages are worked on", c.NATS.ClaimsMaxAge)
	}
	if n := c.NATS.Replicas; n < 1 || n > 5 {
		bad("nats.replicas", "%d is none of 1 to 5", n)
	} else if n > 1 && c.NATS.URL == "" {
		bad("nats.replicas", "%d copies need a cluster of servers, and the embedded one is alone; set nats.url", n)
	}
}

func (c *Config) validateNumbers(bad func(string, string, ...any)) {
	for path, d := range map[string]time.Duration{
		"drain_timeout": c.DrainTimeout, "export.commit_interval": c.Export.CommitInterval,
		"limits.run_timeout": c.Limits.RunTimeout,
	} {
		if d <= 0 {
			bad(path, "%s must be above 0", d)
		}
	}
	c.validateQueue(bad)
	if c.Export.Remember < time.Hour {
		bad("export.remember", "%s is below 1h; redelivered messages would no longer be recognised", c.Export.Remember)
	}
	for path, n := range map[string]int64{
		"export.part_bytes": int64(c.Export.PartBytes), "export.max_open": int64(c.Export.MaxOpen),
		"nats.jobs_max_bytes": int64(c.NATS.JobsMaxBytes), "nats.claims_max_bytes": int64(c.NATS.ClaimsMaxBytes),
		"limits.record_bytes":      int64(c.Limits.RecordBytes),
		"limits.records_per_shard": int64(c.Limits.RecordsPerShard), "limits.window_tokens": int64(c.Limits.WindowTokens),
		"http.request_bytes": int64(c.HTTP.RequestBytes), "http.file_bytes": int64(c.HTTP.FileBytes),
		"http.files_max_bytes": int64(c.HTTP.FilesMaxBytes), "generate.slots": int64(c.Generate.Slots), "generate.memory": int64(c.Generate.Memory),
		"limits.n": int64(c.Limits.N), "limits.tokens_per_shard": int64(c.Limits.TokensPerShard),
		"limits.attention_bytes": int64(c.Limits.AttentionBytes),
	} {
		if n < 1 {
			bad(path, "%d must be at least 1", n)
		}
	}
	notNegative := map[string]int64{"runtime.threads": int64(c.Runtime.Threads),
		"runtime.memory":        int64(c.Runtime.Memory),
		"limits.max_new_tokens": int64(c.Limits.MaxNewTokens)}
	if n := c.HTTP.RequestsPerMinute; n < 0 {
		bad("http.requests_per_minute", "%d must not be negative; 0 allows any", n)
	}
	for path, n := range map[string]int64{"limits.top_logprobs": int64(c.Limits.TopLogprobs),
		"nats.asks": int64(c.NATS.Asks), "limits.stop": int64(c.Limits.Stop), "limits.claim_bytes": int64(c.Limits.ClaimBytes)} {
		if n < 0 {
			bad(path, "%d must not be negative; 0 allows none", n)
		}
	}
	for name, m := range c.Models {
		notNegative["models."+name+".threads"] = int64(m.Threads)
		notNegative["models."+name+".batch_tokens"] = int64(m.BatchTokens)
		notNegative["models."+name+".device_memory"] = int64(m.DeviceMemory)
		notNegative["models."+name+".slots"] = int64(m.Slots)
		notNegative["models."+name+".max_length"] = int64(m.MaxLength)
	}
	for path, n := range notNegative {
		if n < 0 {
			bad(path, "%d must not be negative; 0 lets textmill choose", n)
		}
	}
}

func (c *Config) validateNATS(bad func(string, string, ...any)) {
	n := c.NATS
	for u := range strings.SplitSeq(n.URL, ",") {
		if n.URL == "" {
			break
		}
		parsed, err := url.Parse(strings.TrimSpace(u))
		if err != nil || parsed.Host == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, parsed.Scheme) {
			bad("nats.url", "%q is not a server such as nats://host:4222", hidePassword(u))
		}
	}
	if n.InboxPrefix != "" && !inbox.MatchString(n.InboxPrefix) {
		bad("nats.inbox_prefix", "%q does not match [A-Za-z0-9_-]+, or several of these with dots between", n.InboxPrefix)
	}
	ways := map[string]bool{
		"credentials_file": n.CredentialsFile != "", "nkey_file": n.NKeyFile != "",
		"token": n.Token != "" || n.TokenFile != "", "user": n.User != "",
	}
	var given []string
	for way, is := range ways {
		if is {
			given = append(given, way)
		}
	}
	if slices.Sort(given); len(given) > 1 {
		bad("nats", "%s exclude each other; keep one way to log in", strings.Join(given, ", "))
	}
	if n.Token != "" && n.TokenFile != "" {
		bad("nats.token_file", "stands beside nats.token; keep one")
	}
	if n.Password != "" && n.PasswordFile != "" {
		bad("nats.password_file", "stands beside nats.password; keep one")
	}
	if n.User == "" && (n.Password != "" || n.PasswordFile != "") {
		bad("nats.user", "is empty though a password is given")
	}
	oneOf(bad, "nats.embedded.auth", n.Embedded.Auth, AuthNone, AuthCredential)
	if n.URL == "" && n.Embedded.Auth == AuthNone && !loopback(n.Embedded.Addr) {
		bad("nats.embedded.auth", "with none, nats.embedded.addr %q must be a loopback address: whoever reaches the server may publish, purge and forge; set it to credential", n.Embedded.Addr)
	}
	if (n.TLS.CertFile == "") != (n.TLS.KeyFile == "") {
		bad("nats.tls", "cert_file and key_file go together")
	}
}

// validateFiles checks that what is only read is there; directories that textmill makes need not be.
func (c *Config) validateFiles(bad func(string, string, ...any)) {
	for _, l := range leaves(c) {
		if !l.file {
			continue
		}
		paths, ok := l.value.Interface().([]string)
		if !ok {
			paths = []string{l.value.String()}
		}
		for _, s := range paths {
			if strings.HasPrefix(s, "~") {
				bad(l.path, "%q: only a shell knows ~; write the whole path", s)
			}
		}
	}
	for path, file := range map[string]string{
		"http.token_file": c.HTTP.TokenFile, "nats.credentials_file": c.NATS.CredentialsFile,
		"nats.nkey_file": c.NATS.NKeyFile, "nats.token_file": c.NATS.TokenFile, "nats.password_file": c.NATS.PasswordFile,
		"nats.tls.ca_file": c.NATS.TLS.CAFile, "nats.tls.cert_file": c.NATS.TLS.CertFile,
		"nats.tls.key_file": c.NATS.TLS.KeyFile, "http.tls.cert_file": c.HTTP.TLS.CertFile,
		"http.tls.key_file": c.HTTP.TLS.KeyFile, "http.tls.client_ca_file": c.HTTP.TLS.ClientCAFile,
	} {
		if file == "" {
			continue
		}
		if err := readable(file); err != nil {
			bad(path, "%w", err)
		}
	}
	for i, allow := range c.Input.Allow {
		if !prefix.MatchString(allow) {
			bad(fmt.Sprintf("input.allow[%d]", i), "%q is not s3://bucket or s3://bucket/prefix", allow)
		}
	}
	for i, root := range c.Input.Roots {
		if info, err := os.Stat(root); err != nil {
			bad(fmt.Sprintf("input.roots[%d]", i), "%w", err)
		} else if !info.IsDir() {
			bad(fmt.Sprintf("input.roots[%d]", i), "%s is not a directory", root)
		}
	}
}

func readable(file string) error {
	f, err := regular.Open(file)
	if err != nil {
		return err
	}
	return f.Close()
}

func checkAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q is not host:port, such as 127.0.0.1:8080", addr)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%q: the port must be a number from 0 (the kernel chooses) to 65535", addr)
	}
	return nil
}

// loopback tells whether nobody but this machine's users reaches an address; of a name other than localhost the server
// finds out.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return true // checkAddr reports it
	}
	ip := net.ParseIP(host)
	return host != "" && (ip == nil || ip.IsLoopback())
}

func checkDevice(bad func(string, string, ...any), path, name string) {
	if !device.MatchString(name) {
		bad(path, "%q is not auto, cpu or cuda:N", name)
	}
}

func oneOf(bad func(string, string, ...any), path, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		bad(path, "%q is not one of %s", value, strings.Trim(strings.Join(allowed, ", "), ", "))
	}
}
