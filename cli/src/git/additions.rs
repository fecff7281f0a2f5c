//! What `setup-git` writes besides the helper: rewriting of ssh addresses, tokens for public repositories, and the bot's name.
//!
//! New values are added behind the existing ones, and only the new ones are removed again, which restores the file.

use ghapp_protocol::message::Identity;
use ghapp_protocol::remote::{Host, Owner};

use crate::arguments::Besides;
use crate::failure::CliError;
use crate::git::credential_section::{self, in_a_file};
use crate::git::git_config::ConfigFile;
use crate::terminal::output::Output;

/// The domain of tenants. The user for ssh has the tenant's own name there.
const TENANTS: &str = ".ghe.com";
/// Makes git show a token before it is asked for one, as user name and password (git-config(1), `http.proactiveAuth`).
const AHEAD: &str = "basic";

/// One key, and the values for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addition {
    section: &'static str,
    subsection: Option<String>,
    name: &'static str,
    values: Vec<String>,
}

impl Addition {
    fn key(&self) -> String {
        match &self.subsection {
            Some(subsection) => format!("{}.{subsection}.{}", self.section, self.name),
            None => format!("{}.{}", self.section, self.name),
        }
    }

    fn heading(&self) -> String {
        match &self.subsection {
            Some(subsection) => format!("[{} \"{subsection}\"]", self.section),
            None => format!("[{}]", self.section),
        }
    }
}

/// Lets git reach ssh addresses of the host, or only those of the owners, over https.
pub(crate) fn ssh_remotes(host: &Host, owners: &[Owner]) -> Vec<Addition> {
    let addition = |owner: Option<&Owner>| {
        let base = format!("{}/", credential_section::url(host, owner));
        let path = owner.map_or_else(String::new, |owner| format!("{owner}/"));
        Addition { section: "url", values: addresses(host, &path), subsection: Some(base), name: "insteadOf" }
    };
    if owners.is_empty() { vec![addition(None)] } else { owners.iter().map(|owner| addition(Some(owner))).collect() }
}

/// Both spellings of an ssh address (git-clone(1), "GIT URLS"), up to a path. The port of the web is not that of ssh.
fn addresses(host: &Host, path: &str) -> Vec<String> {
    let name = host.name();
    let tenant = name.strip_suffix(TENANTS).filter(|tenant| !tenant.contains('.'));
    let users = ["git"].into_iter().chain(tenant);
    users.flat_map(|user| [format!("{user}@{name}:{path}"), format!("ssh://{user}@{name}/{path}")]).collect()
}

/// Lets git show a token for public repositories of the owners as well.
pub(crate) fn public(host: &Host, owners: &[Owner]) -> Vec<Addition> {
    let addition = |owner| Addition {
        section: "http",
        subsection: Some(credential_section::url(host, Some(owner))),
        name: "proactiveAuth",
        values: vec![AHEAD.to_owned()],
    };
    owners.iter().map(addition).collect()
}

/// Lets git commit as a bot.
pub(crate) fn identity(bot: &Identity) -> Vec<Addition> {
    let addition =
        |name, value: &String| Addition { section: "user", subsection: None, name, values: vec![value.clone()] };
    vec![addition("name", &bot.name), addition("email", &bot.email)]
}

/// Writes the additions, and says which values were there before.
pub(crate) fn write(file: &ConfigFile, additions: &[Addition], output: &Output) -> Result<(), CliError> {
    for addition in additions {
        let (key, heading) = (addition.key(), addition.heading());
        let before = file.values(&key)?;
        let mut after: Vec<_> = before.iter().filter(|value| !addition.values.contains(value)).cloned().collect();
        after.extend(addition.values.iter().cloned());
        if after == before {
            output.report(&format!("{}: {heading} {} is set up already", file.name(), addition.name))?;
            continue;
        }
        file.set(&key, &before, &after)?;
        output.report(&format!("{}: {heading}", file.name()))?;
        if !before.is_empty() {
            output.report(&format!("    before: {} = {}", addition.name, written(&before)))?;
        }
        for value in &addition.values {
            output.report(&format!("  + {} = {value}", addition.name))?;
        }
    }
    Ok(())
}

