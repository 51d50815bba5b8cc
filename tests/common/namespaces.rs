//! Hosts of their own on this machine: network namespaces, joined by virtual wires.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::process::{Process, command, output};

/// Namespaces that end with this value.
pub struct Network {
    /// Interfaces of the same machine share their names' space.
    id: String,
    hosts: Vec<String>,
}

impl Network {
    /// Namespaces with these names.
    pub fn of(hosts: &[&str]) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let id = format!("u{:x}n{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let mut network = Self { id, hosts: Vec::new() };
        for host in hosts {
            ip(&format!("netns add {}", network.name(host))).unwrap();
            network.hosts.push((*host).to_owned());
            network.ip(host, "link set lo up");
        }
        network
    }

    /// A wire between two hosts: each end with its address (and prefix length) and its MTU.
    pub fn wire(&self, ends: [(&str, &[&str], u32); 2]) {
        let name = |k: usize| format!("{}{}{}", self.id, ends[k].0, ends[1 - k].0);
        let (one, other) = (name(0), name(1));
        ip(&format!("link add {one} type veth peer name {other}")).unwrap();
        for (k, (host, addresses, mtu)) in ends.iter().enumerate() {
            ip(&format!("link set {} netns {}", name(k), self.name(host))).unwrap();
            for address in *addresses {
                let nodad = if address.contains(':') { "nodad" } else { "" };
                self.ip(host, &format!("addr add {address} dev {} {nodad}", name(k)));
            }
            self.ip(host, &format!("link set {} mtu {mtu} up", name(k)));
        }
    }

    /// Runs an `ip` command in a host.
    pub fn ip(&self, host: &str, words: &str) {
        ip(&format!("-n {} {words}", self.name(host))).unwrap();
    }

    /// From now on next to nothing leaves a host by its wire to another; it waits in a long queue.
    pub fn slow_down(&self, host: &str, to: &str) {
        let device = format!("{}{host}{to}", self.id);
        let words = "root tbf rate 8kbit burst 10000 limit 1000000000";
        let mut tc = Command::new("tc");
        tc.args(["-n", &self.name(host), "qdisc", "add", "dev", &device]).args(words.split(' '));
        assert!(output(tc, "").status.success(), "tc, of iproute2, knows tbf");
    }

    /// Has a host's own filter forbid what it would send from this UDP port, or allow it again.
    pub fn forbid(&self, host: &str, from_port: u16, forbidden: bool) {
        let rules = if forbidden {
            format!(
                "add table ip t; add chain ip t o {{ type filter hook output priority 0; }}; add rule ip t o udp sport {from_port} drop"
            )
        } else {
            "delete table ip t".to_owned()
        };
        self.nft(host, &rules);
    }

    /// Runs `nft` in a host with these rules; what it printed.
    pub fn nft(&self, host: &str, rules: &str) -> String {
        let mut nft = Command::new("ip");
        nft.args(["netns", "exec", &self.name(host), "nft", "--json", rules]);
        let done = output(nft, "");
        assert!(done.status.success(), "nft {rules}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }

    /// The interface of a host at its wire to another.
    pub fn interface(&self, host: &str, to: &str) -> String {
        format!("{}{host}{to}", self.id)
    }

    /// Makes a host the NAT of those behind it: what leaves by its wire to `outside` gets its address, and nothing
    /// comes in that was not asked for. `how` is nft's: `persistent` keeps ports, `fully-random` changes them with
    /// each peer.
    pub fn masquerade(&self, host: &str, outside: &str, how: &str) {
        let device = self.interface(host, outside);
        self.forward(host);
        self.nft(
            host,
            &format!(
                "add table ip n; \
                 add chain ip n out {{ type nat hook postrouting priority 100; }}; \
                 add rule ip n out oifname {device} masquerade {how}; \
                 add chain ip n own {{ type filter hook input priority 0; }}; \
                 add rule ip n own iifname {device} ct state new drop; \
                 add chain ip n through {{ type filter hook forward priority 0; }}; \
                 add rule ip n through iifname {device} ct state new drop"
            ),
        );
    }

    /// Lets a host pass on what is not for it.
    pub fn forward(&self, host: &str) {
        let words = ["netns", "exec", &self.name(host), "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"];
        let mut sh = Command::new("ip");
        sh.args(words);
        assert!(output(sh, "").status.success());
    }

    /// The program with these words, in a host.
    pub fn udpecho(&self, host: &str, folder: &Path, words: &str) -> Command {
        let inner = command(folder, words);
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name(host)]).arg(inner.get_program()).args(inner.get_args());
        command.current_dir(folder);
        command
    }

    /// A server in a host, ready.
    pub fn serve(&self, host: &str, folder: &Path, options: &str) -> Process {
        let mut process = Process::spawn(self.udpecho(host, folder, &format!("serve {options}")));
        process.line_with("injects");
        process
    }

    /// The namespace of a host.
    pub fn name(&self, host: &str) -> String {
        format!("{}{host}", self.id)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for host in &self.hosts {
            let _ = ip(&format!("netns del {}", self.name(host)));
        }
    }
}

fn ip(words: &str) -> Result<(), String> {
    let mut command = Command::new("ip");
    command.args(words.split_whitespace());
    let output = output(command, "");
    let said = || format!("ip {words}: {}", String::from_utf8_lossy(&output.stderr).trim());
    if output.status.success() { Ok(()) } else { Err(said()) }
}
