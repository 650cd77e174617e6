//! Tells systemd what the service does (`Type=notify`); does nothing elsewhere.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Sends a state such as `READY=1` to the socket that systemd names. A failure is systemd's to notice.
pub(crate) fn service_manager(state: &str) {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let address = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(&name),
    };
    let send = || UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address?);
    if let Err(error) = send() {
        tracing::debug!(%error, "cannot tell the service manager");
    }
}
