//! The manifest of the App that GitHub is asked to register, and the page that it is posted to.

use ghapp_agent::model::{Level, Permissions};
use ghapp_protocol::remote::{Host, Owner};
use serde_json::json;

use crate::arguments;
use crate::failure::CliError;

/// Longest name of an App at GitHub.
const MAX_NAME: usize = 34;
/// The page that an App's page links to. GitHub requires one.
const HOMEPAGE: &str = env!("CARGO_PKG_REPOSITORY");

/// An App that does not exist yet.
#[derive(Debug, Clone)]
pub(super) struct Manifest {
    /// Where it will be.
    pub(super) host: Host,
    /// The organization that will own it; otherwise the signed-in user will.
    pub(super) organization: Option<Owner>,
    /// The name to propose. GitHub wants a unique one, and lets the user change it.
    pub(super) name: String,
    /// What its installations may do at most.
    pub(super) permissions: Permissions,
}

impl Manifest {
    /// Reads the flags of the command line.
    pub(super) fn of(arguments: &arguments::Login) -> Result<Self, CliError> {
        let permissions = match &arguments.permissions {
            Some(text) => {
                let named = arguments::permissions(text).map_err(|error| {
                    error.hint("run: ghapp login --create --permissions contents=write,workflows=write")
                })?;
                let entries = named.iter().map(|(name, level)| (name.as_str(), level.as_str()));
                Permissions::parse(entries).map_err(|error| CliError::usage(format!("--permissions: {error}")))?
            }
            None => Permissions::of([("contents", Level::Write)]),
        };
        let name = match &arguments.name {
            Some(name) if name.as_str().len() > MAX_NAME => {
                return Err(CliError::usage(format!(
                    "--name: an App's name has at most {MAX_NAME} characters at GitHub"
                ))
                .hint("choose a shorter one: ghapp login --create --name NAME"));
            }
            Some(name) => name.to_string(),
            None => proposed_name(arguments.org.as_ref(), &user(), fastrand::u16(..)),
        };
        Ok(Self { host: arguments.host(), organization: arguments.org.clone(), name, permissions })
    }

    /// The manifest as GitHub takes it.
    ///
    /// There are no `hook_attributes` and no `default_events`, and so no webhook: GitHub refuses a hook without a URL that it can
    /// reach even when the hook is not active, and events without a hook.
    pub(super) fn json(&self, redirect_url: &str) -> String {
        let mut permissions = self.permissions.to_map();
        permissions.entry("metadata".to_owned()).or_insert_with(|| "read".to_owned()); // every App has it
        json!({
            "name": self.name,
            "url": HOMEPAGE,
            "description": "Lets git act as this App, with git-credential-ghapp.",
            "redirect_url": redirect_url,
            "public": false,
            "request_oauth_on_install": false,
            "default_permissions": permissions,
        })
        .to_string()
    }

    /// Where the manifest is posted to. `state` needs no escaping.
    pub(super) fn action(&self, state: &str) -> String {
        let host = &self.host;
        match &self.organization {
            Some(owner) => format!("https://{host}/organizations/{owner}/settings/apps/new?state={state}"),
            None => format!("https://{host}/settings/apps/new?state={state}"),
        }
    }
}

fn user() -> String {
    std::env::var("USER").or_else(|_| std::env::var("USERNAME")).unwrap_or_default()
}

/// `acme-git-3f9a`: the owner, the purpose, and a number because GitHub has each name only once.
fn proposed_name(organization: Option<&Owner>, user: &str, number: u16) -> String {
    let rest = format!("-git-{number:04x}");
    let whose = organization.map_or(user, Owner::as_str);
    let whose: String = whose.chars().filter(|char| char.is_ascii_alphanumeric() || *char == '-').collect();
    let whose = whose.trim_matches('-');
    let whose = if whose.is_empty() { "my" } else { whose };
    let cut = whose.len().min(MAX_NAME - rest.len());
    format!("{}{rest}", &whose[..cut])
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::remote::{Host, Owner};
    use serde_json::{Value, json};

    use super::{HOMEPAGE, Manifest, proposed_name};
    use ghapp_agent::model::{Level, Permissions};

    fn manifest(organization: Option<&str>) -> Manifest {
        Manifest {
            host: Host::parse("ghes.corp:8443").unwrap(),
            organization: organization.map(|name| Owner::parse(name).unwrap()),
            name: "acme-git".to_owned(),
            permissions: Permissions::of([("contents", Level::Write)]),
        }
    }

    #[test]
    fn the_manifest_asks_for_no_more_than_git_needs_and_for_no_webhook() {
        let json: Value = serde_json::from_str(&manifest(None).json("http://127.0.0.1:4000/callback")).unwrap();
        assert_eq!(json["default_permissions"], json!({"contents": "write", "metadata": "read"}));
        assert_eq!((&json["public"], &json["request_oauth_on_install"]), (&json!(false), &json!(false)));
        assert_eq!(json["redirect_url"], "http://127.0.0.1:4000/callback");
        assert_eq!(json["url"], HOMEPAGE);
        assert!(json.get("hook_attributes").is_none() && json.get("default_events").is_none());
    }

    #[test]
    fn it_is_posted_to_the_owners_settings() {
        assert_eq!(manifest(None).action("x"), "https://ghes.corp:8443/settings/apps/new?state=x");
        let organization = manifest(Some("acme")).action("x");
        assert_eq!(organization, "https://ghes.corp:8443/organizations/acme/settings/apps/new?state=x");
    }

    #[test]
    fn a_proposed_name_is_one_that_github_takes() {
        let acme = Owner::parse("acme").unwrap();
        assert_eq!(proposed_name(Some(&acme), "mona", 0x3f9a), "acme-git-3f9a");
        assert_eq!(proposed_name(None, "", 1), "my-git-0001");
        assert_eq!(proposed_name(None, "CORP\\zo\u{eb}", 1), "CORPzo-git-0001");
        assert_eq!(proposed_name(None, &"x".repeat(100), 1).len(), 34);
    }
}
