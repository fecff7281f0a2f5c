//! Exposed sockets: a rule that nothing widens, for a time, over which git is served and nothing else.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use ghapp_protocol::client::{self, Deadline};
use ghapp_protocol::endpoint::Endpoint;
use ghapp_protocol::message::{Call, Erase, Reply, Request};
use ghapp_protocol::remote::Host;
use ghapp_protocol::token_hash::TokenHash;
use ghapp_tests::github::Endpoint as Api;
use ghapp_tests::process::{self, Output};
use ghapp_tests::tools::{Tool, all_there, can_become_another_user};
use ghapp_tests::{Desk, binary};
use serde_json::{Value, json};

/// `nobody`, and somebody else who is nobody either.
const OTHER_UID: u32 = 65534;
const THIRD_UID: u32 = 65533;

const SETPRIV: Tool = Tool { program: "setpriv", package: "util-linux" };

/// Exposes a socket and returns its path.
fn expose(desk: &Desk, arguments: &[&str]) -> PathBuf {
    let exposed = desk.ghapp(["agent", "expose"].into_iter().chain(arguments.iter().copied()));
    PathBuf::from(exposed.ok().stdout().trim_end())
}

/// A command whose agent is what it finds behind a socket.
fn over(desk: &Desk, socket: &Path, program: impl AsRef<Path>) -> Command {
    let mut command = desk.command(program.as_ref());
    command.env("GHAPP_SOCKET", socket);
    command
}

/// What the helper itself answers over a socket.
fn helper(desk: &Desk, socket: &Path, operation: &str, host: &str, rest: &str) -> Output {
    let request = format!("protocol=https\nhost={host}\n{rest}\n");
    process::run(over(desk, socket, binary("git-credential-ghapp")).arg(operation), request.as_bytes())
}

fn get(desk: &Desk, socket: &Path, repository: &str) -> Output {
    helper(desk, socket, "get", desk.github.host(), &format!("path={repository}.git\n"))
}

/// The token that git gets over a socket.
fn token(desk: &Desk, socket: &Path, repository: &str) -> String {
    let answer = get(desk, socket, repository);
    let token = answer.stdout().lines().find_map(|line| line.strip_prefix("password=").map(str::to_owned));
    token.unwrap_or_else(|| panic!("no token: {} {}", answer.stdout(), answer.stderr()))
}

/// Asserts that git gets nothing over a socket, is told why, and whether to go on.
#[track_caller]
fn refused(answer: &Output, quit: bool, why: &str) {
    assert_eq!(answer.ok().stdout(), if quit { "quit=1\n" } else { "" });
    answer.stderr_contains(why);
}

fn ask(socket: &Path, call: Call) -> Reply {
    client::ask(&Endpoint::at(socket).unwrap(), &Request::new(call), Deadline::after(process::DEADLINE)).unwrap()
}

/// Sends one message as it is, and returns the answer.
fn ask_raw(socket: &Path, message: &str) -> Value {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(process::DEADLINE)).unwrap();
    stream.write_all(&u32::try_from(message.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(message.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    serde_json::from_slice(&answer[4..]).unwrap()
}

/// Waits for what only time brings about.
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + process::DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} does not come about");
        std::thread::yield_now();
    }
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn exposed(desk: &Desk) -> Vec<Value> {
    desk.ghapp_json(["agent", "exposed"])["exposed"].as_array().unwrap().clone()
}

/// Every request that the wire format's specification has, those from the future included. A verb without one does not pass the tests
/// of the format, so a new one comes here by itself.
fn every_request() -> Vec<(String, String)> {
    let protocol = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("protocol/tests");
    let mut requests = Vec::new();
    for directory in ["messages", "messages-from-the-future"] {
        for entry in fs::read_dir(protocol.join(directory)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if name.starts_with("request-") {
                requests.push((name, fs::read_to_string(&path).unwrap().trim_end().to_owned()));
            }
        }
    }
    requests.sort();
    requests
}

