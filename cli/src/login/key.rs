//! `ghapp key`: the keys of an App, which has two of them while one replaces the other. A key passes through here on its way to the
//! agent and goes nowhere else.

use std::path::Path;
use std::process::ExitCode;

use ghapp_agent::model::{App, StoreKind};
use ghapp_agent::{config, signer};
use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::message::{
    AddKey, AddedKey, AppStatus, Call, KeyStatus, KeysCall, RemoveKey, RemovedKey, Reply, Status,
};
use serde::Serialize;

use crate::arguments::{Key, NewKey, Verb, Verify};
use crate::failure::{CliError, LOG_IN};
use crate::known_apps;
use crate::login::passphrase;
use crate::login::pem::{self, PemSource};
use crate::session::Session;
use crate::terminal::json::{self, SCHEMA};
use crate::terminal::output::{Mark, Output};
use crate::terminal::wording;

/// The beginning of every fingerprint, which people may leave out.
const PREFIX: &str = "SHA256:";
/// The state of a key when no agent can tell.
const UNKNOWN_STATE: &str = "unknown";

#[derive(Serialize)]
struct KeysOutput<'a> {
    schema: u32,
    keys: Vec<json::Key<'a>>,
}

pub(crate) fn run(session: &Session<'_>, arguments: Key) -> Result<ExitCode, CliError> {
    match arguments.verb {
        Verb::List(form) => list(session, form.json)?,
        Verb::Add(new) => add(session, new, false)?,
        Verb::Verify(verify) => return self::verify(session, &verify),
        Verb::Rotate(new) => add(session, new, true)?,
        Verb::Remove { fingerprint } => remove(session, &fingerprint)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts no agent: without one, the configuration names the keys.
fn list(session: &Session<'_>, as_json: bool) -> Result<(), CliError> {
    let keys = match session.agent.running_status()? {
        Some(status) => {
            session.agent.check_config(&status)?;
            if let Some(error) = status.config_error {
                return Err(CliError::new(ErrorCode::Config, error).hint("mend the file, then run: ghapp agent reload"));
            }
            known(session, &known_apps::selected(session, status.apps)?)?
        }
        None => configured(session)?,
    };
    if as_json {
        return print_json(session, &keys);
    }
    if keys.is_empty() {
        session.output.talk("no App has a key here; add one with: ghapp login --pem FILE --app-id N");
        return Ok(());
    }
    let rows = keys.iter().map(|key| {
        let rank = if key.signing { "signs" } else { "next" };
        vec![key.app.clone(), key.fingerprint.clone(), rank.to_owned(), key.store.clone(), key.state.clone()]
    });
    session.output.table(&["APP", "KEY", "USE", "STORE", "STATE"], &rows.collect::<Vec<_>>())?;
    for key in keys.iter().filter(|key| !key.signing) {
        if key.state == ErrorCode::KeyRefused.word() {
            session.output.warning(&wording::refused_key(&key.app, &key.fingerprint));
        } else if key.state == ErrorCode::KeyMissing.word()
            && keys.iter().any(|it| it.app == key.app && it.state != key.state)
        {
            session.output.warning(&wording::missing_key(&key.app, &key.fingerprint));
        }
    }
    Ok(())
}

/// The keys of these Apps, as the agent knows them.
fn known(session: &Session<'_>, apps: &[AppStatus]) -> Result<Vec<KeyStatus>, CliError> {
    let keys = |app: &AppStatus| {
        let call = KeysCall { app: app.name.clone(), verify: false, fingerprint: None };
        match session.agent.ask(Call::Keys(call))? {
            Reply::Keys { keys } => Ok(keys),
            _ => Err(session.agent.unexpected()),
        }
    };
    let keys: Result<Vec<_>, _> = apps.iter().map(keys).collect();
    Ok(keys?.concat())
}

/// The keys of these Apps, as the configuration names them.
fn configured(session: &Session<'_>) -> Result<Vec<KeyStatus>, CliError> {
    let config = config::load(&session.config)?;
    let wanted = |app: &&App| session.app.as_ref().is_none_or(|name| app.name == *name);
    let apps: Vec<_> = config.apps.iter().filter(wanted).collect();
    if let (Some(name), true) = (&session.app, apps.is_empty()) {
        return Err(CliError::new(ErrorCode::NotConfigured, format!("no App named {name} is configured"))
            .hint("run: ghapp apps"));
    }
    let keys = apps.into_iter().flat_map(|app| app.keys().map(move |key| (app, key)));
    let status = |(app, key): (&App, &ghapp_agent::model::Fingerprint)| KeyStatus {
        app: app.name.to_string(),
        fingerprint: key.to_string(),
        store: app.store.as_str().to_owned(),
        state: UNKNOWN_STATE.to_owned(),
        signing: app.key.as_ref() == Some(key),
        error: None,
    };
    Ok(keys.map(status).collect())
}

fn print_json(session: &Session<'_>, keys: &[KeyStatus]) -> Result<(), CliError> {
    session.output.json(&KeysOutput { schema: SCHEMA, keys: keys.iter().map(json::Key::of).collect() })
}

fn verify(session: &Session<'_>, arguments: &Verify) -> Result<ExitCode, CliError> {
    let apps = known_apps::selected(session, session.agent.status()?.apps)?;
    if apps.is_empty() {
        return Err(CliError::new(ErrorCode::NotConfigured, "no App is configured").hint(LOG_IN));
    }
    let calls: Vec<_> = match &arguments.fingerprint {
        None => apps.iter().map(|app| KeysCall { app: app.name.clone(), verify: true, fingerprint: None }).collect(),
        Some(text) => {
            let known = known(session, &apps)?;
            let KeyStatus { app, fingerprint, .. } = meant(&known, text)?;
            vec![KeysCall { app: app.clone(), verify: true, fingerprint: Some(fingerprint.clone()) }]
        }
    };
    let mut keys = Vec::new();
    for call in calls {
        let Reply::Keys { keys: proved } = session.agent.ask_slow(Call::Keys(call))? else {
            return Err(session.agent.unexpected());
        };
        keys.extend(proved);
    }
    if arguments.form.json {
        print_json(session, &keys)?;
    } else {
        for key in &keys {
            print_verdict(session, key)?;
        }
    }
    Ok(ExitCode::from(verdict(&keys)))
}

fn print_verdict(session: &Session<'_>, key: &KeyStatus) -> Result<(), CliError> {
    let KeyStatus { app, fingerprint, signing, error, .. } = key;
    let rank = if *signing { ", and signs" } else { "" };
    match error {
        None => session.output.marked(Mark::Good, &format!("{fingerprint}  accepted for {app}{rank}")),
        Some(error) => {
            session.output.marked(Mark::Bad, &format!("{fingerprint}  {}", error.message))?;
            error.hint.as_deref().map_or(Ok(()), |hint| session.output.advice(hint))
        }
    }
}

/// The exit code. GitHub's refusal of any key counts more than another reason why a key cannot be used.
fn verdict(keys: &[KeyStatus]) -> u8 {
    let errors = || keys.iter().filter_map(|key| key.error.as_ref().map(|error| error.code));
    let refused = errors().find(|code| *code == ErrorCode::KeyRefused);
    refused.or_else(|| errors().next()).map_or(0, ErrorCode::exit)
}

fn add(session: &Session<'_>, arguments: NewKey, signs: bool) -> Result<(), CliError> {
    let NewKey { pem, passphrase_file, delete_pem } = arguments;
    let source = PemSource::of(pem)?;
    if delete_pem && source == PemSource::Stdin {
        return Err(CliError::usage("--delete-pem needs a file: --pem FILE"));
    }
    let status = session.agent.status()?;
    let app = the_app(session, &status)?;
    let store = StoreKind::parse(&app.store);
    if let Some(store) = store.filter(|_| delete_pem) {
        pem::check_lasting(store)?;
    }
    if passphrase_file.is_some() && store != Some(StoreKind::EncryptedFile) {
        return Err(CliError::usage(format!(
            "the keys of {} are in no encrypted file, and have no passphrase",
            app.name
        )));
    }
    let key = source.read()?;
    let fingerprint = signer::fingerprint(&key).map_err(|error| CliError::from_import(error, &source.name()))?;
    pem::show(session.output, fingerprint.as_str())?;
    let passphrase = match store {
        Some(StoreKind::EncryptedFile) => Some(known_passphrase(session, passphrase_file.as_deref(), &source)?),
        _ => None,
    };
    let call = AddKey { app: app.name.clone(), key: pem::for_the_agent(&key), passphrase, signs };
    let Reply::KeyAdded(added) = session.agent.ask_slow(Call::AddKey(Box::new(call)))? else {
        return Err(session.agent.unexpected());
    };
    session.output.report(&format!("Accepted   for {} by {}", app.name, app.host))?;
    session.output.report(&wording::stored(&app.name, &added.added.store, Some(&status)))?;
    // Last, after all that can fail: the file may be needed for another attempt.
    if delete_pem {
        source.delete()?;
        session.output.report(&format!("Deleted    {}", source.name()))?;
    }
    announce(session.output, &app, &added, signs)
}

fn known_passphrase(
    session: &Session<'_>,
    file: Option<&Path>,
    source: &PemSource,
) -> Result<ghapp_protocol::secret::Secret, CliError> {
    passphrase::known(session, file, *source == PemSource::Stdin)
}

/// Says how the key is used, and what a person has to do to finish a rotation.
fn announce(output: &Output, app: &AppStatus, added: &AddedKey, signs: bool) -> Result<(), CliError> {
    let AddedKey { added: key, others, page } = added;
    let Some(first) = others.first() else { return Ok(()) };
    if !signs {
        let rank = if key.signing { "signs from now on" } else { "signs when GitHub refuses the one before it" };
        return output.report(&format!("Use        it {rank}; see: ghapp key list"));
    }
    output.report(&format!("Replaces   {first}, which signs should GitHub refuse the new one"))?;
    output.report(&format!("Delete it  there: {page}"))?;
    output.report(&format!("           then here: ghapp key remove {first} --app {}", app.name))
}

/// The selected App, which must be the only one.
fn the_app(session: &Session<'_>, status: &Status) -> Result<AppStatus, CliError> {
    let apps = known_apps::selected(session, status.apps.clone())?;
    match <[_; 1]>::try_from(apps) {
        Ok([app]) => Ok(app),
        Err(apps) => match apps.first() {
            None => Err(CliError::new(ErrorCode::NotConfigured, "no App is configured").hint(LOG_IN)),
            Some(first) => {
                let names: Vec<_> = apps.iter().map(|app| app.name.as_str()).collect();
                Err(CliError::usage(format!("several Apps are configured: {}", names.join(", ")))
                    .hint(format!("name one: --app {}", first.name)))
            }
        },
    }
}

fn remove(session: &Session<'_>, text: &str) -> Result<(), CliError> {
    let apps = known_apps::selected(session, session.agent.status()?.apps)?;
    let keys = known(session, &apps)?;
    let KeyStatus { app, fingerprint, .. } = meant(&keys, text)?;
    let call = RemoveKey { app: app.clone(), fingerprint: fingerprint.clone() };
    let Reply::KeyRemoved(removed) = session.agent.ask_slow(Call::RemoveKey(call))? else {
        return Err(session.agent.unexpected());
    };
    let RemovedKey { app, fingerprint, signing, deleted } = &removed;
    let store = if *deleted { "deleted from its store" } else { "no key deleted: it was gone, or another App has it" };
    session.output.report(&format!("removed {fingerprint} of {app}: {store}"))?;
    session.output.report(&format!("{signing} signs"))?;
    session.output.talk("if GitHub still lists it, delete it on the App's settings page as well");
    Ok(())
}

/// The one key that a fingerprint or its beginning names. The input is not repeated: it may be anything.
fn meant<'a>(keys: &'a [KeyStatus], text: &str) -> Result<&'a KeyStatus, CliError> {
    let wanted = text.strip_prefix(PREFIX).unwrap_or(text);
    if wanted.is_empty() {
        return Err(CliError::usage("the fingerprint is empty").hint("run: ghapp key list"));
    }
    let begins = |key: &&KeyStatus| key.fingerprint.strip_prefix(PREFIX).is_some_and(|it| it.starts_with(wanted));
    let found: Vec<_> = keys.iter().filter(begins).collect();
    match found.as_slice() {
        [key] => Ok(key),
        [] => Err(CliError::new(ErrorCode::UnknownKey, "no key here has that fingerprint").hint("run: ghapp key list")),
        [first, others @ ..] if others.iter().all(|other| other.fingerprint == first.fingerprint) => {
            let cause = format!("several Apps have {}", first.fingerprint);
            Err(CliError::usage(cause).hint(format!("name one: --app {}", first.app)))
        }
        several => {
            let names: Vec<_> = several.iter().map(|key| key.fingerprint.as_str()).collect();
            Err(CliError::usage(format!("several keys begin with that: {}", names.join(", ")))
                .hint("give more of the fingerprint"))
        }
    }
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::error::{ErrorCode, WireError};
    use ghapp_protocol::message::KeyStatus;

    use super::{meant, verdict};

    fn key(app: &str, fingerprint: &str) -> KeyStatus {
        KeyStatus {
            app: app.to_owned(),
            fingerprint: format!("SHA256:{fingerprint}"),
            store: "memory".to_owned(),
            state: "ok".to_owned(),
            signing: false,
            error: None,
        }
    }

    #[test]
    fn a_key_is_meant_by_as_much_of_its_fingerprint_as_is_its_own() {
        let keys = [key("bot", "abcd="), key("bot", "abxy="), key("twin", "q="), key("bot", "q=")];
        for (text, found) in [("SHA256:abcd=", 0), ("abcd=", 0), ("abc", 0), ("SHA256:abx", 1)] {
            assert_eq!(meant(&keys, text).unwrap(), &keys[found], "{text}");
        }
        for (text, code) in [
            ("", ErrorCode::Usage),
            ("SHA256:", ErrorCode::Usage),
            ("ab", ErrorCode::Usage),
            ("q", ErrorCode::Usage),
            ("bcd", ErrorCode::UnknownKey),
            ("ABCD", ErrorCode::UnknownKey),
        ] {
            let error = meant(&keys, text).unwrap_err();
            assert_eq!(error.code, code, "{text}");
            assert!(error.hint.is_some(), "{text}");
        }
        assert_eq!(meant(&keys, "q").unwrap_err().hint.as_deref(), Some("name one: --app twin"));
    }

    #[test]
    fn a_refusal_of_githubs_counts_more_than_a_key_that_is_not_there() {
        let with = |code| KeyStatus { error: Some(WireError::new(code, "")), ..key("bot", "a") };
        assert_eq!(verdict(&[key("bot", "a")]), 0);
        assert_eq!(verdict(&[key("bot", "a"), with(ErrorCode::KeyMissing)]), 6);
        assert_eq!(verdict(&[with(ErrorCode::KeyMissing), with(ErrorCode::KeyRefused)]), 7);
    }
}
