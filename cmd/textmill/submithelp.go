package main

const submitLong = `Reads JSONL, CSV, TSV, Parquet, text lines or OpenAI-batch JSONL from FILEs, also .gz and .zst, or from standard input (-),
in constant memory; cuts them into shards and publishes those that are not in the table yet. The job's name is derived
from the content of the FILEs, which are read once for it, dataset, task, model and params, so running it again after a
crash repeats nothing. Standard input can only be resumed with --job. The task is that of the model. A line of a text
file has the id FILE:LINE and the attributes file and line; of a stream, the number that its shard gives it.

A FILE may be a directory, of which all files are read, those below it too, or a pattern in quotes ('logs/*.jsonl.zst'), in the
order of their paths; names that begin with a dot are left out. --files-from reads such names from a file. s3://bucket/key, s3://bucket/prefix/ and
patterns such as 's3://bucket/*.jsonl' are objects, to which messages point: daemons read them, where input.allow lets them.

It waits for the verdict on each shard and ends with one line: rows, of them errors, texts cut and tokens dropped, shards
dead and why. Exit 0: every record is a row and at least one is no error row. Exit 1: a shard is dead, cancelled or
unanswered, all rows are errors, or more than --max-errors. Where none of the first 200 records can be used, nothing is
published. Ctrl-C ends the waiting, not the job, with exit 130.

A NAME with dots, as meta.title, is also a path into objects of JSON and structs of Parquet, where nothing has that very name; what is
left of such an object stays an attribute. In a --text-template {NAME} is the value of a column or key, and the record is an error row where
that is missing or null, {NAME?} is empty then; {{ and }} are braces, \n, \t and \\ a newline, a tab and a backslash.

A record whose id the dataset holds already gets rows beside those. With --on-repeat replace the rows of the message that was
published last stay, with --on-repeat skip those that are there; each record needs an id for that. FILEs that were submitted
before are the same job, and done: to go back to what they hold, name another --job, or use --sync.

With --whole-files each FILE is one record: its id is its path from the directory that was named, or as it was named, its attributes are file,
media_type and, of HTML, title. Markdown and text are taken as they are, in UTF-8 or, with a byte order mark, UTF-16; of HTML (.html, .htm,
.xhtml, or no ending) the text that a reader sees. A file that is no text, or without any, is left out, and told; one that is not UTF-8, or
too long (limits.record_bytes, limits.claim_bytes), is an error row.

With --part K/N, several publishers share the work: each is given the same FILEs and another K, reads all of them, and sends every Nth
shard, so that together they send what one would have sent, as one job. A part waits for its own shards and counts those; status and watch
show the whole job, which is done when all parts are sent. A part that was killed is run again as it was. Where --on-repeat is replace, each
id must be once in the FILEs. It does not go with --sync, nor, without --job, with standard input.

With --sync the dataset becomes equal to the FILEs, whose records must all have ids: their content, the params and the
model's files are compared with the table (content_sha256), records that are new, changed or error rows are computed, and one
commit swaps their rows in; readers see the dataset as it was or as it is to be. Nothing is deleted without
--delete-missing. Run it again after a crash: it goes on. Where others change the same records meanwhile, it fails and can be
repeated. With another --model the whole dataset is computed anew and switches in one commit.`

const submitExamples = `  textmill submit --model all-MiniLM-L6-v2 --dataset docs corpus.jsonl.zst
  textmill submit --model all-MiniLM-L6-v2 --dataset reviews --text-column body --id-column key --max-errors 1% reviews.csv
  textmill submit --model SmolLM2-135M-Instruct --dataset answers --param max_new_tokens=64 prompts.jsonl
  zcat texts.gz | textmill submit --model all-MiniLM-L6-v2 --dataset notes --format text --job notes-1 -
  textmill submit --sync --delete-missing --model all-MiniLM-L6-v2 --dataset docs corpus.jsonl.zst
  textmill submit --on-repeat replace --model all-MiniLM-L6-v2 --dataset docs changed.jsonl
  textmill submit --whole-files --sync --delete-missing --model all-MiniLM-L6-v2 --dataset handbook docs/
  textmill submit --dataset batch requests.jsonl    # OpenAI-batch requests name their model`
