//! The memory of our three programs is closed to other processes of the same user.
//!
//! Root may look into everything, so the programs and their attacker become another user here.

use std::fs;
use std::io::{PipeWriter, pipe};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use ghapp_tests::process::{self, Output, Running};
use ghapp_tests::tools::{Tool, all_there, can_become_another_user};
use ghapp_tests::{Desk, Sandbox, binary, eventually};
use rustix::process::{Pid, Signal, kill_process};

/// The user `nobody`.
const USER: u32 = 65534;

/// To become another user, and a debugger in one line.
const TOOLS: &[Tool] =
    &[Tool { program: "setpriv", package: "util-linux" }, Tool { program: "python3", package: "python3" }];

/// A home of another user, with programs in it.
struct Home {
    sandbox: Sandbox,
}

impl Home {
    fn new() -> Home {
        let sandbox = Sandbox::new();
        for name in ["", "home", "home/.config", "home/.local", "home/.local/state", "run", "work"] {
            let directory = sandbox.path(name);
            fs::create_dir_all(&directory).expect("the sandbox is writable");
            chown(&directory, Some(USER), Some(USER)).expect("root may give it away");
        }
        for program in ["ghapp-agent", "ghapp", "git-credential-ghapp"] {
            let copy = sandbox.path(program);
            fs::copy(binary(program), &copy).expect("the sandbox is writable");
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("the copy is ours");
        }
        Home { sandbox }
    }

    /// A command as that user.
    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let uid = USER.to_string();
        let mut command = self.sandbox.command("setpriv");
        // Not the programs in the home of this test's user.
        command.env("PATH", "/usr/bin:/bin");
        command.args(["--reuid", &uid, "--regid", &uid, "--clear-groups"]);
        let ours = self.sandbox.path(program);
        command.arg(if ours.is_file() { ours.as_path() } else { Path::new(program) }).args(arguments);
        command
    }

    /// Starts a program that waits for its input for as long as the pipe is held.
    fn start(&self, program: &str, arguments: &[&str]) -> (Running, PipeWriter) {
        let (reader, writer) = pipe().expect("a pipe costs two descriptors");
        (Running::spawn_with(&mut self.command(program, arguments), Stdio::from(reader)), writer)
    }

    /// What another process of that user gets when it reads a file of a process.
    fn read(&self, pid: u32, file: &str) -> Output {
        process::run(&mut self.command("head", &["-c", "1", &format!("/proc/{pid}/{file}")]), b"")
    }
}

/// Waits until a program itself waits: it is no longer `setpriv`, and has done its first steps.
fn wait_until_it_waits(pid: u32, program: &str) {
    eventually(&format!("process {pid} becomes {program} and waits"), || {
        let started = fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.ends_with(program));
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
        let waits = stat.rsplit_once(") ").is_some_and(|(_, fields)| fields.starts_with('S'));
        if started && waits { Ok(()) } else { Err(stat) }
    });
}

#[test]
fn no_other_process_of_the_user_can_look_into_our_programs() {
    if !can_become_another_user() || !all_there(TOOLS) {
        return;
    }
    let home = Home::new();
    let (control, _control_input) = home.start("cat", &[]);
    let programs = [
        home.start("ghapp-agent", &["--foreground"]),
        home.start("ghapp", &["login", "--pem", "-", "--app-id", "1"]),
        home.start("git-credential-ghapp", &["get"]),
    ];
    for ((running, _input), program) in programs.iter().zip(["ghapp-agent", "ghapp", "git-credential-ghapp"]) {
        let pid = running.pid();
        wait_until_it_waits(pid, program);
        // The kernel gives the files of an undumpable process to root.
        assert_eq!(fs::metadata(format!("/proc/{pid}/environ")).unwrap().uid(), 0, "{program}");
        for file in ["environ", "mem"] {
            home.read(pid, file).failed().stderr_contains("Permission denied");
        }
        // Some kernels refuse to open the file, and some show it empty.
        assert_eq!(home.read(pid, "maps").stdout(), "");
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        let values: Vec<_> = core.split_whitespace().rev().skip(1).take(2).collect();
        // `ghapp` restores the limit for the programs that it becomes (`agent run`), so it leaves the hard one alone.
        let hard = if program == "ghapp" { values[0] } else { "0" };
        assert_eq!(values, [hard, "0"], "{core}");
        // PTRACE_ATTACH; 1 is EPERM.
        let attach = "import ctypes,sys; libc=ctypes.CDLL(None,use_errno=True); \
                      print(libc.ptrace(16,int(sys.argv[1]),None,None), ctypes.get_errno())";
        let attached = process::run(&mut home.command("python3", &["-c", attach, &pid.to_string()]), b"");
        assert_eq!(attached.ok().stdout(), "-1 1\n");
    }
    // The same user, the same time, a program without defences: the refusals above are not the system's own.
    wait_until_it_waits(control.pid(), "cat");
    for file in ["environ", "maps"] {
        assert_eq!(home.read(control.pid(), file).ok().stdout().len(), 1, "{file}");
    }
}

#[test]
fn our_programs_leave_no_core_when_they_crash() {
    if !can_become_another_user() || !all_there(TOOLS) {
        return;
    }
    let home = Home::new();
    for (program, arguments) in [
        ("ghapp-agent", ["--foreground"].as_slice()),
        ("ghapp", &["login", "--pem", "-", "--app-id", "1"]),
        ("git-credential-ghapp", &["get"]),
    ] {
        let (running, _input) = home.start(program, arguments);
        wait_until_it_waits(running.pid(), program);
        let pid = i32::try_from(running.pid()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(pid, Signal::ABORT).unwrap();
        let status = running.finish().status;
        assert_eq!((status.signal(), status.core_dumped()), (Some(Signal::ABORT.as_raw()), false), "{program}");
    }
}

#[test]
fn an_agent_that_serves_runs_no_program() {
    if !all_there(&[Tool { program: "strace", package: "strace" }]) {
        return;
    }
    let desk = Desk::new();
    let trace = desk.path("trace");
    let mut command = desk.command("strace");
    command.args(["-f", "-qq", "-e", "trace=execve,execveat", "-o"]).arg(&trace).arg(binary("ghapp-agent"));
    let agent = Running::spawn(command.arg("--foreground"));
    agent.wait_for_line("listening");
    desk.log_in("memory").ok();
    desk.set_up_git();
    desk.clone("acme/web").ok();
    desk.ghapp(["token", "acme/api"]).ok();
    desk.ghapp(["apps", "--refresh"]).ok();
    desk.ghapp(["logout"]).ok();
    desk.stop_agent();
    agent.finish().ok();
    let trace = fs::read_to_string(trace).expect("strace wrote it");
    assert_eq!(trace.lines().filter(|line| line.contains("exec")).count(), 1, "only the agent itself: {trace}");
}
