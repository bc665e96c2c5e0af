package metrics

import "github.com/prometheus/client_golang/prometheus"

// questions are what somebody on call asks, and what to do about the answers: docs/reference/metrics.md is made of them.
var questions = []struct {
	question string
	metrics  []struct{ name, moves string }
}{
	{"Is it keeping up?", []struct{ name, moves string }{
		{"ready", "0: nothing is taken in. `/readyz` says whether NATS is away or commits fail; `textmill doctor` names the line that mends it."},
		{"lag_seconds", "Rises for as long as more comes in than goes out: start another daemon, or look below for what is slow. A few hours after a large submit it falls by itself."},
		{"lag_messages", "Divided by what `rate(textmill_deliveries_total[10m])` settles, it is the time to the end."},
		{"lag_records", "Likewise with `textmill_rows_total`. An estimate: only the messages themselves know what they hold."},
		{"deliveries_in_flight", "At 0 while messages wait: nothing is fetched, see `textmill_ready` and the log. Stuck above 0 without commits: a run or a bucket hangs."},
		{"unserved_subjects", "Above 0: somebody publishes for a model that no daemon has. `/status` names the subjects: serve the model, or cancel the job."},
		{"stream_bytes", "The stream of jobs near its limit holds publishers up, which is what it is for; that of dead letters near it needs somebody: see `textmill_dead_letters_held`."},
		{"stream_limit_bytes", "Moves when somebody edits a stream."},
	}},
	{"What is slow?", []struct{ name, moves string }{
		{"queue_seconds", "High with stages that are fast: there is too much work for these daemons. High by minutes on idle daemons: the clocks of the NATS server and the daemon differ."},
		{"tokenize_seconds", "High: texts are long, or `tokenizer_engine: sugarme` is on. When `textmill_wait_seconds` is low at the same time, processors are short of time for tokens: give the daemon more."},
		{"wait_seconds", "High is good for an embedding model, it runs without pause; then `textmill_run_seconds` decides. For generation: all slots are taken, raise `generate.slots` and `generate.memory`."},
		{"run_seconds", "Higher than it was: another program is on the processor or the card, texts got longer (`textmill_tokens_total` ÷ `textmill_batches_total`), or batches too large (`models.NAME.batch_tokens`)."},
		{"assemble_seconds", "High: processors are overcommitted, since it waits for nothing."},
		{"gather_seconds", "About `export.commit_interval` where work trickles; more: earlier commits take too long."},
		{"commit_seconds", "High: the disk's fsync or the bucket is slow, or several daemons commit to one dataset and lose races; give them datasets of their own or longer intervals (`export.commit_interval`)."},
	}},
	{"What is lost?", []struct{ name, moves string }{
		{"error_rows_total", "Rises: `textmill status JOB` counts them, the table's column `error` says why, by [class](errors.md). `out_of_memory`, `timeout` and `model_failed` are the machine's fault, the others the texts'."},
		{"truncated_rows_total", "Rises: texts are longer than `max_length`. Raise it, or set `chunk_size` ([params](params.md))."},
		{"dropped_tokens_total", "Beside `textmill_tokens_total` it says how much of the corpus the vectors know nothing of."},
		{"dead_letters_total", "Rises: `textmill dead list` says which and why, `textmill dead retry` puts back what is mended."},
		{"dead_letters_held", "Does not fall by itself: retry them or drop them."},
		{"dead_letters_full", "1: empty the stream (`textmill dead list`, `dead retry`) or raise its limit; until then what would become a letter comes again and again."},
		{"refused_tables", "1: another tool changed the table such that this version must not write to it. `/status` says what; mend it or move it away, and work goes on by itself."},
		{"deliveries_total", "`handed_back` rises: the log says after `delivery settled` why; a few are normal when daemons stop, many are work done twice."},
		{"cancelled_messages_total", "Somebody ran `textmill cancel`."},
	}},
	{"What does it do, and what does that cost?", []struct{ name, moves string }{
		{"rows_total", "Its rate at 0 while `textmill_lag_messages` is not: look for what is slow, then at `textmill_commits_total`."},
		{"commits_total", "`failed` rises: the log names the cause; a full disk, a bucket that refuses, a table that is gone. Its deliveries come again, so nothing is lost."},
		{"texts_total", "Beside `textmill_rows_total`: rows come in commits, texts as they are run; texts without rows are asked by HTTP, or their commits fail."},
		{"tokens_total", "The measure of work. By device: `sum by (device) (rate(textmill_tokens_total[5m]) * on (instance, model) group_left (device) textmill_model_info)`."},
		{"padded_tokens_total", "What is more than `textmill_tokens_total` is padding. Above a tenth: lengths differ much and little gathers; raise `limits.window_tokens`."},
		{"batches_total", "Falls with the same tokens: batches are fuller."},
		{"output_tokens_total", "The measure of generation."},
		{"read_bytes_total", "Far more than the corpus has: messages come again (`handed_back`), or a compressed file is read for each shard."},
		{"written_bytes_total", "Fills the disk or the bucket at this rate."},
	}},
	{"What is it?", []struct{ name, moves string }{
		{"build_info", "Differs between daemons: an update is half done."},
		{"model_info", "Two `model_sha256` of one model: daemons have other files, and only those work that match the queue's consumer. `device` is `cpu` where a card was meant: the log says why."},
	}},
}

// descriptions are those of all that is registered.
func descriptions(m *Metrics) <-chan *prometheus.Desc {
	all := make(chan *prometheus.Desc)
	go func() {
		m.registry.Describe(all)
		close(all)
	}()
	return all
}
