# shellcheck shell=bash
# What every part uses: places, retries, and commands on the default PATH.

# Where versions live beside each other, and where a shell with nothing sourced finds commands.
readonly PREFIX=/opt
readonly LINKS=/usr/local/bin
readonly DEFAULT_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# shellcheck disable=SC2034  # read by the parts
readonly CACHE=${WASMCTL_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/wasmctl-tests}

# retry SECONDS COMMAND...: run a command that may hang or fail on the network, at most three times.
retry() {
    local seconds=$1 attempt
    shift
    for attempt in 1 2 3; do
        # In the foreground, so that interrupting the part ends the command too.
        if timeout --foreground --kill-after=10 "$seconds" "$@"; then
            return 0
        fi
        echo "attempt $attempt of 3 failed: $*" >&2
        sleep "$attempt"
    done
    return 1
}

# make_anew FOLDER: an empty folder to prepare something in, gone again when the part ends however it ends.
# Its name is fixed, so that what a killed run left goes too; only one installation runs at a time.
make_anew() {
    # shellcheck disable=SC2064  # the folder is known now and not when the trap runs
    trap "rm -rf --one-file-system '$1'" EXIT
    rm -rf --one-file-system "$1"
    mkdir -p "$1"
}

# link TARGET NAME: make NAME a command on the default PATH, never in place of somebody else's.
link() {
    local place=$LINKS/$2
    if [[ -e $place && ! $place -ef $1 && $(readlink "$place") != "$PREFIX"/* ]]; then
        echo "$place is in the way: it is not a link of these toolchains; move it away, or bring it up to date" >&2
        return 1
    fi
    ln -sfn "$1" "$place"
}

# on_default_path NAME: print where a shell with nothing sourced finds NAME.
on_default_path() {
    PATH=$DEFAULT_PATH command -v "$1"
}
