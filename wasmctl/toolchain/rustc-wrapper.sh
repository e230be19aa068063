#!/bin/sh
# Runs rustc as cargo asks for it, but with this machine's folders named neutrally in what it compiles.
rustc=$1
shift
inner=
case ${1-} in
-*) ;;
*) # `build.rustc-workspace-wrapper` stands before rustc
    inner=$rustc
    rustc=$1
    shift
    ;;
esac
# Cargo keeps the answers to its questions for all that follow, those of a broken wrapper, too.
case ${1-} in
-vV | -) exec ${inner:+"$inner"} "$rustc" "$@" ;;
esac
# From 1.95 on rustc can be told that its messages shall keep the true names; asked once a build.
able=$WASMCTL_SCRATCH/able
unable=$WASMCTL_SCRATCH/unable
if [ ! -e "$able" ] && [ ! -e "$unable" ]; then
    if "$rustc" --remap-path-scope=object --version >"$able.$$" 2>&1; then
        mv "$able.$$" "$able"
    else
        mv "$able.$$" "$unable"
    fi
fi
case "$*" in
*--remap-path-scope*) ;; # which rustc takes only once
*) [ ! -e "$able" ] || set -- --remap-path-scope=object "$@" ;;
esac
# Ours come before cargo's arguments: of several mappings that fit, rustc takes the last. Where an
# older rustc says these names, they are true of the usual folders.
exec ${WASMCTL_RUSTC_WRAPPER:+"$WASMCTL_RUSTC_WRAPPER"} ${inner:+"$inner"} "$rustc" \
    --remap-path-prefix="$WASMCTL_PROJECT_FOLDER=" \
    --remap-path-prefix="$WASMCTL_TARGET_FOLDER=target" \
    --remap-path-prefix="$WASMCTL_CARGO_HOME=~/.cargo" \
    "$@"
