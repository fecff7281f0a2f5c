//! Which sockets are exposed. In memory only: they are gone when the agent exits.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::message::Label;
use tokio::sync::watch;

use crate::broker::explain;
use crate::clock::Moment;
use crate::model::{Exposure, ExposureId, Terms};

/// Most sockets that are exposed at the same time. Each costs a descriptor and a task; people lose track of fewer.
pub(in crate::broker) const MAX_EXPOSED: usize = 16;

/// The exposed sockets.
#[derive(Default)]
pub(in crate::broker) struct Exposures {
    open: BTreeMap<Label, Open>,
    last_number: u64,
    /// The agent stops: no further one is taken in.
    ending: bool,
}

/// A socket that is exposed, and how its door is told to close it. The door drops the receiver when the socket's file is gone.
pub(in crate::broker) struct Open {
    pub(in crate::broker) exposure: Arc<Exposure>,
    closing: watch::Sender<bool>,
}

impl Open {
    /// Tells the door to close the socket.
    pub(in crate::broker) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Waits until the socket's file is gone.
    pub(in crate::broker) async fn gone(self) {
        self.closing.closed().await;
    }
}

/// A socket that is wanted.
pub(in crate::broker) struct WantedSocket {
    pub(in crate::broker) label: Option<Label>,
    pub(in crate::broker) uid: Option<u32>,
    pub(in crate::broker) terms: Terms,
    pub(in crate::broker) ttl: Duration,
}

impl Exposures {
    /// Takes a socket in, so that its label and path are reserved. `place` says where the socket of a label is.
    pub(in crate::broker) fn admit(
        &mut self,
        wanted: WantedSocket,
        place: impl FnOnce(&Label) -> PathBuf,
        now: Moment,
    ) -> Result<(Arc<Exposure>, watch::Receiver<bool>), WireError> {
        if self.ending {
            return Err(explain::ending());
        }
        if self.open.len() >= MAX_EXPOSED {
            return Err(usage(format!("{MAX_EXPOSED} sockets are exposed already")).hint(LOOK));
        }
        let WantedSocket { label, uid, terms, ttl } = wanted;
        let label = label.unwrap_or_else(|| self.free_label(&terms));
        if self.open.contains_key(&label) {
            return Err(usage(format!("a socket with the label {label} is exposed already")).hint(LOOK));
        }
        let path = place(&label);
        if self.open.values().any(|open| open.exposure.path == path) {
            return Err(usage(format!("the socket {} is exposed already", path.display())).hint(LOOK));
        }
        self.last_number += 1;
        let id = ExposureId { label: label.clone(), number: self.last_number };
        let exposure = Arc::new(Exposure { id, path, terms, uid, since: now, ttl });
        let (closing, receiver) = watch::channel(false);
        self.open.insert(label, Open { exposure: Arc::clone(&exposure), closing });
        Ok((exposure, receiver))
    }

    /// A label that says what the socket is for.
    fn free_label(&self, terms: &Terms) -> Label {
        let first = terms.repositories.first().map(|name| name.as_str().trim_start_matches(['.', '-', '_']));
        // Room for a number.
        let stem: String = first.unwrap_or_default().chars().take(Label::MAX - 3).collect();
        let stem = if stem.is_empty() { "socket" } else { stem.as_str() };
        let names = std::iter::once(stem.to_owned()).chain((2..).map(|number| format!("{stem}-{number}")));
        let mut labels = names.filter_map(|name| Label::parse(&name).ok());
        // There are more numbers than sockets.
        labels.find(|label| !self.open.contains_key(label)).expect("some number is free")
    }

    /// Whether a socket is still exposed.
    pub(in crate::broker) fn has(&self, id: &ExposureId) -> bool {
        self.open.get(&id.label).is_some_and(|open| open.exposure.id == *id)
    }

    /// Takes a socket out by its label or path.
    pub(in crate::broker) fn remove(&mut self, which: &str) -> Option<Open> {
        let named = |open: &&Open| open.exposure.id.label.as_str() == which || open.exposure.path.as_os_str() == which;
        let label = self.open.values().find(named)?.exposure.id.label.clone();
        self.open.remove(&label)
    }

