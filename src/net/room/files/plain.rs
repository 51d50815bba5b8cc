//! The file client of ten lines: it sends a word instead of a name, reads a verdict with one `recv`,
//! then the file until the end of the connection.

use std::net::IpAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::RoomFiles;
use crate::room::{AUTH_ERROR, AUTH_SUCCESS, PlainAnswer, PlainOffer};
use crate::time::Duration;

/// Bytes of the longest word and its line end.
const WORD: usize = PlainOffer::LONGEST_WORD + 2;
/// The client reads the verdict with one `recv(1024)`: what comes with it is lost. Of 200 files sent at
/// once after it, 185 were cut; with 200 ms in between none of 20 was.
const PAUSE: Duration = Duration::from_millis(250);
/// A peer that takes nothing for this time is dropped.
const WRITE: Duration = Duration::from_secs(10);

/// Whether the peer has sent something without an end of line: people wait for the greeting, and
/// scripts send lines.
pub(in crate::net::room) async fn said_before_greeting(stream: &TcpStream) -> bool {
    let mut bytes = [0; WORD];
    let peeked = timeout(std::time::Duration::ZERO, stream.peek(&mut bytes)).await;
    matches!(peeked, Ok(Ok(length @ 1..)) if !bytes[..length].contains(&b'\n'))
}

/// Answers the word, and sends the file if it is the right one.
pub(in crate::net::room) async fn serve_word(mut stream: TcpStream, source: IpAddr, files: &RoomFiles) {
    /// So that words cannot be tried quickly.
    const WRONG: Duration = Duration::from_secs(1);
    let mut word = [0; WORD];
    let Ok(length) = stream.read(&mut word).await else { return };
    let room = &files.room;
    let answer = room.with(|state, clock| state.room.hear_word(clock.now(), source, &word[..length]));
    let _ = stream.set_nodelay(true);
    match answer {
        Some(PlainAnswer::Fetch(file)) => {
            let _ = stream.write_all(AUTH_SUCCESS.as_bytes()).await;
            sleep(PAUSE.to_std()).await;
            let mut offset = 0;
            while let Ok(part) = files.read(&file, offset).await {
                let written = timeout(WRITE.to_std(), stream.write_all(&part)).await;
                if part.is_empty() || !matches!(written, Ok(Ok(()))) {
                    break;
                }
                offset += part.len() as u64;
            }
            let _ = stream.shutdown().await;
        }
        Some(PlainAnswer::Wrong) => {
            sleep(WRONG.to_std()).await;
            let _ = stream.write_all(AUTH_ERROR.as_bytes()).await;
        }
        Some(PlainAnswer::Silent) | None => sleep(WRONG.to_std()).await,
    }
}
