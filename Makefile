# make run    the hub with a practice user office, practice scans and a local cluster, ready in the browser
# make test   every check and every test
# make env    the environment in .venv, which both stand on
# make lint, make bench, make lock, make clean

SHELL := /bin/bash
PORT ?= 8000
PYTEST_ARGS ?=

.PHONY: run test lint bench env lock clean

env: .venv/kernel

.venv/kernel: .venv/ready CMakeLists.txt $(wildcard stp3/kernels/native/*)
	@deploy/workstation/make-kernel

.venv/ready: requirements.lock pyproject.toml deploy/workstation/make-env
	@deploy/workstation/make-env

run: env
	@exec .venv/bin/python -m stp3_hub.practice --port $(PORT)

test: env lint
	@deploy/workstation/make-test-tools
	.venv/bin/python -m pytest $(PYTEST_ARGS)

lint: env
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

bench: env
	.venv/bin/python bench/kernels.py
	.venv/bin/python bench/steps.py
	.venv/bin/python bench/sorting.py
	.venv/bin/python bench/stripes.py
	.venv/bin/python bench/iterative.py
	.venv/bin/python bench/axis.py --large
	.venv/bin/python bench/api.py

# Names no registry.
lock:
	.venv/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --extra cluster --extra dashboards --extra hub --extra practice --extra test --upgrade -o requirements.lock

clean:
	rm -rf .venv var build *.egg-info stp3/kernels/*.so
