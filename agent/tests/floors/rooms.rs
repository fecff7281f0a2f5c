//! The plan of the house: which room stands on which floor, and what it is for. This is the file to change when a room is added.

/// Rooms above each other. A room uses only rooms below it; rooms on one floor do not know each other.
pub(crate) struct Hall {
    /// Where the rooms are.
    pub(crate) root: &'static str,
    /// Whether imports and calls in the files' own tests count, too.
    pub(crate) counts_tests: bool,
    /// The floor, counted from the ground; the folder or file (`mod` is the hall's own `mod.rs`); and its job.
    pub(crate) rooms: &'static [(u8, &'static str, &'static str)],
}

pub(crate) const HALLS: &[Hall] = &[AGENT, BROKER, CLI];

/// The picture is in agent/src/lib.rs.
pub(crate) const AGENT: Hall = Hall {
    root: "agent/src/",
    counts_tests: true,
    rooms: &[
        (1, "clock", "what time it is"),
        (1, "files", "files with a rule of their own"),
        (2, "model", "the nouns"),
        (3, "process", "our own memory, and which program asks"),
        // Two wings, in which no room knows another one. The rules decide and do no I/O.
        (4, "policy", "which App may serve what"),
        (4, "installation", "what GitHub said of installations and repositories"),
        (4, "token", "which tokens are at hand"),
        (4, "failures", "keys that failed, GitHub's limits, wrong passphrases"),
        // The edges do I/O and decide nothing.
        (4, "audit", "writes down what was decided"),
        (4, "config", "reads and edits the configuration"),
        (4, "github", "talks to GitHub"),
        (4, "keystore", "holds the keys"),
        (4, "signer", "signs with a key"),
        // Only the broker knows both wings.
        (5, "broker", "the use cases"),
        (6, "server", "lets clients in"),
        (6, "lifecycle", "starts and ends the agent"),
        (7, "lib", "lists the modules"),
        (8, "main", "wires things; nothing imports it"),
    ],
};

/// The broker. Rooms below `Broker` have no handle of it.
pub(crate) const BROKER: Hall = Hall {
    root: "agent/src/broker/",
    counts_tests: false,
    rooms: &[
        (1, "explain", "makes a cause and a next step of every failure"),
        (2, "state", "what changes"),
        (3, "shared", "what all parts need: clock, GitHub, stores, audit log, state"),
        (4, "record", "writes down how a question ended"),
        (5, "gate", "whether keys and tokens may be used now"),
        (6, "activity", "whether the agent is in use"),
        (6, "app_api", "one call as the App: sign, ask, be patient"),
        (7, "tokens", "lease, mint, narrow, prove, refresh, revoke"),
        (8, "mod", "`Broker`: holds the parts below"),
        (9, "git", "use cases: what git and scripts ask"),
        (9, "telling", "use cases: what people ask to be told"),
        (9, "lock", "use cases: close the agent and open it again"),
        (10, "apps", "use cases: which Apps and keys there are"),
    ],
};

/// The command line.
pub(crate) const CLI: Hall = Hall {
    root: "cli/src/",
    counts_tests: false,
    rooms: &[
        (1, "failure", "errors and exit codes"),
        (2, "terminal", "what people see, and what they are asked"),
        (3, "arguments", "what can be written on the command line"),
        (3, "process", "runs other programs"),
        (3, "connection", "asks the agent"),
        (4, "session", "what every command is given"),
        (5, "git", "reads and writes git's configuration"),
        (5, "manual", "help, manual pages and completions"),
        (5, "config", "command: shows and edits the configuration"),
        (5, "known_apps", "the Apps that are configured or that the agent knows"),
        (6, "tokens", "commands: token, exec, revoke"),
        (7, "reports", "commands: status, which, leases, logs, apps, repos"),
        (8, "login", "commands: login, logout, key"),
        (9, "agent", "commands: agent, lock, unlock"),
        (10, "doctor", "command: finds out what is wrong"),
        (11, "commands", "runs the command that was given"),
        (12, "lib", "lists the modules"),
        (13, "main", "starts the command line"),
    ],
};

/// All that the command line uses of the agent, as starts of paths below agent/src/. It never talks to GitHub, and has no key for
/// longer than it takes to hand it over.
pub(crate) const LENT: &[(&str, &str)] = &[
    ("audit/reading.rs", "`ghapp logs` reads the log"),
    ("clock.rs", "people are told how long ago something was"),
    ("config/", "the configuration is found, read and edited"),
    ("files/regular_file.rs", "`ghapp doctor` reads what other programs wrote"),
    ("model/", "these are the nouns"),
    ("signer/import.rs", "a key is looked at before it is handed over"),
    ("signer/mod.rs", "it hands on what import.rs has"),
];
