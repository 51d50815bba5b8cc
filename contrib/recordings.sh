#!/usr/bin/env bash
# Makes the moving pictures of the documentation from real runs of target/release/udpecho, or of the program that
# UDPECHO names. Needs tmux and python3.
set -euo pipefail
cd "$(dirname "$0")/.."
UDPECHO=$(realpath "${UDPECHO:-target/release/udpecho}")
mkdir -p docs/media

# record NAME PERIOD ARGUMENTS: as typed by a user, a frame every PERIOD seconds.
record() {
    python3 contrib/record.py "docs/media/$1.svg" "udpecho $3" "$UDPECHO $3" "$2"
}

record ping 0.5 'ping -n 20 -i 250ms -W 1 --no-record --impair "lte loss=10%"'
record full-screen 1 'ping -i 25ms -w 10 -W 1 --no-record --impair "wifi loss=3%" --tui'
