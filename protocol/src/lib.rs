//! What the git credential helper, the `ghapp` command line and the agent share: bytes, words and paths.
//!
//! Nothing here holds a key, decides a policy or talks to GitHub. The modules, in the order in which one `git fetch` meets
//! them:
//!
//! * [`credential`]: git's attribute format on the helper's standard input and output;
//! * [`remote`]: host, owner and repository, parsed so strictly that no other part has to check them again;
//! * [`message`]: what a client may ask the agent and what the agent may answer (wire version 1);
//! * [`frame`]: how one message becomes bytes: a length and JSON;
//! * [`endpoint`]: where the agent's socket or pipe is, and whether that place can be trusted;
//! * [`client`]: one question, one answer, one deadline;
//! * [`start`]: starting the agent when there is none, so that many clients at once start exactly one;
//! * [`hardening`]: no core dumps and no debuggers for programs that hold a secret;
//! * [`error`]: what can go wrong, as one table of codes, error ids and exit codes;
//! * [`secret`] and [`token_hash`]: a token's type from birth to wire, and the only form of it that may be logged;
//! * [`pasted`]: commands that people are told to paste;
//! * [`trace`]: what happens, for the person who wonders why.
//!
//! The wire format's specification is the set of JSON files under `protocol/tests/messages/`.

pub mod client;
pub mod credential;
pub mod endpoint;
pub mod error;
pub mod frame;
pub mod hardening;
pub mod message;
pub mod pasted;
pub mod remote;
pub mod secret;
pub mod start;
pub mod token_hash;
pub mod trace;

/// The wire version, raised by hand when an old reader could misread a new message.
///
/// `get`, `erase`, `status` and `stop` keep their version 1 form for ever, so that any helper can talk to any agent.
pub const WIRE_VERSION: u32 = 1;

/// The version of this build, sent with every message so that both sides can name what they talk to.
pub const BUILD_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The user name that GitHub's git server expects beside an installation access token.
///
/// Source: GitHub docs, "Authenticating as a GitHub App installation", HTTP-based Git access.
pub const TOKEN_USERNAME: &str = "x-access-token";
