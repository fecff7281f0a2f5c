//! What somebody runs who has no App on a host yet. Creating one needs nothing to be filled in, so that is what can be pasted.

use ghapp_protocol::remote::Host;

/// The host that a login is for when none is named.
const DEFAULT_HOST: &str = "github.com";

/// The command, and behind a `#` the one for an App that exists: FILE and N are the reader's.
pub fn first_login(host: Option<&Host>) -> String {
    let host = host.filter(|host| host.as_str() != DEFAULT_HOST);
    let host = host.map(|host| format!(" --host {host}")).unwrap_or_default();
    format!("ghapp login --create{host}  # for an App that exists: ghapp login --pem FILE --app-id N{host}")
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::remote::Host;

    use super::first_login;

    #[test]
    fn only_another_host_is_named() {
        let to = |host: &str| first_login(Some(&Host::parse(host).unwrap()));
        assert_eq!(
            to("ghes.corp"),
            "ghapp login --create --host ghes.corp  # for an App that exists: ghapp login --pem FILE --app-id N --host ghes.corp"
        );
        assert_eq!(to("github.com"), first_login(None));
    }
}
