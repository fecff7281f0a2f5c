//! The line and column of a place in a file, and which valid key was probably meant.

/// Line and column of a byte, both counted from 1; columns count characters.
pub(super) fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Most edits between what was written and what is suggested: more is no longer a slip.
const MAX_EDITS: usize = 3;

/// The valid key that is nearest to what was written.
pub fn nearest<'a>(written: &str, valid: &[&'a str]) -> Option<&'a str> {
    let distance = |key: &&&str| strsim::damerau_levenshtein(written, key);
    valid.iter().min_by_key(distance).filter(|key| distance(key) <= MAX_EDITS).copied()
}

/// The key whose value begins there, if it is on the same line.
pub(super) fn key_before(text: &str, byte: usize) -> Option<&str> {
    let line = text.get(..byte)?.lines().next_back()?;
    let key = line.trim_end().strip_suffix('=')?.rsplit(['{', ',']).next()?.trim();
    (!key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::{line_and_column, nearest};

    #[test]
    fn positions_count_from_one() {
        assert_eq!(line_and_column("a\nbc", 0), (1, 1));
        assert_eq!(line_and_column("a\nbc", 3), (2, 2));
        assert_eq!(line_and_column("\u{e9}x", 2), (1, 2));
    }

    #[test]
    fn a_slip_finds_its_key_and_nonsense_none() {
        let valid = ["permissions", "repositories", "match"];
        assert_eq!(nearest("permision", &valid), Some("permissions"));
        assert_eq!(nearest("colour", &valid), None);
    }
}
