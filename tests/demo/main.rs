//! The main job from end to end, on this machine alone: an embedded GitHub, and the real git, helper and agent.
//!
//! Everything lives in a temporary directory and is gone afterwards; the App's key is kept in the agent's memory.

use std::process::ExitCode;

use ghapp_tests::process::{self, Output};
use ghapp_tests::{Desk, binary, build};
use serde_json::Value;

fn main() -> ExitCode {
    say("Building git-credential-ghapp, ghapp-agent and ghapp ...");
    if !build::programs() {
        return ExitCode::FAILURE;
    }
    let mut demo = Demo { desk: Desk::new(), decisions: 0, calls: 0, step: 0 };
    demo.introduce();
    demo.log_in();
    demo.clone();
    demo.push();
    demo.fetch();
    demo.show_lease();
    demo.log_out();
    say("");
    say(
        "That was the main job: no token in a file, in git's configuration or in the environment; one repository, one hour.",
    );
    say("Everything was in a temporary directory and is gone now.");
    ExitCode::SUCCESS
}

struct Demo {
    desk: Desk,
    /// Lines of the audit log that were shown.
    decisions: usize,
    /// Calls of GitHub's API that were shown.
    calls: usize,
    step: usize,
}

impl Demo {
    fn introduce(&mut self) {
        let host = self.desk.github.host().to_owned();
        self.begin("GitHub, embedded");
        say(&format!("   https://{host}  TLS with a CA of its own, REST API, git smart HTTP from git http-backend"));
        say(&format!("   App acme-bot, id {}, key {}", self.desk.app.app_id, self.desk.app.fingerprint()));
        say(&format!("   installed on the organization acme (installation {})", self.desk.installation));
        say("   private repositories acme/web and acme/api");
        std::fs::write(self.desk.work().join("acme-bot.pem"), self.desk.app.pem()).expect("the sandbox is writable");
        let anonymous = self.desk.git(["ls-remote", &self.desk.github.clone_url("acme/web")]);
        let refusal = anonymous.failed().stderr();
        say(&format!("   without a helper git gets nowhere: {}", refusal.lines().last().unwrap_or_default()));
    }

    fn log_in(&mut self) {
        let host = self.desk.github.host().to_owned();
        let id = self.desk.app.app_id.to_string();
        let ca_file = self.desk.github.ca_file().display().to_string();
        self.begin("Log the App in: the key goes to the agent, which checks it with GitHub");
        self.run(
            "ghapp",
            &[
                "login",
                "--pem",
                "acme-bot.pem",
                "--app-id",
                &id,
                "--host",
                &host,
                "--ca-file",
                &ca_file,
                "--store",
                "memory",
            ],
        );
        self.begin("Tell git");
        self.run("ghapp", &["setup-git", "--host", &host, "--owner", "acme"]);
        self.skip_login();
    }

    fn clone(&mut self) {
        let url = self.desk.github.clone_url("acme/web");
        self.begin("Clone a private repository");
        self.run("git", &["clone", "--quiet", &url]);
        self.explain();
    }

    fn push(&mut self) {
        self.begin("Commit and push");
        self.desk.commit("web", "hello.txt", "hello from a GitHub App\n");
        self.run("git", &["-C", "web", "push", "--quiet"]);
        let head = self.desk.git_in("web", ["rev-parse", "HEAD"]).ok().stdout();
        assert_eq!(self.desk.github.head("acme/web", "main").as_deref(), Some(head.trim()), "GitHub has the commit");
        say(&format!("   GitHub's main is now {}", &head[..12]));
        self.explain();
    }

    fn fetch(&mut self) {
        self.begin("Fetch");
        self.run("git", &["-C", "web", "fetch", "--quiet"]);
        self.explain();
    }

    fn show_lease(&mut self) {
        self.begin("What is alive");
        self.run("ghapp", &["leases"]);
    }

    fn log_out(&mut self) {
        let token = self.desk.token("acme/web");
        self.decisions = self.desk.audit().len();
        self.begin("Log out: the token is revoked at GitHub, the key is deleted, git's configuration is as before");
        self.run("ghapp", &["logout"]);
        let url = format!("https://x-access-token:{token}@{}/acme/web.git", self.desk.github.host());
        self.desk.git(["ls-remote", &url]).failed();
        say("   GitHub refuses the token now");
    }

    fn begin(&mut self, title: &str) {
        self.step += 1;
        say("");
        say(&format!("{}. {title}", self.step));
    }

    /// Runs a command as a user would, and shows it and what it says.
    fn run(&self, program: &str, arguments: &[&str]) {
        say(&format!("   $ {program} {}", arguments.join(" ")));
        let path = if program == "git" { program.into() } else { binary(program) };
        let output: Output = process::run(self.desk.command(path).args(arguments), b"");
        output.ok();
        for line in (output.stdout() + &output.stderr()).lines() {
            say(&format!("     {line}"));
        }
    }

    /// Shows what the last git command cost: who asked, what was decided, what GitHub was asked for.
    fn explain(&mut self) {
        let decisions = self.desk.audit_lines();
        for line in &decisions[self.decisions..] {
            explain_decision(line);
        }
        self.decisions = decisions.len();
        let calls = self.desk.github.calls();
        let api: Vec<_> = calls.iter().filter(|call| call.endpoint.is_api()).map(|call| call.line.clone()).collect();
        let new = &api[self.calls.min(api.len())..];
        let new = if new.is_empty() { "none".to_owned() } else { new.join(", ") };
        say(&format!("     API calls   {new}"));
        self.calls = api.len();
    }

    fn skip_login(&mut self) {
        self.decisions = self.desk.audit().len();
        self.calls = self.desk.github.calls().api();
    }
}

fn explain_decision(line: &str) {
    let decision: Value = serde_json::from_str(line).expect("the audit log has lines of JSON");
    let text = |key: &str| decision[key].as_str().unwrap_or_default().to_owned();
    let pid = &decision["pid"];
    let asked = match text("program").as_str() {
        "" => format!("pid {pid}"),
        program => format!("pid {pid}, {program}"),
    };
    let outcome = match text("outcome").as_str() {
        "mint" => format!("minted in {} µs", decision["us"]),
        "hit" => format!("from the cache in {} µs", decision["us"]),
        other => other.to_owned(),
    };
    say(&format!("     who asked   {asked}"));
    say(&format!("     token       {} for {}, {}", text("lease"), text("repository"), text("permissions")));
    say(&format!("     decision    {outcome}"));
    say(&format!("     audit line  {line}"));
}

#[expect(clippy::print_stdout, reason = "this is what the demo is for")]
fn say(line: &str) {
    println!("{line}");
}
