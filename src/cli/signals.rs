//! Signals: INT, TERM and HUP stop in an orderly way, a second INT aborts. At TERM a server also tells its clients
//! that it ends. Where there is a configuration file HUP reloads it.

use std::sync::Arc;

use crate::net::Control;

/// From now on signals go to this control; QUIT calls `on_quit`.
pub(super) fn watch(control: &Arc<Control>, on_quit: impl Fn() + Send + 'static) -> std::io::Result<()> {
    watch_all(control, on_quit, None::<fn()>)
}

/// The same, but HUP calls `on_reload`.
pub(super) fn watch_and_reload(
    control: &Arc<Control>,
    on_quit: impl Fn() + Send + 'static,
    on_reload: impl Fn() + Send + 'static,
) -> std::io::Result<()> {
    watch_all(control, on_quit, Some(on_reload))
}

/// Stops when standard input ends: the program at its other end has closed it, or is gone.
pub(super) fn stop_when_stdin_ends(control: &Arc<Control>) -> std::io::Result<()> {
    let control = Arc::clone(control);
    let read = move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        control.stop();
    };
    std::thread::Builder::new().name("stdin".into()).spawn(read).map(drop)
}

#[cfg(unix)]
fn watch_all(
    control: &Arc<Control>,
    on_quit: impl Fn() + Send + 'static,
    on_reload: Option<impl Fn() + Send + 'static>,
) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT])?;
    let control = Arc::clone(control);
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            match (signal, &on_reload) {
                (SIGHUP, Some(on_reload)) => on_reload(),
                (SIGQUIT, _) => on_quit(),
                (SIGINT, _) if control.stop_asked() => control.abort(),
                (SIGTERM, _) => control.stop_gently(),
                _ => control.stop(),
            }
        }
    })?;
    Ok(())
}

#[cfg(not(unix))]
fn watch_all(
    _control: &Arc<Control>,
    _on_quit: impl Fn() + Send + 'static,
    _on_reload: Option<impl Fn() + Send + 'static>,
) -> std::io::Result<()> {
    Ok(())
}
