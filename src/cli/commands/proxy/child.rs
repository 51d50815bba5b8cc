//! The command behind a proxy finds the addresses in its environment; the proxy ends when it exits.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context, anyhow};

use crate::net::Control;

pub(super) struct Child {
    waiter: JoinHandle<std::io::Result<ExitStatus>>,
}

impl Child {
    pub(super) fn start(
        command: &[OsString],
        names: &[String],
        addresses: &[SocketAddr],
        control: &Arc<Control>,
    ) -> anyhow::Result<Option<Self>> {
        let Some((program, arguments)) = command.split_first() else { return Ok(None) };
        let mut command = Command::new(program);
        command.args(arguments);
        if let Some(first) = addresses.first() {
            command.env("UDPECHO_PROXY", first.to_string());
        }
        for (name, address) in names.iter().zip(addresses).skip(1) {
            let name = name.to_ascii_uppercase().replace('-', "_");
            command.env(format!("UDPECHO_PROXY_{name}"), address.to_string());
        }
        let mut child =
            command.spawn().with_context(|| format!("cannot start '{}'", program.to_string_lossy()))?;
        let control = Arc::clone(control);
        let waiter = std::thread::Builder::new().name("command".into()).spawn(move || {
            let status = child.wait();
            control.stop();
            status
        })?;
        Ok(Some(Self { waiter }))
    }

    /// Its exit code; 128 and the signal that ended it, as shells have it.
    pub(super) fn finish(self) -> anyhow::Result<u8> {
        let status =
            self.waiter.join().map_err(|_| anyhow!("the thread that waits for the command ended"))?;
        let status = status.context("cannot wait for the command")?;
        #[cfg(unix)]
        if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
            return Ok(u8::try_from(128 + signal).unwrap_or(u8::MAX));
        }
        Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
    }
}
