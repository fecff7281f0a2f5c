//! `ghapp which`: explains where a remote leads, from git's configuration to the installation.

use std::collections::BTreeMap;

use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::message::{Call, Reply, Route, Which as WhichCall};
use serde::Serialize;

use crate::arguments::Which;
use crate::failure::CliError;
use crate::git::git_config;
use crate::git::helper_chain::{Chain, Helper, Remote};
use crate::session::Session;
use crate::terminal::json::SCHEMA;
use crate::terminal::wording;
use crate::tokens::repository_argument::Target;

/// The command that a hint repeats with another remote.
const COMMAND: &str = "ghapp which";

/// What is not known is `null`, so that the keys are always there.
#[derive(Serialize)]
struct WhichOutput<'a> {
    schema: u32,
    host: &'a str,
    owner: &'a str,
    repository: &'a str,
    helpers: Option<Vec<HelperOutput<'a>>>,
    use_http_path: Option<bool>,
    rule: Option<&'a str>,
    app: Option<&'a str>,
    installation_id: Option<u64>,
    account: Option<&'a str>,
    repository_selection: Option<&'a str>,
    permissions: &'a BTreeMap<String, String>,
    lowered: &'a [String],
    covered: bool,
    reason: &'a str,
    code: Option<ErrorCode>,
    hint: Option<&'a str>,
}

#[derive(Serialize)]
struct HelperOutput<'a> {
    command: &'a str,
    file: &'a str,
    ghapp: bool,
}

pub(crate) fn run(session: &Session<'_>, arguments: &Which) -> Result<(), CliError> {
    let (Target { host, full_name }, url) = match arguments.target.as_deref().filter(|text| *text != ".") {
        Some(text) => (Target::of_argument(text, COMMAND)?, text.to_owned()),
        None => Target::of_origin(COMMAND)?,
    };
    let reply = session.agent.ask_slow(Call::Which(WhichCall {
        host,
        repository: full_name,
        app: session.app.as_ref().map(ToString::to_string),
    }))?;
    let Reply::Route(route) = reply else {
        return Err(session.agent.unexpected());
    };
    let remote = Remote::of(&url).or_else(|| Remote::of(&format!("https://{}/{}.git", route.host, route.repository)));
    let remote = remote.expect("a host and a repository make a URL");
    let chain = match git_config::credential_entries() {
        Ok(entries) => Some(Chain::of(&remote, &entries)),
        // The rest of the route is worth showing without git's part.
        Err(error) => {
            session.output.warning(&error.message);
            None
        }
    };
    if arguments.form.json {
        print_json(session, &route, chain.as_ref())?;
    } else {
        print(session, &route, chain.as_ref())?;
    }
    if let (true, Some(chain)) = (route.covered, &chain) {
        advise(session, &route, &remote, chain);
    }
    if route.covered {
        return Ok(());
    }
    let code = route.code.unwrap_or(ErrorCode::NotCovered);
    Err(CliError { hint: route.hint, ..CliError::new(code, route.reason) })
}

fn print_json(session: &Session<'_>, route: &Route, chain: Option<&Chain>) -> Result<(), CliError> {
    let helper = |helper| HelperOutput { command: Helper::shown(helper), file: &helper.file, ghapp: helper.is_ours() };
    session.output.json(&WhichOutput {
        schema: SCHEMA,
        host: route.host.as_str(),
        owner: route.repository.owner.as_str(),
        repository: route.repository.repository.as_str(),
        helpers: chain.map(|chain| chain.helpers.iter().map(helper).collect()),
        use_http_path: chain.map(|chain| chain.tells_path),
        rule: route.rule.as_deref(),
        app: route.app.as_deref(),
        installation_id: route.installation_id,
        account: route.account.as_deref(),
        repository_selection: route.repository_selection.as_deref(),
        permissions: &route.permissions,
        lowered: &route.lowered,
        covered: route.covered,
        reason: &route.reason,
        code: route.code,
        hint: route.hint.as_deref(),
    })
}

fn print(session: &Session<'_>, route: &Route, chain: Option<&Chain>) -> Result<(), CliError> {
    let line = |label: &str, text: &str| session.output.line(&format!("{label:<12} {text}"));
    line("remote", &format!("{}/{}", route.host, route.repository))?;
    if let Some(chain) = chain {
        for helper in &chain.helpers {
            line("helper", &format!("{}  ({})", helper.shown(), helper.file))?;
        }
        if chain.helpers.is_empty() {
            line("helper", "none: git asks a person")?;
        }
        line("useHttpPath", if chain.tells_path { "true" } else { "false" })?;
    }
    let no_rule = if route.app.is_some() { "none: the App that is installed on the owner" } else { "none" };
    line("rule", route.rule.as_deref().unwrap_or(no_rule))?;
    if let Some(app) = &route.app {
        line("app", app)?;
    }
    if let (Some(id), Some(account)) = (route.installation_id, &route.account) {
        let selection = route.repository_selection.as_deref().unwrap_or("unknown");
        line("installation", &format!("{id} on {account} ({selection} repositories)"))?;
        line("permissions", &wording::permissions(&route.permissions))?;
    }
    if !route.lowered.is_empty() {
        line("lowered", &format!("{}, to what the installation grants", route.lowered.join(", ")))?;
    }
    // The reason for a "no" is said once, on stderr, with its hint.
    line("covered", &if route.covered { format!("yes: {}", route.reason) } else { "no".to_owned() })
}

/// Says what in git's configuration keeps a covered remote from its token.
fn advise(session: &Session<'_>, route: &Route, remote: &Remote, chain: &Chain) {
    let output = session.output;
    let host = &route.host;
    let Some((before, ours)) = chain.up_to_ours() else {
        output.warning(&format!("git does not ask ghapp for this remote; run: ghapp setup-git --host {host}"));
        return;
    };
    if remote.names_another_user() {
        output.warning("the URL names a user, so ghapp leaves the remote to the next helper");
    }
    if !chain.tells_path && !ours.names_owner() {
        output.warning(&format!(
            "git does not tell helpers the path; run: git config --global credential.https://{host}.useHttpPath true"
        ));
    }
    if !before.is_empty() {
        let names = before.iter().map(Helper::shown).collect::<Vec<_>>().join(", ");
        output.talk(&format!("git asks {names} first, and ghapp only if it has no answer"));
    }
}
