# Every target needs Go alone, PostgreSQL's programs where a database is started, and make clients Node.

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
BASE     ?=

MODULE  = github.com/homeroom-sms/homeroom
VERSION = $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  = $(shell git rev-parse --verify --quiet HEAD 2>/dev/null || echo unknown)

# What is generated into the repository; CI proves that it is fresh.
GENERATED = ent/public ent/tenant atlas openapi

# The linters' module is not the program's: their hundreds of dependencies stay out of go.mod. Go keeps the
# built linter in its cache, so only the first run waits for it.
TOOL = go tool -modfile=.tools/go.mod

# The programs that read OpenAPI documents are in a module of their own too.
OPENAPI_TOOL = go tool -modfile=.tools/openapi.mod

# The atlas command, for the tests that it and we see the same. It takes minutes to build, so who wants it asks for it.
export HOMEROOM_TEST_ATLAS ?= $(wildcard $(CURDIR)/bin/atlas)

# The TypeScript client and the rules of the documents need Node 20 or newer; all else does without.
TYPESCRIPT = openapi/clients/typescript
NPM        = npm --prefix $(TYPESCRIPT)
NODE      := $(shell node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null && command -v npm)
NO_NODE    = echo 'Skipped: $(1), without Node 20 or newer (apt-get install nodejs npm).'

# The packages with tests: a line for each generated one that has none would bury the others.
TESTED = go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' $(PKG)

# The version is passed in below. Go's own stamping fails in a checkout that belongs to another user.
export GOFLAGS += -buildvcs=false

# A service account may have no home, or one it can't write to, and Go has then nowhere to put its caches.
ifneq ($(shell test -n "$$HOME" && mkdir -p "$$HOME/.cache" 2>/dev/null && test -w "$$HOME/.cache" && echo yes),yes)
export GOCACHE             ?= $(CURDIR)/.cache/go-build
export GOMODCACHE          ?= $(CURDIR)/.cache/go-mod
export GOLANGCI_LINT_CACHE ?= $(CURDIR)/.cache/golangci-lint
export npm_config_cache    ?= $(CURDIR)/.cache/npm
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

bin/atlas: .tools/atlas.mod
	go build -modfile=$< -o $@ ariga.io/atlas/cmd/atlas

# -count=1: the tests ask PostgreSQL and the go command, and Go's cache of results sees neither change.
.PHONY: test
test: ## every test, from a fresh checkout, with nothing running (PKG=./internal/school/...)
	@[ '$(PKG)' != ./... ] || $(MAKE) test-clients
	@[ -d "$${HOMEROOM_TEST_DISTRICT:-../shared/data/district}" ] || \
		echo 'Skipped: the tests with a real district, whose export is not here (HOMEROOM_TEST_DISTRICT=folder).'
	@[ -n "$$HOMEROOM_TEST_ATLAS" ] || command -v atlas >/dev/null || \
		echo 'Skipped: the test with the atlas command, which is not here (make bin/atlas, or HOMEROOM_TEST_ATLAS=path).'
	@tested=$$($(TESTED)) && go test -count=1 -shuffle=on $$tested

.PHONY: test-clients
test-clients: build ## both clients against bin/homeroom
	@cd openapi/clients/go && HOMEROOM_BIN=$(CURDIR)/bin/homeroom go test -count=1 -timeout 90s .
ifdef NODE
	@$(MAKE) $(TYPESCRIPT)/node_modules
	@$(NPM) run --silent build
	@HOMEROOM_BIN=$(CURDIR)/bin/homeroom $(NPM) test --silent
else
	@$(call NO_NODE,the tests of the TypeScript client)
endif

.PHONY: race
race: ## the tests under the race detector, which needs a C compiler (PKG=./internal/school/...)
	@tested=$$($(TESTED)) && CGO_ENABLED=1 go test -race -count=1 -shuffle=on $$tested

# Generated packages are left out: golangci-lint would analyse them for minutes only to drop what it finds.
# All migrations, not the new ones: that needs no history, and what is committed has no findings.
.PHONY: lint
lint: build ## formatting, go vet, the linters of .golangci.yml, homeroom migrate lint, redocly's rules for the documents
	@bin/homeroom migrate lint --all
	@packages=$$(go list ./...) && folders=$$(echo "$$packages" | sed 's|^$(MODULE)|.|') && \
	$(TOOL) golangci-lint run $$(echo "$$folders" | grep -Ev '^\./ent/(public|tenant)(/|$$)') \
		$$(echo "$$folders" | grep -E '^\./ent/(public|tenant)/schema$$')
	@cd openapi/clients/go && go vet ./...
ifdef NODE
	@$(MAKE) $(TYPESCRIPT)/node_modules
	@$(NPM) run --silent lint
