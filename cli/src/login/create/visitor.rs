//! The user at the other end of a connection on this machine: every user can reach the loopback network, but the page is for one.

use std::net::SocketAddr;

/// Whether the kernel says that a connection to `here` comes from another user. Root may look at everything anyway.
///
/// Where the kernel does not say, the start page's secret name is the only protection.
#[cfg(target_os = "linux")]
pub(super) fn is_another_user(visitor: SocketAddr, here: SocketAddr) -> bool {
    let own = rustix::process::geteuid().as_raw();
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap_or_default();
    owner(&table, visitor, here).is_some_and(|uid| uid != own && uid != 0)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_another_user(_visitor: SocketAddr, _here: SocketAddr) -> bool {
    false
}

/// The user of the socket from `local` to `remote`, from the kernel's table of sockets (proc(5), /proc/net/tcp).
#[cfg(target_os = "linux")]
fn owner(table: &str, local: SocketAddr, remote: SocketAddr) -> Option<u32> {
    let (local, remote) = (in_the_table(local)?, in_the_table(remote)?);
    let mut lines = table.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let line = lines.find(|fields| {
        let at = |index: usize, address: &String| fields.get(index).is_some_and(|field| field == address);
        at(1, &local) && at(2, &remote)
    })?;
    line.get(7)?.parse().ok()
}

/// An address as the table has it: as a number in the machine's own order, and the port.
#[cfg(target_os = "linux")]
fn in_the_table(address: SocketAddr) -> Option<String> {
    match address {
        SocketAddr::V4(address) => {
            let number = u32::from_ne_bytes(address.ip().octets());
            Some(format!("{number:08X}:{:04X}", address.port()))
        }
        SocketAddr::V6(_) => None,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use super::{is_another_user, owner};

    #[test]
    fn the_kernel_names_the_user_of_a_connection() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (visitor, here) = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
        let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
        assert_eq!(owner(&table, visitor, here), Some(rustix::process::geteuid().as_raw()));
        assert_eq!(owner(&table, here, here), None);
        assert!(!is_another_user(visitor, here));
    }
}
