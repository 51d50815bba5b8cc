#!/usr/bin/env bash
# What a watch of many targets costs on loopback: CPU of one core, memory, descriptors; and whether the counts of each
# target are exact. usage: benches/watch.sh [TARGETS [SECONDS [FLOWS]]], after cargo build --release
set -euo pipefail
cd "$(dirname "$0")/.."
targets=${1:-1000} seconds=${2:-60} flows=${3:-1}
program=${UDPECHO:-target/release/udpecho}
port=$((20000 + RANDOM % 10000))
folder=$(mktemp -d)
trap 'kill "$server" "$watch" 2>/dev/null || true; rm -rf "$folder"' EXIT

"$program" serve --clean -p "$port" --bind 0.0.0.0 --max-sessions 65536 --max-source-sessions 65536 \
    --unverified-rate 1000000 --source-rate 1000000 >"$folder/server.log" 2>&1 &
server=$!
{
    echo '[{"targets": ['
    for ((n = 0; n < targets; n++)); do
        ((n == 0)) || echo ,
        printf '"127.%d.%d.%d:%d"' $((1 + n / 62500)) $((n / 250 % 250)) $((n % 250 + 1)) "$port"
    done
    echo ']}]'
} >"$folder/targets.json"
cat >"$folder/watch.toml" <<TOML
max-series = 10000000
[[group]]
name = "bench"
interval = "1s"
flows = $flows
detail = "counts"
file = "targets.json"
TOML
sleep 1
"$program" watch -f "$folder/watch.toml" --json >"$folder/watch.json" 2>"$folder/watch.log" &
watch=$!
ticks() { awk '{ print $14 + $15 }' "/proc/$watch/stat"; }
# The handshakes are over.
sleep 5
from=$(ticks) began=$(date +%s.%N)
sleep "$seconds"
to=$(ticks) ended=$(date +%s.%N)
rss=$(awk '/VmRSS/ { print $2 }' "/proc/$watch/status")
descriptors=$(find "/proc/$watch/fd" -mindepth 1 | wc -l)
kill -INT "$watch"
wait "$watch" || true
python3 - "$folder/watch.json" "$targets" "$from" "$to" "$began" "$ended" "$rss" "$descriptors" "$(getconf CLK_TCK)" <<'PYTHON'
import json, sys
path, targets, begin, end, began, ended, rss, descriptors, hertz = sys.argv[1:]
wall = float(ended) - float(began)
run = json.load(open(path))
found = run["targets"]
sent = [target["sent"] for target in found]
lost = sum(target["lost"] for target in found)
answered = sum(target["replies"] for target in found)
print(f"{len(found)} targets, {run['seconds']:.1f} s: sent {sum(sent)} ({min(sent)} to {max(sent)} each), answered {answered}, lost {lost}")
print(f"{(int(end) - int(begin)) / int(hertz) / wall * 100:.1f} % of a core, {int(rss) / 1000:.0f} MB, {descriptors} descriptors")
assert len(found) == int(targets) and sum(sent) == answered + lost
PYTHON
