//! Every failure as a cause and a next step: names the object, says one thing, ends with a command or URL that works.

pub(in crate::broker) mod exposed;
pub(in crate::broker) mod reached;
pub(in crate::broker) mod stores;

use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::pasted::{first_login, shell_word};
use ghapp_protocol::remote::{FullName, Host, Owner, RepositoryName};

use crate::config::{EditError, MAX_MIN_TTL};
use crate::github::GitHubError;
use crate::model::{
    ApiUrl, App, AppName, Fingerprint, Installation, InstallationId, Issuer, Level, Permissions, StoreKind, TokenScope,
};

/// A time as people and programs read it.
pub(in crate::broker) fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map(|time| time.to_string()).unwrap_or_default()
}

pub(in crate::broker) fn config(error: &str) -> WireError {
    WireError::new(ErrorCode::Config, error).hint("mend the file, then run: ghapp agent reload")
}

/// Why the configuration file was not changed.
pub(in crate::broker) fn edit(error: &EditError) -> WireError {
    match error {
        EditError::Config(error) | EditError::Outcome(error) => config(&error.to_string()),
        EditError::Changed { .. } | EditError::Busy { .. } => {
            WireError::new(ErrorCode::File, error.to_string()).hint("nothing was changed; try again")
        }
        EditError::Form { .. } | EditError::Missing { .. } | EditError::Gone { .. } | EditError::Write { .. } => {
            WireError::new(ErrorCode::File, error.to_string()).hint("nothing was changed; see: ghapp config path")
        }
    }
}

/// Nothing is done that cannot be written down.
pub(in crate::broker) fn audit_is_behind() -> WireError {
    WireError::new(
        ErrorCode::File,
        "the disk with the audit log does not keep up, and no token is minted without a line in it",
    )
    .hint("see what keeps the disk busy, and try again")
}

/// The agent kills all tokens and ends; the next command starts another one.
pub(in crate::broker) fn ending() -> WireError {
    WireError::new(ErrorCode::AgentGone, "the agent is about to end").hint("try again in a moment")
}

/// No key is used until the agent is unlocked.
pub(in crate::broker) fn locked() -> WireError {
    WireError::new(ErrorCode::Locked, "the agent is locked").hint("run: ghapp unlock")
}

pub(in crate::broker) fn min_ttl_too_long() -> WireError {
    let minutes = MAX_MIN_TTL.as_secs() / 60;
    WireError::new(ErrorCode::Usage, format!("a token lives an hour; ask for at most {minutes} minutes of it"))
        .hint(format!("use --min-ttl {minutes}m or less"))
}

pub(in crate::broker) fn not_configured() -> WireError {
    WireError::new(ErrorCode::NotConfigured, "no App is configured").hint(format!("run: {}", first_login(None)))
}

pub(in crate::broker) fn host_not_configured(host: &Host) -> WireError {
    WireError::new(ErrorCode::HostNotConfigured, format!("no App is configured for {host}"))
        .hint(format!("run: {}", first_login(Some(host))))
}

pub(in crate::broker) fn unknown_app(name: &str) -> WireError {
    WireError::new(ErrorCode::NotConfigured, format!("no App named {name} is configured")).hint("run: ghapp apps")
}

pub(in crate::broker) fn path_missing(host: &Host) -> WireError {
    WireError::new(ErrorCode::PathMissing, format!("git did not say which repository of {host} it means"))
        .hint(format!("run: git config --global credential.https://{host}.useHttpPath true"))
}

pub(in crate::broker) fn owners_differ(host: &Host, talks_to: &FullName, configured: &Owner) -> WireError {
    let cause = format!("git talks to {talks_to} of {host}, and --owner says {configured}");
    WireError::new(ErrorCode::PathMissing, cause)
        .hint(format!("run: git config --global credential.https://{host}.useHttpPath true"))
}

pub(in crate::broker) fn denied(host: &Host, rule: &str) -> WireError {
    WireError::new(ErrorCode::Denied, format!("the rule {rule} denies this repository of {host}"))
        .hint("see the rules in the file that this prints: ghapp config path")
}

pub(in crate::broker) fn served_otherwise(first: &FullName, other: &FullName) -> WireError {
    WireError::new(ErrorCode::Denied, format!("the rules serve {first} and {other} differently"))
        .hint("ask for one token each: ghapp token OWNER/REPO")
}

pub(in crate::broker) fn outside_named_set(owner: &Owner, name: &RepositoryName, rule: Option<&str>) -> WireError {
    let rule = rule.unwrap_or_default();
    let cause = format!("the rule {rule} does not list {owner}/{name} in its repositories");
    WireError::new(ErrorCode::Denied, cause).hint("see the rules in the file that this prints: ghapp config path")
}

