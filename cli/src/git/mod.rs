//! git's side: reads and writes its configuration, so that git asks our helper and commits as a bot.

pub(crate) mod additions;
pub(crate) mod credential_section;
pub(crate) mod git_config;
pub(crate) mod helper_chain;
pub(crate) mod identity;
pub(crate) mod setup_git;