    /// Takes out every socket that is to go.
    pub(in crate::broker) fn remove_where(&mut self, goes: impl Fn(&Exposure) -> bool) -> Vec<Open> {
        let labels = self.open.iter().filter(|(_, open)| goes(&open.exposure)).map(|(label, _)| label.clone());
        let labels: Vec<_> = labels.collect();
        labels.iter().filter_map(|label| self.open.remove(label)).collect()
    }

    /// Takes out all of them for good.
    pub(in crate::broker) fn end(&mut self) -> Vec<Open> {
        self.ending = true;
        self.remove_where(|_| true)
    }

    /// The exposed sockets, in the order of their labels.
    pub(in crate::broker) fn all(&self) -> impl Iterator<Item = &Arc<Exposure>> {
        self.open.values().map(|open| &open.exposure)
    }

    /// How many are exposed.
    pub(in crate::broker) fn count(&self) -> usize {
        self.open.len()
    }
}

/// The hint when a socket, label or path is one too many.
const LOOK: &str = "run: ghapp agent exposed";

fn usage(message: String) -> WireError {
    WireError::new(ErrorCode::Usage, message)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use ghapp_protocol::message::Label;
    use ghapp_protocol::remote::{Host, Owner, RepositoryName};

    use super::{Exposures, MAX_EXPOSED, WantedSocket};
    use crate::clock::{Clock, TestClock};
    use crate::model::{AppName, Issuer, Permissions, Terms};

    fn wanted(label: Option<&str>, repository: &str) -> WantedSocket {
        WantedSocket {
            label: label.map(|label| Label::parse(label).unwrap()),
            uid: None,
            terms: Terms {
                app: AppName::parse("bot").unwrap(),
                issuer: Issuer::AppId(1),
                host: Host::parse("github.com").unwrap(),
                owner: Owner::parse("acme").unwrap(),
                repositories: vec![RepositoryName::parse(repository).unwrap()],
                permissions: Permissions::for_git(),
            },
            ttl: Duration::from_secs(60),
        }
    }

    fn own_place(label: &Label) -> PathBuf {
        PathBuf::from(format!("/run/{label}"))
    }

    #[test]
    fn labels_and_paths_are_taken_once_and_made_up_when_none_is_given() {
        let (mut exposures, now) = (Exposures::default(), TestClock::at(1000).now());
        let long = "x".repeat(100);
        let mut admit = |label, repository: &str, path: fn(&Label) -> PathBuf| {
            let admitted = exposures.admit(wanted(label, repository), path, now);
            admitted.map(|(exposure, _)| exposure.id.to_string()).map_err(|error| error.message)
        };
        assert_eq!(admit(None, ".github", own_place).unwrap(), "github");
        assert_eq!(admit(None, ".github", own_place).unwrap(), "github-2");
        assert_eq!(admit(None, &long, own_place).unwrap(), long[..29]);
        assert_eq!(admit(None, "_", own_place).unwrap(), "socket");
        assert_eq!(admit(Some("ci"), "web", own_place).unwrap(), "ci");
        assert!(admit(Some("ci"), "web", |_| "/run/other".into()).unwrap_err().contains("label ci"));
        assert!(admit(Some("other"), "web", |_| "/run/ci".into()).unwrap_err().contains("/run/ci"));
    }

    #[test]
    fn a_label_that_is_used_again_is_another_socket() {
        let (mut exposures, now) = (Exposures::default(), TestClock::at(1000).now());
        let (first, mut closing) = exposures.admit(wanted(Some("ci"), "web"), own_place, now).unwrap();
        let open = exposures.remove("/run/ci").unwrap();
        assert!(exposures.remove("ci").is_none());
        open.close();
        assert!(*closing.borrow_and_update());
        let (second, _) = exposures.admit(wanted(Some("ci"), "web"), own_place, now).unwrap();
        assert!(!exposures.has(&first.id) && exposures.has(&second.id));
    }

    #[test]
    fn there_is_a_largest_number_of_sockets() {
        let (mut exposures, now) = (Exposures::default(), TestClock::at(1000).now());
        for _ in 0..MAX_EXPOSED {
            exposures.admit(wanted(None, "web"), own_place, now).unwrap();
        }
        assert!(exposures.admit(wanted(None, "web"), own_place, now).is_err());
        assert_eq!(exposures.remove_where(|exposure| exposure.id.number == 1).len(), 1);
        assert_eq!(exposures.count(), MAX_EXPOSED - 1);
    }
}
