"""A mixture of everything that clients send, drawn from a seed, and what must become of it."""
import json
import random

EMBED = "textmill.jobs.embed.all-MiniLM-L6-v2"
GENERATE = "textmill.jobs.generate.SmolLM2-135M-Instruct"
DATASETS = [f"soak-{i}" for i in range(6)]


class Load:
    """Publishes jobs and remembers, per job, what its rows must be.

    rows holds the identities (job, shard, record) that must be in the table once,
    optional those of cancelled jobs, which may be; errors counts the error rows
    among rows, letters the dead letters by class.
    """

    def __init__(self, js, sentences, seed):
        self.js, self.sentences, self.random = js, sentences, random.Random(seed)
        self.rows, self.optional, self.errors, self.letters = set(), set(), 0, {}
        self.published = self.made = 0
        self.recent = []  # messages of jobs that were not cancelled, to be repeated

    # ragged is one sentence in most cases, and more than the model reads in some.
    def ragged(self):
        count = self.random.choices((1, self.random.randint(2, 8), self.random.randint(15, 60)), (80, 19, 1))[0]
        return " ".join(self.random.choices(self.sentences, k=count))

    def name(self, kind):
        self.made += 1
        return f"{kind}-{self.made}"

    async def publish(self, subject, body, headers=None):
        await self.js.publish(subject, body if isinstance(body, bytes) else json.dumps(body).encode(), headers=headers)
        self.published += 1

    async def shard(self, subject, job, shard, shards, dataset, texts, params=None, keep=True, expect=True):
        body = {"job": job, "shard": shard, "shards": shards, "dataset": dataset, "records": [{"text": t} for t in texts]}
        if params:
            body["params"] = params
        if expect:
            self.rows.update((job, str(shard), f"{shard}-{i}") for i in range(len(texts)))
        await self.publish(f"{subject}.{job}", body)
        if keep:
            self.recent = [*self.recent[-60:], (f"{subject}.{job}", body)]

    async def first(self):
        """Makes each table, so that a job whose vectors are of another type becomes a dead letter."""
        for dataset in DATASETS:
            await self.shard(EMBED, self.name("first"), 0, 1, dataset, [self.ragged()])
        await self.generate()

    async def embed(self):
        job, dataset, shards = self.name("embed"), self.random.choice(DATASETS), self.random.randint(2, 8)
        for s in range(shards):
            await self.shard(EMBED, job, s, shards, dataset, [self.ragged() for _ in range(self.random.randint(3, 30))])

    async def small_behind_big(self):
        big, dataset = self.name("big"), self.random.choice(DATASETS)
        for s in range(30):
            await self.shard(EMBED, big, s, 30, dataset, [self.ragged() for _ in range(30)], keep=False)
        await self.shard(EMBED, self.name("small"), 0, 1, self.random.choice(DATASETS), [self.ragged() for _ in range(3)])

    async def bad_records(self):
        job, records = self.name("bad"), []
        for i in range(20):
            bad = i % 5 == 3
            records.append(self.random.choice(({"text": 7}, {"texts": "x"}, {"text": "half \ud800"}, {"text": None})) if bad else {"text": self.ragged()})
            self.errors += bad
        self.rows.update((job, "0", f"0-{i}") for i in range(20))
        await self.publish(f"{EMBED}.{job}", {"job": job, "shard": 0, "shards": 1, "dataset": self.random.choice(DATASETS), "records": records})

    async def bad_params(self):
        job = self.name("badparams")
        await self.shard(EMBED, job, 0, 1, self.random.choice(DATASETS), [self.ragged() for _ in range(4)], params={"pooling": "most"})
        self.errors += 4

    async def dead(self):
        job, dataset = self.name("dead"), self.random.choice(DATASETS)
        kind = self.random.choice(("invalid_job", "schema", "identity_conflict"))
        if kind == "invalid_job":
            await self.publish(f"{EMBED}.{job}", self.random.choice((b"{not json", json.dumps({"job": job, "records": 7}).encode())), {"Nats-Msg-Id": job})
        elif kind == "schema":
            await self.shard(EMBED, job, 0, 1, dataset, [self.ragged()] * 3, params={"precision": "int8"}, expect=False)
        else:
            await self.shard(EMBED, job, 0, 1, dataset, ["one text"])
            await self.shard(EMBED, job, 0, 1, dataset, ["another text"], keep=False)
            self.recent.pop()
        self.letters[kind] = self.letters.get(kind, 0) + 1

    async def plain(self):
        for _ in range(15):
            record = self.name("plain")
            self.rows.add(("text", None, record))
            headers = {"Content-Type": "text/plain", "Nats-Msg-Id": record, "Textmill-Dataset": self.random.choice(DATASETS)}
            await self.publish(EMBED, self.ragged().encode(), headers)

    async def repeated(self):
        for subject, body in self.random.sample(self.recent, min(10, len(self.recent))):
            await self.publish(subject, body)

    async def cancelled(self, cancel):
        job, dataset = self.name("cancelled"), self.random.choice(DATASETS)
        for s in range(15):
            await self.shard(EMBED, job, s, 15, dataset, [self.ragged() for _ in range(20)], keep=False, expect=False)
            self.optional.update((job, str(s), f"{s}-{i}") for i in range(20))
        await cancel(job)

    async def generate(self):
        job, dataset, shards = self.name("generate"), self.random.choice(DATASETS), self.random.randint(1, 3)
        for s in range(shards):
            params = {"max_new_tokens": self.random.randint(2, 24)}
            params |= self.random.choice(({}, {"temperature": 0.8, "top_p": 0.9, "seed": 11}, {"stop": ["."]}, {"logprobs": True}, {"repetition_penalty": 1.2}))
            prompts = [" ".join(self.random.choices(self.sentences, k=self.random.randint(1, 4))) for _ in range(self.random.randint(2, 8))]
            await self.shard(GENERATE, job, s, shards, dataset, prompts, params)

    async def next_embed(self, cancel):
        kinds = {self.embed: 40, self.small_behind_big: 3, self.bad_records: 12, self.bad_params: 4, self.dead: 12, self.plain: 15, self.repeated: 10}
        pick = self.random.choices([*kinds, None], [*kinds.values(), 6])[0]
        await (pick() if pick else self.cancelled(cancel))
