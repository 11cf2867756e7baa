# Each check of CI is a target here; .ci/run calls them.

SHELL       := /bin/sh
GO          ?= go
FUZZTIME    ?= 30s
BENCHTIME   ?= 1s
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.1.4

# scripts/setup installs Node.js here when the system's version is too old.
export PATH := $(CURDIR)/.bin/node/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup run build test quick commits race contract fuzz bench lint format generate console graphiql generated torture check vuln clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what the tests need, or print what is missing
	@scripts/setup

run: ## start the server as `go run .` does
	$(GO) run .

build: ## build ./portalhooks, reproducibly
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -buildid=" -o portalhooks .

test: setup ## run all tests with the race detector, in random order
	$(GO) test -race -shuffle=on -timeout 15m ./...

quick: ## run the unit tests on SQLite, without the race detector, in under a minute
	@scripts/quick

commits: ## check the messages of the commits
	@scripts/commits

race: test ## the same as test, which always uses the race detector

contract: setup ## run the storage tests on SQLite and PostgreSQL
	$(GO) test -race -shuffle=on -timeout 15m -count 1 ./ent/...

fuzz: setup ## run each fuzz target for FUZZTIME (30s)
	@scripts/fuzz $(FUZZTIME)

torture: setup ## run the long form of the fault tests (about 20 minutes)
	@scripts/torture

bench: setup ## run each benchmark for BENCHTIME (1s)
	@folders=$$(scripts/declaring Benchmark) && \
	if [ -n "$$folders" ]; then $(GO) test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) $$folders; fi

lint: .bin/golangci-lint ## run the linters
	.bin/golangci-lint run

format: .bin/golangci-lint ## format the Go files
	.bin/golangci-lint fmt

# The linter has its own module, so that its dependencies do not determine the
# versions that the product uses: docs/adr/0007-lint-module.md
.bin/golangci-lint: tools/go.mod tools/go.sum
	cd tools && $(GO) build -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@touch $@

generate: ## generate the code of the storage, then of the API
	$(GO) generate ./ent
	$(GO) tool gqlgen generate

console: ## build console/dist from console/app
	rm -rf console/dist
	cp -R console/app console/dist

graphiql: ## fetch the pinned files of GraphiQL again and compare them (needs the network)
	@scripts/graphiql

generated: ## fail if the generated code or console/dist is out of date
	@scripts/unchanged $(MAKE) --no-print-directory generate console

check: ## run all checks of CI
	@bash .ci/run

vuln: ## check for known vulnerabilities (needs the network)
	$(GO) run $(GOVULNCHECK) ./...

clean: ## remove build results
	rm -rf .bin portalhooks
