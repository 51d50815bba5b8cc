//! Files on encrypted connections of their own: the ticket first, then parts until an empty one.

use std::io;

use futures_util::{Stream, stream};
use tokio::time::timeout;

use super::{PATIENCE, RoomFiles};
use crate::net::room::members::Secure;
use crate::net::room::secure::Frame;
use crate::room::Event;

/// Takes a file to the shelf.
pub(in crate::net::room) async fn take_file(mut secure: Secure, files: &RoomFiles, ticket: &str) {
    let answer = match files.upload(ticket).await {
        Ok(upload) => {
            let transfer = upload.transfer().clone();
            if send(&mut secure, &event(&Event::Put { transfer })).await.is_err() {
                return;
            }
            upload.receive(parts(&mut secure), PATIENCE).await
        }
        Err(why) => Err(why),
    };
    let answer = match answer {
        Ok(file) => Event::Shelved { file },
        Err(why) => Event::Refused { why: why.to_string() },
    };
    let _ = send(&mut secure, &event(&answer)).await;
}

/// Up to an empty one, or the end of the connection.
fn parts(secure: &mut Secure) -> impl Stream<Item = Vec<u8>> {
    stream::unfold(secure, |secure| async move {
        match secure.next().await {
            Some(Frame::Data(part)) if !part.is_empty() => Some((part, secure)),
            _ => None,
        }
    })
}

/// Gives a file from the shelf, from this byte on.
pub(in crate::net::room) async fn give_file(
    mut secure: Secure,
    files: &RoomFiles,
    ticket: &str,
    offset: u64,
) {
    let file = match files.download(ticket) {
        Ok(transfer) => transfer.file,
        Err(why) => {
            let _ = send(&mut secure, &event(&Event::Refused { why: why.to_string() })).await;
            return;
        }
    };
    let mut offset = offset.min(file.bytes);
    while let Ok(part) = files.read(&file, offset).await {
        offset += part.len() as u64;
        let is_last = part.is_empty();
        // An empty part is the end; a part of the store is two frames.
        let frames: Vec<Vec<u8>> =
            if is_last { vec![part] } else { part.chunks(Secure::PART).map(<[u8]>::to_vec).collect() };
        for frame in frames {
            if send(&mut secure, &Frame::Data(frame)).await.is_err() {
                return;
            }
        }
        if is_last {
            return;
        }
    }
}

fn event(event: &Event) -> Frame {
    Frame::Json(event.json())
}

async fn send(secure: &mut Secure, frame: &Frame) -> io::Result<()> {
    timeout(PATIENCE.to_std(), secure.send(frame))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
