# shellcheck shell=bash
# Rust by rustup: the default toolchain with both wasm targets, and the last one that knows wasm32-wasi alone.

RUST_TARGETS=(wasm32-wasip1 wasm32-unknown-unknown)
RUST_COMPONENTS=(clippy rustfmt)
RUST_COMMANDS=(cargo rustc rustup rustdoc rustfmt cargo-clippy cargo-fmt clippy-driver)
RUST_OLD=1.77.2
RUST_OLD_TARGET=wasm32-wasi
RUST_BIN=${CARGO_HOME:-$HOME/.cargo}/bin

rust_missing() {
    local sysroot name
    for name in "${RUST_COMMANDS[@]}"; do
        [[ $(on_default_path "$name") -ef $RUST_BIN/$name ]] || echo "$LINKS/$name"
    done
    sysroot=$(rust_default --print sysroot 2>/dev/null) || sysroot=/nowhere
    for name in "${RUST_TARGETS[@]}"; do
        [[ -d $sysroot/lib/rustlib/$name/lib ]] || echo "target $name"
    done
    for name in cargo-clippy rustfmt; do
        [[ -x $sysroot/bin/$name ]] || echo "component ${name#cargo-}"
    done
    [[ -d $(rust_old_sysroot)/lib/rustlib/$RUST_OLD_TARGET/lib ]] || echo "toolchain $RUST_OLD with $RUST_OLD_TARGET"
}

rust_version() {
    echo "$(rust_default --version), $(basename "$(rust_old_sysroot)")"
}

rust_install() {
    local name
    if [[ ! -x $RUST_BIN/rustup ]]; then
        rust_install_rustup
    fi
    cd / || return
    export PATH=$RUST_BIN:$PATH
    unset RUSTUP_TOOLCHAIN
    rustup default >/dev/null || retry 600 rustup default stable
    retry 600 rustup target add "${RUST_TARGETS[@]}"
    retry 600 rustup component add "${RUST_COMPONENTS[@]}"
    retry 600 rustup toolchain install "$RUST_OLD" --profile minimal --target "$RUST_OLD_TARGET" --no-self-update
    for name in "${RUST_COMMANDS[@]}"; do
        [[ $(on_default_path "$name") -ef $RUST_BIN/$name ]] || link "$RUST_BIN/$name" "$name"
    done
}

# The installer that https://rustup.rs hands out, from the server that rustup itself asks.
rust_install_rustup() {
    local script=$CACHE/rustup-init.sh
    retry 120 curl --proto '=https' --tlsv1.2 -sSf -o "$script" \
        "${RUSTUP_UPDATE_ROOT:-https://static.rust-lang.org/rustup}/rustup-init.sh"
    retry 600 sh "$script" -y --no-modify-path --profile minimal --default-toolchain stable
    rm "$script"
}

# rust_default ARG...: the default toolchain's rustc, whatever the folder or the environment would choose.
rust_default() {
    (cd / && unset RUSTUP_TOOLCHAIN && "$RUST_BIN/rustc" "$@")
}

rust_old_sysroot() {
    local places=("${RUSTUP_HOME:-$HOME/.rustup}/toolchains/$RUST_OLD"-*)
    echo "${places[0]:-/nowhere}"
}
