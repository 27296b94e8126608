# Everything that people and CI run. `make demo` (downloads about 290 MB) and `make test` (about 2 GB) need Python 3.10 or
# newer, nothing else. `make web` needs Node.js 20.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SOURCE ?= examples/hands.mp4
# Processes of the tests. The tests of one file stay together, since they share what is slow to make.
JOBS ?= 2
# A test that fails is run again up to so often, and the summary names it: tests with browsers, live streams and real
# processes can lose a race on a busy machine. 0 shows every failure.
RERUNS ?= 2

.PHONY: demo test check format old-packages bench bench-accuracy fuzz audit web npm-check matrix docs docs-site dist clean

demo: $(VENV)/user
	$(BIN)/knuckle track "$(SOURCE)" --out out/ --save out/

test: $(VENV)/dev
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --reruns $(RERUNS) --reruns-delay 1 -r R

check: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python .ci/audit.py --sbom build/knuckle.cdx.json

format: $(VENV)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Packages on top of MediaPipe, for tests/mediapipe/test_scripts.py. They lie apart, since they want another OpenCV.
OLD := build/old_packages
DEX := https://raw.githubusercontent.com/dexsuite/dex-retargeting/0b52c048d09c54afb943fec5a95cc3b381fd1b77
old-packages: $(VENV)/dev
	$(INSTALL) --upgrade --no-deps --target $(OLD)/cvzone-1.6.1 cvzone==1.6.1
	$(INSTALL) --upgrade --no-deps --target $(OLD)/cvzone-2.0.0 cvzone==2.0.0
	mkdir -p $(OLD)/dex-retargeting
	cd $(OLD)/dex-retargeting && curl -fsSLO $(DEX)/example/vector_retargeting/single_hand_detector.py

bench: $(VENV)/dev
	$(BIN)/python benchmarks/bench.py
	$(BIN)/python docs/make_tables.py

bench-accuracy: $(VENV)/dev
	$(BIN)/python benchmarks/accuracy.py

web: web/node_modules/.package-lock.json
	cd web && npm run --silent build

web/node_modules/.package-lock.json: web/package-lock.json
	cd web && npm ci --no-audit --no-fund --silent
	touch $@

# Checks of the npm package: its entry points, their types in every way of resolving them, and what would be published.
npm-check: web
	cd web && npx --yes publint@0.3.25 --strict
	cd web && npx --yes @arethetypeswrong/cli@0.18.5 --pack . --ignore-rules cjs-resolves-to-esm --exclude-entrypoints worker.js
	cd web && npm publish --dry-run --tag next

# Fresh apps with the npm package and every bundler, opened in Chromium; the versions go into web/README.md.
matrix: web $(VENV)/dev
	KNUCKLE_MATRIX=1 $(BIN)/python -m pytest tests/web/test_web_bundlers.py

# Writes the generated parts of the documents: tables, command line help, pictures.
docs: $(VENV)/dev
	$(BIN)/python docs/make_docs.py

# Builds the documents as a site in site/. A broken link or a public name without documentation stops it.
docs-site: $(VENV)/dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Hostile files for every reader: SECONDS for all TARGETS together (all without any). tests/fuzz/fuzz.py says more.
SECONDS ?= 600
fuzz: $(VENV)/dev
	$(INSTALL) "atheris>=3.0; sys_platform == 'linux'" || echo "Atheris cannot be installed here; fuzzing goes on without it"
	$(BIN)/python tests/fuzz/fuzz.py --seconds $(SECONDS) --record $(TARGETS)

# What the package depends on, as in `make check`: licences, known weaknesses, actions of the workflows, list of parts. Says
# "not checked" where a service cannot be reached.
audit: $(VENV)/dev
	$(BIN)/python .ci/audit.py --sbom build/knuckle.cdx.json

# The packages of a release, checked, and what they consist of (SBOM, CycloneDX): Python with the server, and the browser.
dist: web $(VENV)/dev
	rm -rf dist
	$(INSTALL) --group release
	$(BIN)/python -m build --outdir dist
	$(BIN)/twine check --strict dist/*.whl dist/*.tar.gz
	cd web && npm pack --silent --pack-destination ../dist
	$(PYTHON) -m venv --clear $(VENV)/plain
	$(VENV)/plain/bin/python -m pip install --quiet --disable-pip-version-check "$$(ls dist/*.whl)[serve]"
	$(BIN)/cyclonedx-py environment $(VENV)/plain --pyproject pyproject.toml --output-file dist/knuckle.cdx.json
	cd web && npm sbom --sbom-format cyclonedx --package-lock-only > ../dist/knuckle-web.cdx.json

clean:
	rm -rf $(VENV) out site web/node_modules web/dist src/knuckle/serve/page benchmarks/scratch dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Knuckle needs Python 3.10 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --upgrade "pip>=25.1"

$(VENV)/user: $(VENV)/bin/python pyproject.toml
	$(INSTALL) --editable '.[parquet]'
	touch $@

$(VENV)/dev: $(VENV)/bin/python pyproject.toml
	# pydantic-core as a wheel: the newest one may have none yet, and building it needs Rust.
	$(INSTALL) --only-binary pydantic-core --editable . --group dev --group docs --group integrations
	touch $@ $(VENV)/user
