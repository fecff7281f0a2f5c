//! Which installation an owner has: what GitHub said, for as long as it can be relied on.
//!
//! Absence is kept only when GitHub said so; an error is ignorance and is never kept.

mod repository_ids;

pub(crate) use repository_ids::RepositoryIds;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use ghapp_protocol::remote::Owner;

use crate::clock::Moment;
use crate::model::{AppName, Installation, InstallationId};

/// How long an installation is believed to exist and to grant what it granted. A mint that GitHub refuses drops it earlier.
const KNOWN_FOR: Duration = Duration::from_secs(30 * 60);
/// How long an owner is believed to have none. Short: the next thing a person does is to install the App and try again.
const ABSENT_FOR: Duration = Duration::from_secs(10);
/// Most owners that are remembered. The one that was looked up longest ago goes first.
const MAX_OWNERS: usize = 10_000;

/// What is remembered about an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remembered {
    /// This installation.
    Installed(Installation),
    /// None.
    Absent,
}

struct Entry {
    remembered: Remembered,
    since: Moment,
}

/// The installations that were looked up.
#[derive(Default)]
pub struct Installations {
    by_owner: HashMap<(AppName, Owner), Entry>,
    /// Every installation that GitHub has mentioned, for listings.
    seen: BTreeMap<(AppName, InstallationId), Installation>,
    /// When GitHub last listed them all.
    listed: HashMap<AppName, Moment>,
}

impl Installations {
    /// What is known about an owner and still believed.
    pub fn get(&self, app: &AppName, owner: &Owner, now: Moment) -> Option<&Remembered> {
        let entry = self.by_owner.get(&(app.clone(), owner.clone()))?;
        let life = match &entry.remembered {
            // A suspended one is looked up again soon, like an absent one: it is probably being mended.
            Remembered::Installed(installation) if installation.suspended_at.is_none() => KNOWN_FOR,
            Remembered::Installed(_) | Remembered::Absent => ABSENT_FOR,
        };
        let age = now.boot.checked_sub(entry.since.boot)?;
        (age < life).then_some(&entry.remembered)
    }

    /// The installation that an owner had when GitHub was last asked, however long ago.
    pub fn last_known(&self, app: &AppName, owner: &Owner) -> Option<&Installation> {
        match &self.by_owner.get(&(app.clone(), owner.clone()))?.remembered {
            Remembered::Installed(installation) => Some(installation),
            Remembered::Absent => None,
        }
    }

    /// Remembers GitHub's answer about an owner.
    pub fn put(&mut self, app: &AppName, owner: &Owner, found: Option<Installation>, now: Moment) {
        if self.by_owner.len() >= MAX_OWNERS {
            let oldest = self.by_owner.iter().min_by_key(|(_, entry)| entry.since.boot);
            if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                self.by_owner.remove(&key);
            }
        }
        if let Some(installation) = &found {
            self.saw(app, installation.clone());
        }
        let remembered = found.map_or(Remembered::Absent, Remembered::Installed);
        self.by_owner.insert((app.clone(), owner.clone()), Entry { remembered, since: now });
    }

    /// Drops what was believed about an owner.
    pub fn forget_owner(&mut self, app: &AppName, owner: &Owner) {
        self.by_owner.remove(&(app.clone(), owner.clone()));
    }

    /// Drops everything about an App.
    pub fn forget_app(&mut self, app: &AppName) {
        self.by_owner.retain(|(name, _), _| name != app);
        self.seen.retain(|(name, _), _| name != app);
        self.listed.remove(app);
    }

    /// Replaces what is known with GitHub's complete list.
    pub fn replace(&mut self, app: &AppName, installations: Vec<Installation>, now: Moment) {
        // Owners are looked up again: an installation may be gone, or grant more than before.
        self.forget_app(app);
        for installation in installations {
            self.saw(app, installation);
        }
        self.listed.insert(app.clone(), now);
    }

    /// All installations of an App, if GitHub's complete list is still believed. One that was found since is among them.
    pub fn all(&self, app: &AppName, now: Moment) -> Option<Vec<&Installation>> {
        let age = now.boot.checked_sub(self.listed.get(app)?.boot)?;
        (age < KNOWN_FOR).then(|| self.seen(app).collect())
    }

    /// The installations of an App that GitHub has mentioned, in the order of their ids.
    pub fn seen(&self, app: &AppName) -> impl Iterator<Item = &Installation> {
        self.seen.iter().filter(move |((name, _), _)| name == app).map(|(_, installation)| installation)
    }

    fn saw(&mut self, app: &AppName, installation: Installation) {
        self.seen.insert((app.clone(), installation.id), installation);
    }
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::remote::Owner;

    use super::{Installations, Remembered};
    use crate::clock::{Clock, TestClock};
    use crate::model::{AppName, Installation, InstallationId, Permissions, RepositorySelection};

    fn installation(suspended: bool) -> Installation {
        Installation {
            id: InstallationId(7),
            account: Owner::parse("acme").ok(),
            is_organization: true,
            selection: RepositorySelection::All,
            permissions: Permissions::for_git(),
            suspended_at: suspended.then(|| "2026-11-21T00:00:00Z".to_owned()),
            html_url: None,
        }
    }

    // rule 41
    #[test]
    fn presence_is_believed_for_long_and_absence_and_suspension_briefly() {
        let clock = TestClock::at(0);
        let (app, owner) = (AppName::parse("bot").unwrap(), Owner::parse("Acme").unwrap());
        let same_owner = Owner::parse("acme").unwrap();
        let mut installations = Installations::default();

        installations.put(&app, &owner, Some(installation(false)), clock.now());
        clock.pass(600);
        let known = installations.get(&app, &same_owner, clock.now());
        assert!(matches!(known, Some(Remembered::Installed(_))));
        clock.set_wall(1_000_000_000); // the clock is set: only the time that elapsed counts
        assert!(installations.get(&app, &owner, clock.now()).is_some());

        installations.put(&app, &owner, None, clock.now());
        assert_eq!(installations.get(&app, &owner, clock.now()), Some(&Remembered::Absent));
        clock.pass(11);
        assert_eq!(installations.get(&app, &owner, clock.now()), None);

        installations.put(&app, &owner, Some(installation(true)), clock.now());
        clock.pass(11);
        assert_eq!(installations.get(&app, &owner, clock.now()), None);
    }

    #[test]
    fn a_list_is_complete_only_when_github_told_it_and_not_for_ever() {
        let clock = TestClock::at(0);
        let (app, owner) = (AppName::parse("bot").unwrap(), Owner::parse("acme").unwrap());
        let mut installations = Installations::default();
        installations.put(&app, &owner, Some(installation(false)), clock.now());
        assert_eq!(installations.all(&app, clock.now()), None, "one was looked up; there may be others");
        installations.replace(&app, vec![installation(false)], clock.now());
        clock.pass(1000);
        let found = Installation { id: InstallationId(8), ..installation(false) };
        installations.put(&app, &Owner::parse("octo").unwrap(), Some(found), clock.now());
        assert_eq!(installations.all(&app, clock.now()).unwrap().len(), 2);
        clock.pass(1000);
        assert_eq!(installations.all(&app, clock.now()), None);
    }
}