/// Values on one line, for people; an empty one forgets those before it.
pub(crate) fn written(values: &[String]) -> String {
    if values.is_empty() {
        return "(nothing)".to_owned();
    }
    let name = |value: &String| match value.as_str() {
        "" => "(reset)".to_owned(),
        value => value.to_owned(),
    };
    values.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// Prints the additions in the form of a configuration file.
pub(crate) fn print(additions: &[Addition], output: &Output) -> Result<(), CliError> {
    let mut last = None;
    for addition in additions {
        let heading = addition.heading();
        if last.as_ref() != Some(&heading) {
            output.data(&format!("{heading}\n"))?;
        }
        for value in &addition.values {
            output.data(&format!("\t{} = {}\n", addition.name, in_a_file(value)))?;
        }
        last = Some(heading);
    }
    Ok(())
}

/// Removes the additions for a host, or only for some of its owners, from a file. Returns how many keys had one.
pub(crate) fn remove(
    file: &ConfigFile,
    host: &Host,
    owners: &[Owner],
    which: Besides,
    output: &Output,
) -> Result<usize, CliError> {
    let entries = file.entries(KEYS)?;
    let bots: Vec<_> =
        entries.iter().filter(|(key, _)| key == EMAIL).filter_map(|(_, value)| bot_of(value, host)).collect();
    let is_ours = |key: &str, value: &str| match Key::of(key) {
        Some(Key::Url(base)) => which.ssh_remotes && rewrites(base, value, host, owners),
        Some(Key::Http(url)) => {
            let owner = credential_section::owner_of(url, host);
            which.public && value == AHEAD && owner.is_some_and(|owner| is_meant(&owner, owners))
        }
        // A bot belongs to no owner in particular.
        Some(Key::Name) => which.identity && owners.is_empty() && bots.iter().any(|bot| bot == value),
        Some(Key::Email) => which.identity && owners.is_empty() && bot_of(value, host).is_some(),
        None => false,
    };
    let mut keys: Vec<&String> = Vec::new();
    for (key, _) in entries.iter().filter(|(key, value)| is_ours(key, value)) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    for key in &keys {
        let before = file.values(key)?;
        let after: Vec<_> = before.iter().filter(|value| !is_ours(key, value)).cloned().collect();
        let key = spelled(key);
        file.set(&key, &before, &after)?;
        output.report(&format!("{}: {key}", file.name()))?;
        output.report(&format!("    before: {}", written(&before)))?;
        output.report(&format!("    now: {}", written(&after)))?;
    }
    Ok(keys.len())
}

/// The keys of the additions, as git lists them: in lower case except between the dots.
const KEYS: &str = r"^(url\..*\.insteadof|http\..*\.proactiveauth|user\.name|user\.email)$";
const EMAIL: &str = "user.email";

/// The kind of addition that a key belongs to.
enum Key<'a> {
    Url(&'a str),
    Http(&'a str),
    Name,
    Email,
}

impl<'a> Key<'a> {
    fn of(key: &'a str) -> Option<Self> {
        let between = |prefix, suffix| key.strip_prefix(prefix).and_then(|rest: &str| rest.strip_suffix(suffix));
        match key {
            "user.name" => Some(Self::Name),
            EMAIL => Some(Self::Email),
            _ => between("url.", ".insteadof")
                .map(Self::Url)
                .or_else(|| between("http.", ".proactiveauth").map(Self::Http)),
        }
    }
}

/// A key in the spelling that people use: git writes a key as it gets it.
fn spelled(key: &str) -> String {
    let named = |name: &str| {
        let section = key.strip_suffix(&name.to_ascii_lowercase())?;
        section.ends_with('.').then(|| format!("{section}{name}"))
    };
    ["insteadOf", "proactiveAuth"].into_iter().find_map(named).unwrap_or_else(|| key.to_owned())
}

/// Whether `setup-git` writes such a rewriting of addresses.
fn rewrites(base: &str, value: &str, host: &Host, owners: &[Owner]) -> bool {
    let Some(url) = base.strip_suffix('/') else { return false };
    let path = if url == credential_section::url(host, None) && owners.is_empty() {
        String::new()
    } else {
        match credential_section::owner_of(url, host) {
            Some(owner) if is_meant(&owner, owners) => format!("{owner}/"),
            _ => return false,
        }
    };
    addresses(host, &path).iter().any(|address| address == value)
}

fn is_meant(owner: &Owner, owners: &[Owner]) -> bool {
    owners.is_empty() || owners.contains(owner)
}

/// The name of the bot that has this email address at the host.
fn bot_of(email: &str, host: &Host) -> Option<String> {
    let (number, rest) = email.split_once('+')?;
    let bot = rest.strip_suffix(&format!("@users.noreply.{}", host.name()))?;
    let numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (numbered && bot.ends_with("[bot]")).then(|| bot.to_owned())
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::remote::{Host, Owner};

    use super::{addresses, bot_of, rewrites, ssh_remotes};

    fn host(text: &str) -> Host {
        Host::parse(text).unwrap()
    }

    #[test]
    fn ssh_addresses_have_two_spellings_and_no_port_of_the_web() {
        assert_eq!(addresses(&host("github.com"), ""), ["git@github.com:", "ssh://git@github.com/"]);
        assert_eq!(addresses(&host("ghes.corp:8443"), "acme/"), ["git@ghes.corp:acme/", "ssh://git@ghes.corp/acme/"]);
        let tenant = addresses(&host("octo.ghe.com"), "");
        assert_eq!(
            tenant,
            ["git@octo.ghe.com:", "ssh://git@octo.ghe.com/", "octo@octo.ghe.com:", "ssh://octo@octo.ghe.com/"]
        );
    }

    #[test]
    fn only_what_we_write_is_taken_for_ours() {
        let (github, owner) = (host("github.com"), Owner::parse("acme").unwrap());
        for addition in [ssh_remotes(&github, &[]), ssh_remotes(&github, std::slice::from_ref(&owner))].concat() {
            let base = addition.subsection.unwrap();
            assert!(addition.values.iter().all(|value| rewrites(&base, value, &github, &[])), "{base}");
        }
        let acme = |base, value| rewrites(base, value, &github, std::slice::from_ref(&owner));
        assert!(acme("https://github.com/ACME/", "git@github.com:ACME/"));
        assert!(!acme("https://github.com/", "git@github.com:"), "it is for all owners");
        assert!(!acme("https://github.com/other/", "git@github.com:other/"));
        assert!(!acme("https://github.com/acme/", "gh:acme/"), "a person's own abbreviation");
        assert!(!acme("https://github.com.evil.example/", "git@github.com:acme/"));
    }

    #[test]
    fn a_bot_is_known_by_its_address() {
        let github = host("github.com");
        assert_eq!(bot_of("7+acme-bot[bot]@users.noreply.github.com", &github).as_deref(), Some("acme-bot[bot]"));
        for other in ["7+mona@users.noreply.github.com", "acme-bot[bot]@users.noreply.github.com", "dev@example.com"] {
            assert_eq!(bot_of(other, &github), None, "{other}");
        }
        assert_eq!(bot_of("7+b[bot]@users.noreply.ghes.corp", &host("ghes.corp:8443")).as_deref(), Some("b[bot]"));
    }
}
