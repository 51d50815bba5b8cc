//! Dialects on sockets: which a host speaks, what each can tell, devices, foreign peers and captures.

mod auto;
mod known;
mod peers;
mod router;
#[cfg(target_os = "linux")]
mod tshark;

/// The port in a line that ends with it or goes on behind it.
fn port_after(line: &str) -> u16 {
    let digits: String =
        line.split("port ").nth(1).unwrap().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

const STAMP_LINE: &str = "answers STAMP and TWAMP-Light on UDP port ";
