//! `ghapp-agent`: the daemon that holds key access and tokens and serves the local socket.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ghapp_agent::config;
use ghapp_agent::program::arguments::{self, Arguments, Mode, Request, UsageError};
use ghapp_agent::program::{self, Outcome, Start, StartupError, WipingAllocator};
use ghapp_protocol::endpoint::Endpoint;
use ghapp_protocol::{hardening, trace};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::{self, writer::BoxMakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Not for the other two programs: they exit soon, and a new process never sees the memory of an old one.
#[global_allocator]
static ALLOCATOR: WipingAllocator = WipingAllocator;

/// Exit code when another agent serves the endpoint already: no failure, but no new agent either.
const ALREADY_RUNNING: u8 = 23;
/// Exit code when the command line is none of ours.
const USAGE: u8 = 2;
/// The environment variable that says where to log, besides standard error in the foreground.
const TRACE_VARIABLE: &str = "GHAPP_TRACE";

fn main() -> ExitCode {
    hardening::harden(); // before anything else: nothing is secret yet
    program::close_inherited(); // and nothing is open yet
    let Arguments { mode, watched, socket, config } = match arguments::read(std::env::args_os().skip(1)) {
        Ok(Request::Run(arguments)) => arguments,
        Ok(Request::Help) => return print(arguments::HELP),
        Ok(Request::Version) => return print(arguments::VERSION),
        Err(error) => return refuse(&error),
    };
    let start = if mode == Mode::Detached { Start::Detached } else { Start::Foreground };
    if start == Start::Detached {
        program::leave_session();
    }
    let places = (|| -> Result<_, String> {
        let endpoint = match socket {
            Some(path) => std::path::absolute(path)
                .map_err(|error| error.to_string())
                .and_then(|path| Endpoint::at(path).map_err(|error| error.to_string())),
            None => Endpoint::from_environment().map_err(|error| error.to_string()),
        }?;
        Ok((endpoint, config::config_file(config).map_err(|error| error.to_string())?))
    })();
    let (endpoint, config_file) = match places {
        Ok(places) => places,
        Err(error) => {
            if mode != Mode::Foreground {
                program::tell_misplaced(&error);
            }
            return complain(&error);
        }
    };
    if mode == Mode::Daemonize {
        return daemonize(&endpoint, &config_file, watched);
    }
    start_logging(start);
    run(start, watched, endpoint, config_file)
}

/// Starts another process in the background and repeats its only line for the process that started this one.
fn daemonize(endpoint: &Endpoint, config_file: &Path, watched: Option<u32>) -> ExitCode {
    match program::detach(endpoint, config_file, watched) {
        Ok(Outcome::Ready) => {
            print_line(ghapp_protocol::start::READY_LINE);
            ExitCode::SUCCESS
        }
        Ok(Outcome::Failed(line)) => {
            print_line(&line);
            ExitCode::FAILURE
        }
        Err(error) => complain(&error.to_string()),
    }
}

fn run(start: Start, watched: Option<u32>, endpoint: Endpoint, config_file: PathBuf) -> ExitCode {
    // One thread: measured faster than several for connections with one request each.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return complain(&error.to_string()),
    };
    let outcome = runtime.block_on(program::run(start, watched, endpoint, config_file));
    // A keyring call may hang for ever; the agent exits all the same.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if start == Start::Detached {
                program::tell_failure(&error);
            }
            complain(&error.to_string());
            match error {
                StartupError::AlreadyRunning(_) => ExitCode::from(ALREADY_RUNNING),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

/// Logs to standard error, or to the file that `GHAPP_TRACE` names. There is no level at which a payload is logged.
fn start_logging(start: Start) {
    let trace = std::env::var_os(TRACE_VARIABLE).filter(|value| !value.is_empty());
    let level = if trace.is_some() { LevelFilter::DEBUG } else { LevelFilter::INFO };
    let file = trace.map(PathBuf::from).filter(|path| path.is_absolute());
    if start == Start::Detached && file.is_none() {
        return; // its standard error is not read
    }
    // Only what we log: libraries log what they hold.
    let ours = Targets::new().with_target("ghapp_agent", level);
    let writer = match file.and_then(|path| trace::open(&path).ok()) {
        Some(file) => BoxMakeWriter::new(std::sync::Mutex::new(file)),
        None => BoxMakeWriter::new(std::io::stderr),
    };
    tracing_subscriber::registry().with(ours).with(fmt::layer().with_ansi(false).with_writer(writer)).init();
}

#[expect(clippy::print_stdout, reason = "the line that the starter waits for")]
fn print_line(line: &str) {
    println!("{line}");
}

/// Prints what was asked for. A reader that has gone away is no failure.
fn print(text: &str) -> ExitCode {
    drop(io::stdout().write_all(text.as_bytes()));
    ExitCode::SUCCESS
}

/// Says what is wrong with the command line.
fn refuse(error: &UsageError) -> ExitCode {
    drop(writeln!(io::stderr(), "{error}"));
    ExitCode::from(USAGE)
}

#[expect(clippy::print_stderr, reason = "the reason why there is no agent")]
fn complain(error: &str) -> ExitCode {
    eprintln!("ghapp-agent: {error}");
    ExitCode::FAILURE
}
