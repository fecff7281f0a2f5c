//! The audit log's files: one that is written to, and a few older ones. Each line is written whole, into a file that is found.
//!
//! Several agents of a user may write at once (`ghapp agent run` starts one for a single command): lines go in one write to the
//! end of the file, only one of them rotates, and the others notice.

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ghapp_protocol::endpoint;
use tracing::warn;

use super::files::{KEPT, aside, make_directory, same_file};

/// Largest file of the log: about 25,000 decisions. With the older ones the log takes five times as much at most.
pub(crate) const MAX_SIZE: u64 = 8 * 1024 * 1024;

/// How often lines are written, into files that disappear each time, before that is called a failure.
const ATTEMPTS: usize = 3;

/// Where a written line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Appended {
    /// Behind the line before it.
    Behind,
    /// The file had been removed or replaced; the line is in a new one.
    Anew,
}

/// The end of the log.
pub(super) struct Trail {
    path: PathBuf,
    bound: u64,
    file: File,
    size: u64,
    /// The file ends in the middle of a line: an agent was killed, or the disk was full.
    torn: bool,
}

impl Trail {
    /// Opens the log for appending, or makes it. No file becomes larger than `bound`, unless a single write is.
    pub(super) fn open(path: PathBuf, bound: u64) -> io::Result<Self> {
        let (file, size, torn) = open_private(&path)?;
        Ok(Self { path, bound, file, size, torn })
    }

    /// Writes whole lines, after rotating a file that they would make too large.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<Appended> {
        if self.size > 0
            && self.size + lines.len() as u64 > self.bound
            && let Err(error) = self.rotate()
        {
            // Too large is better than incomplete.
            warn!(file = %self.path.display(), %error, "the audit log cannot be rotated");
        }
        let mut appended = Appended::Behind;
        for _ in 0..ATTEMPTS {
            self.write(lines)?;
            match self.standing() {
                Standing::Current(size) => {
                    self.size = size;
                    return Ok(appended);
                }
                // Another agent has rotated the file with our line in it.
                Standing::Aside => {
                    self.reopen()?;
                    return Ok(appended);
                }
                Standing::Gone => {
                    self.reopen()?;
                    appended = Appended::Anew;
                }
            }
        }
        Err(io::Error::other("it is removed again and again"))
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        // One write for whole lines, so that a reader, or a crash, meets whole lines only.
        let bytes = if self.torn { Cow::Owned([b"\n", lines].concat()) } else { Cow::Borrowed(lines) };
        self.torn = true;
        self.file.write_all(&bytes)?;
        self.torn = false;
        Ok(())
    }

    /// Puts the file aside and begins a new one. After a crash between any two steps every line is in some file, and the next
    /// rotation fills the gap that was left instead of pushing the oldest file out.
    fn rotate(&mut self) -> io::Result<()> {
        let lock = endpoint::open_lock(&self.path.with_extension("lock"))?;
        if !endpoint::try_lock(&lock)? {
            return Ok(()); // another agent does it at this moment
        }
        if matches!(self.standing(), Standing::Current(_)) {
            let gap = (1..KEPT).find(|number| !aside(&self.path, *number).exists()).unwrap_or(KEPT);
            for number in (1..gap).rev() {
                fs::rename(aside(&self.path, number), aside(&self.path, number + 1))?;
            }
            fs::rename(&self.path, aside(&self.path, 1))?;
        }
        self.reopen()
    }

    fn reopen(&mut self) -> io::Result<()> {
        (self.file, self.size, self.torn) = open_private(&self.path)?;
        Ok(())
    }

    /// Where the file that we write to is now.
    fn standing(&self) -> Standing {
        let Ok(mine) = self.file.metadata() else { return Standing::Gone };
        let is_mine = |path: &Path| fs::symlink_metadata(path).ok().filter(|there| same_file(&mine, there));
        match is_mine(&self.path) {
            Some(there) => Standing::Current(there.len()),
            None if (1..=KEPT).any(|number| is_mine(&aside(&self.path, number)).is_some()) => Standing::Aside,
            None => Standing::Gone,
        }
    }
}

/// Where a file is.
enum Standing {
    /// In its place, and that large.
    Current(u64),
    /// Among the older ones.
    Aside,
    /// Under none of the log's names.
    Gone,
}

/// Opens the file for its user alone. Returns its size and whether it ends in the middle of a line.
fn open_private(path: &Path) -> io::Result<(File, u64, bool)> {
    make_directory(path)?;
    let mut options = OpenOptions::new();
    options.create(true).append(true).read(true);
    not_through_a_link(&mut options)?;
    let mut file = options.open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        // A device such as /dev/null would swallow every line without an error.
        return Err(io::Error::other("it is not a regular file"));
    }
    close_to_others(&file, &metadata)?;
    let mut last = [b'\n'];
    if metadata.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    Ok((file, metadata.len(), last != [b'\n']))
}

#[cfg(unix)]
fn not_through_a_link(options: &mut OpenOptions) -> io::Result<()> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;
    // Nor does opening a pipe wait for its reader.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    options.mode(0o600).custom_flags(i32::try_from(flags).map_err(io::Error::other)?);
    Ok(())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the other one can fail")]
