//! The last test target: says on standard error what was left out. How it comes to be the last is told in `lib.rs`.

use std::io::{self, Write};

fn main() -> io::Result<()> {
    // Asked for the names of its tests, by nextest for instance, it has none.
    if std::env::args().any(|argument| argument == "--list") {
        return Ok(());
    }
    let mut stderr = io::stderr().lock();
    not_run::told().iter().try_for_each(|line| writeln!(stderr, "{line}"))
}
