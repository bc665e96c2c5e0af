// Package config is the one description of how a textmill process runs, read strictly from YAML, environment and
// flags.
package config

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"textmill/ground/naming"
	"textmill/ground/places"
)

// Config holds every setting. Its tree of yaml tags is the contract: a key's path is its flag (`--set path=value`),
// and in capitals with underscores, after TEXTMILL_, its environment variable.
// A path may begin with inHome or inData, which stand for Home and Data. After Load no path holds them any more.
type Config struct {
	Home         string           `yaml:"home" kind:"path"`
	Data         string           `yaml:"data" kind:"path"`
	DrainTimeout time.Duration    `yaml:"drain_timeout"`
	Log          Log              `yaml:"log"`
	HTTP         HTTP             `yaml:"http"`
	Telemetry    Telemetry        `yaml:"telemetry"`
	NATS         NATS             `yaml:"nats"`
	Export       Export           `yaml:"export"`
	Input        Input            `yaml:"input"`
	Runtime      Runtime          `yaml:"runtime"`
	Generate     Generate         `yaml:"generate"`
	Limits       Limits           `yaml:"limits"`
	Models       map[string]Model `yaml:"models"`

	notices, oldPlaces []string
}

// How a path of the configuration begins that lies in Home or in Data.
const (
	inHome = "<home>"
	inData = "<data>"
)

// Notices are lines for whoever uses the configuration, of keys that are gone.
func (c Config) Notices() []string { return c.notices }

// OldPlaces are lines for whoever uses the queue or the tables: where an earlier version left them, and what moves
// them.
func (c Config) OldPlaces() []string { return c.oldPlaces }

// Log says what is written to standard error.
type Log struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

// HTTP is the daemon's own address for health, metrics and status.
type HTTP struct {
	Addr         string   `yaml:"addr"`
	TokenFile    string   `yaml:"token_file" kind:"path"`
	AllowedHosts []string `yaml:"allowed_hosts"`
	RequestBytes ByteSize `yaml:"request_bytes"`

	RequestsPerMinute int      `yaml:"requests_per_minute"`
	FileBytes         ByteSize `yaml:"file_bytes"`
	TLS               HTTPTLS  `yaml:"tls"`

	FilesMaxBytes ByteSize `yaml:"files_max_bytes"`
	PProf         bool     `yaml:"pprof"`
}

// HTTPTLS names the files with which the daemon's own address is served by TLS, and the authority of those who may
// come.
type HTTPTLS struct {
	CertFile     string `yaml:"cert_file" kind:"path"`
	KeyFile      string `yaml:"key_file" kind:"path"`
	ClientCAFile string `yaml:"client_ca_file" kind:"path"`
}

// Telemetry says how much is told of what happens, and where to. With a sample of 0 nothing is sent anywhere.
type Telemetry struct {
	TracesSample float64 `yaml:"traces_sample"`
	Endpoint     string  `yaml:"endpoint"`
}

// NATS is the server that holds the queue. An empty URL means the embedded one.
type NATS struct {
	URL             string        `yaml:"url"`
	AckWait         time.Duration `yaml:"ack_wait"`
	CredentialsFile string        `yaml:"credentials_file" kind:"path"`
	NKeyFile        string        `yaml:"nkey_file" kind:"path"`
	Token           Secret        `yaml:"token"`
	TokenFile       string        `yaml:"token_file" kind:"path"`
	User            string        `yaml:"user"`
	Password        Secret        `yaml:"password"`
	PasswordFile    string        `yaml:"password_file" kind:"path"`
	TLS             TLS           `yaml:"tls"`
	InboxPrefix     string        `yaml:"inbox_prefix"`
	Asks            int           `yaml:"asks"`
	JobsMaxBytes    ByteSize      `yaml:"jobs_max_bytes"`
	ClaimsMaxBytes  ByteSize      `yaml:"claims_max_bytes"`
	ClaimsMaxAge    time.Duration `yaml:"claims_max_age"`
	Replicas        int           `yaml:"replicas"`
	Embedded        Embedded      `yaml:"embedded"`
}

