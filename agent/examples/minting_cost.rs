//! What any number of agents costs GitHub in an hour, as a Markdown table: `cargo run -p ghapp-agent --example minting_cost`.
//!
//! Every agent is simulated, question by question, with the agent's own code for each decision: how long an installation is
//! believed, when a token is replaced before it expires and whether it is in use, and how a long list is split into tokens. The
//! table is in bench/README.md; `tests/minting_cost.rs` compares.

use std::collections::HashMap;
use std::time::Duration;

use ghapp_agent::clock::Moment;
use ghapp_agent::config::Settings;
use ghapp_agent::minting::{Installations, Refresh};
use ghapp_agent::model::{AppName, Installation, InstallationId, MAX_NAMED, Permissions, RepositorySelection};
use ghapp_protocol::remote::Owner;

/// How long a token of GitHub's lives. Source: GitHub docs, "Create an installation access token for an app".
const LIFE: Duration = Duration::from_secs(3600);
/// All agents start within this time, as machines do in the morning. There is no worse case.
const START: Duration = Duration::from_secs(60);
/// The longest time between two questions for one repository; the mean is half of it.
const LONGEST_GAP: Duration = Duration::from_secs(600);
/// The hours that are simulated. The first one is left out of the hourly numbers: the others are what goes on for ever.
const HOURS: u32 = 13;
const MINUTES: usize = HOURS as usize * 60;
const END: Duration = Duration::from_secs(HOURS as u64 * 3600);

/// What one token covers.
#[derive(Debug, Clone, Copy)]
enum Covers {
    Requested,
    Named,
    Installation,
}

/// A fleet: agents, owners per agent, repositories per agent and hour, and what a token covers.
type Fleet = (u64, u64, u64, Covers);

const FLEETS: [Fleet; 6] = [
    (1, 1, 2000, Covers::Requested),
    (1, 1, 2000, Covers::Named),
    (1, 1, 2000, Covers::Installation),
    (1000, 1, 5, Covers::Requested),
    (1000, 5, 5, Covers::Requested),
    (1000, 1, 5, Covers::Installation),
];

/// The program.
fn main() {
    #[expect(clippy::print_stdout, reason = "this is what it is for")]
    {
        print!("{}", table());
    }
}

/// The table.
pub(crate) fn table() -> String {
    let columns = [
        "agents",
        "owners",
        "repositories",
        "a token covers",
        "lookups/h",
        "mints at the start",
        "mints/h (most/min)",
        "only on demand",
    ];
    let mut table = format!("| {} |\n|--:|--:|--:|---|--:|--:|--:|--:|\n", columns.join(" | "));
    for (agents, owners, repositories, covers) in FLEETS {
        let words = match covers {
            Covers::Requested => "the repository",
            Covers::Named => "a named list",
            Covers::Installation => "the installation",
        };
        let ahead = simulate((agents, owners, repositories, covers), true);
        let on_demand = simulate((agents, owners, repositories, covers), false);
        let cells = [
            grouped(agents),
            grouped(owners),
            grouped(repositories),
            words.to_owned(),
            grouped(ahead.lookups.per_hour()),
            grouped(ahead.mints.at_the_start()),
            ahead.mints.per_hour_and_most(),
            on_demand.mints.per_hour_and_most(),
        ];
        table.extend(["| ", &cells.join(" | "), " |\n"]);
    }
    table
}

/// Calls, by the minute in which they were made.
struct Calls(Vec<u64>);

impl Calls {
    fn count(&mut self, at: Duration) {
        let minute = usize::try_from(at.as_secs() / 60).unwrap_or(usize::MAX);
        if let Some(calls) = self.0.get_mut(minute) {
            *calls += 1;
        }
    }

    fn per_hour(&self) -> u64 {
        self.0[60..].iter().sum::<u64>() / u64::from(HOURS - 1)
    }

    fn per_hour_and_most(&self) -> String {
        let most = self.0[60..].iter().copied().max().unwrap_or(0);
        format!("{} ({})", grouped(self.per_hour()), grouped(most))
    }

    fn at_the_start(&self) -> u64 {
        self.0[0]
    }
}

/// What a fleet costs.
struct Cost {
    lookups: Calls,
    mints: Calls,
}

