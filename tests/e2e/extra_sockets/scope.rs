//! The tokens that an exposed socket gives: for the named scope, and never beyond a rule or GitHub's own limits.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use ghapp_protocol::client::{self, Deadline};
use ghapp_protocol::endpoint::Endpoint;
use ghapp_protocol::message::{Call, Erase, Reply, Request};
use ghapp_protocol::remote::Host;
use ghapp_protocol::token_hash::TokenHash;
use ghapp_tests::process;
use ghapp_tests::{Desk, binary};
use serde_json::{Value, json};

use super::{expose, exposed, get, helper, over, refused, token};

pub(super) fn ask(socket: &Path, call: Call) -> Reply {
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

/// Every request that the wire format's specification has, those from the future included. A verb without one fails the tests
/// of the format, so a new verb comes here by itself.
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
            // They are about github.com, and nothing of it is exposed here.
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

    // Two sockets of one scope have two tokens: each can be told apart, and killed alone.
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
    // `ghapp token` keeps to `access` too.
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
    assert_eq!(desk.github.mints().len(), mints + 1, "what it gave before, anew: the rules had taken it away");
    refused(&get(&desk, &socket, "acme/other"), false, "is not given out over this socket");
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