// TLS names the files of a mutual or one-sided TLS connection to NATS.
type TLS struct {
	CAFile   string `yaml:"ca_file" kind:"path"`
	CertFile string `yaml:"cert_file" kind:"path"`
	KeyFile  string `yaml:"key_file" kind:"path"`
}

// Embedded is the NATS server inside the daemon; its address is also what clients dial when nats.url is empty.
type Embedded struct {
	Addr string `yaml:"addr"`
	Dir  string `yaml:"dir" kind:"path"`
	Auth string `yaml:"auth"`
}

// CredentialFile is where the embedded server keeps what its clients need: the seed of an nkey, as every NATS client
// reads it from a file. Who has it may do everything with the queue.
func (e Embedded) CredentialFile() string { return places.Credential(e.Dir) }

// Who the embedded server lets in: everybody who reaches it, or who has the credential in its directory.
const (
	AuthNone       = "none"
	AuthCredential = "credential"
)

// Export says where tables lie and when a part is committed.
type Export struct {
	URI            string        `yaml:"uri" kind:"path"`
	Scratch        string        `yaml:"scratch" kind:"path"`
	PartBytes      ByteSize      `yaml:"part_bytes"`
	CommitInterval time.Duration `yaml:"commit_interval"`
	Remember       time.Duration `yaml:"remember"`
	MaxOpen        int           `yaml:"max_open"`
	CompactBetween string        `yaml:"compact_between"`
	PartitionBy    []string      `yaml:"partition_by"`
	OnRepeat       []string      `yaml:"on_repeat"`
	DirMode        FileMode      `yaml:"dir_mode"`
	FileMode       FileMode      `yaml:"file_mode"`
}

// CompactWindow is when each day, by local time, a daemon puts small files together: from its beginning, counted from
// midnight, for so long; 0 is never.
func (e Export) CompactWindow() (from, length time.Duration, err error) {
	if e.CompactBetween == "" {
		return 0, 0, nil
	}
	begin, end, ok := strings.Cut(e.CompactBetween, "-")
	b, errB := time.Parse("15:04", strings.TrimSpace(begin))
	f, errE := time.Parse("15:04", strings.TrimSpace(end))
	if !ok || errB != nil || errE != nil || b.Equal(f) {
		return 0, 0, fmt.Errorf("%q is no time of the day such as 01:00-05:00", e.CompactBetween)
	}
	length = f.Sub(b)
	if length < 0 {
		length += 24 * time.Hour
	}
	return time.Duration(b.Hour())*time.Hour + time.Duration(b.Minute())*time.Minute, length, nil
}

// Repeats is what becomes, by dataset, of records that its table holds already: append, replace or skip.
func (e Export) Repeats() (map[string]string, error) {
	all := map[string]string{}
	for i, entry := range e.OnRepeat {
		dataset, what, ok := strings.Cut(entry, "=")
		err := errors.Join(naming.CheckDataset(dataset), naming.CheckOnRepeat(what))
		switch {
		case !ok || err != nil:
			return nil, fmt.Errorf("[%d]: %q is not DATASET=append, DATASET=replace or DATASET=skip", i, entry)
		case all[dataset] != "":
			return nil, fmt.Errorf("[%d]: dataset %s stands there twice", i, dataset)
		}
		all[dataset] = what
	}
	return all, nil
}

// Input limits which files and objects a job message may point to. Without entries: none.
type Input struct {
	Roots []string `yaml:"roots" kind:"path"`
	Allow []string `yaml:"allow"`
}

// Runtime is ONNX Runtime and the machine it runs on. No library: what textmill setup puts into the home, the build
// for cards where a model is to run on one.
type Runtime struct {
	Library string   `yaml:"library" kind:"path"`
	Device  string   `yaml:"device"`
	Threads int      `yaml:"threads"`
	Memory  ByteSize `yaml:"memory"`
}

// Generate says how much generation models hold at a time. Zero: as the README says.
type Generate struct {
	Slots  int      `yaml:"slots"`
	Memory ByteSize `yaml:"memory"`
}