#[test]
fn every_verb_but_get_and_erase_is_refused_and_tells_nothing() {
    let desk = Desk::ready();
    let socket = expose(&desk, &["--repo", "acme/web"]);
    let kept = token(&desk, &socket, "acme/web");
    let before = (fs::read(desk.config_file()).unwrap(), desk.agent().unwrap(), exposed(&desk));
    let (mut refused, mut served) = (BTreeSet::new(), BTreeSet::new());
    for (name, message) in every_request() {
        let call = serde_json::from_str::<Value>(&message).unwrap()["call"].as_str().unwrap().to_owned();
        let mut answer = ask_raw(&socket, &message);
        if call == "get" || call == "erase" {
            // They are about github.com, for which nothing was exposed here.
            assert!(["no_match", "erased"].contains(&answer["reply"].as_str().unwrap()), "{name}: {answer}");
            assert_ne!(answer["dropped"], true, "{name}");
            served.insert(call);
            continue;
        }
        // The envelope that every answer has, one sentence, and nothing about this agent.
        let envelope = answer.as_object_mut().unwrap();
        envelope.remove("v").unwrap();
        envelope.remove("agent").unwrap();
        let expected = json!({
            "reply": "error", "code": "denied", "git_next": "next_helper",
            "message": "this is an exposed socket: it answers git's get and erase, and nothing else",
            "hint": "ask where the agent runs: ghapp status",
        });
        assert_eq!(answer, expected, "{name}");
        refused.insert(call);
    }
    assert_eq!(served, BTreeSet::from(["get".to_owned(), "erase".to_owned()]));
    for verb in ["status", "stop", "token", "login", "expose", "unexpose", "exposed", "lock", "foresee"] {
        assert!(refused.contains(verb), "{verb} was not tried");
    }
    let after = (fs::read(desk.config_file()).unwrap(), desk.agent().unwrap(), exposed(&desk));
    assert_eq!(before, after, "none of them did anything");
    assert_eq!(token(&desk, &socket, "acme/web"), kept);
    let audit = desk.audit();
    let lines = audit.iter().filter(|line| line["call"] == "refused").inspect(|line| assert_eq!(line["label"], "web"));
    assert!(lines.count() >= refused.len());
    let status = process::run(over(&desk, &socket, binary("ghapp")).arg("status"), b"");
    status.failed().stderr_contains("error[E39]: this is an exposed socket");
}

#[test]
fn what_is_given_out_is_narrowed_by_github_itself() {
    let desk = Desk::ready();
    let host = desk.github.host();
    desk.configure(&format!(
        "\n[[rule]]\nmatch = \"{host}/acme/*\"\napp = \"acme-bot\"\nrepositories = \"installation\"\n"
    ))
    .ok();
    let main = desk.token("acme/web");
    let socket = expose(&desk, &["--repo", "acme/web", "--repo", "acme/api", "--permissions", "contents=read"]);
    let web = token(&desk, &socket, "acme/web");
    assert_eq!(token(&desk, &socket, "acme/WEB"), web, "it is cached for this socket");
    let api = token(&desk, &socket, "acme/api");
    assert_eq!(BTreeSet::from([&main, &web, &api]).len(), 3);
    let mints = desk.github.mints();
    assert_eq!(mints.len(), 3);
    for (mint, name) in mints[1..].iter().zip(["web", "api"]) {
        assert_eq!(mint.asked["permissions"], json!({"contents": "read"}));
        assert_eq!(mint.asked["repositories"], json!([name]));
        assert_eq!(mint.repositories, Some(vec![name.to_owned()]));
        assert_eq!(mint.permissions.level("contents"), Some("read"));
        assert!(mint.permissions.level("workflows").is_none());
    }
    assert_eq!(desk.token("acme/web"), main, "and the agent's own socket gives what it gave");

    // The very scope of another socket is another token all the same: each can be told apart, and killed alone.
    let second = expose(&desk, &["--repo", "acme/web", "--permissions", "contents=read"]);
    assert_ne!(token(&desk, &second, "acme/web"), web);
    let again = &desk.github.mints()[3];
    assert_eq!(again.asked["permissions"], json!({"contents": "read"}));
    assert_eq!(again.repositories, Some(vec!["web".to_owned()]), "{}", again.asked);
}

