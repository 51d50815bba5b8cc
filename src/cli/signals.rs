//! Signals: INT, TERM and HUP stop in an orderly way, a second INT aborts.

use std::sync::Arc;

use crate::net::Control;

/// From now on signals go to this control; QUIT calls `on_quit`.
#[cfg(unix)]
pub(super) fn watch(control: &Arc<Control>, on_quit: impl Fn() + Send + 'static) -> std::io::Result<()> {
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
pub fn watch(_control: &Arc<Control>, _on_quit: impl Fn() + Send + 'static) -> std::io::Result<()> {
    Ok(())
}
