//! The reflector of a monitor that strangers talk to.

use std::net::UdpSocket;

use tempfile::TempDir;
use udpecho::wire::native::{Hello, Nonce, Open};

use crate::common::process::{Process, Serve, command, free_port, run};
use crate::live::web::page_of;
use crate::room::abuse::resident_kilobytes;
use crate::watch::{metrics_once, series};

/// Each nonce is another one; the cookies are guessed.
#[test]
fn handshakes_that_nobody_completes_cost_a_monitor_no_memory_and_no_probe() {
    const FLOOD: u64 = 20_000;
    let (folder, server, port) = (TempDir::new().unwrap(), Serve::start("--clean"), free_port());
    let words = format!("watch -q -i 20ms --serve {port} --http 0 127.0.0.1:{}", server.port);
    let mut watching = Process::spawn(command(folder.path(), &words));
    let page = page_of(&mut watching);
    let replies = |now: &str| series(now, "udpecho_replies_total", &[]);
    let before = replies(&metrics_once(page, |now| replies(now) > Some(50)));
    let resident = resident_kilobytes(watching.pid());
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut buffer = [0; 2048];
    for n in 0..FLOOD {
        let length = if n % 2 == 0 {
            Hello { nonce: Nonce(n) }.emit(&mut buffer)
        } else {
            let (nonce, cookie) = (Nonce(n), [n as u8; 16]);
            let open = Open {
                nonce,
                cookie,
                size: 200,
                remember: 1 << 20,
                idle_secs: 600,
                first_seq: n,
                requested_impairment: "",
            };
            open.emit(&mut buffer)
        };
        stranger.send_to(&buffer[..length], ("127.0.0.1", port)).unwrap();
    }
    let answered = run(command(folder.path(), &format!("ping -q -n 3 -i 10ms 127.0.0.1:{port}")));
    assert_eq!(answered.code, Some(0), "{answered:#?}");
    let now = metrics_once(page, |now| replies(now) > before.map(|count| count + 50));
    let grown = resident_kilobytes(watching.pid()).saturating_sub(resident);
    assert!(grown < 2_000, "{grown} kB for {FLOOD} datagrams");
    for cause in ["up", "down", "server_overflow", "unknown"] {
        assert_eq!(
            series(&now, "udpecho_probes_lost_total", &[&format!("cause=\"{cause}\"")]),
            Some(0),
            "{cause}"
        );
    }
}
