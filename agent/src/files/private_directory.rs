//! Makes directories that only their user can enter, for the configuration, keys and the audit log.

use std::fs::DirBuilder;
use std::io;
use std::path::Path;

/// Makes a directory and those above it, private from their first moment. A directory that exists already stays as it is.
pub(crate) fn create(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::create;

    #[test]
    fn each_new_directory_is_private_and_an_old_one_stays_as_it_is() {
        let temp = tempfile::tempdir().unwrap();
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let old = temp.path().join("old");
        fs::create_dir(&old).unwrap();
        fs::set_permissions(&old, fs::Permissions::from_mode(0o755)).unwrap();
        let new = old.join("a/b");
        create(&new).unwrap();
        create(&new).unwrap();
        assert_eq!((mode(&old), mode(&old.join("a")), mode(&new)), (0o755, 0o700, 0o700));
    }
}
