# shellcheck shell=bash
# crane: reads and writes images independently of this project, and is what its pushes are measured against.

CRANE_VERSION=v0.20.6
CRANE_HOME=$PREFIX/crane-$CRANE_VERSION

crane_missing() {
    on_default_path crane >/dev/null || echo crane
}

crane_version() {
    "$(on_default_path crane)" version
}

crane_install() {
    local made=$PREFIX/.crane
    make_anew "$made"
    cd / || return
    export GOBIN=$made/bin CGO_ENABLED=0 GOFLAGS=-trimpath TMPDIR=$made
    retry 600 go install "github.com/google/go-containerregistry/cmd/crane@$CRANE_VERSION"
    rm -rf "$CRANE_HOME"
    mv "$made" "$CRANE_HOME"
    link "$CRANE_HOME/bin/crane" crane
}
