# Everything a newcomer types. Each target does what it needs first; nothing else has to be run before it.

PYTHON ?= python3
GO     ?= go

bin    := bin/textmill
venv   := .cache/venv
stamp  := $(venv)/.requirements-$(shell cksum < test/requirements.txt | tr -d ' ')

s3_server := .cache/bin/versitygw

# Chat templates of real models, and what transformers renders of them.
templates := .cache/templates/rendered.jsonl.gz

# The release before this one, which the tests run beside it.
previous := .cache/previous/$(shell cat test/testdata/previous)

peers_venv := .cache/peers/venv
peers      := $(peers_venv)/.requirements-$(shell cksum < bench/generate/requirements.txt | tr -d ' ')

# Tools of Go's that check the tree, each built once, in the version that is pinned here.
tools        := .cache/bin
golangci     := $(tools)/golangci-lint-v2.15.0
deadcode     := $(tools)/deadcode-v0.49.0
govulncheck  := $(tools)/govulncheck-v1.9.0

# The version a build reports: the tag, or the commit after it; a tree without git says devel.
version := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)

# The engines that tables are loaded into, apart from the readers of the tests.
engines := .cache/engines
engines_venv := $(engines)/venv/.requirements-$(shell cksum < test/engines/requirements.txt | tr -d ' ')
engines_jars := $(engines)/jars/.of-$(shell cksum < test/engines/spark.xml | tr -d ' ')

# Clients of the API and of the pages, for Python and for Node.
clients := .cache/clients
clients_venv := $(clients)/venv/.requirements-$(shell cksum < test/clients/requirements.txt | tr -d ' ')
clients_node := $(clients)/node/.packages-$(shell cksum < test/clients/package.json | tr -d ' ')

FUZZTIME ?= 10m
JOBS     ?= 4

.PHONY: help build setup demo test test-engines test-clients test-alerts docs test-avx2 race lint conformance bench bench-tokenize bench-generate bench-search bench-asks bench-watched gpu-pack gpu-check soak mixed chaos fuzz sbom vuln require

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: require ## bin/textmill
	CGO_ENABLED=1 $(GO) build -trimpath -ldflags "-X main.version=$(version)" -o $(bin) ./cmd/textmill

setup: build ## libonnxruntime and the default models, into the cache, verified by SHA-256
	$(bin) setup

demo: setup ## the main job end to end on the documentation of Go's standard library
	$(bin) demo

test: setup $(stamp) $(s3_server) $(templates) $(previous) ## every test, the ones with foreign readers and clients too
	$(GO) vet ./...
	$(GO) run ./internal/avx2 -out .cache/avx2
	$(GO) test -vet=off -ldflags=-w -timeout 18m ./test ./internal/chaos ./... # the longest first, or one would run alone at the end
	@echo 'the same bits in every batch, by kind of processor:'
	@$(GO) test -v -run '^TestProcessors$$' ./models/generate | sed -n 's/^ *[a-z_]*\.go:[0-9]*:/ /p'

test-engines: build $(engines_venv) $(engines_jars) ## every recipe of `textmill table load` against its engine: make test-engines ARGS="duckdb pgvector"
	$(GO) build -o $(engines)/maketable ./internal/maketable
	$(engines)/venv/bin/python test/engines/run.py $(bin) $(engines)/maketable $(engines)/jars $(ARGS)

test-clients: setup $(clients_venv) $(clients_node) ## the API and the pages by clients that are not ours, and by Chromium: make test-clients ARGS="openai_embeds"
	$(clients)/venv/bin/python test/clients/run.py $(bin) $(clients)/node $(ARGS)

test-alerts: require ## the alert rules and the Grafana board against Prometheus' own parser and evaluator
	$(GO) test -C test/prometheus ./...

docs: require ## what docs takes from the code: commands, keys, params, metrics, pages, columns, models
	TEXTMILL_TEST_UPDATE_DOCS=1 $(GO) test -count=1 -run '^(TestReference|TestScoreboard$$)' ./cmd/textmill ./config ./daemon/... ./export/part ./models/checkpoint

