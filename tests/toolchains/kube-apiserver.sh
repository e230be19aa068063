# shellcheck shell=bash
# kube-apiserver as a Go module command: what says whether a cluster takes the objects that are written.
# Its store is Debian's etcd, its client Debian's kubectl.

KUBERNETES_VERSION=1.34.1
KUBE_APISERVER_HOME=$PREFIX/kube-apiserver-$KUBERNETES_VERSION

kube_apiserver_missing() {
    on_default_path kube-apiserver >/dev/null || echo kube-apiserver
}

kube_apiserver_version() {
    "$(on_default_path kube-apiserver)" --version
}

kube_apiserver_install() {
    local made=$PREFIX/.kube-apiserver package=k8s.io/component-base/version major minor
    IFS=. read -r major minor _ <<<"$KUBERNETES_VERSION"
    make_anew "$made"
    mkdir -p "$made/build/temporary"
    cd "$made/build" || return
    export GOFLAGS=-mod=mod GOWORK=off CGO_ENABLED=0 TMPDIR=$made/build/temporary
    printf 'module kubernetes\n\ngo 1.24\n\nrequire k8s.io/kubernetes v%s\n' "$KUBERNETES_VERSION" >go.mod
    retry 300 go mod download k8s.io/kubernetes
    kube_apiserver_replacements >>go.mod
    retry 1200 go build -trimpath -o "$made/kube-apiserver" \
        -ldflags "-s -w -X $package.gitVersion=v$KUBERNETES_VERSION -X $package.gitMajor=$major -X $package.gitMinor=$minor" \
        k8s.io/kubernetes/cmd/kube-apiserver
    cd / || return
    rm -rf "$made/build" "$KUBE_APISERVER_HOME"
    mv "$made" "$KUBE_APISERVER_HOME"
    link "$KUBE_APISERVER_HOME/kube-apiserver" kube-apiserver
}

# The module takes its parts from folders beside it, which only its repository has; each is published
# as a module of its own, with a 0 for the 1 of the version.
kube_apiserver_replacements() {
    local module
    module=$(go list -m -f '{{.GoMod}}' k8s.io/kubernetes)
    sed -n "s#^\t*\(k8s.io/[a-z-]*\) => ./staging/.*#replace \1 => \1 v0${KUBERNETES_VERSION#1}#p" "$module"
}
