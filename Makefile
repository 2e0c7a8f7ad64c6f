# Targets carry their help behind two hashes; `make` alone lists them.
.DEFAULT_GOAL := help
GOLANGCI := .tools/bin/golangci-lint-v2.15.0
# The version is what git says of the source; a copy without git has none.
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS := -X main.described=$(VERSION)

OAPI_CODEGEN := github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2
.PHONY: help run build check lint format test conformance ledger settings api security crash soak deps screens pictures bench cover fuzz vuln module release
help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

run: ## run the emulator
	go run -ldflags "$(LDFLAGS)" ./cmd/pscemu

build: ## build ./pscemu
	go build -trimpath -ldflags "$(LDFLAGS)" -o pscemu ./cmd/pscemu

check: lint ## fast: the linters and the unit tests
	go test -short ./...

lint: $(GOLANGCI) ## formatting, vet, staticcheck and the other linters of .golangci.yml; a tidy module
	$(GOLANGCI) run ./...
	GOWORK=off go mod tidy -diff

format: $(GOLANGCI) ## format the code, long lines too
	$(GOLANGCI) fmt ./...

$(GOLANGCI):
	@echo "building golangci-lint, once"
	@GOWORK=off GOBIN=$(CURDIR)/$(@D) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
	@mv $(@D)/golangci-lint $@

deps: ## install what the tests need on a bare Debian machine
	@.ci/deps

test: deps lint ## everything: unit, protocol and browser tests under the race detector
	TEST_BROWSER=required go test -race -timeout 25m -count=1 ./...
	@$(MAKE) --no-print-directory fuzz FUZZTIME=2s
	@echo "ran: golangci-lint, go mod tidy -diff, unit + protocol + browser tests (race detector), each fuzz target for 2 s"

conformance: ## the OpenID Foundation's checks against a running emulator, as a table
	@CONFORMANCE_TABLE=1 go test -count=1 -v -run '^TestConformance$$' ./cmd/pscemu

ledger: ## write docs/fidelity.md anew
	go run ./cmd/pscemu fidelity > docs/fidelity.md

settings: ## write the settings tables of the guides anew
	UPDATE=1 go test -count=1 -run TestTheSettingsReferenceIsTheTable ./config

api: ## write the client of the control API anew, from the OpenAPI document of the operations
	go test -count=1 -run TestTheDocumentSaysWhatTheCommentsSay ./console/api -update
	go test -count=1 -run TestTheClientIsMadeFromTheDocument ./console/api -update
	cd internal/api && go run $(OAPI_CODEGEN) -config oapi-codegen.yaml openapi.json
	cd internal/api && sha256sum openapi.json > openapi.sha256

security: ## write docs/security.md anew: each attack with its tests
	UPDATE=1 go test -count=1 -run TestTheAttackTableIsTrue ./cmd/pscemu

crash: ## kill the server three hundred times under load
	CRASHES=300 go test -count=1 -v -timeout 30m -run TestAttack34 ./cmd/pscemu

SOAK_MINUTES ?= 20
soak: ## a hundred thousand logins, and SOAK_MINUTES of anonymous requests: flat memory, no goroutine left behind
	SOAK=100000 go test -count=1 -v -timeout 40m -run TestASoakLeaksNothing ./cmd/pscemu
	SOAK_MINUTES=$(SOAK_MINUTES) go test -count=1 -v -timeout 60m -run TestASoakOfAnonymous ./cmd/pscemu

screens: deps ## keep screenshots of the pages in screens/
	SCREENS=$(CURDIR)/screens TEST_BROWSER=required go test -count=1 -run Browser ./cmd/pscemu

pictures: deps ## take the pictures of the README anew
	SCREENS=$(CURDIR)/screens TEST_BROWSER=required go test -count=1 -run TestBrowserTheConsoleTellsALogin ./cmd/pscemu
	cp screens/readme-login.png docs/login.png
	cp screens/readme-console.png docs/console.png

COUNT ?= 1
bench: ## Go benchmarks of each step of a login, for benchstat (make -s bench COUNT=10 >new.txt)
	@go test -run '^$$' -bench . -benchmem -count $(COUNT) ./...

cover: ## how much of each package its own tests cover; fails under 70 %
	@bash -o pipefail -c 'go test -short -cover ./... 2>&1 | .ci/cover'

FUZZTIME ?= 1m
fuzz: ## fuzz every parser (FUZZTIME=1m each)
	@go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./... | while read -r p; do \
		for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz'); do \
			echo "$$p $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p >fuzz.log 2>&1 || { cat fuzz.log; exit 1; }; done; done; rm -f fuzz.log

vuln: ## known vulnerabilities in what is linked (asks vuln.go.dev, or the copy that GOVULNDB names)
	go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./...

module: ## give the module another path, everywhere: make module PATH=example.org/pscemu
	@$(CURDIR)/.ci/module "$(PATH)"

PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
release: ## in dist/: a stripped binary for each platform, with its SBOM (CycloneDX), and SHA256SUMS
	@.ci/release "$(VERSION)" $(PLATFORMS)
