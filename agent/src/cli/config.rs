//! `ghapp config`: where the configuration is.

use serde::Serialize;

use super::Session;
use super::arguments::Form;
use super::failure::CliError;
use super::json::SCHEMA;

#[derive(Serialize)]
struct PathOutput<'a> {
    schema: u32,
    path: &'a str,
}

pub(super) fn path(session: &Session<'_>, form: Form) -> Result<(), CliError> {
    let path = session.config.to_string_lossy();
    if form.json {
        return session.output.json(&PathOutput { schema: SCHEMA, path: &path });
    }
    session.output.data(&format!("{path}\n"))
}