// Limits bound what one message, one batch and the whole pipeline may hold.
type Limits struct {
	RecordBytes     ByteSize      `yaml:"record_bytes"`
	RecordsPerShard int           `yaml:"records_per_shard"`
	WindowTokens    int           `yaml:"window_tokens"`
	RunTimeout      time.Duration `yaml:"run_timeout"`
	MaxNewTokens    int           `yaml:"max_new_tokens"`
	N               int           `yaml:"n"`
	TopLogprobs     int           `yaml:"top_logprobs"`
	Stop            int           `yaml:"stop"`
	TokensPerShard  int           `yaml:"tokens_per_shard"`
	ClaimBytes      ByteSize      `yaml:"claim_bytes"`
	AttentionBytes  ByteSize      `yaml:"attention_bytes"`
}

// Model overrides what holds for every model. Zero values mean: as in Runtime, or as the bundle's own files say.
type Model struct {
	Path            string   `yaml:"path" kind:"path"`
	Device          string   `yaml:"device"`
	DeviceMemory    ByteSize `yaml:"device_memory"`
	Threads         int      `yaml:"threads"`
	BatchTokens     int      `yaml:"batch_tokens"`
	TokenizerEngine string   `yaml:"tokenizer_engine"`
	ONNXFile        string   `yaml:"onnx_file"`
	Slots           int      `yaml:"slots"`
	MaxLength       int      `yaml:"max_length"`
}

// What makes a model's tokens: textmill itself, or for embedding models the library sugarme/tokenizer in a process of
// its own.
const (
	EngineTextmill = "textmill"
	EngineSugarme  = "sugarme"
)

// Default returns every setting as it is when nothing says otherwise.
func Default() Config {
	return Config{
		Home:         "", // the user's cache directory + /textmill
		Data:         "", // home if that is set, else the user's data directory + /textmill
		DrainTimeout: 30 * time.Second,
		Log:          Log{Level: "info", Format: "text"},
		HTTP:         HTTP{Addr: "127.0.0.1:8080", RequestBytes: 16 << 20, FileBytes: 512 << 20, FilesMaxBytes: 8 << 30},
		NATS: NATS{
			URL:          "", // the embedded server
			AckWait:      30 * time.Second,
			Asks:         64,
			JobsMaxBytes: 8 << 30, ClaimsMaxBytes: 8 << 30, ClaimsMaxAge: 168 * time.Hour, Replicas: 1,
			Embedded: Embedded{Addr: "127.0.0.1:4222", Dir: places.Queue(inData), Auth: AuthNone},
		},
		Export: Export{
			URI:            places.Tables(inData),
			Scratch:        places.Scratch(inData),
			PartBytes:      128 << 20,
			CommitInterval: 5 * time.Second,
			Remember:       720 * time.Hour,
			MaxOpen:        64,
			CompactBetween: "", // never
			PartitionBy:    nil,
			OnRepeat:       nil, // append
			DirMode:        0o750,
			FileMode:       0o640,
		},
		Input:    Input{Roots: nil, Allow: nil},
		Runtime:  Runtime{Library: "", Device: "auto", Threads: 0, Memory: 0},
		Generate: Generate{Slots: 64, Memory: 4 << 30},
		Limits: Limits{
			RecordBytes:     16 << 20,
			RecordsPerShard: 10_000,
			WindowTokens:    65_536,
			RunTimeout:      2 * time.Minute,
			MaxNewTokens:    0, // what the model's context has room for
			N:               128,
			TopLogprobs:     20,
			Stop:            64,
			TokensPerShard:  16 << 20,
			ClaimBytes:      64 << 20,
			AttentionBytes:  4 << 30,
		},
		Models: nil, // every bundle under <home>/models
	}
}

// String lists every setting, one `path: value` a line; secrets are only said to be set.
func (c Config) String() string {
	var out []byte
	for _, l := range leaves(&c) {
		out = fmt.Appendf(out, "%s: %s\n", l.path, l.format())
	}
	return string(out)
}
