//! The keys of the configuration file, as one table: what `ghapp config` changes and what pages and the example say about each.

/// A kind of table in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// `[agent]`
    Agent,
    /// `[[app]]`
    App,
    /// `[[rule]]`
    Rule,
}

impl Section {
    /// All of them, in the order of the file.
    pub const ALL: [Self; 3] = [Self::Agent, Self::App, Self::Rule];

    /// How it is written in the file and in front of a dotted key.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::App => "app",
            Self::Rule => "rule",
        }
    }

    /// The line that opens one.
    pub const fn header(self) -> &'static str {
        match self {
            Self::Agent => "[agent]",
            Self::App => "[[app]]",
            Self::Rule => "[[rule]]",
        }
    }

    /// Its keys, in the order of the table.
    pub fn keys(self) -> impl Iterator<Item = &'static Key> {
        KEYS.iter().filter(move |key| key.section == self)
    }
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Between quotation marks, whatever it looks like.
    Text,
    /// As TOML: a number, `true` or `false`, a list, a table; text when it is none of them.
    Toml,
}

/// A key of the file.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    /// The table that it belongs to.
    pub section: Section,
    /// Its name.
    pub name: &'static str,
    /// How its value is written.
    pub form: Form,
    /// The default, as TOML, if there is one.
    pub default: Option<&'static str>,
    /// A value, as TOML, for the example.
    pub example: &'static str,
    /// What it does, in sentences.
    pub meaning: &'static str,
    /// The command that changes it, when `ghapp config set` does not.
    pub changed_by: Option<&'static str>,
}

const KEY: Key = Key {
    section: Section::Agent,
    name: "",
    form: Form::Text,
    default: None,
    example: "",
    meaning: "",
    changed_by: None,
};
const APP: Key = Key { section: Section::App, ..KEY };
/// Says where an App's private key is: with another value the key would not be found.
const IDENTITY: Key = Key { changed_by: Some("ghapp login"), ..APP };
const KEYED: Key = Key { changed_by: Some("ghapp key"), ..APP };
const RULE: Key = Key { section: Section::Rule, ..KEY };

/// Every key that [`super::load()`] understands.
pub const KEYS: &[Key] = &[
    Key {
        name: "min_ttl",
        default: Some("\"10m\""),
        example: "\"10m\"",
        meaning: "Never hand out a token with less life than this: from \"2m\" to \"50m\".",
        ..KEY
    },
    Key {
        name: "idle_exit",
        default: Some("\"never\""),
        example: "\"never\"",
        meaning: "Exit when no program has asked for this long, such as \"30m\". An agent that holds a key in memory, or is locked, stays.",
        ..KEY
    },
    Key {
        name: "lock_after",
        default: Some("\"never\""),
        example: "\"never\"",
        meaning: "Drop keys and tokens from memory when no token was needed for this long, such as \"8h\".",
        ..KEY
    },
    Key {
        name: "lock_with_screen",
        form: Form::Toml,
        default: Some("false"),
        example: "false",
        meaning: "Lock when logind says that the session is locked (Linux). Read when the agent starts.",
        ..KEY
    },
    Key {
        name: "revoke_on_stop",
        form: Form::Toml,
        default: Some("false"),
        example: "false",
        meaning: "Revoke all tokens at GitHub when the agent stops.",
        ..KEY
    },
    Key { name: "name", example: "\"acme-bot\"", meaning: "The App's name on this machine.", ..IDENTITY },
    Key {
        name: "host",
        default: Some("\"github.com\""),
        example: "\"github.com\"",
        meaning: "The host in the remotes' URLs.",
        ..IDENTITY
    },
    Key {
        name: "api_url",
        example: "\"https://api.github.com\"",
        meaning: "The REST API, when it is not in the host's usual place.",
        ..APP
    },
    Key {
        name: "ca_file",
        example: "\"/etc/ssl/corp.pem\"",
        meaning: "Certificates to trust for the API besides the system's: an absolute path, PEM.",
        ..APP
    },
    Key {
        name: "app_id",
        form: Form::Toml,
        example: "12345",
        meaning: "The App ID; each App needs app_id or client_id.",
        ..IDENTITY
    },
    Key { name: "client_id", example: "\"Iv23liAbCdEf0123\"", meaning: "The App's client ID.", ..IDENTITY },
    Key {
        name: "slug",
        example: "\"acme-bot\"",
        meaning: "The App's name in its address at GitHub; `ghapp login` learns it.",
        ..APP
    },
    Key {
        name: "installation_id",
        form: Form::Toml,
        example: "51234",
        meaning: "The only installation to use.",
        ..APP
    },
    Key {
        name: "signer",
        default: Some("\"keyring\""),
        example: "\"keyring\"",
        meaning: "Where the key is: \"keyring\", \"keyutils\", \"encrypted-file\", \"credentials-dir\" or \"memory\".",
        ..IDENTITY
    },
    Key {
        name: "key",
        example: "\"SHA256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=\"",
        meaning: "The fingerprint of the key that signs, in GitHub's form: another key in the store is refused.",
        ..KEYED
    },
    Key {
        name: "more_keys",
        form: Form::Toml,
        example: "[\"SHA256:q2kZ0c8mLq4D7r1u9sVt5xYw3zB6nPfGhJkQeRaTvN4=\"]",
        meaning: "The fingerprints of further keys, which sign when GitHub refuses those before them: four keys in all.",
        ..KEYED
    },
    Key {
        name: "match",
        example: "\"github.com/acme/*\"",
        meaning: "HOST[:PORT]/OWNER/REPO; OWNER or REPO may be *, and REPO may end in *. Capitals do not matter.",
        ..RULE
    },
    Key {
        name: "app",
        example: "\"acme-bot\"",
        meaning: "The App that serves what matches; required unless deny is true.",
        ..RULE
    },
    Key {
        name: "repositories",
        form: Form::Toml,
        default: Some("\"requested\""),
        example: "\"requested\"",
        meaning: "What a token reaches: the \"requested\" repository, a list such as [\"web\", \"api\"], or the whole \"installation\".",
        ..RULE
    },
    Key {
        name: "permissions",
        form: Form::Toml,
        default: Some("{ contents = \"write\", workflows = \"write\" }"),
        example: "{ contents = \"write\", workflows = \"write\" }",
        meaning: "What a token may do; each is lowered to what the installation grants.",
        ..RULE
    },
    Key {
        name: "access",
        default: Some("\"write\""),
        example: "\"write\"",
        meaning: "\"write\"; \"read\" lowers contents to read; \"auto\" does that for what is certainly a fetch (Linux).",
        ..RULE
    },
    Key {
        name: "installation_id",
        form: Form::Toml,
        example: "51234",
        meaning: "The only installation to use.",
        ..RULE
    },
    Key {
        name: "on_failure",
        default: Some("\"quit\""),
        example: "\"quit\"",
        meaning: "After a failure \"quit\" makes git stop, and \"next\" lets it ask its next helper.",
        ..RULE
    },
    Key {
        name: "deny",
        form: Form::Toml,
        default: Some("false"),
        example: "false",
        meaning: "Refuse what matches; then only match and on_failure have an effect.",
        ..RULE
    },
];
