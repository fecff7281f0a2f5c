//! The memory of another process, which only root may read: what is in it at this moment.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use crate::secrets::Secrets;

/// Read at once; a page that cannot be read costs at most this much around it.
const PIECE: u64 = 64 * 1024;

/// How many places in a process's memory hold a piece of a secret, by its name: all mappings that can be read.
///
/// # Panics
///
/// When the process is gone, or its memory may not be read.
pub fn secrets_in(pid: u32, secrets: &Secrets) -> BTreeMap<&'static str, usize> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("only root may look");
    let memory = File::open(format!("/proc/{pid}/mem")).expect("only root may look");
    let mut found = BTreeMap::new();
    let mut seen = 0;
    for line in maps.lines() {
        let mut columns = line.split_whitespace();
        let (range, mode) = (columns.next().unwrap_or(""), columns.next().unwrap_or(""));
        let (start, end) = range.split_once('-').expect("a line begins with a range");
        let bound = |text| u64::from_str_radix(text, 16).expect("addresses are hexadecimal");
        // The kernel's own pages ([vvar], [vsyscall]) cannot be read this way, and hold no data of the process.
        if !mode.starts_with('r') {
            continue;
        }
        let bytes = read(&memory, bound(start), bound(end));
        seen += bytes.len();
        for (name, count) in secrets.found_in(&bytes) {
            *found.entry(name).or_default() += count;
        }
    }
    assert!(seen > 1024 * 1024, "{seen} bytes are not a process");
    found
}

fn read(memory: &File, start: u64, end: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut at = start;
    while at < end {
        let length = usize::try_from(PIECE.min(end - at)).expect("a piece is small");
        let mut piece = vec![0; length];
        // Bytes that cannot be read stay zero.
        let _ = memory.read_exact_at(&mut piece, at);
        bytes.append(&mut piece);
        at += length as u64;
    }
    bytes
}
