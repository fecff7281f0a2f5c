//! The Linux kernel as a key store, with an unsupported twin for every other system: both have the type `Kernel`.

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod platform;
#[cfg(not(target_os = "linux"))]
#[path = "unsupported.rs"]
mod platform;

pub(super) use platform::Kernel;
