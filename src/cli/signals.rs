//! Signals: the first INT, TERM or HUP asks for an orderly end, the second ends at once.

use std::sync::Arc;

use crate::net::Control;

/// What a signal asks for besides an end.
pub trait OnQuit: Fn() + Send + 'static {}

impl<F: Fn() + Send + 'static> OnQuit for F {}

/// From now on signals go to this control; QUIT calls `on_quit`.
#[cfg(unix)]
pub fn watch(control: &Arc<Control>, on_quit: impl OnQuit) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT])?;
    let control = Arc::clone(control);
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            match signal {
                SIGQUIT => on_quit(),
                SIGINT if control.stop_asked() => control.abort(),
                _ => control.stop(),
            }
        }
    })?;
    Ok(())
}

#[cfg(not(unix))]
pub fn watch(_control: &Arc<Control>, _on_quit: impl OnQuit) -> std::io::Result<()> {
    Ok(())
}
