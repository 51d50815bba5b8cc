//! Runs a command behind a proxy, with the proxy's addresses in its environment. The proxy ends when the command
//! exits; a proxy that is stopped first ends the command.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::process::{self, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context, anyhow};

use crate::cli::printer::stderr_line;
use crate::net::{Control, terminate};
use crate::time::Duration;

pub(super) struct Child {
    child: Arc<Mutex<process::Child>>,
    waiter: JoinHandle<std::io::Result<ExitStatus>>,
}

impl Child {
    /// Its exit is noticed within this time.
    const POLL: Duration = Duration::from_millis(10);
    /// A terminal sends INT to the command, too: it may be about to end.
    const UNTIL_TERM: Duration = Duration::from_secs(1);
    const UNTIL_KILL: Duration = Duration::from_secs(5);

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
        let child =
            command.spawn().with_context(|| format!("cannot start '{}'", program.to_string_lossy()))?;
        let child = Arc::new(Mutex::new(child));
        let (control, waited) = (Arc::clone(control), Arc::clone(&child));
        let waiter = std::thread::Builder::new().name("command".into()).spawn(move || {
            let status = loop {
                if let Some(status) = lock(&waited).try_wait().transpose() {
                    break status;
                }
                std::thread::sleep(Self::POLL.to_std());
            };
            control.stop();
            status
        })?;
        Ok(Some(Self { child, waiter }))
    }

    /// Its exit code; 128 and the signal that ended it, as shells have it. A command that goes on gets TERM, and KILL
    /// if it goes on then.
    pub(super) fn finish(self) -> anyhow::Result<u8> {
        if !self.ends_within(Self::UNTIL_TERM) {
            self.unless_ended(|child| terminate(child.id()))?;
            if !self.ends_within(Self::UNTIL_KILL) {
                stderr_line("udpecho: the command does not end on TERM and is killed");
                self.unless_ended(process::Child::kill)?;
            }
        }
        let status =
            self.waiter.join().map_err(|_| anyhow!("the thread that waits for the command ended"))?;
        let status = status.context("cannot wait for the command")?;
        #[cfg(unix)]
        if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
            return Ok(u8::try_from(128 + signal).unwrap_or(u8::MAX));
        }
        Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
    }

    fn ends_within(&self, time: Duration) -> bool {
        let looks = time.as_nanos() / Self::POLL.as_nanos();
        (0..looks).any(|_| {
            std::thread::sleep(Self::POLL.to_std());
            self.waiter.is_finished()
        })
    }

    /// Nobody waits for it meanwhile, so that its number is still its own.
    fn unless_ended(
        &self,
        end: impl FnOnce(&mut process::Child) -> std::io::Result<()>,
    ) -> anyhow::Result<()> {
        let mut child = lock(&self.child);
        match child.try_wait() {
            Ok(None) => end(&mut child).context("cannot end the command"),
            _ => Ok(()),
        }
    }
}

fn lock(child: &Mutex<process::Child>) -> MutexGuard<'_, process::Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}
