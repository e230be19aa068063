# shellcheck shell=bash
# The Debian packages of the suite: compilers' parts, a registry, the Docker engine, independent image tools.
# Owns apt and dpkg. Nothing it installs is left running or starts by itself at the next boot.

DEBIAN_PACKAGES=(
    # what the other parts are fetched and built with
    ca-certificates curl git python3 python3-venv gcc g++ libc6-dev debootstrap
    # TinyGo: LLVM to link with, the wasm libraries its release archives carry, wasm-opt
    llvm-16-dev libclang-16-dev clang-16 lld-16 libclang-rt-16-dev-wasm32 wasi-libc binaryen
    # registries, engines, and what reads images independently of this project
    docker-registry docker.io docker-compose skopeo openssl apache2-utils iproute2
    # a Kubernetes API server's store
    etcd-server
)
# Its client, where there is none: a kubectl from elsewhere stands in this package's way.
on_default_path kubectl >/dev/null || DEBIAN_PACKAGES+=(kubernetes-client)
# Packages that bring a service of their own, and its units (the socket would start its service).
declare -A DEBIAN_SERVICES=(
    [docker.io]="docker.service docker.socket"
    [docker-registry]="docker-registry.service"
    [containerd]="containerd.service"
    [etcd-server]="etcd.service"
)
DEBIAN_POLICY=/usr/sbin/policy-rc.d

debian_missing() {
    local installed package
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${DEBIAN_PACKAGES[@]}" 2>/dev/null) || true
    for package in "${DEBIAN_PACKAGES[@]}"; do
        grep -qxF "installed $package" <<<"$installed" || echo "$package"
    done
}

debian_version() {
    dpkg-query -W -f '${Package} ${Version}, ' docker.io docker-registry skopeo llvm-16-dev binaryen | sed 's/, $//'
}

debian_install() {
    local package unit missing=() services=()
    mapfile -t missing < <(debian_missing)
    for package in "${!DEBIAN_SERVICES[@]}"; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || services+=("$package")
    done
    export DEBIAN_FRONTEND=noninteractive
    trap debian_allow_service_starts EXIT
    debian_forbid_service_starts
    dpkg --configure -a # what an interrupted run left half done
    debian_apt update
    debian_apt install --yes --no-install-recommends "${missing[@]}"
    for package in "${services[@]}"; do
        for unit in ${DEBIAN_SERVICES[$package]}; do
            debian_disable "$package" "$unit"
        done
    done
}

debian_apt() {
    retry 900 apt-get -q -o Acquire::Retries=2 -o Acquire::http::Timeout=60 -o DPkg::Lock::Timeout=120 "$@"
}

# A maintainer script asks policy-rc.d before it starts a service; 101 means "forbidden"
# (Debian's invoke-rc.d specification, README.policy-rc.d).
debian_forbid_service_starts() {
    if [[ -e $DEBIAN_POLICY && ! -e $DEBIAN_POLICY.before ]]; then
        mv "$DEBIAN_POLICY" "$DEBIAN_POLICY.before"
    fi
    printf '#!/bin/sh\nexit 101\n' >"$DEBIAN_POLICY"
    chmod 755 "$DEBIAN_POLICY"
}

debian_allow_service_starts() {
    rm -f "$DEBIAN_POLICY"
    if [[ -e $DEBIAN_POLICY.before ]]; then
        mv "$DEBIAN_POLICY.before" "$DEBIAN_POLICY"
    fi
}

# Works without systemd running, and without systemctl; the helper wants to know whose unit it is.
debian_disable() {
    local service=${2%.service}
    DPKG_MAINTSCRIPT_PACKAGE=$1 deb-systemd-helper disable "$2"
    [[ ! -e /etc/init.d/$service ]] || update-rc.d "$service" disable
}
