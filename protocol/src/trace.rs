//! `GHAPP_TRACE`: what happens, for the person who wonders why. It is given nothing secret, and what looks like a token or a
//! key is left out all the same.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

#[cfg(unix)]
use rustix::fs::OFlags;

use crate::secret::MARKS;

const VARIABLE: &str = "GHAPP_TRACE";

/// What stands for a secret.
const LEFT_OUT: &str = "[left out]";

/// Writes one line if tracing is on: to standard error for `1`, appended to a file for an absolute path.
///
/// A trace that cannot be written is dropped: git's command matters more.
pub fn event(describe: impl FnOnce() -> String) {
    let Some(target) = std::env::var_os(VARIABLE) else {
        return;
    };
    let line = format!("ghapp trace [{}]: {}\n", std::process::id(), redacted(&describe()));
    if target == OsStr::new("1") {
        drop(std::io::stderr().write_all(line.as_bytes()));
    } else if Path::new(&target).is_absolute() {
        drop(open(Path::new(&target)).and_then(|mut file| file.write_all(line.as_bytes())));
    }
}

/// Opens the file of a trace to append to it. It says what a person works on, so it is made for its user alone; and it is not written
/// through a link, which in a shared directory another user may have laid.
#[cfg(unix)]
pub fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags =
        i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits()).map_err(io::Error::other)?;
    OpenOptions::new().create(true).append(true).mode(0o600).custom_flags(flags).open(path)
}

/// Opens the file of a trace to append to it.
#[cfg(not(unix))]
pub fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// The text without the words in which a key or a token begins.
fn redacted(text: &str) -> String {
    let is_secret = |word: &str| MARKS.iter().any(|mark| word.contains(mark.trim_end()));
    text.split(' ').map(|word| if is_secret(word) { LEFT_OUT } else { word }).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::redacted;

    #[cfg(unix)]
    #[test]
    fn a_trace_is_its_users_alone_and_not_written_through_a_link() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let temp = tempfile::tempdir().unwrap();
        let (trace, link) = (temp.path().join("trace"), temp.path().join("link"));
        drop(super::open(&trace).unwrap());
        assert_eq!(std::fs::metadata(&trace).unwrap().permissions().mode() & 0o077, 0);
        symlink(temp.path().join("other"), &link).unwrap();
        assert!(super::open(&link).is_err());
        assert!(!temp.path().join("other").exists());
    }

    #[test]
    fn a_word_that_looks_like_a_secret_is_left_out() {
        assert_eq!(redacted("answer: x=ghs_abc until 12"), "answer: [left out] until 12");
        assert_eq!(redacted("-----BEGIN RSA PRIVATE KEY-----"), "[left out] RSA PRIVATE KEY-----");
        assert_eq!(redacted("a  b"), "a  b");
    }
}
