//! A live token, where it comes from and how it has been used.

use std::sync::Arc;
use std::time::Duration;

use ghapp_protocol::message::LeaseId;
use ghapp_protocol::remote::{Owner, RepositoryName};

use super::{Reached, Refresh};
use crate::clock::Moment;
use crate::model::{Asked, Caller, InstallationId, InstallationToken, TokenScope};

/// How long an old name is believed to mean the renamed repository.
const RENAMED_FOR: Duration = Duration::from_secs(10 * 60);

/// What the mint of a token's successor needs besides its scope.
#[derive(Debug, Clone)]
pub(crate) struct Successor {
    /// The account that the repositories belong to.
    pub owner: Owner,
    /// The one installation that the configuration names, if it names one.
    pub pinned: Option<InstallationId>,
    /// The least life that is of use.
    pub min_ttl: Duration,
    /// The repository that was asked for, if one was named.
    pub repository: Option<RepositoryName>,
    /// Whether git uses the token.
    pub for_git: bool,
    /// The process that asked first.
    pub caller: Caller,
}

impl Successor {
    /// What the rules are asked about it.
    pub(crate) fn asked(&self) -> Asked<'_> {
        Asked { owner: &self.owner, repository: self.repository.as_ref() }
    }
}

/// A token that has just been minted, with what its lease says. There may be thousands, so it is kept small.
#[derive(Debug, Clone)]
pub(crate) struct Minted {
    /// The token.
    pub token: InstallationToken,
    /// The account that its installation belongs to; none for an enterprise.
    pub account: Option<Owner>,
    /// The program that asked first.
    pub program: Option<Arc<str>>,
    /// What the next one for its scope needs.
    pub successor: Successor,
    /// When it was minted.
    pub at: Moment,
    /// When it is to be replaced, as it was planned.
    pub refresh: Refresh,
    /// What it reaches. An old name may become another repository's any time.
    pub reached: Reached,
}

/// A live token and its history. A copy of it is cheap, and holds no copy of the token: each request gets one.
#[derive(Debug, Clone)]
pub(crate) struct TokenLease {
    /// Its name for people.
    pub id: LeaseId,
    /// What it reaches and may do.
    pub scope: Arc<TokenScope>,
    /// The token and its origin.
    pub minted: Arc<Minted>,
    /// When it is to be replaced, or when the replacement is tried again.
    pub(super) refresh: Refresh,
    /// When it was last handed out.
    pub last_used: Moment,
    /// How often it was handed out.
    pub uses: u64,
}

impl TokenLease {
    /// The names of the repositories that it reaches, as GitHub told them; none for a whole installation.
    pub(crate) fn repositories(&self) -> Option<Vec<RepositoryName>> {
        match self.minted.reached.renamed() {
            [] => self.scope.repositories.names().map(<[_]>::to_vec),
            renamed => Some(renamed.iter().map(|name| name.repository.clone()).collect()),
        }
    }

    /// The account that the repositories belong to; none for an enterprise.
    pub(crate) fn account(&self) -> Option<&Owner> {
        self.minted.reached.renamed().first().map(|name| &name.owner).or(self.minted.account.as_ref())
    }

    /// Its place among the planned replacements.
    pub(super) fn renewal(&self) -> (Refresh, LeaseId) {
        (self.minted.refresh, self.id)
    }

    /// Whether the token may be handed out: it has that much life left, and its scope still means what it meant.
    pub(super) fn serves(&self, at_least: Duration, now: Moment) -> bool {
        let age = now.boot.saturating_sub(self.minted.at.boot);
        self.lives(at_least, now) && (self.minted.reached.is_as_asked() || age < RENAMED_FOR)
    }

    /// Whether the token has at least that much life left.
    ///
    /// Both clocks have to agree: the wall clock knows what GitHub meant, and the boot clock notices when the wall clock was
    /// set back (a token would seem to live longer than it does).
    pub(super) fn lives(&self, at_least: Duration, now: Moment) -> bool {
        let least = i64::try_from(at_least.as_secs()).unwrap_or(i64::MAX);
        let wall_left = self.minted.token.expires_at.saturating_sub(now.wall);
        let life = self.minted.token.expires_at.saturating_sub(self.minted.at.wall);
        let life = Duration::from_secs(u64::try_from(life).unwrap_or(0));
        let boot_left = life.saturating_sub(now.boot.saturating_sub(self.minted.at.boot));
        wall_left > 0 && wall_left >= least && !boot_left.is_zero() && boot_left >= at_least
    }
}
