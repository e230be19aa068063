# shellcheck shell=bash
# The root of a Debian image for `docker import`, where no image can be pulled: Python with venv and pip.
# Its pip and its libraries trust what this machine trusts, so that steps of a build reach a package index
# on a machine whose traffic is signed by a CA of its own too.

BASE_IMAGE=$CACHE/base-image.tar
BASE_IMAGE_SUITE=bookworm
BASE_IMAGE_PACKAGES=ca-certificates,python3-venv,python3-pip
BASE_IMAGE_BUNDLE=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}

base_image_missing() {
    [[ -f $BASE_IMAGE && $(cat "$BASE_IMAGE.made-from" 2>/dev/null) == "$(base_image_recipe)" ]] || echo "$BASE_IMAGE"
}

base_image_version() {
    echo "$BASE_IMAGE ($(du -h "$BASE_IMAGE" | cut -f1))"
}

base_image_install() {
    # Beside the result: the root is big, and /tmp may be small or mounted without devices.
    local work=$CACHE/.base-image root=$CACHE/.base-image/root
    make_anew "$work"
    # shellcheck disable=SC2016  # for the inner shell: each attempt starts from nothing
    retry 600 sh -c 'rm -rf --one-file-system "$3" && exec debootstrap --variant=minbase --include="$1" "$2" "$3"' \
        sh "$BASE_IMAGE_PACKAGES" "$BASE_IMAGE_SUITE" "$root"
    cp -L "$BASE_IMAGE_BUNDLE" "$root/etc/ssl/certs/ca-certificates.crt"
    printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' >"$root/etc/pip.conf"
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}/*
    tar --create --numeric-owner --one-file-system --sort=name --file "$work/base-image.tar" -C "$root" .
    rm -f "$BASE_IMAGE.made-from"
    mv "$work/base-image.tar" "$BASE_IMAGE"
    base_image_recipe >"$BASE_IMAGE.made-from"
}

base_image_recipe() {
    echo "$BASE_IMAGE_SUITE $BASE_IMAGE_PACKAGES $(sha256sum <"$BASE_IMAGE_BUNDLE" | cut -c1-64)"
}
