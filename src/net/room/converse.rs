//! One member's connection: its messages go to the room, its events are written to it.

use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, select};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::sleep;

use super::service::Seat;
use crate::room::Event;
use crate::time::Duration;

/// After the room has closed a connection, its peer has this time to read the last lines.
const LAST_LINES: Duration = Duration::from_secs(2);

/// Runs until the member has left and has read it, or does not read.
pub(super) async fn converse(
    seat: &Seat,
    read: impl Future<Output = ()>,
    write: impl AsyncWrite + Unpin,
    render: impl FnMut(&[Arc<Event>]) -> Vec<u8>,
) {
    let reading = async {
        read.await;
        seat.leave();
        pending::<()>().await;
    };
    // Reading comes first: the last message decides how the answer is written.
    select(pin!(reading), pin!(write_events(seat, write, render))).await;
}

async fn write_events(
    seat: &Seat,
    mut write: impl AsyncWrite + Unpin,
    mut render: impl FnMut(&[Arc<Event>]) -> Vec<u8>,
) {
    loop {
        let events = seat.events().await;
        let bytes = render(&events);
        let overdue = async {
            seat.closed().await;
            sleep(LAST_LINES.to_std()).await;
        };
        let is_written = match select(pin!(write.write_all(&bytes)), pin!(overdue)).await {
            Either::Left((written, _)) => written.is_ok(),
            Either::Right(_) => false,
        };
        if !is_written {
            return;
        }
        if events.last().is_some_and(|event| matches!(**event, Event::Closed { .. })) {
            let _ = write.shutdown().await;
            return;
        }
    }
}
