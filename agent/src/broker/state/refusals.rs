//! GitHub's recent word that a repository is not part of an installation.

use std::collections::HashMap;
use std::time::Duration;

use ghapp_protocol::error::WireError;

use crate::clock::Moment;
use crate::model::{AppName, TokenScope};

/// How long a repository is believed not to be part of an installation. Short, as for owners.
const REFUSED_FOR: Duration = Duration::from_secs(10);
/// Most refusals that are remembered; they are short-lived, so the map is simply emptied.
const MAX_REFUSED: usize = 1000;

/// The refusals of the last seconds, by what was asked for.
#[derive(Default)]
pub(super) struct Refusals(HashMap<TokenScope, Refusal>);

struct Refusal {
    error: WireError,
    since: Moment,
}

impl Refusals {
    /// The refusal, if it is recent.
    pub(super) fn recent(&mut self, scope: &TokenScope, now: Moment) -> Option<WireError> {
        let refusal = self.0.get(scope)?;
        if now.boot.saturating_sub(refusal.since.boot) < REFUSED_FOR {
            return Some(refusal.error.clone());
        }
        self.0.remove(scope);
        None
    }

    pub(super) fn remember(&mut self, scope: &TokenScope, error: WireError, now: Moment) {
        if self.0.len() >= MAX_REFUSED {
            self.0.clear();
        }
        self.0.insert(scope.clone(), Refusal { error, since: now });
    }

    pub(super) fn forget(&mut self, scope: &TokenScope) {
        self.0.remove(scope);
    }

    pub(super) fn forget_app(&mut self, app: &AppName) {
        self.0.retain(|scope, _| scope.app != *app);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