#[test]
fn a_repository_that_was_not_exposed_gets_nothing_and_git_goes_on() {
    let desk = Desk::ready();
    let socket = expose(&desk, &["--repo", "acme/web"]);
    let host = desk.github.host().to_owned();
    refused(&get(&desk, &socket, "acme/api"), false, "acme/api is not given out over this socket");
    refused(&get(&desk, &socket, "octo/web"), false, "octo/web is not given out over this socket");
    refused(&helper(&desk, &socket, "get", &host, ""), false, "git did not say which repository");
    let elsewhere = helper(&desk, &socket, "get", "git.example", "path=acme/web.git\n");
    assert_eq!((elsewhere.ok().stdout(), elsewhere.stderr()), (String::new(), String::new()));
    let owner = process::run(
        over(&desk, &socket, binary("git-credential-ghapp")).args(["--owner=acme", "get"]),
        format!("protocol=https\nhost={host}\n\n").as_bytes(),
    );
    refused(&owner, false, "git did not say which repository");
    assert_eq!(desk.github.mints().len(), 0);
}

#[test]
fn no_more_can_be_exposed_than_the_rules_and_the_installation_give() {
    let desk = Desk::ready();
    let host = desk.github.host();
    desk.github.create_repository("acme/secret");
    desk.configure(&format!(
        "\n[[rule]]\nmatch = \"{host}/acme/secret\"\ndeny = true\n\
         \n[[rule]]\nmatch = \"{host}/acme/web\"\napp = \"acme-bot\"\npermissions = {{ contents = \"read\" }}\n\
         \n[[rule]]\nmatch = \"{host}/acme/api\"\napp = \"acme-bot\"\naccess = \"read\"\n\
         \n[[rule]]\nmatch = \"{host}/acme/list*\"\napp = \"acme-bot\"\nrepositories = [\"list1\"]\n"
    ))
    .ok();
    let day = (7 * 24 + 1).to_string() + "h";
    for (arguments, code, why) in [
        (&["--repo", "acme/web", "--permissions", "contents=write"][..], "E39", "does not allow contents:write"),
        (&["--repo", "acme/api", "--permissions", "contents=write"], "E39", "does not allow contents:write"),
        (&["--repo", "acme/web", "--permissions", "issues=read"], "E39", "does not allow issues:read"),
        (&["--repo", "acme/other", "--permissions", "frobnicate=read"], "E20", "does not grant frobnicate:read"),
        (&["--repo", "acme/other", "--permissions", "contents=admin"], "E20", "does not grant contents:admin"),
        (&["--repo", "acme/other", "--permissions", "Contents=read"], "E46", "permission names"),
        (&["--repo", "acme/web", "--repo", "acme/secret"], "E39", "denies"),
        (&["--repo", "acme/list2"], "E39", "does not list acme/list2"),
        (&["--repo", "acme/web", "--repo", "acme/other"], "E39", "different permissions"),
        (&["--repo", "acme/web", "--repo", "octo/web"], "E46", "one owner"),
        (&["--repo", "octo/web"], "E17", "not installed on octo"),
        (&["--repo", "https://git.example/acme/web"], "E34", "no App is configured for git.example"),
        (&["--repo", "acme/web", "--ttl", "0s"], "E46", "for 7 days at most"),
        (&["--repo", "acme/web", "--ttl", &day], "E46", "for 7 days at most"),
        (&["--repo", "acme/web", "--app", "nobody"], "E18", "nobody"),
    ] {
        let answer = desk.ghapp(["agent", "expose"].into_iter().chain(arguments.iter().copied()));
        answer.failed().stderr_contains(&format!("error[{code}]")).stderr_contains(why);
    }
    assert_eq!(desk.ghapp(["agent", "expose"]).status.code(), Some(2), "not even one repository");
    assert_eq!(exposed(&desk), [] as [Value; 0]);
    assert_eq!(desk.github.mints().len(), 0);
    // And `ghapp token` keeps to `access`, too.
    desk.ghapp(["token", "acme/api", "--permissions", "contents=write"]).failed().stderr_contains("error[E39]");
}

#[test]
fn a_rule_that_comes_later_takes_away_what_was_exposed_and_never_gives_more() {
    let desk = Desk::ready();
    let host = desk.github.host();
    let socket = expose(&desk, &["--repo", "acme/web", "--repo", "acme/api"]);
    token(&desk, &socket, "acme/web");
    let before = fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&format!("\n[[rule]]\nmatch = \"{host}/acme/web\"\ndeny = true\n")).ok();
    refused(
        &get(&desk, &socket, "acme/web"),
        true,
        "the agent's rules do not give acme/web out over this socket any more",
    );
    token(&desk, &socket, "acme/api");

    fs::write(desk.config_file(), &before).unwrap();
    let less = "permissions = { contents = \"read\" }";
    desk.configure(&format!("\n[[rule]]\nmatch = \"{host}/acme/web\"\napp = \"acme-bot\"\n{less}\n")).ok();
    refused(&get(&desk, &socket, "acme/web"), true, "do not give acme/web out");

    fs::write(desk.config_file(), &before).unwrap();
    let mints = desk.github.mints().len();
    let more = "repositories = \"installation\"\npermissions = { contents = \"write\", workflows = \"write\" }";
    desk.configure(&format!("\n[[rule]]\nmatch = \"{host}/acme/*\"\napp = \"acme-bot\"\n{more}\n")).ok();
    token(&desk, &socket, "acme/web");
    assert_eq!(desk.github.mints().len(), mints, "what it gave before is what it gives");
    refused(&get(&desk, &socket, "acme/other"), false, "is not given out over this socket");
}

