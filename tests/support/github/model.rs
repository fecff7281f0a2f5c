//! Everything this GitHub knows: accounts, Apps, installations, repositories, tokens, and what was called.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};

use super::app::{App, RegisteredApp};
use super::calls::Calls;
use super::fault::Faults;
use super::lfs::Address;
use super::manifest::Manifests;
use super::mint::Mint;
use super::permissions::Permissions;
use super::token::{Token, TokenShape};

/// GitHub: "The installation access token will expire after 1 hour."
const TOKEN_LIFETIME: SignedDuration = SignedDuration::from_hours(1);

/// What may own repositories or have an App installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountKind {
    /// A person.
    User,
    /// An organisation.
    Organization,
    /// An enterprise. It owns no repositories, and its JSON has a `slug` where the others have a `login`.
    Enterprise,
}

impl AccountKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            AccountKind::User => "User",
            AccountKind::Organization => "Organization",
            AccountKind::Enterprise => "Enterprise",
        }
    }
}

/// The repositories an App is installed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All of the account, later ones included.
    All,
    /// The ones with these names (without the owner).
    Selected(Vec<String>),
}

impl Selection {
    /// Selects repositories by name.
    pub fn selected(names: &[&str]) -> Selection {
        Selection::Selected(names.iter().map(|name| (*name).to_owned()).collect())
    }
}

#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) id: u64,
    pub(super) login: String,
    pub(super) kind: AccountKind,
}

pub(super) struct Repository {
    pub(super) id: u64,
    pub(super) owner: String,
    pub(super) name: String,
    pub(super) public: bool,
    pub(super) directory: PathBuf,
}

impl Repository {
    pub(super) fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }
}

/// A [`Selection`] whose names are resolved: a renamed repository stays selected.
pub(super) enum Coverage {
    All,
    Only(BTreeSet<u64>),
}

pub(super) struct Installation {
    pub(super) id: u64,
    pub(super) app_id: u64,
    pub(super) account: Account,
    pub(super) coverage: Coverage,
    pub(super) permissions: Permissions,
    pub(super) suspended_at: Option<Timestamp>,
}

impl Installation {
    pub(super) fn covers(&self, repository: &Repository) -> bool {
        // An enterprise installation reaches no organisation's repositories.
        let owned =
            self.account.kind != AccountKind::Enterprise && self.account.login.eq_ignore_ascii_case(&repository.owner);
        owned
            && match &self.coverage {
                Coverage::All => true,
                Coverage::Only(ids) => ids.contains(&repository.id),
            }
    }
}

/// The one state behind the simulator's lock.
pub(super) struct State {
    pub(super) host: String,
    pub(super) clock_offset: SignedDuration,
    pub(super) token_lifetime: SignedDuration,
    pub(super) token_shape: TokenShape,
    pub(super) accepts_client_id: bool,
    pub(super) private_mode: bool,
    /// Mints give the whole installation and all it may do, whatever they are asked for.
    pub(super) narrows: bool,
    accounts: Vec<Account>,
    pub(super) apps: BTreeMap<u64, RegisteredApp>,
    pub(super) installations: BTreeMap<u64, Installation>,
    pub(super) repositories: BTreeMap<u64, Repository>,
    /// Former names in lower case.
    moved: HashMap<String, u64>,
    pub(super) tokens: HashMap<String, Token>,
    pub(super) calls: Calls,
    pub(super) mints: Vec<Mint>,
    pub(super) jwts: BTreeSet<String>,
    pub(super) faults: Faults,
    pub(super) manifests: Manifests,
    pub(super) connections: usize,
    /// Addresses of the store for large files that were handed out.
    pub(super) lfs_addresses: HashMap<String, Address>,
    last_id: u64,
}

impl State {
    pub(super) fn new(host: String) -> State {
        State {
            host,
            clock_offset: SignedDuration::ZERO,
            token_lifetime: TOKEN_LIFETIME,
            token_shape: TokenShape::Long,
            accepts_client_id: true,
            private_mode: false,
            narrows: true,
            accounts: Vec::new(),
            apps: BTreeMap::new(),
            installations: BTreeMap::new(),
            repositories: BTreeMap::new(),
            moved: HashMap::new(),
            tokens: HashMap::new(),
            calls: Calls::default(),
            mints: Vec::new(),
            jwts: BTreeSet::new(),
            faults: Faults::default(),
            manifests: Manifests::default(),
            connections: 0,
            lfs_addresses: HashMap::new(),
            last_id: 1_000_000,
        }
    }

