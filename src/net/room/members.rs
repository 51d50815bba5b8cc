//! Connections of our own client: Noise frames around the JSON that scripts send in the clear.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::{sleep, timeout};

use super::converse::converse;
use super::plain::FLOOD_PAUSE;
use super::secure::{Frame, Opener, Sealer, accept_handshake};
use super::service::Seat;
use crate::room::{Event, MAGIC};
use crate::time::Duration;

/// An encrypted connection whose peer has proven that it has the key.
pub(super) struct Secure {
    stream: TcpStream,
    sealer: Sealer,
    opener: Opener,
}

impl Secure {
    /// None if the peer has another key, or is too slow: it is not answered.
    pub(super) async fn accept(mut stream: TcpStream, psk: &[u8; 32]) -> Option<Self> {
        const HANDSHAKE: Duration = Duration::from_secs(5);
        let shaken = timeout(HANDSHAKE.to_std(), async {
            let mut magic = [0; MAGIC.len()];
            stream.read_exact(&mut magic).await.ok()?;
            let frame = read_frame(&mut stream).await.filter(|_| magic == MAGIC)?;
            let (answer, sealer, opener) = accept_handshake(psk, &frame).ok()?;
            stream.write_all(&answer).await.ok()?;
            Some((sealer, opener))
        });
        let (sealer, opener) = shaken.await.ok().flatten()?;
        Some(Self { stream, sealer, opener })
    }

    /// Tells why there is no place.
    pub(super) async fn refuse(mut self, why: String) {
        let frame = self.sealer.seal(&Frame::Json(Event::Refused { why }.json()));
        let _ = self.stream.write_all(&frame).await;
    }

    /// Bytes of a part of a file.
    pub(super) const PART: usize = 32 << 10;

    /// The next frame; none at the end.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        read_frame(&mut self.stream).await.and_then(|frame| self.opener.open(&frame))
    }

    pub(super) async fn send(&mut self, frame: &Frame) -> std::io::Result<()> {
        self.stream.write_all(&self.sealer.seal(frame)).await
    }

    /// Until the member has left. The first line was read already.
    pub(super) async fn serve(self, seat: Seat, first: &str) {
        let Self { stream, mut sealer, opener } = self;
        let (reader, writer) = stream.into_split();
        seat.send(first);
        converse(&seat, read(reader, opener, &seat), writer, |events| {
            events.iter().flat_map(|event| sealer.seal(&Frame::Json(event.json()))).collect()
        })
        .await;
    }
}

async fn read(mut stream: OwnedReadHalf, mut opener: Opener, seat: &Seat) {
    while let Some(frame) = read_frame(&mut stream).await.and_then(|frame| opener.open(&frame)) {
        // Files have connections of their own.
        let Frame::Json(line) = frame else { return };
        if !seat.send(&line) {
            sleep(FLOOD_PAUSE.to_std()).await;
        }
    }
}

async fn read_frame(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<Vec<u8>> {
    let length = stream.read_u16().await.ok()?;
    let mut frame = vec![0; usize::from(length)];
    stream.read_exact(&mut frame).await.ok()?;
    Some(frame)
}