#[test]
fn a_socket_is_gone_when_its_time_is_over_and_no_agent_takes_its_place() {
    let desk = Desk::ready();
    let socket = expose(&desk, &["--repo", "acme/web", "--ttl", "1s"]);
    wait_until("its end", || !socket.exists());
    assert_eq!(exposed(&desk), [] as [Value; 0]);
    let answer = get(&desk, &socket, "acme/web");
    refused(&answer, false, "this socket was exposed by an agent and is closed; no other agent takes its place");
    assert_eq!(fs::read_dir(socket.parent().unwrap()).unwrap().count(), 0, "nothing was started there");
    let over: Vec<_> = desk.audit().into_iter().filter(|line| line["call"] == "unexpose").collect();
    assert_eq!(over.len(), 1);
    assert_eq!((&over[0]["outcome"], &over[0]["label"]), (&json!("over"), &json!("web")));
}

#[test]
fn its_label_is_in_every_line_of_the_audit_log_about_it_and_on_its_leases() {
    let desk = Desk::ready();
    let socket = expose(&desk, &["--repo", "acme/web", "--label", "box"]);
    let first = token(&desk, &socket, "acme/web");
    token(&desk, &socket, "acme/web");
    desk.token("acme/api");
    refused(&get(&desk, &socket, "acme/api"), false, "not given out");
    let host = desk.github.host().to_owned();
    helper(&desk, &socket, "erase", &host, &format!("path=acme/web.git\nusername=x-access-token\npassword={first}\n"))
        .ok();
    token(&desk, &socket, "acme/web");
    desk.ghapp(["agent", "unexpose", "box", "--revoke"]).ok();
    let lines = desk.audit();
    let labelled = lines.iter().filter(|line| line["label"] == "box");
    let said: Vec<_> =
        labelled.map(|line| (line["call"].as_str().unwrap(), line["outcome"].as_str().unwrap())).collect();
    let expected = [
        ("expose", "ok"),
        ("get", "mint"),
        ("get", "hit"),
        ("get", "error E39"),
        ("erase", "dropped"),
        ("get", "mint"),
        ("unexpose", "closed"),
        ("revoke", "revoked"),
    ];
    assert_eq!(said, expected);
    let main: Vec<_> =
        lines.iter().filter(|line| line["repository"] == "acme/api" && line["outcome"] == "mint").collect();
    assert!(main.len() == 1 && main[0].get("label").is_none(), "{main:?}");
    desk.ghapp(["logs"]).ok().stdout().find("over box").expect("people see it, too");
}

#[test]
fn unexposing_closes_the_socket_and_kills_its_tokens_and_no_others_on_request() {
    let desk = Desk::ready();
    let main = desk.token("acme/web");
    let (one, two) = (expose(&desk, &["--repo", "acme/web"]), expose(&desk, &["--repo", "acme/web"]));
    token(&desk, &one, "acme/web");
    let of_two = token(&desk, &two, "acme/web");
    let closed = desk.ghapp(["agent", "unexpose", "web"]);
    assert_eq!(closed.ok().stdout(), "web is closed\n");
    closed.stderr_contains("1 lease given out over it will expire within the hour");
    assert!(!one.exists() && two.exists());
    assert_eq!(desk.github.calls().of(Api::Revoke), 0);
    let labels: Vec<_> =
        desk.ghapp_json(["leases"])["leases"].as_array().unwrap().iter().map(|it| it["label"].clone()).collect();
    assert_eq!(labels, [Value::Null, json!("web"), json!("web-2")], "what lives on stays listed");
    // Its namesake has nothing of it.
    let again = expose(&desk, &["--repo", "acme/web"]);
    let mints = desk.github.mints().len();
    token(&desk, &again, "acme/web");
    assert_eq!(desk.github.mints().len(), mints + 1);

    let closed = desk.ghapp(["agent", "unexpose", two.to_str().unwrap(), "--revoke"]);
    assert_eq!(closed.ok().stdout(), "web-2 is closed: 1 lease revoked\n");
    assert_eq!(desk.github.calls().of(Api::Revoke), 1);
    assert!(desk.ghapp_json(["leases"]).to_string().find(&TokenHash::of(of_two.as_bytes()).to_string()).is_none());
    assert_eq!(desk.token("acme/web"), main);
    desk.ghapp(["agent", "unexpose", "web-2"]).failed().stderr_contains("no socket web-2 is exposed");
}