pub(in crate::broker) fn beyond_rule(name: &str, level: Level, rule: &str) -> WireError {
    let level = level.as_str();
    WireError::new(ErrorCode::Denied, format!("the rule {rule} does not allow {name}:{level}"))
        .hint("see the rules in the file that this prints: ghapp config path")
}

pub(in crate::broker) fn app_not_for(app: &str, host: &Host, owner: &Owner) -> WireError {
    WireError::new(ErrorCode::NotCovered, format!("the App {app} does not serve {host}/{owner}"))
        .hint("run: ghapp apps")
}

pub(in crate::broker) fn ambiguous(host: &Host, owner: &Owner, apps: &[&str]) -> WireError {
    let cause = format!("several Apps are installed on {owner}: {}", apps.join(", "));
    WireError::new(ErrorCode::AmbiguousApp, cause)
        .hint(format!("add a [[rule]] with match \"{host}/{owner}/*\" and one app, then: ghapp agent reload"))
}

pub(in crate::broker) fn none_installed(host: &Host, owner: &Owner) -> WireError {
    WireError::new(ErrorCode::NotInstalled, format!("no App of {host} is installed on {owner}"))
        .hint("run: ghapp installations --refresh")
}

pub(in crate::broker) fn not_installed(app: &App, owner: &Owner) -> WireError {
    let cause = format!("{} is not installed on {owner}", app.name);
    WireError::new(ErrorCode::NotInstalled, cause).hint(install_page(app))
}

pub(in crate::broker) fn pinned_elsewhere(app: &App, installation: &Installation, owner: &Owner) -> WireError {
    let (id, account) = (installation.id, installation.account_name());
    WireError::new(
        ErrorCode::NotInstalled,
        format!("installation {id} of {} is on {account}, not on {owner}", app.name),
    )
    .hint("mend installation_id in the file that this prints: ghapp config path")
}

pub(in crate::broker) fn pinned_missing(app: &App, id: InstallationId) -> WireError {
    WireError::new(ErrorCode::NotInstalled, format!("{} has no installation {id}", app.name)).hint(
        "mend installation_id in the file that this prints: ghapp config path; see: ghapp installations --refresh",
    )
}

pub(in crate::broker) fn installation_gone(app: &App, id: InstallationId) -> WireError {
    WireError::new(ErrorCode::NotInstalled, format!("{} has no installation {id}", app.name))
        .hint("run: ghapp installations --refresh")
}

/// There is no user that the App could commit as.
pub(in crate::broker) fn no_bot(app: &App, slug: &str) -> WireError {
    WireError::new(ErrorCode::Refused, format!("{} has no user {slug}[bot]", app.host))
        .hint("compare the App's name on its settings page with: ghapp apps")
}

/// GitHub refused that many repositories with these permissions.
pub(in crate::broker) fn too_much(app: &App, scope: &TokenScope, message: &str) -> WireError {
    let asked = match scope.repositories.names() {
        Some(names) => format!("{} repositories with {}", names.len(), scope.permissions),
        None => format!("the whole installation with {}", scope.permissions),
    };
    WireError::new(ErrorCode::Refused, format!("{} refused a token for {asked}: {message}", app.host))
        .hint("list fewer repositories or permissions in the rule, or set its repositories to \"installation\"")
}

pub(in crate::broker) fn not_covered(
    app: &App,
    owner: &Owner,
    scope: &TokenScope,
    installation: &Installation,
) -> WireError {
    let names: Vec<_> =
        scope.repositories.names().unwrap_or_default().iter().map(|name| format!("{owner}/{name}")).collect();
    let cause = match names.as_slice() {
        [name] => format!(
            "the installation of {} on {owner} does not include {name}, or there is no such repository",
            app.name
        ),
        names => format!("the installation of {} on {owner} does not include all of {}", app.name, names.join(", ")),
    };
    WireError::new(ErrorCode::NotCovered, cause).hint(settings_page(app, installation))
}

pub(in crate::broker) fn suspended(app: &App, installation: &Installation, since: &str) -> WireError {
    let account = installation.account_name();
    let since = if since.is_empty() { String::new() } else { format!(" since {since}") };
    WireError::new(ErrorCode::Suspended, format!("the installation of {} on {account} is suspended{since}", app.name))
        .hint(format!("an owner of {account} can unsuspend it: {}", settings_page(app, installation)))
}

