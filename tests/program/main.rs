//! Tests of the program: processes, sockets on loopback and in network namespaces, screens and pages.

#[path = "../common/mod.rs"]
mod common;

mod addresses;
mod attribution_on_sockets;
mod cli;
mod completions;
mod dialects;
mod documents;
mod exports;
mod find_rate;
mod hostile;
mod hosts;
mod icmp_and_filters;
mod impair;
mod irtt;
mod live;
mod loopback;
mod nat_rebinding;
mod path_mtu;
mod plain_echo;
mod proxy;
mod proxy_api;
mod proxy_flood;
mod proxy_peers;
mod proxy_profiles;
mod proxy_toxiproxy;
mod room;
mod stamp;
mod tcp;
mod threads;
mod watch;
mod watch_abuse;
mod watch_admin;
mod watch_churn;
mod watch_discovery;
mod watch_dns;
mod watch_flows;
mod watch_mesh;
mod watch_namespaces;
mod watch_page;
mod watch_prometheus;
mod watch_record;
mod watch_reload;
mod watch_terminal;
