//! All that reaches the user: what is printed, asked and shown in a browser, in words and as JSON.

pub(crate) mod browser;
pub(crate) mod json;
pub(crate) mod output;
mod progress;
pub(crate) mod prompt;
pub(crate) mod wording;