pub(in crate::broker) fn permission_missing(
    app: &App,
    installation: &Installation,
    name: &str,
    level: Level,
) -> WireError {
    let account = installation.account_name();
    let cause = format!("the installation of {} on {account} does not grant {name}:{}", app.name, level.as_str());
    WireError::new(ErrorCode::PermissionMissing, cause).hint(format!(
        "add the permission to the App, then an owner of {account} approves it: {}",
        settings_page(app, installation)
    ))
}

pub(in crate::broker) fn grant_changed(app: &App, installation: &Installation, permissions: &Permissions) -> WireError {
    let account = installation.account_name();
    let cause = format!("the installation of {} on {account} no longer grants {permissions}", app.name);
    WireError::new(ErrorCode::PermissionMissing, cause)
        .hint(format!("try again; if it stays, see {}", settings_page(app, installation)))
}

pub(in crate::broker) fn too_short(app: &App, left: i64, least: i64) -> WireError {
    let cause = format!("a fresh token of {} lives only {left} s more, less than the {least} s of min_ttl", app.name);
    WireError::new(ErrorCode::TokenTooShort, cause).hint("check this machine's clock, or lower min_ttl in config.toml")
}

/// Why a scope gets no token for a while: a server refused the last ones.
pub(in crate::broker) fn tokens_refused(app: &App, next: i64) -> WireError {
    let cause = format!(
        "{} refused fresh tokens of {} again and again; the next is minted at {}",
        app.host,
        app.name,
        time(next)
    );
    WireError::new(ErrorCode::TokensRefused, cause).hint("try again then; see who asks: ghapp leases")
}

/// No key of the App has that fingerprint.
pub(in crate::broker) fn unknown_key(app: &AppName, fingerprint: &str) -> WireError {
    WireError::new(ErrorCode::UnknownKey, format!("{app} has no key {fingerprint} here"))
        .hint(format!("run: ghapp key list --app {app}"))
}

/// Why a key is not removed: without it the App would be of no use.
pub(in crate::broker) fn last_key(app: &App) -> WireError {
    WireError::new(ErrorCode::LastKey, format!("it is the only key of {} here", app.name))
        .hint(format!("to forget the App as well, run: ghapp logout {}", app.name))
}

pub(in crate::broker) fn too_many_keys(app: &App) -> WireError {
    let name = &app.name;
    WireError::new(ErrorCode::TooManyKeys, format!("{name} has {} keys here, and cannot have more", App::MAX_KEYS))
        .hint(format!("see which are needed: ghapp key verify --app {name}; then run: ghapp key remove FINGERPRINT"))
}

/// The service manager alone has the App's key.
pub(in crate::broker) fn keys_of_the_service_manager(app: &App) -> WireError {
    let cause = "credentials-dir holds the one key that the service manager hands over, and no key can be put there";
    WireError::new(ErrorCode::Usage, cause).hint(format!(
        "replace the credential ghapp-{} of the agent's unit, restart the unit, then run: {}",
        app.name,
        login_command(app, app.store)
    ))
}

pub(in crate::broker) fn no_key(app: &App) -> WireError {
    let cause = format!("the App {} is configured but has no key here", app.name);
    WireError::new(ErrorCode::KeyMissing, cause).hint(login_again(app))
}

pub(in crate::broker) fn damaged_key(app: &App) -> WireError {
    let cause = format!("what the {} holds for {} is not the key with its fingerprint", app.store.as_str(), app.name);
    WireError::new(ErrorCode::KeyMissing, cause).hint(login_again(app))
}

