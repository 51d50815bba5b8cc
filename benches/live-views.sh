#!/usr/bin/env bash
# The cost of each view to the measurement: rounds of runs of 5,000 probes, 1 ms apart, over loopback.
# Each round has one run with each view and two with -q, whose difference is the noise of two equal
# runs. The server has the second core, the pinger with all its threads the first; both run at
# `chrt -f 10` where that is permitted. The viewers (tmux, curl, a browser) run as ordinary programs.
#
# Needs tmux, curl and python3; uses chromium if it is installed. Called again with the same folder it
# adds rounds and sums up all of them.
#
#   cargo build --release && benches/live-views.sh FOLDER [ROUNDS]
set -euo pipefail
udpecho=$(realpath "$(dirname "$0")/../target/release/udpecho")
mkdir -p "$1" && cd "$1"
rounds=${2:-10} first=$(($(find . -name '*.q' | wc -l) + 1))

realtime=()
if chrt -f 10 true 2>/dev/null; then realtime=(chrt -f 10); fi
taskset -c 1 "${realtime[@]}" "$udpecho" serve --clean -p 9400 -q & started=($!)
# The terminal is started before the first run, as a user's is.
terminals=(tmux -L live-views -f /dev/null)
"${terminals[@]}" new-session -d -x 120 -y 40 'sleep infinity'
trap 'kill "${started[@]}" 2>/dev/null; "${terminals[@]}" kill-server; wait' EXIT
views=(q tui again page status)
if command -v chromium >/dev/null; then
    views+=(browser)
    chromium --headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync \
        --disable-background-networking --disable-component-update --remote-debugging-port=9401 \
        --user-data-dir="$(mktemp -d)" about:blank >/dev/null 2>&1 & started+=($!)
    until curl -sf http://127.0.0.1:9401/json/version >/dev/null; do sleep 0.2; done
    sleep 3
fi
sleep 0.3

ping=(taskset -c 0 "${realtime[@]}" "$udpecho" ping 127.0.0.1:9400 -i 1ms -n 5000 -W 1 --force)
unseen() { "${ping[@]}" -o "$1" -q "${@:2}" >/dev/null 2>&1 </dev/null; }
terminal() {
    "${terminals[@]}" new-window "${ping[*]} -o $1 ${*:2}"
    while [ "$("${terminals[@]}" list-windows | wc -l)" -gt 1 ]; do sleep 0.2; done
}
followed() {
    (sleep 0.3 && "${@:2}") >/dev/null 2>&1 & local reader=$!
    unseen "$1" --http 8099
    wait $reader || true
}
run() {
    case $2 in
    q | again) unseen "$1" ;;
    tui) terminal "$1" --tui ;;
    status) terminal "$1" ;;
    page) followed "$1" timeout 10 curl -sN http://127.0.0.1:8099/events ;;
    browser)
        followed "$1" curl -s -X PUT "http://127.0.0.1:9401/json/new?http://127.0.0.1:8099/"
        tab=$(curl -s http://127.0.0.1:9401/json | grep -B9 8099 | sed -n 's/.*"id": "\(.*\)".*/\1/p')
        curl -s "http://127.0.0.1:9401/json/close/$tab" >/dev/null
        ;;
    esac
}

for ((round = first; round < first + rounds; round++)); do
    # The order of the views rotates.
    for ((k = 0; k < ${#views[@]}; k++)); do
        view=${views[(k + round) % ${#views[@]}]}
        run "$(printf %03d "$round").$view" "$view"
    done
done

echo "scheduling: ${realtime[*]:-ordinary}"
python3 - <<'TABLE'
import glob, json, statistics as st
runs = {}
for path in sorted(glob.glob("*/run.json")):
    summary = json.load(open(path))["summary"]
    view = path.split("/")[0].split(".")[1]
    runs.setdefault(view, []).append((summary["schedule_error_us"]["p99"], summary["rtt_us"]["p50"], summary["loss_share"]))
for k, name in enumerate(("schedule error p99", "RTT p50")):
    of = {view: [run[k] for run in found] for view, found in runs.items()}
    quiet = st.median(of["q"] + of["again"])
    pairs = sorted(abs(one - two) for one, two in zip(of["q"], of["again"]))
    print(f"{name}: two runs with -q differ by {st.median(pairs):.1f} us (median of {len(pairs)}), {pairs[-1]:.1f} us at most")
    for view, values in of.items():
        print(f"  {view:8} n={len(values)} median {st.median(values):8.1f} us, {min(values):.1f} to {max(values):.1f}; "
              f"{st.median(values) - quiet:+.1f} from the median of -q")
print("not in time:", {view: max(run[2] for run in found) for view, found in runs.items()})
TABLE
