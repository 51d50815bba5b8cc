//! The headers of a batch of messages, and what they point at.

use std::mem::zeroed;

use super::control::ControlBuffer;

/// The headers that the kernel reads and writes, kept from call to call. Every pointer is set anew before
/// each call.
#[derive(Default)]
pub(super) struct Headers {
    pub messages: Vec<libc::mmsghdr>,
    pub vectors: Vec<libc::iovec>,
    pub names: Vec<libc::sockaddr_storage>,
    pub controls: Vec<ControlBuffer>,
    /// The outgoing datagram, or train, of each message.
    pub outgoing: Vec<usize>,
}

// SAFETY: the pointers inside `Headers` are only followed during a call of its owner, which sets
// them first.
unsafe impl Send for Headers {}

impl Headers {
    pub(super) fn resize(&mut self, messages: usize, vectors: usize) {
        // SAFETY: all-zero is a valid value of these plain C structures.
        unsafe {
            if self.messages.len() < messages {
                self.messages.resize(messages, zeroed());
                self.names.resize(messages, zeroed());
                self.controls.resize(messages, ControlBuffer::EMPTY);
            }
            if self.vectors.len() < vectors {
                self.vectors.resize(vectors, zeroed());
            }
        }
    }
}
