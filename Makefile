# Each target says here what it does; how is in deploy/dev/.
export PATH := $(PATH):$(HOME)/.cargo/bin
binary = $(or $(CARGO_TARGET_DIR),target)/debug/tidewatch
servers = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tidewatch/servers
export SEEDS ?= 2000
# Version 2 is a command of docker's, version 1 one of its own.
compose = $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)

.PHONY: help demo test unit sim e2e lint fuzz bench reference dashboards kafka kafka-stop s3 s3-stop up down images stack
help:
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1|/p' Makefile | awk -F'|' '{ printf "make %-11s %s\n", $$1, $$2 }'

demo: ## replay a sample of attacks through all four services; ARGS="--listen" and others go to the demo
	@test -x $(binary) || echo "The first build takes 15 to 20 minutes on two cores, most of it RocksDB; later ones take seconds."
	@deploy/dev/packages.sh build
	@cargo build --locked -p tidewatch
	@$(binary) demo $(ARGS)

test: ## everything, against a real Kafka and a real S3; installs what it needs
	@deploy/dev/test.sh

unit: ## unit and property tests, and the tests inside rule files
	@deploy/dev/test.sh unit build rules

sim: ## the deterministic simulation; SEEDS=2000
	@deploy/dev/test.sh sim

e2e: ## the services as processes against a real Kafka and a real S3
	@deploy/dev/test.sh packages build servers e2e faults

lint: ## formatting, clippy, layers, scripts, licences
	@deploy/dev/test.sh shell fmt clippy layering deny

bench: ## nanoseconds per event beside baselines and a peer; ARGS="quiet" and others go to criterion
	@export CARGO_TARGET_DIR=$(or $(CARGO_TARGET_DIR),$(CURDIR)/target); cd benches && cargo bench --locked --bench matching -- $(ARGS)

fuzz: ## any text to the readers of rules, for MINUTES=5 each; needs a nightly compiler
	@deploy/dev/fuzz.sh $(MINUTES)

reference: ## docs/configuration.md and the example configurations, anew from the code
	@deploy/dev/packages.sh build
	@cargo build --locked -p tidewatch
	@$(binary) config reference >docs/configuration.md
	@$(binary) config example >deploy/tidewatch.example.yml
	@for service in ingest detector alerter archiver; do \
		$(binary) config example $$service >deploy/config/$$service.yml || exit; \
	done

dashboards: ## write deploy/grafana/dashboards from deploy/grafana/src
	@deploy/dev/grafana.sh write

up: ## the whole of docker-compose.yml, built here; Grafana on http://localhost:3000
	@deploy/compose/init.sh
	@$(compose) up --build --detach

down: ## end it; its data stay in volumes
	@$(compose) down

images: ## stand-ins for images that cannot be pulled, made of Debian's packages; as root
	@deploy/dev/images.sh

stack: ## docker-compose.yml brought up from nothing, attacked, its services killed one after the other; needs an engine
	@$(compose) build
	@deploy/dev/stack/stack.py $(ARGS)

kafka: ## a one-node Apache Kafka on 127.0.0.1:9092 that stays
	@deploy/dev/kafka.sh start $(servers)/kafka 9092

kafka-stop: ## end it; its data stays
	@deploy/dev/kafka.sh stop $(servers)/kafka

s3: ## an S3 with Object Lock on http://127.0.0.1:9000 that stays, in memory
	@deploy/dev/s3.sh start $(servers)/s3 9000

s3-stop: ## end it; its data goes
	@deploy/dev/s3.sh stop $(servers)/s3
