//! `GHAPP_TRACE`: what happens, for the person who wonders why. It is given nothing secret, and what looks like a token or a
//! key is left out all the same.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

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
        let file = OpenOptions::new().create(true).append(true).open(target);
        drop(file.and_then(|mut file| file.write_all(line.as_bytes())));
    }
}

/// The text without the words in which a key or a token begins.
fn redacted(text: &str) -> String {
    let is_secret = |word: &str| MARKS.iter().any(|mark| word.contains(mark.trim_end()));
    text.split(' ').map(|word| if is_secret(word) { LEFT_OUT } else { word }).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::redacted;

    #[test]
    fn a_word_that_looks_like_a_secret_is_left_out() {
        assert_eq!(redacted("answer: x=ghs_abc until 12"), "answer: [left out] until 12");
        assert_eq!(redacted("-----BEGIN RSA PRIVATE KEY-----"), "[left out] RSA PRIVATE KEY-----");
        assert_eq!(redacted("a  b"), "a  b");
    }
}