test-avx2: setup $(stamp) $(s3_server) $(templates) $(previous) ## every test as on a processor with AVX2 and without AVX-512, on one that has it
	$(GO) run ./internal/avx2 -out .cache/avx2
	$(GO) test -exec $(abspath .cache/avx2/run) -timeout 40m ./...

race: setup $(stamp) $(s3_server) $(templates) $(previous) ## every test under the race detector
	$(GO) test -race -timeout 40m ./...

lint: require $(golangci) $(deadcode) ## formatting, go vet, staticcheck, gosec, unreachable functions and a dozen more, as .golangci.yml says
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'run: gofmt -w .'; exit 1; }
	$(GO) vet ./...
	$(golangci) run ./...
	@found=$$($(deadcode) -test ./...) && test -z "$$found" || { echo "nothing calls:"; echo "$$found"; exit 1; }

vuln: require $(govulncheck) ## known vulnerabilities in the code that textmill calls, where their database can be reached
	@deploy/vuln $(govulncheck)

conformance: setup $(stamp) ## tokens against Hugging Face's (14 tokenizers, random ones, damaged ones, the command), templates against jinja2
	$(venv)/bin/python tokenize/conformance/compare.py
	$(venv)/bin/python tokenize/conformance/parts.py
	$(venv)/bin/python tokenize/conformance/compose.py
	$(venv)/bin/python tokenize/conformance/mutate.py
	$(venv)/bin/python tokenize/conformance/command.py
	$(venv)/bin/python tokenize/chat/testdata/differential.py --seed $$(date +%s) --count 100000 --out .cache/differential.jsonl.gz
	$(GO) test -count=1 -run TestEveryExpressionAsInJinja2 ./tokenize/chat -cases $(abspath .cache/differential.jsonl.gz)

bench: setup $(stamp) ## throughput against a bare ONNX Runtime loop, and memory over 100,000 texts
	bench/run

bench-tokenize: setup $(stamp) ## tokens per second and time to load against Hugging Face's library
	$(venv)/bin/python bench/tokenization.py

bench-generate: setup $(peers) ## tokens per second against transformers, onnxruntime-genai and llama.cpp: make bench-generate ARGS="--pairs 3"
	$(peers_venv)/bin/python bench/generate/compare.py $(ARGS)

bench-search: build ## one question to a million vectors, warm, and cold beside dd: make bench-search ARGS="--precision int8"
	$(PYTHON) bench/search.py $(ARGS)

bench-asks: setup $(stamp) ## questions over HTTP beside a bulk job: make bench-asks ARGS="--pairs 5 --seconds 10"
	$(venv)/bin/python bench/asks.py $(ARGS)

bench-watched: setup $(stamp) ## processor seconds a row with page open, metrics scraped and traces at 1 %, against none: make bench-watched ARGS="--pairs 9"
	$(venv)/bin/python bench/watched.py $(ARGS)

gpu-pack: build ## a folder of 90 MB at most for a machine with a card and no network: make gpu-pack ARGS="--architecture 90"
	$(bin) setup --device cuda
	$(PYTHON) bench/gpu/pack.py --binary $(bin) --to .cache/gpu-pack $(ARGS)

gpu-check: build ## whether a card of this machine keeps what is promised, and how fast it is: make gpu-check ARGS="--device cuda:1"
	$(bin) setup --device cuda
	$(PYTHON) bench/gpu/check.py --binary $(abspath $(bin)) --home "$$($(PYTHON) bench/gpu/pack.py --print-home)" $(ARGS)

mixed: setup $(stamp) ## one table that everything changes at once, read all the while: make mixed ARGS="--minutes 10"
	$(venv)/bin/python bench/mixed.py $(ARGS)

