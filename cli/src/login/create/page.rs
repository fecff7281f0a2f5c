//! The pages as HTML: each is complete in itself, without scripts and without anything from another server.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ghapp_agent::model::{Level, Permissions};
use sha2::{Digest, Sha256};

use super::manifest::Manifest;

/// The style of the pages, light and dark.
const STYLE: &str = include_str!("page.css");

/// The page that leads to GitHub. Its one form posts the manifest; it shows the permissions, because GitHub's own page asks for
/// the name only.
pub(super) fn start(manifest: &Manifest, action: &str, json: &str, cancel: &str) -> String {
    let host = escaped(manifest.host.as_str());
    let owner = match &manifest.organization {
        Some(owner) => format!("the organization <b>{}</b>", escaped(owner.as_str())),
        None => "<b>your own account</b>".to_owned(),
    };
    let permissions: String = rows(&manifest.permissions);
    frame(
        "Create a GitHub App",
        &format!(
            "<p class=\"lead\">This sends you to <b>{host}</b>, which registers an App for {owner}. Its private key goes from there \
             straight into your key store.</p>\
             <dl><dt>Name</dt><dd><b>{name}</b><small>You can change it on the next page.</small></dd>\
             <dt>May</dt><dd><ul>{permissions}</ul><small>Only where you install it, and nothing else.</small></dd>\
             <dt>Visible</dt><dd>to its owner only<small>It has no webhook, and nobody signs in with it.</small></dd></dl>\
             <form action=\"{action}\" method=\"post\"><input type=\"hidden\" name=\"manifest\" value=\"{json}\">\
             <button id=\"create\">Continue to {host}</button> <a id=\"cancel\" href=\"{cancel}\">Cancel</a></form>\
             <p class=\"note\">GitHub may ask for your password or passkey again. Afterwards it brings you back here.</p>",
            name = escaped(&manifest.name),
            action = escaped(action),
            json = escaped(json),
            cancel = escaped(cancel),
        ),
    )
}

/// The page that a browser sees when it comes back from GitHub.
pub(super) fn done() -> String {
    frame(
        "The App is registered",
        "<p class=\"lead done\">Return to your terminal: it fetches the key now and says what comes next.</p><p class=\"note\">You can close this page.</p>",
    )
}

/// A page with one thing to say.
pub(super) fn notice(title: &str, text: &str) -> String {
    frame(&escaped(title), &format!("<p class=\"lead\">{}</p>", escaped(text)))
}

/// What a browser may do with a page: show our style, and post the form to one host over https. Nothing is loaded or run.
///
/// Browsers hold redirects of a posted form to `form-action` as well, and a company's server may send an unknown visitor to its own
/// sign-in host first; so https is what is asked of the target, and the host stands in the form.
pub(super) fn policy(form_target: &str) -> String {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action {form_target} https:; frame-ancestors 'none'; base-uri 'none'"
    )
}

/// One line for each permission, in words.
fn rows(permissions: &Permissions) -> String {
    let row = |(name, level): (&str, Level)| {
        let verb = match level {
            Level::Read => "read",
            Level::Write => "read and write",
            Level::Admin => "administer",
        };
        format!("<li>{verb} <b>{}</b></li>", escaped(&name.replace('_', " ")))
    };
    permissions.iter().map(row).collect()
}

fn frame(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">\
         <title>{title}</title><style>{STYLE}</style></head>\n<body><main><p class=\"brand\">ghapp login</p><h1>{title}</h1>{body}</main>\
         </body></html>\n"
    )
}

/// A text, escaped for use between tags and in a quoted attribute.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            char => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::remote::Host;

    use super::{escaped, policy, rows, start};
    use crate::login::create::manifest::Manifest;
    use ghapp_agent::model::{Level, Permissions};

    #[test]
    fn no_text_becomes_a_tag() {
        assert_eq!(escaped("<b a='\"'>&"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;");
    }

    #[test]
    fn nothing_is_loaded_or_run() {
        let manifest = Manifest {
            host: Host::parse("github.com").unwrap(),
            organization: None,
            name: "a".to_owned(),
            permissions: Permissions::of([("pull_requests", Level::Write)]),
        };
        let page = start(&manifest, "https://github.com/x", "{\"a\":\"<\"}", "/cancel");
        for foreign in ["<script", "src=", "<link", "@import", "url(", "onload"] {
            assert!(!page.contains(foreign), "{foreign}");
        }
        assert!(page.contains("value=\"{&quot;a&quot;:&quot;&lt;&quot;}\""), "{page}");
        assert_eq!(rows(&manifest.permissions), "<li>read and write <b>pull requests</b></li>");
        assert!(policy("https://github.com").starts_with("default-src 'none'; style-src 'sha256-"));
    }
}
