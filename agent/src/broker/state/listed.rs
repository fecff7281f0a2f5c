//! What people asked GitHub through the agent, kept until the configuration changes or they ask anew.

use std::collections::HashMap;
use std::sync::Arc;

use crate::github::{ListedRepository, User};
use crate::model::{AppName, InstallationId};

/// All repositories that an installation reaches, in the order of their ids.
pub(in crate::broker) type Reached = Arc<[ListedRepository]>;

/// What people asked GitHub.
#[derive(Default)]
pub(in crate::broker) struct Listed {
    /// The repositories that installations reach, as GitHub listed them last.
    reached: HashMap<(AppName, InstallationId), Reached>,
    /// The users that Apps commit as.
    bots: HashMap<AppName, User>,
}

impl Listed {
    /// The repositories that an installation reached when GitHub was last asked.
    pub(in crate::broker) fn reached(&self, app: &AppName, installation: InstallationId) -> Option<Reached> {
        self.reached.get(&(app.clone(), installation)).cloned()
    }

    /// Keeps the repositories that an installation reaches.
    pub(in crate::broker) fn keep_reached(&mut self, app: &AppName, installation: InstallationId, all: Reached) {
        self.reached.insert((app.clone(), installation), all);
    }

    /// The user that an App commits as.
    pub(in crate::broker) fn bot(&self, app: &AppName) -> Option<User> {
        self.bots.get(app).cloned()
    }

    /// Keeps the user that an App commits as.
    pub(in crate::broker) fn keep_bot(&mut self, app: &AppName, bot: User) {
        self.bots.insert(app.clone(), bot);
    }

    pub(super) fn forget_all(&mut self) {
        self.reached.clear();
        self.bots.clear();
    }
}
