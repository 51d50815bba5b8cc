//! Stands between one client and a server: what comes from either is given to whoever asked for it, with
//! the socket to pass it on by.

use std::net::UdpSocket;
use std::thread;

/// To this server, until the test is over; returns the port that the client is to measure.
pub fn relay(
    server: u16,
    mut up: impl FnMut(&UdpSocket, &[u8]) + Send + 'static,
    mut down: impl FnMut(&UdpSocket, &[u8]) + Send + 'static,
) -> u16 {
    let [outside, inside] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    inside.connect(("127.0.0.1", server)).unwrap();
    let port = outside.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut buffer = [0; 65_536];
        let (read, client) = outside.recv_from(&mut buffer).unwrap();
        outside.connect(client).unwrap();
        let [back_out, back_in] = [&outside, &inside].map(|socket| socket.try_clone().unwrap());
        thread::spawn(move || {
            let mut buffer = [0; 65_536];
            while let Ok(read) = back_in.recv(&mut buffer) {
                down(&back_out, &buffer[..read]);
            }
        });
        let mut next = Ok(read);
        while let Ok(read) = next {
            up(&inside, &buffer[..read]);
            next = outside.recv(&mut buffer);
        }
    });
    port
}

/// Passes a datagram on; whom it is for may be gone by now.
pub fn pass(to: &UdpSocket, datagram: &[u8]) {
    let _ = to.send(datagram);
}