#[test]
fn a_token_that_comes_behind_the_end_of_its_socket_is_killed() {
    let desk = Desk::ready();
    let socket = expose(&desk, &["--repo", "acme/web"]);
    let hold = desk.github.hold(Api::Mint);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| get(&desk, &socket, "acme/web"));
        desk.github.wait_until(|calls| calls.of(Api::Mint) == 1);
        desk.ghapp(["agent", "unexpose", "web"]).ok();
        drop(hold);
        refused(&asking.join().unwrap(), true, "this exposed socket is closed");
    });
    desk.github.wait_until(|calls| calls.of(Api::Revoke) == 1);
    assert_eq!(desk.ghapp_json(["leases"])["leases"], json!([]));
}

#[test]
fn the_socket_is_private_and_made_only_where_nobody_can_replace_it() {
    let desk = Desk::ready();
    let socket = expose(&desk, &["--repo", "acme/web", "--label", "box"]);
    assert_eq!(socket, desk.endpoint().path().with_file_name("exposed-box").join("exposed.sock"));
    assert_eq!((mode(&socket), mode(socket.parent().unwrap())), (0o600, 0o700));
    let place = |name: &str| desk.path("work").join(name);
    let at = |path: &Path| desk.ghapp(["agent", "expose", "--repo", "acme/web", "--path", path.to_str().unwrap()]);

    let made = at(&place("made/my.sock"));
    made.ok().stderr_contains("set GHAPP_NO_AUTOSTART=1 where it is used");
    assert_eq!((mode(&place("made/my.sock")), mode(&place("made"))), (0o600, 0o700));
    at(&place("made/my.sock")).failed().stderr_contains("is exposed already");

    fs::create_dir(place("open")).unwrap();
    set_mode(&place("open"), 0o755);
    at(&place("open/x.sock")).failed().stderr_contains("its mode is 0755 instead of 0700");
    symlink(place("made"), place("link")).unwrap();
    at(&place("link/x.sock")).failed().stderr_contains("it is a symbolic link");
    fs::write(place("made/file"), "precious").unwrap();
    at(&place("made/file")).failed().stderr_contains("something else is there");
    assert_eq!(fs::read_to_string(place("made/file")).unwrap(), "precious");
    at(desk.endpoint().path()).failed().stderr_contains("somebody listens there");
    at(&place(&"x".repeat(100)).join("x.sock")).failed().stderr_contains("longer than 103 bytes");
    at(&place("none/none/x.sock")).failed().stderr_contains("the socket cannot be made");
    assert_eq!(exposed(&desk).len(), 2, "a failure takes neither label nor place");

    // What an agent that was killed left behind is replaced.
    drop(UnixListener::bind(place("made/stale.sock")).unwrap());
    at(&place("made/stale.sock")).ok();
    token(&desk, &place("made/stale.sock"), "acme/web");
}

/// A command as another user, who has copies of the programs.
fn as_user(desk: &Desk, uid: u32, socket: &Path) -> Output {
    let readable = desk.path("helper-for-everybody");
    if !readable.exists() {
        fs::copy(binary("git-credential-ghapp"), &readable).unwrap();
        set_mode(&readable, 0o755);
    }
    let uid = uid.to_string();
    let mut command = Command::new("setpriv");
    command.env_clear().env("PATH", "/usr/bin:/bin").env("GHAPP_SOCKET", socket).env("GHAPP_NO_AUTOSTART", "1");
    command.args(["--reuid", &uid, "--regid", &uid, "--clear-groups"]).arg(&readable).arg("get");
    let request = format!("protocol=https\nhost={}\npath=acme/web.git\n\n", desk.github.host());
    process::run(&mut command, request.as_bytes())
}

