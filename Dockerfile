# `knuckle serve` on a CPU; docs/install.md says how to run it.

FROM node:22-slim AS page
WORKDIR /build/web
COPY web/package.json web/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY web .
COPY LICENSE NOTICE /build/
COPY docs/web.md /build/docs/
COPY src/knuckle/models/networks /build/src/knuckle/models/networks
COPY src/knuckle/gestures /build/src/knuckle/gestures
RUN mkdir -p ../src/knuckle/serve && npm run build

FROM python:3.12-slim AS packages
WORKDIR /build
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
COPY --from=page /build/src/knuckle/serve/page src/knuckle/serve/page
RUN python -m venv /knuckle && /knuckle/bin/pip install --no-cache-dir '.[serve]'

FROM python:3.12-slim
COPY --from=packages /knuckle /knuckle
ENV PATH=/knuckle/bin:$PATH PYTHONUNBUFFERED=1 KNUCKLE_CACHE=/cache
# The cache belongs to the user, so that a volume mounted there can be written.
RUN useradd --uid 1000 knuckle && install --directory --owner knuckle /cache
USER 1000
EXPOSE 8000
HEALTHCHECK --start-period=20s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["knuckle"]
CMD ["serve", "--host", "0.0.0.0", "--models", "knuckle"]
