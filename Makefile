# Every target needs Go alone, and PostgreSQL's programs where a database is started.

MAKEFLAGS     += --no-print-directory
.DEFAULT_GOAL := help
SHELL         := /bin/sh

# What a person may set: make run ARGS='--listen :9000', make test PKG=./internal/school/... .
ARGS     ?=
PKG      ?= ./...
NAME     ?=
FUZZTIME ?= 10s
BENCH    ?= .
DURATION ?= 5m

MODULE  = github.com/homeroom-sms/homeroom
VERSION = $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  = $(shell git rev-parse --verify --quiet HEAD 2>/dev/null || echo unknown)

# What is generated into the repository; CI proves that it is fresh.
GENERATED = ent/public ent/tenant atlas openapi

# The linters' module is not the program's: their hundreds of dependencies stay out of go.mod. Go keeps the
# built linter in its cache, so only the first run waits for it.
TOOL = go tool -modfile=.tools/go.mod

# The packages with tests: a line for each generated one that has none would bury the others.
TESTED = go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' $(PKG)

# The version is passed in below. Go's own stamping fails in a checkout that belongs to another user.
export GOFLAGS += -buildvcs=false

# A service account may have no home, or one it can't write to, and Go has then nowhere to put its caches.
ifneq ($(shell test -n "$$HOME" && mkdir -p "$$HOME/.cache" 2>/dev/null && test -w "$$HOME/.cache" && echo yes),yes)
export GOCACHE             ?= $(CURDIR)/.cache/go-build
export GOMODCACHE          ?= $(CURDIR)/.cache/go-mod
export GOLANGCI_LINT_CACHE ?= $(CURDIR)/.cache/golangci-lint
endif

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## homeroom dev: a private PostgreSQL, two demo schools, the service (ARGS='--listen :9000')
	@bin/homeroom dev $(ARGS)

.PHONY: build
build: ## build bin/homeroom
	go build -ldflags '-X main.version=$(VERSION) -X main.commit=$(COMMIT)' -o bin/homeroom ./cmd/homeroom

# -count=1: the tests ask PostgreSQL and the go command, and Go's cache of results sees neither change.
.PHONY: test
test: ## every test, from a fresh checkout, with nothing running (PKG=./internal/school/...)
	@[ -d "$${HOMEROOM_TEST_DISTRICT:-../shared/data/district}" ] || \
		echo 'Skipped: the tests with a real district, whose export is not here (HOMEROOM_TEST_DISTRICT=folder).'
	@[ -n "$$HOMEROOM_TEST_ATLAS" ] || command -v atlas >/dev/null || \
		echo 'Skipped: the test with the atlas command, which is not here (HOMEROOM_TEST_ATLAS=path).'
	@tested=$$($(TESTED)) && go test -count=1 -shuffle=on $$tested

.PHONY: race
race: ## the tests under the race detector, which needs a C compiler (PKG=./internal/school/...)
	@tested=$$($(TESTED)) && CGO_ENABLED=1 go test -race -count=1 -shuffle=on $$tested

# Generated packages are left out: golangci-lint would analyse them for minutes only to drop what it finds.
# All migrations, not the new ones: that needs no history, and what is committed has no findings.
.PHONY: lint
lint: build ## formatting, go vet, the linters of .golangci.yml, homeroom migrate lint
	@bin/homeroom migrate lint --all
	@packages=$$(go list ./...) && folders=$$(echo "$$packages" | sed 's|^$(MODULE)|.|') && \
	$(TOOL) golangci-lint run $$(echo "$$folders" | grep -Ev '^\./ent/(public|tenant)(/|$$)') \
		$$(echo "$$folders" | grep -E '^\./ent/(public|tenant)/schema$$')

.PHONY: fmt
fmt: ## format the Go files as lint asks
	@$(TOOL) golangci-lint fmt

.PHONY: generate
generate: ## the ent graphs, the migrations they ask for (NAME=add_homework), the OpenAPI documents
	go generate ./ent/...
	@$(MAKE) build
	bin/homeroom migrate diff $(NAME)
	@$(MAKE) build
	@mkdir -p openapi
	bin/homeroom openapi --api system --format yaml >bin/system.yaml
	bin/homeroom openapi --api tenant --format yaml >bin/tenant.yaml
	@mv bin/system.yaml bin/tenant.yaml openapi/

# git status, because git diff alone overlooks a new file.
.PHONY: check-fresh
check-fresh: generate ## fail if generate changes anything that is committed
	go mod tidy -diff
	@git diff --exit-code -- $(GENERATED)
	@stale=$$(git status --porcelain -- $(GENERATED)) && if [ -n "$$stale" ]; then \
		echo "$$stale"; echo 'Generated, but not committed: run make generate and commit what it writes.'; exit 1; fi

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (10s) each (PKG=./internal/tenancy)
	@tested=$$($(TESTED)) && list=$$(go test -list '^Fuzz' $$tested) || { echo "$$list"; exit 1; }; targets=; \
	printf '%s\n' "$$list" | while read -r word package _; do \
		case $$word in \
		Fuzz*) targets="$$targets $$word" ;; \
		ok) for target in $$targets; do \
				echo "$$package $$target"; \
				go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package" </dev/null || exit 1; \
			done; targets= ;; \
		esac; \
	done

# Floor and product in one run; what is judged, and how it stands, is printed last and kept in bin/bench.json.
.PHONY: bench
bench: ## what a request costs above the least that it could (ARGS='-schools 1,100 -seconds 0.2')
	@go run ./internal/bench $(ARGS)

.PHONY: bench-go
bench-go: ## Go's benchmarks (BENCH=Import PKG=./internal/roster)
	@tested=$$($(TESTED)) && go test -run '^$$' -bench '$(BENCH)' -benchmem $$tested

.PHONY: hammer
hammer: ## schools on few connections while everything goes wrong, for DURATION (5m) (ARGS='-goroutines 64 -pool 4')
	go test -count=1 -v -timeout 0 -run '^(TestHammer|TestHammerPooled)$$' ./internal/entpgx -duration $(DURATION) $(ARGS)