#[test]
fn another_user_is_served_only_when_he_is_named_and_nobody_else_with_him() {
    if !can_become_another_user() || !all_there(&[SETPRIV]) {
        return;
    }
    let desk = Desk::ready();
    let (own, his) = (expose(&desk, &["--repo", "acme/web"]), desk.path("his/exposed.sock"));
    let exposed = desk.ghapp([
        "agent",
        "expose",
        "--repo",
        "acme/web",
        "--label",
        "his",
        "--uid",
        &OTHER_UID.to_string(),
        "--path",
        his.to_str().unwrap(),
    ]);
    exposed.ok();
    let metadata = fs::symlink_metadata(&his).unwrap();
    assert_eq!((metadata.uid(), mode(&his)), (OTHER_UID, 0o600));
    let directory = fs::symlink_metadata(his.parent().unwrap()).unwrap();
    assert_eq!(
        (directory.uid(), mode(his.parent().unwrap())),
        (0, 0o711),
        "he can pass through it and change nothing in it"
    );

    // Every door on the way to both is opened, as a mount would.
    for directory in own.ancestors().skip(1).take_while(|path| *path != Path::new("/tmp")) {
        set_mode(directory, 0o755);
    }
    let answer = as_user(&desk, OTHER_UID, &his);
    assert!(answer.ok().stdout().contains("password="), "{} {}", answer.stdout(), answer.stderr());
    let third = as_user(&desk, THIRD_UID, &his);
    assert_eq!(third.ok().stdout(), "");
    third.stderr_contains("Permission denied");
    // Without the modes there is still the check of the peer, on his socket and on one for nobody in particular.
    set_mode(&his, 0o666);
    set_mode(&own, 0o666);
    for (uid, socket) in [(THIRD_UID, &his), (OTHER_UID, &own)] {
        let answer = as_user(&desk, uid, socket);
        assert_eq!(answer.ok().stdout(), "");
        assert!(!answer.stderr().contains("Permission denied"), "it was let in and refused: {}", answer.stderr());
    }
    assert_eq!(desk.github.mints().len(), 1);
    assert!(as_user(&desk, OTHER_UID, &his).ok().stdout().contains("password="));
}

#[test]
fn a_locked_agent_gives_nothing_over_it_and_it_works_again_afterwards() {
    let desk = Desk::ready();
    let socket = expose(&desk, &["--repo", "acme/web"]);
    let first = token(&desk, &socket, "acme/web");
    desk.ghapp(["lock"]).ok();
    let calls = desk.github.calls().len();
    refused(&get(&desk, &socket, "acme/web"), true, "the agent is locked");
    desk.ghapp(["agent", "expose", "--repo", "acme/api"]).failed().stderr_contains("error[E08]");
    assert_eq!(desk.github.calls().len(), calls, "GitHub heard nothing of it");
    desk.ghapp(["unlock"]).ok();
    desk.log_in("memory").ok();
    assert_ne!(token(&desk, &socket, "acme/web"), first);
}

#[test]
fn logging_its_app_out_closes_it() {
    let desk = Desk::ready();
    let socket = expose(&desk, &["--repo", "acme/web"]);
    token(&desk, &socket, "acme/web");
    desk.ghapp(["logout"]).ok();
    wait_until("its end", || !socket.exists());
    assert_eq!(exposed(&desk), [] as [Value; 0]);
}

#[test]
fn an_agent_that_stops_takes_its_exposed_sockets_along() {
    let desk = Desk::ready();
    let socket = expose(&desk, &["--repo", "acme/web"]);
    assert_eq!(desk.agent().unwrap().exposed, 1);
    let restart = desk.ghapp(["agent", "restart"]);
    restart.ok().stderr_contains("1 exposed socket closed; expose again what is needed");
    assert!(!socket.exists());
    assert_eq!(exposed(&desk), [] as [Value; 0]);
    desk.log_in("memory").ok();
    let socket = expose(&desk, &["--repo", "acme/web"]);
    token(&desk, &socket, "acme/web");
    desk.ghapp(["agent", "stop"]).ok();
    assert!(!socket.exists());
}

