//! Time, as an argument: the wall clock for GitHub's times, the boot clock for time that elapsed.

#[cfg(test)]
use std::sync::Mutex;
use std::time::Duration;

/// One moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970. People and time servers may set this clock back and forth.
    pub wall: i64,
    /// Time since the machine started, sleep included. It only goes forward, but says nothing about the date.
    pub boot: Duration,
}

/// Something that knows the time.
pub trait Clock: Send + Sync {
    /// This moment.
    fn now(&self) -> Moment;
}

/// The machine's clocks.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that asks")]
        let wall = std::time::SystemTime::now();
        let wall = wall.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
        Moment { wall: i64::try_from(wall).unwrap_or(i64::MAX), boot: boot_time() }
    }
}

/// `Instant` stops while a laptop sleeps; a token does not.
#[cfg(target_os = "linux")]
fn boot_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(time).unwrap_or_default()
}

/// Elsewhere the standard library's clock has to do; on macOS it stops during sleep, and the wall clock remains.
#[cfg(not(target_os = "linux"))]
fn boot_time() -> Duration {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
}

/// A clock for tests: it stands until it is moved.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct TestClock(Mutex<Moment>);

#[cfg(test)]
impl TestClock {
    /// A clock that stands at that wall time.
    pub(crate) fn at(wall: i64) -> Self {
        Self(Mutex::new(Moment { wall, boot: Duration::from_secs(1000) }))
    }

    /// Lets time pass on both clocks.
    pub(crate) fn pass(&self, seconds: u32) {
        let mut now = self.0.lock().expect("no test panics with the clock in its hand");
        now.wall += i64::from(seconds);
        now.boot += Duration::from_secs(seconds.into());
    }

    /// Sets the wall clock, as a person or a time server does.
    pub(crate) fn set_wall(&self, wall: i64) {
        self.0.lock().expect("no test panics with the clock in its hand").wall = wall;
    }
}

#[cfg(test)]
impl Clock for TestClock {
    fn now(&self) -> Moment {
        *self.0.lock().expect("no test panics with the clock in its hand")
    }
}
