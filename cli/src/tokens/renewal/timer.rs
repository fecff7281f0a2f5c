//! A pause that a machine's sleep is part of: a token dies meanwhile, too.

use std::time::Duration;

/// Ends after that time, or as soon as the machine wakes up behind it. tokio's own clock stands still while the machine sleeps, so a
/// thread waits; it ends with this process.
#[cfg(target_os = "linux")]
pub(super) async fn sleep(duration: Duration) {
    let (sender, over) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || wait_by_boot_clock(duration).map(|()| sender.send(())));
    if over.await.is_err() {
        tokio::time::sleep(duration).await; // of no less use while the machine is awake
    }
}

/// Nothing when there is no such clock.
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

/// Ends after that time. The clock may stand still while the machine sleeps; a token is late then.
#[cfg(not(target_os = "linux"))]
pub(super) async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}
