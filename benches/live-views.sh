#!/usr/bin/env bash
# What a view costs the measurement: runs of 4,000 probes, 1 ms apart, over loopback, with -q and with
# each view in turn; schedule error and RTT as run.json has them. Needs tmux (the terminal), curl (the
# page's reader) and python3 (the table).
#
#   cargo build --release && benches/live-views.sh FOLDER [ROUNDS]
set -euo pipefail
udpecho=$(realpath "$(dirname "$0")/../target/release/udpecho")
folder=$1 rounds=${2:-2}
mkdir -p "$folder" && cd "$folder"
"$udpecho" serve --clean -p 9400 -q & server=$!
trap 'kill $server' EXIT
sleep 0.3

ping=("$udpecho" ping 127.0.0.1:9400 -i 1ms -n 4000 -W 1 --force)
quiet() { "${ping[@]}" -o "$1" -q "${@:2}" >/dev/null 2>&1 </dev/null; }
terminal() {
    tmux -L live-views new-session -d -x 120 -y 40 "${ping[*]} -o $1 ${*:2}"
    while tmux -L live-views ls >/dev/null 2>&1; do sleep 0.2; done
}
page() {
    (sleep 0.4; exec timeout 10 curl -sN http://127.0.0.1:8099/events >/dev/null) &
    local reader=$!
    quiet "$1" --http 8099
    wait $reader || true
}

for round in $(seq "$rounds"); do
    quiet "q-$round-1"
    terminal "tui-$round" --tui
    quiet "q-$round-2"
    page "page-$round"
    quiet "q-$round-3"
    terminal "status-$round"
    quiet "q-$round-4"
done

python3 - <<'TABLE'
import glob, json, statistics as st
runs = {}
for path in sorted(glob.glob("*/run.json")):
    s = json.load(open(path))["summary"]
    runs.setdefault(path.split("-")[0].split("/")[0], []).append((s["schedule_error_us"]["p99"], s["rtt_us"]["p50"]))
for view, of in runs.items():
    for name, values in zip(("schedule error p99", "rtt p50"), zip(*of)):
        print(f"{view:7} {name:18} n={len(values)} median {st.median(values):7.1f} us, {min(values):.1f} to {max(values):.1f}")
TABLE
