#!/usr/bin/env bash
# Makes the moving pictures of the documentation from real runs of target/release/udpecho, or of the program that
# UDPECHO names. Needs tmux and python3.
set -euo pipefail
cd "$(dirname "$0")/.."
UDPECHO=$(realpath "${UDPECHO:-target/release/udpecho}")
mkdir -p docs/media

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

# record NAME PERIOD ARGUMENTS: as typed by a user, a frame every PERIOD seconds. A run on a busy host is not kept.
record() {
    python3 contrib/record.py "$scratch/$1.svg" "udpecho $3" "$UDPECHO $3" "$2"
    if grep -q 'host was busy' "$scratch/$1.svg"; then
        echo "$1: the host was busy; run it again when the host is idle" >&2
        failed=1
    else
        mv "$scratch/$1.svg" "docs/media/$1.svg"
    fi
}

record ping 0.5 'ping -n 20 -i 250ms -W 1 --no-record --impair "lte loss=10%"'
record full-screen 1 'ping -i 25ms -w 10 -W 1 --no-record --impair "wifi loss=3%" --tui'
exit $failed
