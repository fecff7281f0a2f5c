//! Other programs: where they are, how to run them with a time limit, or in place of this one.

pub(crate) mod bounded;
pub(crate) mod in_place;
pub(crate) mod private_directory;
pub(crate) mod program_version;
pub(crate) mod search_path;
