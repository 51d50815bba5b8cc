//! What tests need besides Rust. A test whose need is missing is skipped and recorded for the closing
//! line of `tests/untested.rs`; with `UDPECHO_REQUIRE_ALL=1`, as in `.ci/run`, it fails instead.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

#[derive(Clone, Copy, Debug)]
pub enum Need {
    /// Named network namespaces with virtual wires between them.
    Namespaces,
    /// A network namespace that an ordinary user may make.
    UserNamespace,
    Nft,
    Python,
    Chromium,
    Prometheus,
    Alertmanager,
    BlackboxExporter,
    Chrt,
    Dnsmasq,
    Dig,
    Tshark,
    Iperf3,
    Irtt,
    Bash,
    Fish,
    /// toxiproxy-python, as `.ci/run` installs it.
    ToxiproxyClient,
    /// A control group with a CPU quota.
    CpuQuota,
    Telnet,
    /// OpenBSD's netcat, or ncat.
    Nc,
    Openssl,
    /// libcoap's client and server.
    Coap,
    /// tftp-hpa's client and server.
    Tftp,
    Root,
    /// ngtcp2's client and server, on GnuTLS.
    Ngtcp2,
    /// As `.ci/run` installs it.
    Aioquic,
    /// A program of `tests/peers`, as `.ci/run` builds it.
    Quinn,
    StampSuite,
}

impl Need {
    /// Why it is missing; none if it is there.
    fn missing(self) -> Option<&'static str> {
        let (is_met, why) = match self {
            Self::Namespaces => (can_add_namespace(), "network namespaces need root and iproute2"),
            Self::UserNamespace => {
                (can_unshare(), "network namespaces of a user need iproute2 and a kernel that allows them")
            }
            Self::Nft => (on_path("nft"), "no nft"),
            Self::Python => (on_path("python3"), "no python3"),
            Self::Chromium => (on_path("chromium"), "no chromium"),
            Self::Prometheus => (on_path("prometheus") && on_path("promtool"), "no prometheus"),
            Self::Alertmanager => (on_path("prometheus-alertmanager"), "no alertmanager"),
            Self::BlackboxExporter => (on_path("prometheus-blackbox-exporter"), "no blackbox_exporter"),
            Self::Chrt => (on_path("chrt"), "no chrt"),
            Self::Dnsmasq => (on_path("dnsmasq"), "no dnsmasq"),
            Self::Dig => (on_path("dig"), "no dig"),
            Self::Tshark => (on_path("tshark"), "no tshark"),
            Self::Iperf3 => (on_path("iperf3"), "no iperf3"),
            Self::Irtt => (on_path("irtt"), "no irtt"),
            Self::Bash => (on_path("bash"), "no bash"),
            Self::Fish => (on_path("fish"), "no fish"),
            Self::ToxiproxyClient => (
                can_import("toxiproxy"),
                "no toxiproxy-python: pip install --target target/python -r tests/python/requirements.txt",
            ),
            Self::CpuQuota => (
                super::cgroup::CpuQuota::of_percent(50).is_some(),
                "a CPU quota needs root and the cpu controller",
            ),
            Self::Telnet => (on_path("telnet"), "no telnet"),
            Self::Nc => (on_path("nc.openbsd") || on_path("ncat"), "no nc"),
            Self::Openssl => (on_path("openssl"), "no openssl"),
            Self::Coap => (on_path("coap-server-notls") && on_path("coap-client-notls"), "no libcoap"),
            Self::Tftp => (
                on_path("tftp") && Path::new("/usr/sbin/in.tftpd").is_file(),
                "no tftp-hpa, or not its server",
            ),
            Self::Root => (is_root(), "needs root"),
            Self::Ngtcp2 => {
                let server = Path::new("/usr/sbin/gtlsserver").is_file();
                (on_path("gtlsclient") && server, "no ngtcp2, or not its server")
            }
            Self::Aioquic => (
                can_import("aioquic"),
                "no aioquic: pip install --target target/python -r tests/python/requirements.txt",
            ),
            Self::Quinn => (quinn_peer().is_file(), NO_PEERS),
            Self::StampSuite => (stamp_suite().is_file(), NO_PEERS),
        };
        (!is_met).then_some(why)
    }
}

/// Returns from the test that calls it if one of these needs is missing.
#[macro_export]
macro_rules! needs {
    ($($need:ident),+) => {
        fn here() {}
        let test = std::any::type_name_of_val(&here).trim_end_matches("::here");
        if !$crate::common::needs::are_met(test, &[$($crate::common::needs::Need::$need),+]) {
            return;
        }
    };
}

pub fn are_met(test: &str, needs: &[Need]) -> bool {
    let record = skipped_folder().join(test.replace("::", "."));
    let Some(why) = needs.iter().find_map(|need| need.missing()) else {
        let _ = fs::remove_file(record);
        return true;
    };
    assert!(!everything_is_required(), "{test} cannot run: {why}");
    fs::create_dir_all(skipped_folder()).expect("a folder for what is skipped");
    fs::write(record, why).expect("a record of what is skipped");
    false
}

pub fn everything_is_required() -> bool {
    env::var_os("UDPECHO_REQUIRE_ALL").is_some_and(|value| value == "1")
}

/// The tests that were skipped since this was last called, and why.
pub fn take_skipped() -> BTreeMap<String, String> {
    let Ok(entries) = fs::read_dir(skipped_folder()) else { return BTreeMap::new() };
    let skipped = entries.map(|entry| {
        let path = entry.expect("an entry").path();
        let why = fs::read_to_string(&path).expect("why it was skipped");
        fs::remove_file(&path).expect("its record is removed");
        (path.file_name().expect("a name").to_string_lossy().replace('.', "::"), why)
    });
    skipped.collect()
}

fn skipped_folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("skipped")
}

/// Where Python finds the packages of `tests/python/requirements.txt`.
pub fn python_packages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python")
}

const NO_PEERS: &str =
    "no peers in Rust: cargo build --manifest-path tests/peers/Cargo.toml --target-dir target/peers";

/// A QUIC server and client on quinn.
pub fn quinn_peer() -> PathBuf {
    peer("quinn-peer")
}

/// The sender and the reflector of stamp-suite.
pub fn stamp_suite() -> PathBuf {
    peer("stamp-peer")
}

fn peer(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/debug").join(name)
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|of| std::os::unix::fs::MetadataExt::uid(&of) == 0)
}

fn can_import(module: &str) -> bool {
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", python_packages()).args(["-c", &format!("import {module}")]);
    python.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn can_add_namespace() -> bool {
    let name = format!("udpecho-{}-{:?}", std::process::id(), std::thread::current().id());
    let name = name.replace(['(', ')'], "");
    on_path("tc") && succeeds("ip", &["netns", "add", &name]) && succeeds("ip", &["netns", "delete", &name])
}

fn can_unshare() -> bool {
    succeeds("unshare", &["--map-root-user", "--net", "--pid", "--fork", "ip", "link", "set", "lo", "up"])
}

fn succeeds(program: &str, words: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
