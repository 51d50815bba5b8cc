//! Files on encrypted connections of their own: the ticket first, then parts until an empty one.

use std::io;

use tokio::time::timeout;

use super::{RoomFiles, Upload, UploadError};
use crate::net::room::members::Secure;
use crate::net::room::secure::Frame;
use crate::room::{Event, ShelfFile};
use crate::time::Duration;

/// A peer that sends or takes nothing for so long is dropped; an upload can go on later.
const PATIENCE: Duration = Duration::from_secs(60);

/// Takes a file to the shelf.
pub(in crate::net::room) async fn take_file(mut secure: Secure, files: &RoomFiles, ticket: &str) {
    let answer = match files.upload(ticket).await {
        Ok(upload) => {
            let transfer = upload.transfer().clone();
            if send(&mut secure, &event(&Event::Put { transfer })).await.is_err() {
                return;
            }
            receive(&mut secure, upload).await
        }
        Err(why) => Err(why),
    };
    let answer = match answer {
        Ok(file) => Event::Shelved { file },
        Err(why) => Event::Refused { why: why.to_string() },
    };
    let _ = send(&mut secure, &event(&answer)).await;
}

async fn receive(secure: &mut Secure, mut upload: Upload) -> Result<ShelfFile, UploadError> {
    while let Ok(Some(Frame::Data(part))) = timeout(PATIENCE.to_std(), secure.next()).await {
        if part.is_empty() {
            break;
        }
        upload.take(part).await?;
    }
    upload.end().await
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
