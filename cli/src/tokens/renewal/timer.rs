//! A pause that counts the time while the machine sleeps, since a token expires then, too.

use std::time::Duration;

/// Returns after that time, or as soon as the machine wakes up later. tokio's own clock stands still while the machine sleeps, so a
/// thread waits; it ends with this process.
#[cfg(target_os = "linux")]
pub(super) async fn sleep(duration: Duration) {
    let (sender, over) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || wait_by_boot_clock(duration).map(|()| sender.send(())));
    if over.await.is_err() {
        tokio::time::sleep(duration).await; // as good, as long as the machine does not sleep
    }
}

/// `None` when there is no such clock.
#[cfg(target_os = "linux")]
fn wait_by_boot_clock(duration: Duration) -> Option<()> {
    use rustix::thread::{ClockId, NanosleepRelativeResult, clock_nanosleep_relative};
    let mut left = duration.try_into().ok()?;
    loop {
        match clock_nanosleep_relative(ClockId::Boottime, &left) {
            NanosleepRelativeResult::Ok => return Some(()),
            NanosleepRelativeResult::Interrupted(rest) => left = rest,
            NanosleepRelativeResult::Err(_) => return None,
        }
    }
}

/// Returns after that time. The clock may stand still while the machine sleeps; then the next token is late.
#[cfg(not(target_os = "linux"))]
pub(super) async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}
