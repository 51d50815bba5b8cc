#!/usr/bin/env bash
# What watch, smokeping_prober and blackbox_exporter cost with the same targets: loopback addresses, each asked once a
# second. As root, with Debian's prometheus, prometheus-smokeping-prober and prometheus-blackbox-exporter.
# usage: benches/watch_beside.sh [TARGETS [SECONDS]], after cargo build --release
set -euo pipefail
cd "$(dirname "$0")/.."
targets=${1:-250} seconds=${2:-60}
program=${UDPECHO:-target/release/udpecho}
folder=$(mktemp -d) started=()
trap 'kill "${started[@]}" 2>/dev/null || true; rm -rf "$folder"' EXIT
hosts=()
for ((n = 0; n < targets; n++)); do hosts+=("127.1.$((n / 250)).$((n % 250 + 1))"); done

# NAME PID: CPU of one core and memory from 5 s after now on.
cost() {
    local ticks="{ print \$14 + \$15 }" from began to ended
    sleep 5
    from=$(awk "$ticks" "/proc/$2/stat") began=$(date +%s.%N)
    sleep "$seconds"
    to=$(awk "$ticks" "/proc/$2/stat") ended=$(date +%s.%N)
    awk -v name="$1" -v ticks=$((to - from)) -v hertz="$(getconf CLK_TCK)" -v began="$began" -v ended="$ended" \
        '/VmRSS/ { printf "%s: %.1f %% of a core, %.0f MB\n", name, ticks / hertz / (ended - began) * 100, $2 / 1000 }' "/proc/$2/status"
}

# The value of a family, all its samples together.
sum() { curl -s "http://127.0.0.1:$1/metrics" | awk -v name="$2" 'index($1, name) == 1 { sum += $NF } END { print sum + 0 }'; }

"$program" serve --clean -p 29001 --bind 0.0.0.0 >"$folder/serve.log" 2>&1 &
server=$! started+=("$server")
sleep 1
"$program" watch -q --http 29002 "${hosts[@]/%/:29001}" >"$folder/watch.log" 2>&1 &
watch=$! started+=("$watch")
cost "udpecho watch (UDP)" "$watch"
echo "  answered $(sum 29002 udpecho_replies_total), lost $(sum 29002 udpecho_probes_lost_total)"
kill "$watch" "$server"
wait "$watch" "$server" || true

prometheus-smokeping-prober --config.file= --privileged --web.listen-address=127.0.0.1:29003 "${hosts[@]}" >"$folder/smokeping.log" 2>&1 &
smokeping=$! started+=("$smokeping")
cost "smokeping_prober $(prometheus-smokeping-prober --version 2>&1 | awk 'NR == 1 { print $3 }') (ICMP)" "$smokeping"
echo "  sent $(sum 29003 smokeping_requests_total), answered $(sum 29003 smokeping_response_duration_seconds_count)"
kill "$smokeping"
wait "$smokeping" || true

# It sends what Prometheus asks for: one ICMP echo a scrape.
echo 'modules: { icmp: { prober: icmp, timeout: 900ms } }' >"$folder/blackbox.yml"
prometheus-blackbox-exporter --config.file="$folder/blackbox.yml" --web.listen-address=127.0.0.1:29004 --log.level=error >"$folder/blackbox.log" 2>&1 &
blackbox=$! started+=("$blackbox")
cat >"$folder/prometheus.yml" <<YAML
global: { scrape_interval: 1s }
scrape_configs:
  - job_name: icmp
    metrics_path: /probe
    params: { module: [icmp] }
    static_configs: [{ targets: [$(IFS=,; echo "${hosts[*]}")] }]
    relabel_configs:
      - { source_labels: [__address__], target_label: __param_target }
      - { source_labels: [__param_target], target_label: instance }
      - { target_label: __address__, replacement: "127.0.0.1:29004" }
YAML
prometheus --config.file="$folder/prometheus.yml" --storage.tsdb.path="$folder/data" --web.listen-address=127.0.0.1:29005 >"$folder/prometheus.log" 2>&1 &
prometheus=$! started+=("$prometheus")
cost "blackbox_exporter $(prometheus-blackbox-exporter --version 2>&1 | awk 'NR == 1 { print $3 }') (ICMP), without the Prometheus that asks" "$blackbox"
answer=$(curl -s 'http://127.0.0.1:29005/api/v1/query' --data-urlencode "query=sum(sum_over_time(probe_success[${seconds}s])) / sum(count_over_time(probe_success[${seconds}s]))")
echo "  share of scrapes with an answer: $(grep -o '"[0-9.]*"\]' <<<"$answer" | tr -d '"]')"