    pub(super) fn api_url(&self) -> String {
        format!("https://{}/api/v3", self.host)
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::now() + self.clock_offset
    }

    /// Ids of all kinds come from one sequence, so a mix-up is never right by chance.
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(super) fn register_app(&mut self, name: &str, owner: &str) -> App {
        let owner = self.account(owner).login;
        let (id, bot_user_id) = (self.next_id(), self.next_id());
        let (registered, app) = RegisteredApp::new(id, bot_user_id, name, &owner);
        self.apps.insert(registered.id, registered);
        app
    }

    pub(super) fn app_mut(&mut self, id: u64) -> &mut RegisteredApp {
        self.apps.get_mut(&id).expect("the App was registered at this simulator")
    }

    pub(super) fn installation_mut(&mut self, id: u64) -> &mut Installation {
        self.installations.get_mut(&id).expect("the installation exists")
    }
}

/// Accounts.
impl State {
    pub(super) fn declare_account(&mut self, login: &str, kind: AccountKind) {
        assert!(self.find_account(login).is_none(), "{login} exists already");
        let id = self.next_id();
        self.accounts.push(Account { id, login: login.to_owned(), kind });
    }

    pub(super) fn find_account(&self, login: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.login.eq_ignore_ascii_case(login))
    }

    /// Returns the account, which becomes an organisation if it is new.
    pub(super) fn account(&mut self, login: &str) -> Account {
        if self.find_account(login).is_none() {
            self.declare_account(login, AccountKind::Organization);
        }
        self.find_account(login).expect("just declared").clone()
    }
}

/// Repositories.
impl State {
    pub(super) fn add_repository(&mut self, id: u64, name: &str, public: bool, directory: PathBuf) {
        let (owner, name) = split_name(name);
        assert!(self.find_repository(owner, name).is_none(), "{owner}/{name} exists already");
        let owner = self.account(owner).login;
        // A redirect ends when another repository takes the old name.
        self.moved.remove(&fold(&owner, name));
        let name = name.to_owned();
        self.repositories.insert(id, Repository { id, owner, name, public, directory });
    }

    pub(super) fn rename_repository(&mut self, old: &str, new: &str) {
        let id = self.repository_named(old).id;
        let (owner, name) = split_name(new);
        assert!(self.find_repository(owner, name).is_none(), "{new} exists already");
        let owner = self.account(owner).login;
        self.moved.remove(&fold(&owner, name));
        let repository = self.repositories.get_mut(&id).expect("just found");
        let before = fold(&repository.owner, &repository.name);
        repository.owner = owner;
        name.clone_into(&mut repository.name);
        self.moved.insert(before, id);
    }

    /// Finds a repository by its present name; GitHub does not care about case.
    pub(super) fn find_repository(&self, owner: &str, name: &str) -> Option<&Repository> {
        self.repositories.values().find(|repository| {
            repository.owner.eq_ignore_ascii_case(owner) && repository.name.eq_ignore_ascii_case(name)
        })
    }

    /// Finds a repository by a former name.
    pub(super) fn find_moved(&self, owner: &str, name: &str) -> Option<&Repository> {
        self.moved.get(&fold(owner, name)).and_then(|id| self.repositories.get(id))
    }

    pub(super) fn repository_named(&self, full_name: &str) -> &Repository {
        let (owner, name) = split_name(full_name);
        self.find_repository(owner, name).expect("the repository exists")
    }

    pub(super) fn coverage(&self, owner: &str, selection: Selection) -> Coverage {
        match selection {
            Selection::All => Coverage::All,
            Selection::Selected(names) => {
                let id = |name: String| {
                    let found = self.find_repository(owner, &name).map(|found| found.id);
                    found.unwrap_or_else(|| panic!("create {owner}/{name} before it is selected"))
                };
                Coverage::Only(names.into_iter().map(id).collect())
            }
        }
    }
}

fn split_name(full_name: &str) -> (&str, &str) {
    full_name.split_once('/').expect("a repository is named OWNER/NAME")
}

fn fold(owner: &str, name: &str) -> String {
    format!("{owner}/{name}").to_ascii_lowercase()
}
