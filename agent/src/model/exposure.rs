//! An exposed socket's rule. Nothing changes it: it is made once, and goes with its socket.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use ghapp_protocol::message::Label;
use ghapp_protocol::remote::{FullName, Host, Owner, RepositoryName};

use super::{App, AppName, Issuer, Permissions};
use crate::clock::Moment;

/// Identifies an exposed socket. Labels are used again, numbers are not: what belonged to a socket never belongs to its namesake.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExposureId {
    /// Its name for people.
    pub label: Label,
    /// Its place in the sequence of this agent's sockets.
    pub number: u64,
}

impl fmt::Display for ExposureId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.label.fmt(formatter)
    }
}

/// What an exposed socket gives out, to whom, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposure {
    /// Which one.
    pub id: ExposureId,
    /// Where it is.
    pub path: PathBuf,
    /// What it gives out.
    pub terms: Terms,
    /// The one user who may connect, besides root; the agent's own when none is named.
    pub uid: Option<u32>,
    /// When it was opened.
    pub since: Moment,
    /// How long it stays.
    pub ttl: Duration,
}

/// What may be given out: as which App, for which repositories, with which permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// As which App.
    pub app: AppName,
    /// How the App named itself then: another App under the same nickname is not the one that was meant.
    pub issuer: Issuer,
    /// For which host.
    pub host: Host,
    /// The owner of the repositories.
    pub owner: Owner,
    /// The repositories: at least one, sorted, none twice. A token is for one of them.
    pub repositories: Vec<RepositoryName>,
    /// What each token may do: exactly this, or there is none.
    pub permissions: Permissions,
}

impl Exposure {
    /// How long it stays from now on. Time that passed while the machine slept counts.
    pub fn left(&self, now: Moment) -> Duration {
        self.ttl.saturating_sub(now.boot.saturating_sub(self.since.boot))
    }

    /// Whether its time is over.
    pub fn is_over(&self, now: Moment) -> bool {
        self.left(now).is_zero()
    }
}

impl Terms {
    /// Whether the repository is one of them.
    pub fn include(&self, name: &FullName) -> bool {
        name.owner == self.owner && self.repositories.binary_search(&name.repository).is_ok()
    }

    /// Whether the App is the one that was meant when the socket was exposed.
    pub fn mean(&self, app: &App) -> bool {
        app.name == self.app && app.host == self.host && app.issuer() == self.issuer
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ghapp_protocol::message::Label;
    use ghapp_protocol::remote::{FullName, Host, Owner, RepositoryName};

    use super::{Exposure, ExposureId, Terms};
    use crate::clock::{Clock, TestClock};
    use crate::model::{AppName, Issuer, Permissions};

    #[test]
    fn it_includes_what_was_named_in_any_spelling_and_is_over_after_its_time() {
        let clock = TestClock::at(1000);
        let exposure = Exposure {
            id: ExposureId { label: Label::parse("ci").unwrap(), number: 1 },
            path: "/run/x".into(),
            terms: Terms {
                app: AppName::parse("bot").unwrap(),
                issuer: Issuer::AppId(1),
                host: Host::parse("github.com").unwrap(),
                owner: Owner::parse("acme").unwrap(),
                repositories: ["api", "Web"].map(|name| RepositoryName::parse(name).unwrap()).into(),
                permissions: Permissions::for_git(),
            },
            uid: None,
            since: clock.now(),
            ttl: Duration::from_secs(60),
        };
        let includes = |name: &str| exposure.terms.include(&FullName::parse(name).unwrap());
        assert!(includes("acme/web") && includes("ACME/API"));
        assert!(!includes("acme/web2") && !includes("octo/web"));
        clock.pass(59);
        assert!(!exposure.is_over(clock.now()));
        clock.set_wall(0);
        clock.pass(1);
        assert!(exposure.is_over(clock.now()), "whatever somebody sets the wall clock to");
    }
}
