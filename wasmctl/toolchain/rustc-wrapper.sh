#!/bin/sh
# Runs rustc as cargo asks for it, but with this machine's folders named neutrally in what it compiles.
# Ours come before cargo's arguments: of several mappings that fit, rustc takes the last.
rustc=$1
shift
exec ${WASMCTL_RUSTC_WRAPPER:+"$WASMCTL_RUSTC_WRAPPER"} "$rustc" \
    --remap-path-prefix="$WASMCTL_PROJECT_FOLDER=/project" \
    --remap-path-prefix="$WASMCTL_TARGET_FOLDER=/target" \
    --remap-path-prefix="$WASMCTL_CARGO_HOME=/cargo" \
    "$@"
