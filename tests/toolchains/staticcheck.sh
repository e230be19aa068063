# shellcheck shell=bash
# staticcheck: what Go's people run beside `go vet`; the Go that the templates make has to pass it.

STATICCHECK_VERSION=v0.7.0
STATICCHECK_HOME=$PREFIX/staticcheck-$STATICCHECK_VERSION

staticcheck_missing() {
    on_default_path staticcheck >/dev/null || echo staticcheck
}

staticcheck_version() {
    "$(on_default_path staticcheck)" -version
}

staticcheck_install() {
    local made=$PREFIX/.staticcheck
    make_anew "$made"
    cd / || return
    export GOBIN=$made/bin CGO_ENABLED=0 GOFLAGS=-trimpath TMPDIR=$made
    retry 600 go install "honnef.co/go/tools/cmd/staticcheck@$STATICCHECK_VERSION"
    rm -rf "$STATICCHECK_HOME"
    mv "$made" "$STATICCHECK_HOME"
    link "$STATICCHECK_HOME/bin/staticcheck" staticcheck
}