#[test]
fn real_git_clones_fetches_and_pushes_over_it_and_reaches_nothing_else() {
    let desk = Desk::ready();
    let socket = expose(&desk, &["--repo", "acme/web"]);
    let git = |directory: &str, arguments: &[&str]| {
        let mut command = over(&desk, &socket, "git");
        command.current_dir(desk.path("work").join(directory)).args(arguments);
        process::run(&mut command, b"")
    };
    git(".", &["clone", "--quiet", &desk.github.clone_url("acme/web")]).ok();
    desk.commit("web", "README.md", "from a box");
    git("web", &["push", "--quiet"]).ok();
    git("web", &["fetch", "--quiet"]).ok();
    git(".", &["clone", "--quiet", &desk.github.clone_url("acme/api")])
        .failed()
        .stderr_contains("acme/api is not given out over this socket");
    let mints = desk.github.mints();
    assert_eq!(mints.len(), 1);
    assert_eq!(mints[0].repositories, Some(vec!["web".to_owned()]));
    assert!(desk.audit().iter().filter(|line| line["call"] == "get").all(|line| line["label"] == "web"));
}

#[test]
fn nobody_behind_it_can_drop_a_token_that_was_not_given_out_over_it() {
    let desk = Desk::ready();
    let main = desk.token("acme/web");
    let (socket, other) = (expose(&desk, &["--repo", "acme/web"]), expose(&desk, &["--repo", "acme/web"]));
    let (its_own, of_other) = (token(&desk, &socket, "acme/web"), token(&desk, &other, "acme/web"));
    let erase = |token: &str| {
        let host = Host::parse(desk.github.host()).unwrap();
        match ask(&socket, Call::Erase(Erase { host, hashed_token: TokenHash::of(token.as_bytes()) })) {
            Reply::Erased { dropped } => dropped,
            reply => panic!("{reply:?}"),
        }
    };
    assert!(!erase(&main) && !erase(&of_other));
    assert_eq!((desk.token("acme/web"), token(&desk, &other, "acme/web")), (main, of_other));
    assert!(erase(&its_own) && !erase(&its_own));
}

#[cfg(target_os = "linux")] // it looks into /proc
#[test]
fn who_only_connects_takes_the_places_of_no_other_socket() {
    let desk = Desk::ready();
    let socket = expose(&desk, &["--repo", "acme/web"]);
    let main = desk.token("acme/web");
    let pid = desk.agent().unwrap().pid;
    let descriptors = || fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    let before = descriptors();
    let taken = || descriptors().saturating_sub(before);
    let _idle: Vec<_> = (0..64).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    wait_until("that some are served", || taken() > 0);
    assert_eq!(desk.token("acme/web"), main);
    let taken = taken();
    assert!(taken <= 16, "{taken} connections over the one socket are held open at once");
}

#[test]
fn exposed_sockets_are_listed_for_scripts_and_for_people() {
    let desk = Desk::ready();
    assert_eq!(desk.ghapp_json(["agent", "exposed"]), json!({"schema": 1, "exposed": []}));
    let made = desk.ghapp_json([
        "agent",
        "expose",
        "--repo",
        "acme/web",
        "--repo",
        "acme/api",
        "--permissions",
        "contents=read",
        "--ttl",
        "1h",
    ]);
    let listed = desk.ghapp_json(["agent", "exposed"]);
    assert_eq!(made, listed);
    let one = &listed["exposed"][0];
    let time = |key: &str| one[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
    assert_eq!(time("expires_at") - time("created_at"), 3600);
    assert_eq!(
        listed,
        json!({"schema": 1, "exposed": [{
            "label": "api", "path": desk.endpoint().path().with_file_name("exposed-api").join("exposed.sock"),
            "app": "acme-bot", "host": desk.github.host(), "account": "acme", "repositories": ["api", "web"],
            "permissions": {"contents": "read"}, "uid": null,
            "created_at": one["created_at"], "expires_at": one["expires_at"],
        }]})
    );
    expose(&desk, &["--repo", "acme/web"]);
    let table = desk.ghapp(["agent", "exposed"]).ok().stdout();
    assert_eq!(table.lines().count(), 3, "{table}");
    desk.ghapp(["agent", "status"]).ok().stdout().find("2 further sockets").expect("status says it, too");
    let closed = desk.ghapp_json(["agent", "unexpose", "api"]);
    assert_eq!(closed, json!({"schema": 1, "label": "api", "revoked": 0, "left_alive": 0}));
}
