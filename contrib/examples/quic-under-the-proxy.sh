#!/usr/bin/env bash
# Runs a client of a UDP protocol, such as QUIC, against a server on port 4433 of this host with a bad path between
# them. The proxy starts the client, passes its exit code on, and fails (exit code 3) if the path did nothing.
#
#   quic-under-the-proxy.sh COMMAND ...     the client finds the proxy's address in UDPECHO_PROXY, as HOST:PORT
#
# The same seed gives the same losses, so that a failure can be repeated.
set -euo pipefail

client=("$@")
[ ${#client[@]} -gt 0 ] || client=(sh -c 'quic-client --connect "$UDPECHO_PROXY"')

udpecho proxy -l 0 -t 127.0.0.1:4433 --seed 7 --up "delay=20ms loss=2%" --down "delay=20ms loss=2% rate=20Mbit,queue=64k" --expect "up.arrived>=1 down.arrived>=1" -- "${client[@]}"
