//! Commands that people are told to paste: a word as a shell reads it back, and the first command there is.

use crate::remote::Host;

/// The host that a login is for when none is named.
const DEFAULT_HOST: &str = "github.com";

/// The command for a person without an App on a host. Creating one leaves nothing to fill in, so that is what can be pasted; after
/// `#` comes the command for an App that exists: FILE and N are the reader's.
pub fn first_login(host: Option<&Host>) -> String {
    let host = host.filter(|host| host.as_str() != DEFAULT_HOST);
    let host = host.map(|host| format!(" --host {host}")).unwrap_or_default();
    format!("ghapp login --create{host}  # for an App that exists: ghapp login --pem FILE --app-id N{host}")
}

/// Quotes a word if a shell would take it for more or less than one word.
pub fn shell_word(word: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "/._-+,:@%=".contains(char);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::{first_login, shell_word};
    use crate::remote::Host;

    #[test]
    fn only_another_host_is_named() {
        let to = |host: &str| first_login(Some(&Host::parse(host).unwrap()));
        assert_eq!(
            to("ghes.corp"),
            "ghapp login --create --host ghes.corp  # for an App that exists: ghapp login --pem FILE --app-id N --host ghes.corp"
        );
        assert_eq!(to("github.com"), first_login(None));
    }

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(shell_word("/a/b.pem"), "/a/b.pem");
        assert_eq!(shell_word("it's here"), r"'it'\''s here'");
        assert_eq!(shell_word(""), "''");
    }
}
