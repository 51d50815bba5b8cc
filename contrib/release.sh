#!/usr/bin/env bash
# Builds a release into target/dist: a static binary, an archive, a .deb, the bill of materials and checksums.
#
#   contrib/release.sh            one build
#   contrib/release.sh --twice    two builds in different folders, which must have the same bytes
#
# Needs cargo, git, python3, tar, gzip and, for the .deb, dpkg-deb; nothing is downloaded but the crates of Cargo.lock.
# With the musl target (rustup target add x86_64-unknown-linux-musl) the binary is linked with musl, else with glibc.
# Both are static and resolve names from /etc/hosts and DNS; glibc also loads the NSS modules that the host's
# /etc/nsswitch.conf names beyond these, which must then be of its own version.
set -euo pipefail
# Files in the packages have the same modes on every machine.
umask 022
cd "$(dirname "$0")/.."

say() { printf '== %s\n' "$*" >&2; }

host=$(rustc -vV | sed -n 's/^host: //p')
target=$host
musl=${host/-gnu/-musl}
[ -d "$(rustc --print target-libdir --target "$musl")" ] && target=$musl

commit=$(git rev-parse --short=12 HEAD)
[ -z "$(git status --porcelain --untracked-files=no)" ] || { say "the work tree has changes: commit them first"; exit 1; }
# Files in the archives bear the time of the commit.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
dist=$PWD/target/dist

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# links_with FLAG: whether the linker of the target knows it, and the program starts (musl before 1.2.4 knows no packed
# relocations).
links_with() {
    local flags=(--target "$target" -C target-feature=+crt-static -C link-arg="$1")
    rustc "${flags[@]}" -o "$scratch/main" - <<<'fn main() {}' 2>"$scratch/errors" && [ ! -s "$scratch/errors" ] &&
        "$scratch/main"
}

# Long functions are not inlined; with lld relocations are packed, and functions of the same code are one.
smaller="-C llvm-args=-inlinehint-threshold=50"
for flag in -Wl,-z,pack-relative-relocs -Wl,--icf=all; do
    if links_with "$flag"; then smaller+=" -C link-arg=$flag"; fi
done

# In a static binary getrandom finds no libc function by name and would read /dev/random, which a bare chroot lacks.
random='--cfg getrandom_backend="linux_getrandom"'

# build FOLDER: a release build there, whose paths are those of no machine.
build() {
    say "building for $target in $1"
    UDPECHO_COMMIT=$commit CARGO_TARGET_DIR=$1 CARGO_INCREMENTAL=0 \
        RUSTFLAGS="-C target-feature=+crt-static $smaller $random --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo --remap-path-prefix=$PWD=/udpecho" \
        cargo build --profile dist --locked --bin udpecho --target "$target"
}

build target/release-first
binary=target/release-first/$target/dist/udpecho
if [ "${1:-}" = --twice ]; then
    build target/release-second
    cmp "$binary" "target/release-second/$target/dist/udpecho"
    say "two builds, the same bytes"
fi

rm -rf "$dist"
mkdir -p "$dist"
install -m 755 "$binary" "$dist/udpecho"
if readelf -d "$dist/udpecho" | grep -q NEEDED; then
    say "the binary is not static"
    exit 1
fi
[ "$(stat -c %s "$dist/udpecho")" -le 12000000 ] || say "the binary is larger than 12 MB: results/release.md has what fills it"
python3 contrib/sbom.py "$target" >"$dist/udpecho.cdx.json"

# fill DESTINATION: the files that every package has.
fill() {
    local to=$1
    install -Dm 755 "$dist/udpecho" "$to/bin/udpecho"
    install -dm 755 "$to/share/man/man1"
    for page in contrib/man/*.1; do gzip -9n <"$page" >"$to/share/man/man1/$(basename "$page").gz"; done
    chmod 644 "$to"/share/man/man1/*
    complete() { "$dist/udpecho" completions "$1" | install -Dm 644 /dev/stdin "$to/share/$2"; }
    complete bash bash-completion/completions/udpecho
    complete zsh zsh/vendor-completions/_udpecho
    complete fish fish/vendor_completions.d/udpecho.fish
    local doc=$to/share/doc/udpecho
    install -Dm 644 -t "$doc" README.md CHANGELOG.md SECURITY.md LICENSE-MIT LICENSE-APACHE
    install -Dm 644 -t "$doc/results/sample" results/sample/report.png
    install -Dm 644 -t "$doc/contrib" contrib/*.toml
    cp -R docs "$doc/docs"
    cp -R contrib/examples contrib/grafana contrib/kubernetes contrib/prometheus "$doc/contrib"
}

# The same tree gives the same bytes.
stamp() { find "$1" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +; }

say archive
name=udpecho-$version-$target
root=$scratch/root
fill "$root/$name"
install -Dm 644 -t "$root/$name/share" contrib/*.service
stamp "$root/$name"
tar -C "$root" --sort=name --owner=0 --group=0 --numeric-owner -cf - "$name" | gzip -9n >"$dist/$name.tar.gz"

if command -v dpkg-deb >/dev/null; then
    say deb
    deb=$root/deb
    fill "$deb/usr"
    # The units are there, and neither enabled nor started.
    for unit in contrib/*.service; do
        sed -e 's#/usr/local/bin/#/usr/bin/#' -e '/^# .*install -m/d' "$unit" |
            install -Dm 644 /dev/stdin "$deb/usr/lib/systemd/system/$(basename "$unit")"
    done
    mkdir -p "$deb/DEBIAN"
    cat >"$deb/usr/share/doc/udpecho/copyright" <<END
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: udpecho

Files: *
License: MIT or Apache-2.0
 The texts are in /usr/share/doc/udpecho: LICENSE-MIT and LICENSE-APACHE.
END
    cat >"$deb/DEBIAN/control" <<END
Package: udpecho
Version: $version
Architecture: $(dpkg --print-architecture)
Maintainer: The udpecho maintainers <maintainers@udpecho.invalid>
Section: net
Priority: optional
Installed-Size: $(du -sk "$deb/usr" | cut -f 1)
Description: measures a UDP path from two ends, and emulates a bad one
 An echo server that injects random delay and loss and says so, a pinger that
 names the cause of each loss, and a proxy that impairs any UDP program.
END
    stamp "$deb"
    dpkg-deb --build --root-owner-group -Zgzip "$deb" "$dist/udpecho_${version}_$(dpkg --print-architecture).deb" >&2
fi

(cd "$dist" && sha256sum -- *.tar.gz *.deb *.json udpecho >SHA256SUMS)
ls -l "$dist" >&2
