# trawl: a distributed web crawler and downloader. `make` lists what can be done.
GO   ?= go
SH   := $(shell git ls-files '*.sh' 2>/dev/null)
TREE := $(shell git ls-files '*.go' 2>/dev/null)

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

build: ## build the program as ./trawl
	@start=$$(date +%s); CGO_ENABLED=0 $(GO) build -o trawl ./cmd/trawl && echo "built ./trawl in $$(($$(date +%s) - start)) s"

run: build ## the main job on a real example: seeds, a scheduler, three fetchers, an export
	@./trawl demo

test: ## run the tests
	$(GO) test ./...

race: ## run the tests with the race detector
	$(GO) test -race ./...

lint: ## format, vet, modernize, staticcheck, module file
	@test -z "$$(gofmt -l $(TREE))" || { gofmt -l $(TREE); echo "not formatted: run gofmt -w"; exit 1; }
	$(GO) vet ./...
	$(GO) fix -diff ./...
	$(GO) tool staticcheck ./...
	$(GO) mod tidy -diff

check: lint race ## everything that must hold before a change lands

# Scripts that take less than a minute.
QUICK_SCRIPTS := $(addprefix test/accept/,run.sh download.sh hub.sh)

accept: build ## what a user must see, with real processes (an hour; QUICK=1 for those under a minute)
	@for t in $(if $(QUICK),$(QUICK_SCRIPTS),test/accept/*.sh); do echo "== $$t"; bash $$t ./trawl || exit 1; done

chaos: ## the fault bench: a cluster under seeded plans of faults (under 30 minutes; PLANS=5 for fewer)
	$(GO) run ./test/chaos $(if $(PLANS),-plans $(PLANS))

mutants: ## small mistakes in the code, one at a time: how many do the tests notice? (an hour)
	$(GO) run ./test/mutants

bench: ## speed as ratios to a bare client, from one interleaved run; writes bench/RESULTS.md
	$(GO) run ./bench -only all -write

URLS ?= 1e4,1e6,1e7
bench-ledger: ## what a link's check, a known URL and its memory cost at 10 thousand to 10 million known URLs (URLS=1e8 for more)
	CGO_ENABLED=0 $(GO) run ./bench/ledger -urls $(URLS)

bench-quick: ## has speed fallen? the ratios on small webs against bench/ratios.csv (under 3 minutes)
	$(GO) run ./bench -quick

fuzz: ## each fuzz target for ten seconds
	@for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p | grep ^Fuzz); do \
	  $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime 10s $$p || exit 1; done; done

generate: ## write the schema of the messages anew, as the tables of records say
	$(GO) test ./cluster/queue/wire -run TestTheProtoFileFollowsFromTheTables -update

cover: ## statement coverage by package
	$(GO) test -cover ./...

.PHONY: help build run test race lint check accept chaos mutants bench bench-quick bench-ledger fuzz generate cover
.DEFAULT_GOAL := help