/// Why GitHub failed, where no installation or repository is to blame.
pub(in crate::broker) fn github(error: &GitHubError, app: &App) -> WireError {
    let (name, host) = (&app.name, &app.host);
    let new = WireError::new;
    match error {
        GitHubError::Unreachable { .. } => {
            new(ErrorCode::Unreachable, error.to_string()).hint("check the network and HTTPS_PROXY, then try again")
        }
        GitHubError::Untrusted { .. } => new(ErrorCode::UntrustedCertificate, error.to_string()).hint(format!(
            "name the certificate of your server's CA: {} --ca-file CA.pem",
            login_command(&App { ca_file: None, ..app.clone() }, app.store)
        )),
        GitHubError::Proxy { .. } => new(ErrorCode::ProxyRefused, error.to_string())
            .hint("check HTTPS_PROXY, then run: ghapp agent stop; the next git command starts it anew"),
        GitHubError::CaFile { .. } => {
            new(ErrorCode::UntrustedCertificate, error.to_string()).hint("give a PEM file that the agent can read")
        }
        GitHubError::KeyRefused => {
            let keys: Vec<_> = app.keys().map(Fingerprint::as_str).collect();
            new(ErrorCode::KeyRefused, format!("{host} does not accept the key for App {}", app.issuer())).hint(
                format!(
                    "compare the fingerprint with \"Private keys\" on the App's settings page: {}",
                    keys.join(", ")
                ),
            )
        }
        GitHubError::Clock { server_time } => {
            let told = server_time.map(|time_there| format!(": it is {} there", time(time_there)));
            let cause = format!("{host} refuses the time of this machine{}", told.unwrap_or_default());
            new(ErrorCode::Clock, cause).hint("set the clock: timedatectl set-ntp true")
        }
        GitHubError::Issuer => {
            new(ErrorCode::UnknownApp, format!("{host} does not know \"{}\" as an App", app.issuer()))
                .hint("use the numeric App ID from the App's settings page: ghapp login --pem FILE --app-id ID")
        }
        GitHubError::UnknownApp => {
            new(ErrorCode::UnknownApp, format!("{host} has no App with the id {}", app.issuer()))
                .hint("compare the App ID on the App's settings page, and the host")
        }
        GitHubError::RateLimited { until } => {
            let until = until.map(|until| format!(" until {}", time(until))).unwrap_or_default();
            new(ErrorCode::RateLimited, format!("{host} limits the rate of {name}{until}"))
                .hint("wait; tokens that are alive go on working")
        }
        GitHubError::Unavailable(_) => new(ErrorCode::GitHubUnavailable, format!("{host}: {error}"))
            .hint("try again; for github.com see https://www.githubstatus.com"),
        GitHubError::Garbled(_) => new(ErrorCode::GitHubUnavailable, format!("{}: {error}", app.api_url))
            .hint("check that this is the URL of GitHub's API"),
        GitHubError::Suspended
        | GitHubError::NotFound
        | GitHubError::RepositoryNotIncluded
        | GitHubError::PermissionNotGranted
        | GitHubError::BadCredentials
        | GitHubError::Refused { .. } => new(ErrorCode::Refused, format!("{host}: {error}")),
    }
}

/// The command that gives an App its key again. FILE is the one thing that the reader has to fill in.
pub(in crate::broker) fn login_again(app: &App) -> String {
    format!("run: {}", login_command(app, app.store))
}

/// The command that adds an App, with its key in that store. An App without an id is one that GitHub is to create.
pub(in crate::broker) fn login_command(app: &App, store: StoreKind) -> String {
    let issuer = app.issuer();
    let exists = issuer != Issuer::Unnamed;
    let mut command = match (exists, store) {
        (false, _) => "ghapp login --create",
        // The service manager has the key.
        (true, StoreKind::CredentialsDir) => "ghapp login",
        (true, _) => "ghapp login --pem FILE",
    }
    .to_owned();
    let mut option = |name: &str, value: &str| {
        for part in [" --", name, " ", &shell_word(value)] {
            command.push_str(part);
        }
    };
    match issuer {
        Issuer::AppId(id) => option("app-id", &id.to_string()),
        Issuer::ClientId(id) => option("client-id", &id),
        Issuer::Unnamed => {}
    }
    if app.host.as_str() != "github.com" {
        option("host", app.host.as_str());
    }
    if app.api_url != ApiUrl::of(&app.host) {
        option("api-url", app.api_url.as_str());
    }
    if let Some(file) = &app.ca_file {
        option("ca-file", &file.to_string_lossy());
    }
    if app.name.as_str() != AppName::UNNAMED
        && (store == StoreKind::CredentialsDir || app.slug.as_deref() != Some(app.name.as_str()))
    {
        option("name", app.name.as_str());
    }
    if store != StoreKind::Keyring {
        option("store", store.as_str());
    }
    command
}

/// Where the App can be installed (GitHub docs, "Installing your own GitHub App").
fn install_page(app: &App) -> String {
    match &app.slug {
        Some(slug) if app.host.as_str() == "github.com" => {
            format!("install it: https://github.com/apps/{slug}/installations/new")
        }
        // GitHub Enterprise Server has the page under another name.
        Some(slug) => format!("install it: https://{}/github-apps/{slug}/installations/new", app.host),
        None => format!("install it from the App's page on {}", app.host),
    }
}

/// Where the owners of an account change an installation on it.
pub(in crate::broker) fn settings_page(app: &App, installation: &Installation) -> String {
    if let Some(url) = &installation.html_url {
        return url.clone();
    }
    let (host, id) = (&app.host, installation.id);
    match &installation.account {
        Some(account) if installation.is_organization => {
            format!("https://{host}/organizations/{account}/settings/installations/{id}")
        }
        _ => format!("https://{host}/settings/installations/{id}"),
    }
}