soak: setup $(stamp) ## an hour of everything at once: memory, descriptors and goroutines must stay flat: make soak ARGS="--minutes 60"
	$(venv)/bin/python bench/soak.py $(ARGS)

chaos: setup $(stamp) $(s3_server) ## break everything on purpose and count: make chaos ARGS="-seed 1 -records 500000 -faults 2000 -time 1h"
	$(GO) run ./internal/chaos/run $(ARGS)

fuzz: require ## every fuzz target, 10 minutes each, within 2 GiB: make fuzz FUZZTIME=1m JOBS=8 ARGS="-only tokenize"
	$(GO) run ./internal/fuzz -time $(FUZZTIME) -jobs $(JOBS) $(ARGS)

sbom: build ## what the binary is made of, with licences, and bin/textmill.cdx.json for tools
	$(GO) run ./internal/sbom -json $(bin) > bin/textmill.cdx.json
	$(GO) run ./internal/sbom $(bin)

$(golangci):
	$(call install,github.com/golangci/golangci-lint/v2/cmd/golangci-lint)

$(deadcode):
	$(call install,golang.org/x/tools/cmd/deadcode)

$(govulncheck):
	$(call install,golang.org/x/vuln/cmd/govulncheck)

# install builds the package $(1) in the version that the target's name ends in; the target appears whole.
define install
	@deploy/require build
	@mkdir -p $(tools)
	GOBIN=$(abspath $@.new) $(GO) install $(1)@$(lastword $(subst -v, v,$(notdir $@)))
	mv $@.new/$(notdir $(1)) $@
	@rmdir $@.new
endef

$(stamp): test/requirements.txt
	@deploy/require python
	$(PYTHON) -m venv $(venv)
	$(venv)/bin/python -m pip install --quiet --disable-pip-version-check -r test/requirements.txt
	@rm -f $(venv)/.requirements-*
	@touch $@

$(engines_venv): test/engines/requirements.txt
	@deploy/require python
	$(PYTHON) -m venv $(engines)/venv
	$(engines)/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-cache-dir -r test/engines/requirements.txt
	@rm -f $(engines)/venv/.requirements-*
	@touch $@

$(clients_venv): test/clients/requirements.txt
	@deploy/require python
	$(PYTHON) -m venv $(clients)/venv
	$(clients)/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-cache-dir -r test/clients/requirements.txt
	@rm -f $(clients)/venv/.requirements-*
	@touch $@

$(clients_node): test/clients/package.json
	@deploy/require browser
	@rm -rf $(clients)/node
	@mkdir -p $(clients)/node
	cp test/clients/package.json $(clients)/node
	npm install --prefix $(clients)/node --silent --no-audit --no-fund --no-package-lock
	@touch $@

$(engines_jars): test/engines/spark.xml
	@deploy/require maven
	rm -rf $(engines)/jars
	mvn --batch-mode --quiet -f test/engines/spark.xml dependency:copy-dependencies -DincludeGroupIds=io.delta,io.unitycatalog -DoutputDirectory=$(abspath $(engines)/jars)
	@touch $@

$(templates): $(stamp) $(addprefix tokenize/chat/testdata/,templates.py environment.py golden.py)
	$(venv)/bin/python tokenize/chat/testdata/templates.py

# The S3 server of the tests has requirements of its own, which are not textmill's.
$(s3_server): test/s3/go.mod test/s3/go.sum
	$(GO) build -C test/s3 -trimpath -o $(abspath $@) github.com/versity/versitygw/cmd/versitygw

$(previous): test/testdata/previous deploy/previous
	GO=$(GO) deploy/previous $(notdir $@) $@

$(peers): bench/generate/requirements.txt
	@deploy/require python
	$(PYTHON) -m venv $(peers_venv)
	$(peers_venv)/bin/python -m pip install --quiet --disable-pip-version-check -r bench/generate/requirements.txt
	@rm -f $(peers_venv)/.requirements-*
	@touch $@

require:
	@deploy/require build
