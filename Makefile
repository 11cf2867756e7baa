# Every check that CI makes is a target here; CI itself is .ci/run.

SHELL       := /bin/sh
GO          ?= go
FUZZTIME    ?= 30s
BENCHTIME   ?= 1s
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.1.4

# scripts/setup puts a newer Node here when the one of the system is too old.
export PATH := $(CURDIR)/.bin/node/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup run build test quick commits race contract fuzz bench lint format generate console generated torture check vuln clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what the tests need, or say what to install
	@scripts/setup

run: ## start the server as `go run .` does
	$(GO) run .

build: ## build ./portalhooks, the same bytes every time
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -buildid=" -o portalhooks .

test: setup ## run every test, with the race detector, in random order
	$(GO) test -race -shuffle=on -timeout 15m ./...

quick: ## run what a change needs first: SQLite only, no race detector, under a minute
	@scripts/quick

commits: ## check the messages of new commits
	@scripts/commits

race: test ## the same as test, which always looks for races

contract: setup ## run the storage contract on SQLite and on PostgreSQL
	$(GO) test -race -shuffle=on -timeout 15m -count 1 ./ent/...

fuzz: setup ## fuzz every target for FUZZTIME (30s)
	@scripts/fuzz $(FUZZTIME)

torture: setup ## run the fault tests in their long form, about 20 minutes
	@scripts/torture

bench: setup ## run every benchmark for BENCHTIME (1s)
	@folders=$$(scripts/declaring Benchmark) && \
	if [ -n "$$folders" ]; then $(GO) test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) $$folders; fi

lint: .bin/golangci-lint ## check style and the import law
	.bin/golangci-lint run

format: .bin/golangci-lint ## rewrite files as the linter wants them
	.bin/golangci-lint fmt

# The linter has a module of its own, so that what it depends on does not
# choose the versions of what the product is made of. See docs/adr.
.bin/golangci-lint: tools/go.mod tools/go.sum
	cd tools && $(GO) build -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@touch $@

generate: ## regenerate the code: storage first, then the API
	$(GO) generate ./ent
	$(GO) tool gqlgen generate

console: ## rebuild the console from console/app into console/dist
	rm -rf console/dist
	cp -R console/app console/dist

generated: ## fail when the generated code or the built console is not current
	@scripts/unchanged $(MAKE) --no-print-directory generate console

check: ## all that CI checks
	@bash .ci/run

vuln: ## look for known vulnerabilities (needs the network)
	$(GO) run $(GOVULNCHECK) ./...

clean: ## remove what was built
	rm -rf .bin portalhooks
