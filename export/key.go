package export

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	shardPrefix  = "textmill/shard/" // <task>/<model>/<job>/<shard>
	jobPrefix    = "textmill/job/"   // <job>/<shard>, of the task and model that own the job's name in this table
	ownerPrefix  = "textmill/owner/" // <job>/<task>/<model>
	seqPrefix    = "textmill/seq/"
	deadPrefix   = "textmill/dead/"
	cancelPrefix = "textmill/cancel/"
)

// Key is the identity of a delivery: what makes two deliveries the same piece of work. Keys come from JobKey and
// SeqKey.
//
// Up to the first release that told models apart, a shard's AppID held job and shard only. It still does for the first
// task and model that a table sees a job of, and a txn beside it says which those are: so a daemon of an older
// version, on the same queue or put back in place, knows what is committed. Any other task and model of the same job
// have AppIDs of their own.
type Key struct {
	AppID   string // names the delivery; what stands for it in the log is up to txnIndex.names
	Version int64
	Job     string // what a cancel names; may be empty for a sequence key
	short   string // the AppID in the log where owner owns the job's name
	owner   string // <task>/<model>
	shard   string
	stream  string // of a sequence key: <stream>@<created ns>
	seq     uint64
}

// JobKey identifies a shard of a job: the same task, model, job, shard and payload are the same delivery, another
// payload is a conflict.
func JobKey(task, model, job, shard string, payload []byte) Key {
	return PayloadKey(task, model, job, shard, sha256.Sum256(payload))
}

// PayloadKey is JobKey of a payload of which the hash is known.
func PayloadKey(task, model, job, shard string, sum [sha256.Size]byte) Key {
	if !utf8.ValidString(shard) {
		// The log is JSON, which would make different invalid strings one.
		h := sha256.Sum256([]byte(shard))
		shard = "x" + hex.EncodeToString(h[:])
	}
	return Key{
		AppID:   (Key{Job: job, shard: shard}).of(task + "/" + model),
		Version: int64(binary.BigEndian.Uint64(sum[:8]) >> 1),
		Job:     job,
		short:   jobPrefix + job + "/" + shard,
		owner:   task + "/" + model,
		shard:   shard,
	}
}

// of is the AppID of the same shard for another task and model, <task>/<model>.
func (k Key) of(owner string) string { return shardPrefix + owner + "/" + k.Job + "/" + k.shard }

// SeqKey identifies a delivery that names no job and shard, by its place in a stream. created tells streams of the
// same name apart; timestamp is the server's, and tells a sequence number that a restored stream uses again.
func SeqKey(stream string, created time.Time, seq uint64, timestamp time.Time, job string) Key {
	s := strings.ToValidUTF8(stream, "_") + "@" + strconv.FormatInt(created.UnixNano(), 10)
	return Key{AppID: seqAppID(s, seq, seq), Version: timestamp.UnixNano(), Job: job, stream: s, seq: seq}
}

func seqAppID(stream string, lo, hi uint64) string {
	return fmt.Sprintf("%s%s/%d-%d", seqPrefix, stream, lo, hi)
}

// verdictOn is where the verdict on what an AppID stands for is kept.
func verdictOn(appID string) string { return deadPrefix + strings.TrimPrefix(appID, "textmill/") }

// Older is the name that the delivery had before names told models apart.
func (k Key) Older() string { return cmp.Or(k.short, k.AppID) }

// Hash is a token for subjects and file names that stands for the key and its version.
func (k Key) Hash() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s@%d", k.AppID, k.Version))
	return hex.EncodeToString(sum[:16])
}

func (k Key) String() string { return k.AppID }

// parseSeq takes <stream>/<lo>-<hi> apart.
func parseSeq(s string) (stream string, lo, hi uint64, ok bool) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return "", 0, 0, false
	}
	a, b, found := strings.Cut(s[i+1:], "-")
	lo, errLo := strconv.ParseUint(a, 10, 64)
	hi, errHi := strconv.ParseUint(b, 10, 64)
	if !found || errLo != nil || errHi != nil || lo > hi {
		return "", 0, 0, false
	}
	return s[:i], lo, hi, true
}

// Outcome is what the table's log says about a delivery.
type Outcome int

const (
	Absent    Outcome = iota // nothing: it may be committed
	Committed                // its rows are in the table
	Conflict                 // another payload was committed under its key
	Dead                     // it was given up
	Cancelled                // its job was cancelled
	// unclear: an older version settled its name, and only the rows tell for which model; see Table.Lookup.
	unclear
)

func (o Outcome) String() string {
	return [...]string{"absent", "committed", "conflict", "dead", "cancelled", "unclear"}[o]
}
