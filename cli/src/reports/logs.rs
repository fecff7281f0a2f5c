//! `ghapp logs`: shows the audit log, older files included. It reads files and needs no agent.

use ghapp_agent::audit::{Changes, Reading};
use ghapp_agent::clock::{Clock, SystemClock};
use ghapp_agent::config::audit_file;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::arguments::Logs;
use crate::failure::CliError;
use crate::session::Session;
use crate::terminal::json::SCHEMA;
use crate::terminal::output::printable;
use crate::terminal::wording;

/// Columns of fixed width, since later entries are not known yet: their headings and their widths.
const COLUMNS: [(&str, usize); 6] = [("TIME", 20), ("CALL", 6), ("OUTCOME", 10), ("APP", 12), ("LEASE", 5), ("", 0)];

pub(crate) fn run(session: &Session<'_>, arguments: &Logs) -> Result<(), CliError> {
    let path = audit_file()?;
    let since = arguments.since.as_deref().map(|text| since(text, SystemClock.now().wall)).transpose()?;
    let cannot_read = |error| CliError::file("read", &path, error);
    // Before the first read: a change in between must not be missed.
    let mut changes = if arguments.follow { Some(Changes::of(&path).map_err(cannot_read)?) } else { None };
    let mut reading = Reading::new(path.clone());
    if !arguments.form.json {
        let mut headings = COLUMNS.map(|(heading, _)| heading.to_owned());
        "FOR".clone_into(&mut headings[COLUMNS.len() - 1]);
        session.output.line(&columns(&headings))?;
    }
    loop {
        for line in reading.more().map_err(cannot_read)? {
            show(session, arguments, since, &line)?;
        }
        let Some(changes) = &mut changes else { return Ok(()) };
        if session.output.is_unread() {
            return Ok(());
        }
        changes.wait().map_err(cannot_read)?;
    }
}

fn show(session: &Session<'_>, arguments: &Logs, since: Option<Timestamp>, line: &str) -> Result<(), CliError> {
    // Half a line, from an agent that was killed while it wrote; the next line is whole again.
    let Ok(record) = serde_json::from_str::<Map<String, Value>>(line) else {
        session.output.detail("a line of the log is not whole");
        return Ok(());
    };
    let text = |key: &str| record.get(key).and_then(Value::as_str);
    if session.app.as_ref().is_some_and(|app| text("app") != Some(app.as_str())) {
        return Ok(());
    }
    let time = text("ts").and_then(|ts| ts.parse::<Timestamp>().ok());
    if since.is_some_and(|since| time.is_none_or(|time| time < since)) {
        return Ok(());
    }
    if arguments.form.json {
        // The line as the agent wrote it, in its order, with the version of the shapes in front.
        let rest = line.trim_start().strip_prefix('{').unwrap_or_default();
        let comma = if record.is_empty() { "" } else { "," };
        return session.output.data(&format!("{{\"schema\":{SCHEMA}{comma}{rest}\n"));
    }
    session.output.line(&columns(&row(&record)))
}

/// The line that shows a decision to people.
fn row(record: &Map<String, Value>) -> [String; COLUMNS.len()] {
    let text = |key: &str| record.get(key).and_then(Value::as_str);
    let or_dash = |key: &str| text(key).unwrap_or("-").to_owned();
    let whose = [text("host"), text("repository")].into_iter().flatten().collect::<Vec<_>>().join("/");
    let by = match (text("program"), record.get("pid").and_then(Value::as_u64)) {
        (Some(program), Some(pid)) => format!("by {program} ({pid})"),
        (None, Some(pid)) => format!("by ({pid})"),
        _ => String::new(),
    };
    let over = text("label").map(|label| format!("over {label}")).unwrap_or_default();
    let key = text("key").map(|key| format!("key {}", wording::short_fingerprint(key))).unwrap_or_default();
    let count = record.get("count").and_then(Value::as_u64).map(|count| format!("{count} decisions"));
    let count = count.unwrap_or_default();
    let rest = [
        count.as_str(),
        whose.as_str(),
        key.as_str(),
        text("permissions").unwrap_or_default(),
        over.as_str(),
        by.as_str(),
    ];
    let rest = rest.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ");
    [or_dash("ts"), or_dash("call"), or_dash("outcome"), or_dash("app"), or_dash("lease"), rest]
}

fn columns(cells: &[String; COLUMNS.len()]) -> String {
    let padded = cells.iter().zip(COLUMNS).map(|(cell, (_, width))| format!("{:width$}", printable(cell)));
    padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

/// Reads a point in time: RFC 3339, or how long ago.
fn since(text: &str, now: i64) -> Result<Timestamp, CliError> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let ago = text.parse::<jiff::SignedDuration>().ok().filter(|ago| !ago.is_negative());
    let time = ago.and_then(|ago| Timestamp::from_second(now.saturating_sub(ago.as_secs())).ok());
    time.ok_or_else(|| {
        CliError::usage("--since takes a time such as 2h, or 2026-01-31T12:00:00Z").hint("run: ghapp logs --since 2h")
    })
}

#[cfg(test)]
mod tests {
    use super::{columns, row, since};

    #[test]
    fn a_decision_is_one_line() {
        let record = serde_json::json!({
            "ts": "2026-01-31T12:00:00Z", "call": "get", "outcome": "mint", "app": "acme-bot", "host": "github.com",
            "repository": "acme/web", "permissions": "contents:write", "lease": "L1", "program": "git\u{1b}[2J", "pid": 7,
        });
        assert_eq!(
            columns(&row(record.as_object().unwrap())),
            "2026-01-31T12:00:00Z  get     mint        acme-bot      L1     \
             github.com/acme/web  contents:write  by git?[2J (7)"
        );
        assert_eq!(columns(&row(&serde_json::Map::new())), "-                     -       -           -             -");
    }

    #[test]
    fn since_is_a_time_or_how_long_ago() {
        assert_eq!(since("2h", 7200 * 2).unwrap().as_second(), 7200);
        assert_eq!(since("1970-01-01T00:00:09Z", 0).unwrap().as_second(), 9);
        for wrong in ["", "yesterday", "-2h", "2"] {
            assert_eq!(since(wrong, 0).unwrap_err().code.exit(), 2, "{wrong}");
        }
    }
}
