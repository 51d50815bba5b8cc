#!/usr/bin/env bash
# The rate search for real, on loopback: the rates that `serve --rate` emulates, and iperf3 as an independent check.
# All programs run at `chrt -f 10` where that is permitted, so that other work on the host does not count.
# Needs python3 and iperf3.
#
#   cargo build --release && benches/rate_loopback.sh [RATE_IN_MBIT ...]
set -euo pipefail
udpecho=${UDPECHO:-$(realpath "$(dirname "$0")/../target/release/udpecho")}
rates=("$@")
[ $# -gt 0 ] || rates=(1 2 5 10 20 50 100 200)
realtime=()
if chrt -f 10 true 2>/dev/null; then realtime=(chrt -f 10); fi
work=$(mktemp -d) started=()
trap 'kill "${started[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT

# Starts a program that serves, and waits until it does.
start() { "${realtime[@]}" "$@" >/dev/null & started+=($!) && sleep 1; }
stop() { kill -INT "${started[-1]}" && wait "${started[-1]}" || true; unset 'started[-1]'; }
search() { "${realtime[@]}" "$udpecho" ping "$@" --json --no-record >"$work/run.json"; }

echo "serve --rate with 50 ms of queue; payload_bps, its error, and the limit if there was one"
printf '%8s %24s %24s %9s\n' Mbit/s up down seconds
for rate in "${rates[@]}"; do
    start "$udpecho" serve -q -p 25200 --rate "${rate}Mbit,queue=$((rate * 6250))" --direction both
    search -p 25200 127.0.0.1 --find-rate
    stop
    python3 - "$work/run.json" "$rate" <<'PYTHON'
import json, sys
found, rate = json.load(open(sys.argv[1]))["rate"], float(sys.argv[2])
line = f"{rate:8g}"
for way in ("up", "down"):
    mega, limit = found[way]["payload_bps"] / 1e6, found[way]["limited_by"] or ""
    line += f"{mega:11.3f} {100 * (mega / rate - 1):+6.2f} %{limit:>5}"
print(f"{line} {found['seconds']:9.1f}")
PYTHON
done

rate=20
bottleneck="rate=${rate}Mbit,queue=125k"
echo "up through proxy --up $bottleneck: the answer of --find-rate=up, then iperf3 -u -l 1200 at it"
start "$udpecho" serve -q -p 25200 --clean
start "$udpecho" proxy -q -l 25210 --to 127.0.0.1:25200 --up "$bottleneck"
search -p 25210 127.0.0.1 --find-rate=up
stop
stop
answer=$(python3 -c 'import json,sys; up=json.load(open(sys.argv[1]))["rate"]["up"]; print(round(up["payload_bps"]))
print("answer", up["payload_bps"]/1e6, "Mbit/s, limit", up["limited_by"], file=sys.stderr)' "$work/run.json")
for times in 1.0 1.1; do
    start iperf3 -s -p 25220
    start "$udpecho" proxy -q -l 25210 --to 127.0.0.1:25220 --tcp --up "$bottleneck"
    asked=$(python3 -c "print(round($answer * $times))")
    "${realtime[@]}" iperf3 -u -c 127.0.0.1 -p 25210 -b "$asked" -l 1200 -t 10 -J >"$work/iperf.json"
    stop
    stop
    python3 - "$work/iperf.json" "$asked" <<'PYTHON'
import json, sys
total = json.load(open(sys.argv[1]))["end"]["sum"]
print(f"{int(sys.argv[2]) / 1e6:.3f} Mbit/s: {total['lost_percent']:.2f} % of {total['packets']} packets lost")
PYTHON
done
