//! Reading the audit log while agents write and rotate it: each line once, the oldest first.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::PathBuf;

use super::files::{KEPT, aside, make_directory, same_file};

/// How far the log has been read.
pub struct Reading {
    path: PathBuf,
    files: Vec<OpenFile>,
}

/// A file that has been read up to some place. It stays open after a rotation: another agent may still write to it.
struct OpenFile {
    file: File,
    metadata: Metadata,
    /// The start of a line whose end has not been written yet.
    begun: Vec<u8>,
}

impl Reading {
    /// Begins at the start of the log.
    pub fn new(path: PathBuf) -> Self {
        Self { path, files: Vec::new() }
    }

    /// The lines since the last call. A file that does not exist has none.
    pub fn more(&mut self) -> io::Result<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            for file in &mut self.files {
                file.read(&mut lines)?;
            }
            // A rotation in between may have moved a file to a name that was looked at already, so repeat until nothing is new.
            let there = self.there()?;
            self.files.retain(|known| there.iter().any(|file| same_file(&file.metadata, &known.metadata)));
            let known = |file: &OpenFile| self.files.iter().any(|known| same_file(&known.metadata, &file.metadata));
            let new: Vec<_> = there.into_iter().filter(|file| !known(file)).collect();
            if new.is_empty() {
                return Ok(lines);
            }
            self.files.extend(new);
        }
    }

    /// The files of the log, the oldest first.
    fn there(&self) -> io::Result<Vec<OpenFile>> {
        let paths = (1..=KEPT).rev().map(|number| aside(&self.path, number)).chain([self.path.clone()]);
        let mut there = Vec::new();
        for path in paths {
            match File::open(path) {
                Ok(file) => {
                    let metadata = file.metadata()?;
                    if metadata.is_file() {
                        there.push(OpenFile { file, metadata, begun: Vec::new() });
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(there)
    }
}

impl OpenFile {
    fn read(&mut self, lines: &mut Vec<String>) -> io::Result<()> {
        self.file.read_to_end(&mut self.begun)?;
        let Some(end) = self.begun.iter().rposition(|byte| *byte == b'\n') else { return Ok(()) };
        let rest = self.begun.split_off(end + 1);
        let whole = std::mem::replace(&mut self.begun, rest);
        lines.extend(String::from_utf8_lossy(&whole).lines().map(str::to_owned));
        Ok(())
    }
}

/// Reports when the log may have changed.
pub struct Changes(platform::Changes);

impl Changes {
    /// Watches from now on, also for a log that does not exist yet.
    pub fn of(path: &std::path::Path) -> io::Result<Self> {
        let directory = fs::canonicalize(make_directory(path)?)?;
        Ok(Self(platform::Changes::of(&directory)?))
    }

    /// Waits for the next change since the last call.
    pub fn wait(&mut self) -> io::Result<()> {
        self.0.wait()
    }
}

#[cfg(target_os = "linux")]
mod platform {
    use std::fs::File;
    use std::io::{self, Read};
    use std::path::Path;

    use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};

    pub(super) struct Changes(File);

    impl Changes {
        pub(super) fn of(directory: &Path) -> io::Result<Self> {
            let inotify = init(CreateFlags::CLOEXEC)?;
            add_watch(&inotify, directory, WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO)?;
            Ok(Self(inotify.into()))
        }

        pub(super) fn wait(&mut self) -> io::Result<()> {
            // Which file it was does not matter. Room for many events, so that a burst wakes us once.
            self.0.read(&mut [0; 16 * 1024]).map(drop)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use std::io;
    use std::path::Path;
    use std::time::Duration;

    /// How often the log is read where the system does not report changes.
    const INTERVAL: Duration = Duration::from_secs(1);

    pub(super) struct Changes;

    impl Changes {
        #[expect(clippy::unnecessary_wraps, reason = "the other one can fail")]
        pub(super) fn of(_directory: &Path) -> io::Result<Self> {
            Ok(Self)
        }

        #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "the other one can fail, and needs itself")]
        pub(super) fn wait(&mut self) -> io::Result<()> {
            std::thread::park_timeout(INTERVAL);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::Reading;

    #[test]
    fn each_line_is_read_once_when_it_is_whole_and_across_rotations() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("audit.jsonl");
        let mut reading = Reading::new(path.clone());
        assert!(reading.more().unwrap().is_empty());
        fs::write(temp.path().join("audit.jsonl.2"), "1\n").unwrap();
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(b"2\n3").unwrap();
        assert_eq!(reading.more().unwrap(), ["1", "2"]);
        fs::rename(&path, temp.path().join("audit.jsonl.1")).unwrap();
        fs::write(&path, "4\n").unwrap();
        file.write_all(b"3\n").unwrap();
        assert_eq!(reading.more().unwrap(), ["33", "4"]);
        assert!(reading.more().unwrap().is_empty());
    }
}
