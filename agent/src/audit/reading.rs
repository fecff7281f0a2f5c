//! Reading the audit log while agents write and rotate it: each line once, the oldest first.

use std::fs::{self, File, Metadata};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::files::{KEPT, aside, make_directory, of_exposed, same_file};

/// The most that is read of the oldest line, of which no more than its time is wanted.
const MAX_LINE: u64 = 64 * 1024;

/// How far the log has been read: the agents' own files, and those about exposed sockets.
pub struct Reading {
    own: Files,
    exposed: Files,
}

impl Reading {
    /// The whole log, of which nothing has been read.
    pub fn new(path: PathBuf) -> Self {
        Self { exposed: Files::new(of_exposed(&path)), own: Files::new(path) }
    }

    /// The lines since the last call. A file that does not exist has none.
    pub fn more(&mut self) -> io::Result<Vec<String>> {
        let exposed = self.exposed.more()?;
        Ok(merge(self.own.more()?, exposed))
    }
}

/// Lines of two files in the order of their times, and within each in the order in which they were written.
fn merge(own: Vec<String>, exposed: Vec<String>) -> Vec<String> {
    let key = |line: &String| -> Place { serde_json::from_str(line).unwrap_or_default() };
    let mut lines = Vec::with_capacity(own.len() + exposed.len());
    let mut own = own.into_iter().peekable();
    for line in exposed {
        let place = key(&line);
        while let Some(before) = own.next_if(|line| key(line) < place) {
            lines.push(before);
        }
        lines.push(line);
    }
    lines.extend(own);
    lines
}

/// Where a line stands in the log.
#[derive(Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(default)]
struct Place {
    /// RFC 3339 in UTC and whole seconds: such times compare as texts.
    ts: String,
    seq: u64,
}

/// When the oldest line that is left was written. None: there is none.
pub fn reaches_back_to(path: &Path) -> io::Result<Option<String>> {
    let oldest = (1..=KEPT).rev().map(|number| aside(path, number)).chain([path.to_owned()]).find(|it| it.exists());
    let Some(oldest) = oldest else { return Ok(None) };
    let mut line = String::new();
    BufReader::new(File::open(oldest)?.take(MAX_LINE)).read_line(&mut line)?;
    let place: Place = serde_json::from_str(&line).unwrap_or_default();
    Ok((!place.ts.is_empty()).then_some(place.ts))
}

/// One series of files, and how far it has been read.
struct Files {
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

impl Files {
    fn new(path: PathBuf) -> Self {
        Self { path, files: Vec::new() }
    }

    fn more(&mut self) -> io::Result<Vec<String>> {
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
    /// Pays attention from now on, also to a log that does not exist yet.
    pub fn of(path: &Path) -> io::Result<Self> {
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

    use super::{Reading, reaches_back_to};

    #[test]
    fn lines_about_exposed_sockets_come_where_they_belong() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("audit.jsonl");
        let line = |ts: u32, seq: u32| format!("{{\"ts\":\"2026-01-31T12:00:{ts:02}Z\",\"seq\":{seq}}}");
        let [first, second, third, fourth, fifth] = [line(1, 1), line(1, 2), line(1, 3), line(3, 4), line(4, 1)];
        fs::write(&path, format!("{first}\n{third}\n{fifth}\n")).unwrap();
        fs::write(temp.path().join("audit.exposed.jsonl"), format!("{second}\n{fourth}\n")).unwrap();
        assert_eq!(Reading::new(path.clone()).more().unwrap(), [first, second, third, fourth, fifth]);
        assert_eq!(reaches_back_to(&path).unwrap().as_deref(), Some("2026-01-31T12:00:01Z"));
        fs::remove_file(&path).unwrap();
        assert_eq!(reaches_back_to(&path).unwrap(), None);
    }

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
