# wasmctl with the Go toolchain and Envoy: `docker run --rm -u $(id -u) -v $PWD:/work wasmctl build`.
# BASE: a Debian or Ubuntu with Python 3.11 or newer and its venv module.
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY templates templates
COPY wasmctl wasmctl
RUN python3 -m venv /opt/wasmctl \
    && /opt/wasmctl/bin/pip install --no-cache-dir --disable-pip-version-check '.[envoy,go]'

FROM ${BASE}
COPY --from=build /opt/wasmctl /opt/wasmctl
# The home is writable for every user: with `-u` the files in a mounted folder stay one's own.
RUN useradd --uid 10001 --create-home wasmctl \
    && chmod 1777 /home/wasmctl \
    && install -d -o wasmctl -g wasmctl /work
ENV HOME=/home/wasmctl \
    PATH=/opt/wasmctl/bin:/usr/local/bin:/usr/bin:/bin
USER wasmctl
WORKDIR /work
ENTRYPOINT ["wasmctl"]
CMD ["--help"]
