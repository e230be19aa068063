# shellcheck shell=bash
# TinyGo as a Go module, in the layout of its release archives: $PREFIX/tinygo-VERSION/{bin,lib,src,targets}.
# The module lacks three things that an archive has: src/net, wasi-libc and compiler-rt for wasm; the last two
# are Debian's. TinyGo finds its root from the place of its binary, so nothing needs to be set to use it.

# TinyGo checks the Go below it; the newest that each one takes (its builder/config.go).
declare -A TINYGO_GO=([0.31.2]=go1.22.12 [0.39.0]=go1.25.5)
TINYGO_DEFAULT=0.39.0
TINYGO_WASI_LIBRARIES=/usr/lib/wasm32-wasi
TINYGO_WASI_HEADERS=/usr/include/wasm32-wasi
TINYGO_BUILTINS=/usr/lib/llvm-16/lib/clang/16/lib/wasi/libclang_rt.builtins-wasm32.a

tinygo_missing() {
    local version=$1
    [[ -x $PREFIX/tinygo-$version/bin/tinygo ]] || echo "$PREFIX/tinygo-$version"
    if [[ $version == "$TINYGO_DEFAULT" ]]; then
        on_default_path tinygo >/dev/null || echo "$LINKS/tinygo"
    fi
}

tinygo_version() {
    "$PREFIX/tinygo-$1/bin/tinygo" version
}

tinygo_install() {
    local version=$1 root=$PREFIX/tinygo-$1 made=$PREFIX/.tinygo-$1 module
    if [[ ! -x $root/bin/tinygo ]]; then
        make_anew "$made"
        module=$(tinygo_build "$version" "$made")
        cp -r --no-preserve=mode "$module/src" "$module/targets" "$module/lib" "$made"
        mkdir -p "$made/src/net"
        "tinygo_libc_$version" "$made" "$root"
        rm -rf "$root"
        mv "$made" "$root"
    fi
    if [[ $version == "$TINYGO_DEFAULT" ]]; then
        link "$root/bin/tinygo" tinygo
    fi
}

# tinygo_build VERSION FOLDER: compile the command to FOLDER/bin/tinygo, print the folder of its module.
# Go's proxies need not answer for a list of versions, so the version is required in a go.mod.
tinygo_build() {
    local work=$2/build
    mkdir -p "$work/temporary"
    cd "$work" || return
    printf 'module tinygo\n\ngo 1.22\n\nrequire github.com/tinygo-org/tinygo v%s\n' "$1" >go.mod
    export GOTOOLCHAIN=${TINYGO_GO[$1]} GOFLAGS=-mod=mod GOWORK=off GOOS='' GOARCH='' TMPDIR=$work/temporary
    export CGO_ENABLED=1 CGO_CFLAGS=-O0 CGO_CXXFLAGS=-O0
    retry 300 go mod download github.com/tinygo-org/tinygo >&2
    retry 1200 go build -trimpath -tags llvm16 -o "$2/bin/tinygo" github.com/tinygo-org/tinygo >&2
    go list -m -f '{{.Dir}}' github.com/tinygo-org/tinygo
    rm -rf "$work"
}

# 0.31.2 reads a ready wasi-libc below its own root.
tinygo_libc_0.31.2() {
    local root=$1
    mkdir -p "$root/lib/wasi-libc/sysroot/lib"
    ln -s "$TINYGO_WASI_LIBRARIES" "$root/lib/wasi-libc/sysroot/lib/wasm32-wasi"
    ln -s "$TINYGO_WASI_HEADERS" "$root/lib/wasi-libc/sysroot/include"
    tinygo_edit_target "$root/targets/wasi.json" '{"rtlib": null, "+ldflags": ["'"$TINYGO_BUILTINS"'"]}'
}

# 0.39.0 would compile wasi-libc from sources that are not there; it brings an allocator of its own,
# which the C library's must not meet.
tinygo_libc_0.39.0() {
    local root=$1 place=$2
    cp "$TINYGO_WASI_LIBRARIES/libc.a" "$root/lib/libc-wasm32.a"
    llvm-ar-16 d "$root/lib/libc-wasm32.a" dlmalloc.o
    tinygo_edit_target "$root/targets/wasip1.json" '{"libc": null, "rtlib": null,
        "+cflags": ["--sysroot=/usr", "-isystem", "'"$TINYGO_WASI_HEADERS"'"],
        "+ldflags": ["'"$place/lib/libc-wasm32.a"'", "'"$TINYGO_BUILTINS"'"]}'
}

# tinygo_edit_target FILE CHANGES: null drops a key of TinyGo's target, "+KEY" adds to a list.
tinygo_edit_target() {
    python3 - "$1" "$2" <<'PYTHON'
import json, pathlib, sys

path, changes = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])
target = json.loads(path.read_text())
for key, value in changes.items():
    if value is None:
        del target[key]
    else:
        target[key.removeprefix("+")] += value
path.write_text(json.dumps(target, indent=2) + "\n")
PYTHON
}