fn simulate((agents, owners, repositories, covers): Fleet, ahead: bool) -> Cost {
    let none = || Calls(vec![0; MINUTES]);
    let mut cost = Cost { lookups: none(), mints: none() };
    let mut random = Random(1);
    let believed = believed_for();
    for _ in 0..agents {
        let started = random.up_to(START);
        for owner in 0..owners {
            // The repositories of one owner, and the token that each of them shares.
            let mine = (owner..repositories).step_by(usize::try_from(owners).unwrap_or(usize::MAX));
            let mut questions = Vec::new();
            for (place, repository) in mine.enumerate() {
                let token = match covers {
                    Covers::Requested => repository,
                    Covers::Named => u64::try_from(place / MAX_NAMED).expect("a list is not that long"),
                    Covers::Installation => 0,
                };
                let mut at = started + random.up_to(START.saturating_sub(started));
                while at < END {
                    questions.push((at, token));
                    at += random.up_to(LONGEST_GAP);
                }
            }
            questions.sort_unstable();
            ask(&questions, believed, ahead, &mut random, &mut cost);
        }
    }
    cost
}

/// Asks an agent for one owner's repositories.
fn ask(questions: &[(Duration, u64)], believed: Duration, ahead: bool, random: &mut Random, cost: &mut Cost) {
    let min_ttl = Settings::default().min_ttl;
    let mut looked_up: Option<Duration> = None;
    let mut tokens: HashMap<u64, Token> = HashMap::new();
    for &(at, number) in questions {
        if looked_up.is_none_or(|since| at >= since + believed) {
            looked_up = Some(at);
            cost.lookups.count(at);
        }
        if let Some(token) = tokens.get_mut(&number) {
            // The agent's own timer looks at the planned time; after that, every question looks that finds the token good.
            let due = token.minted + token.refresh.left(moment(token.minted));
            if ahead && due <= at && token.refresh.is_due(moment(token.last_used), moment(due)) {
                *token = Token::mint(due, random, cost);
            }
            if token.minted + LIFE >= at + min_ttl {
                token.last_used = at;
                if ahead && token.refresh.is_due(moment(at), moment(at)) {
                    *token = Token::mint(at, random, cost);
                }
                continue;
            }
        }
        tokens.insert(number, Token::mint(at, random, cost));
    }
}

/// A token in an agent's cache.
struct Token {
    minted: Duration,
    last_used: Duration,
    refresh: Refresh,
}

impl Token {
    fn mint(at: Duration, random: &mut Random, cost: &mut Cost) -> Self {
        cost.mints.count(at);
        Self { minted: at, last_used: at, refresh: Refresh::plan(LIFE, moment(at), random.chance()) }
    }
}

/// How long the agent believes that an owner has an installation.
fn believed_for() -> Duration {
    let app = AppName::parse("bot").expect("it is a name");
    let owner = Owner::parse("acme").expect("it is a name");
    let installation = Installation {
        id: InstallationId(1),
        account: Some(owner.clone()),
        is_organization: true,
        selection: RepositorySelection::All,
        permissions: Permissions::for_git(),
        suspended_at: None,
        html_url: None,
    };
    let mut installations = Installations::default();
    installations.put(&app, &owner, Some(installation), moment(Duration::ZERO));
    let believes = |seconds| {
        let now = moment(Duration::from_secs(seconds));
        installations.get(&app, &owner, now).is_some()
    };
    let until = (0..END.as_secs()).find(|seconds| !believes(*seconds));
    Duration::from_secs(until.expect("nothing is believed for ever"))
}

/// A moment of the simulation. The wall clock is never used.
fn moment(boot: Duration) -> Moment {
    Moment { wall: 0, boot }
}

/// A number with its thousands separated.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let parts: Vec<_> = digits.as_bytes().rchunks(3).rev().map(|part| String::from_utf8_lossy(part)).collect();
    parts.join(",")
}

/// Random numbers that are the same in every run and every release: `SplitMix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to 1.
    fn chance(&mut self) -> f64 {
        f64::from(u32::try_from(self.next() >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
    }

    fn up_to(&mut self, longest: Duration) -> Duration {
        longest.mul_f64(self.chance())
    }
}