fn not_through_a_link(_options: &mut OpenOptions) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn close_to_others(file: &File, metadata: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let me = rustix::process::geteuid().as_raw();
    if metadata.uid() != me {
        return Err(io::Error::other(format!("it belongs to uid {} and not to uid {me}", metadata.uid())));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the other one can fail")]
fn close_to_others(_file: &File, _metadata: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::{Path, PathBuf};

    use super::super::reading::Reading;
    use super::{Appended, KEPT, Trail, aside};

    const BOUND: u64 = 100;

    fn line(number: usize) -> String {
        format!("{{\"n\":{number:010}}}")
    }

    fn append(trail: &mut Trail, number: usize) -> Appended {
        trail.append(format!("{}\n", line(number)).as_bytes()).expect("it can be written")
    }

    fn read(path: &Path) -> Vec<String> {
        Reading::new(path.to_owned()).more().expect("it can be read")
    }

    fn log() -> (tempfile::TempDir, PathBuf) {
        let temp = tempfile::tempdir().expect("there is room");
        let path = temp.path().join("ghapp/audit.jsonl");
        (temp, path)
    }

    #[test]
    fn no_file_grows_beyond_its_bound_and_the_youngest_lines_are_kept() {
        let (_temp, path) = log();
        let mut trail = Trail::open(path.clone(), BOUND).unwrap();
        for number in 0..100 {
            append(&mut trail, number);
        }
        let files: Vec<_> = (1..=KEPT).map(|number| aside(&path, number)).chain([path.clone()]).collect();
        for file in &files {
            let metadata = fs::metadata(file).unwrap();
            assert!(metadata.len() <= BOUND, "{}", metadata.len());
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        }
        assert!(!aside(&path, KEPT + 1).exists());
        let lines = read(&path);
        assert_eq!(lines, (100 - lines.len()..100).map(line).collect::<Vec<_>>());
        assert!(lines.len() >= 20, "{lines:?}");
    }

    #[test]
    fn agents_that_write_and_rotate_at_once_lose_nothing() {
        const WRITERS: usize = 4;
        const EACH: usize = 200;
        let (_temp, path) = log();
        // So large that the oldest lines are not pushed out.
        let bound = (WRITERS * EACH * (line(0).len() + 1)) as u64 / u64::from(KEPT) + 100;
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let path = path.clone();
                scope.spawn(move || {
                    let mut trail = Trail::open(path, bound).unwrap();
                    for number in writer * EACH..(writer + 1) * EACH {
                        assert_eq!(append(&mut trail, number), Appended::Behind);
                    }
                });
            }
        });
        let mut lines = read(&path);
        lines.sort();
        assert_eq!(lines, (0..WRITERS * EACH).map(line).collect::<Vec<_>>());
        assert!(aside(&path, 2).exists(), "it was rotated");
    }

    #[test]
    fn a_crash_between_the_steps_of_a_rotation_costs_no_line() {
        let (_temp, path) = log();
        let mut trail = Trail::open(path.clone(), BOUND).unwrap();
        for number in 0..8 {
            append(&mut trail, number);
        }
        // What every prefix of the steps leaves behind: first a gap at 1, then no file in its place.
        fs::rename(aside(&path, 1), aside(&path, 2)).unwrap();
        let mut trail = Trail::open(path.clone(), BOUND).unwrap();
        for number in 8..12 {
            append(&mut trail, number);
        }
        assert_eq!(read(&path), (0..12).map(line).collect::<Vec<_>>());
        fs::rename(aside(&path, 2), aside(&path, 3)).unwrap();
        fs::rename(aside(&path, 1), aside(&path, 2)).unwrap();
        fs::rename(&path, aside(&path, 1)).unwrap();
        let mut trail = Trail::open(path.clone(), BOUND).unwrap();
        append(&mut trail, 12);
        assert_eq!(read(&path), (0..13).map(line).collect::<Vec<_>>());
    }

    #[test]
    fn half_a_line_of_a_killed_agent_spoils_no_other() {
        let (_temp, path) = log();
        append(&mut Trail::open(path.clone(), BOUND).unwrap(), 1);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [&whole[..], &whole[..7]].concat()).unwrap();
        append(&mut Trail::open(path.clone(), BOUND).unwrap(), 2);
        assert_eq!(read(&path), [&line(1), &line(1)[..7], &line(2)]);
    }

    #[test]
    fn a_file_that_is_removed_or_replaced_is_made_again_with_the_line_in_it() {
        let (temp, path) = log();
        let mut trail = Trail::open(path.clone(), BOUND).unwrap();
        append(&mut trail, 1);
        fs::remove_file(&path).unwrap();
        assert_eq!(append(&mut trail, 2), Appended::Anew);
        assert_eq!(read(&path), [line(2)]);
        fs::rename(&path, temp.path().join("stolen")).unwrap();
        fs::write(&path, "").unwrap();
        assert_eq!(append(&mut trail, 3), Appended::Anew);
        assert_eq!(read(&path), [line(3)]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
        assert_eq!(append(&mut trail, 4), Appended::Anew);
        assert_eq!(read(&path), [line(4)]);
        assert_eq!(append(&mut trail, 5), Appended::Behind);
    }

    #[test]
    fn what_would_swallow_lines_is_refused() {
        let (_temp, path) = log();
        let mut trail = Trail::open(path.clone(), BOUND).unwrap();
        fs::remove_file(&path).unwrap();
        symlink("/dev/null", &path).unwrap();
        trail.append(b"{}\n").unwrap_err();
        fs::remove_file(&path).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        trail.append(b"{}\n").unwrap_err();
        assert!(Trail::open("/dev/full".into(), BOUND).is_err());
        fs::remove_file(&path).unwrap();
        append(&mut trail, 1);
        assert_eq!(read(&path), [line(1)], "and it goes on as soon as it can");
    }
}
