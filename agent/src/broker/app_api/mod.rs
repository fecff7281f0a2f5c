//! Calls of GitHub's API as the App.

pub(in crate::broker) mod call;