else
	@$(call NO_NODE,the rules of the documents)
endif

.PHONY: fmt
fmt: ## format the Go files as lint asks
	@$(TOOL) golangci-lint fmt

.PHONY: generate
generate: ## the ent graphs, the migrations they ask for (NAME=add_homework), the OpenAPI documents
	go generate ./ent/...
	@$(MAKE) build
	bin/homeroom migrate diff $(NAME)
	@$(MAKE) documents

.PHONY: documents
documents: build ## the OpenAPI documents
	bin/homeroom openapi --api system --format yaml >bin/system.yaml
	bin/homeroom openapi --api tenant --format yaml >bin/tenant.yaml
	@mv bin/system.yaml bin/tenant.yaml openapi/

# The client in TypeScript has the version of the documents; npm wants three numbers.
.PHONY: clients
clients: documents $(TYPESCRIPT)/node_modules clients-go ## the clients in TypeScript and Go, from the OpenAPI documents
	@$(NPM) version --silent --allow-same-version --no-git-tag-version \
		"$$(sed -n 's/^  version: "\(.*\)"$$/\1.0.0/p' openapi/system.yaml)" >/dev/null
	@touch $(TYPESCRIPT)/node_modules
	$(NPM) run --silent generate
	$(NPM) run --silent build

.PHONY: clients-go
clients-go: ## the client in Go, which needs no Node
	for api in system tenant; do \
		$(OPENAPI_TOOL) oapi-codegen -config openapi/clients/go/oapi-codegen.yaml -package $$api \
			-o openapi/clients/go/$$api/client.gen.go openapi/$$api.yaml || exit 1; \
	done

# npm ci writes exactly what package-lock.json says; nothing in it runs a script.
$(TYPESCRIPT)/node_modules: $(TYPESCRIPT)/package-lock.json
	@[ -n '$(NODE)' ] || { echo 'The TypeScript client needs Node 20 or newer: apt-get install nodejs npm' >&2; exit 1; }
	$(NPM) ci --silent --ignore-scripts --prefer-offline
	@touch $@

# git status, because git diff alone overlooks a new file.
.PHONY: check-fresh
check-fresh: generate ## fail if generate or clients changes anything that is committed
ifdef NODE
	@$(MAKE) clients
else
	@$(MAKE) clients-go
	@$(call NO_NODE,whether the TypeScript client is fresh)
endif
	go mod tidy -diff
	cd openapi/clients/go && go mod tidy -diff
	@git diff --exit-code -- $(GENERATED)
	@stale=$$(git status --porcelain -- $(GENERATED)) && if [ -n "$$stale" ]; then \
		echo "$$stale"; echo 'Generated, but not committed: run make generate and make clients, and commit what it writes.'; exit 1; fi

# Without BASE: where this branch left main, and on main the commit before.
.PHONY: check-breaking
check-breaking: ## what would break the clients of earlier documents (BASE=v1.2)
	@base='$(BASE)'; [ -n "$$base" ] || base=$$(git merge-base HEAD origin/main 2>/dev/null) || base=HEAD; \
	[ "$$(git rev-parse "$$base")" != "$$(git rev-parse HEAD)" ] || base=HEAD~1; \
	for api in system tenant; do \
		document=openapi/$$api.yaml; \
		if git cat-file -e "$$base:$$document" 2>/dev/null; then \
			echo "$$document, against $$(git rev-parse --short "$$base"):"; \
			$(OPENAPI_TOOL) oasdiff breaking --color never "$$base:$$document" $$document || exit 1; \
		else \
			echo "Skipped: $$document has no earlier version to compare with."; \
		fi; \
	done

.PHONY: fuzz
fuzz: ## 20,000 odd requests, then every fuzz target for FUZZTIME (10s) each (PKG=./internal/tenancy)
	@[ '$(PKG)' != ./... ] || go test -count=1 -v -timeout 0 -run '^TestFlood$$' ./internal/httpapi/contract -requests 20000
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

# The same for the migrations of a fleet: bin/bench-fleet.json.
.PHONY: bench-fleet
bench-fleet: ## what making a school and migrating 1,000 cost above the least that they could (ARGS='-schools 200')
	@go run ./internal/bench fleet $(ARGS)

.PHONY: bench-go
bench-go: ## Go's benchmarks (BENCH=Import PKG=./internal/roster)
	@tested=$$($(TESTED)) && go test -run '^$$' -bench '$(BENCH)' -benchmem $$tested

.PHONY: hammer
hammer: ## schools on few connections while everything goes wrong, for DURATION (5m) (ARGS='-goroutines 64 -pool 4')
	go test -count=1 -v -timeout 0 -run '^(TestHammer|TestHammerPooled)$$' ./internal/entpgx -duration $(DURATION) $(ARGS)
