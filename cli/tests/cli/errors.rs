//! Exit codes, error texts and the flags that every command takes.

use std::os::unix::net::UnixListener;
use std::process::Stdio;

use ghapp_protocol::error::ErrorCode;
use serde_json::json;

use crate::support::{Ended, Home, error, status};

#[test]
fn every_error_of_the_agent_has_its_id_and_exit_code() {
    let home = Home::new();
    let name = |code: &ErrorCode| serde_json::to_value(code).unwrap();
    let replies = ErrorCode::ALL.iter().map(|code| {
        let mut reply = error("", "the cause\u{1b}[2J", "the step");
        reply["code"] = name(code);
        reply
    });
    let agent = home.agent(replies.collect());
    for code in ErrorCode::ALL {
        let ended = home.run(&["leases"]);
        assert_eq!(ended.code, i32::from(code.exit()), "{code:?}");
        let expected = format!("ghapp: error[{}]: the cause?[2J\nghapp: hint: the step\n", code.id());
        assert_eq!(ended.stderr, expected);
        assert_eq!(ended.stdout, "");
    }
    agent.asked();
}

#[test]
fn an_agent_that_cannot_be_reached_is_5() {
    let home = Home::new();
    let none = home.run(&["leases"]);
    assert_eq!(none.code, 5);
    assert!(none.stderr.contains("error[E01]") && none.stderr.contains("hint: run: ghapp agent start"), "{none:?}");

    drop(UnixListener::bind(home.socket()).unwrap());
    let stale = home.run(&["agent", "status"]);
    assert_eq!(stale.code, 5, "{stale:?}");

    // Nothing forbids a start here; the agent's program is beside ghapp in a cargo target, but not beside this copy.
    home.install_ghapp("ghapp");
    let mut command = home.command(&home.path("ghapp"));
    let ended = Ended::from(command.env_remove("GHAPP_NO_AUTOSTART").arg("leases").output().unwrap());
    assert_eq!(ended.code, 5, "{ended:?}");
    assert!(ended.stderr.contains("error[E06]: cannot start the agent: there is no"), "{ended:?}");
}

#[test]
fn an_agent_of_another_time_is_10() {
    let home = Home::new();
    let agent = home.agent(vec![
        json!({"reply": "of_the_future", "x": 1}),
        status(),
        json!({"v": 2, "reply": "leases", "leases": []}),
        json!({"reply": "no_match"}),
        status(),
    ]);
    let unknown = home.run(&["leases"]);
    assert_eq!(unknown.code, 10);
    let own = env!("CARGO_PKG_VERSION");
    assert_eq!(
        unknown.stderr,
        format!(
            "ghapp: error[E05]: the agent is version 9.9.9 and this ghapp is version {own}: its answer makes no sense here\n\
             ghapp: hint: run: ghapp agent stop\n"
        )
    );
    assert_eq!(home.run(&["leases"]).code, 10);
    assert_eq!(home.run(&["leases"]).code, 10, "an answer to another question");
    agent.asked();
}

#[test]
fn usage_errors_are_2_and_help_is_not_one() {
    let home = Home::new();
    for arguments in [
        &[][..],
        &["nonsense"],
        &["leases", "--nonsense"],
        &["-q", "-v", "leases"],
        &["setup-git", "--global", "--local", "--host", "x"],
        &["setup-git", "--host", "github.com/acme"],
        &["token", "acme/web", "--json", "--header"],
        &["--socket", "relative.sock", "leases"],
        &["exec", "acme/web", "true"],
    ] {
        let ended = home.run(arguments);
        assert_eq!(ended.code, 2, "{arguments:?}: {ended:?}");
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
    let mut command = home.ghapp(&["leases"]);
    assert_eq!(Ended::from(command.env("GHAPP_APP", "no such/name").output().unwrap()).code, 2);
    let help = home.run(&["--help"]);
    assert_eq!(help.code, 0);
    assert!(help.stdout.contains("setup-git") && help.stdout.contains("exec"), "{}", help.stdout);
    assert!(home.run(&["--version"]).stdout.starts_with("ghapp "));
}

#[test]
fn an_agent_with_another_configuration_is_refused() {
    let home = Home::new();
    let config = home.write("other.toml", "");
    let mut same = status();
    same["config"] = json!(config);
    let agent = home.agent(vec![
        status(),
        same.clone(),
        json!({"reply": "leases", "leases": []}),
        same,
        json!({"reply": "leases", "leases": []}),
    ]);
    let ended = home.run(&["leases", "--config", "other.toml"]);
    assert_eq!(ended.code, 2);
    assert_eq!(
        ended.stderr,
        format!(
            "ghapp: error[E46]: the running agent uses /home/mona/config.toml and not {}\nghapp: hint: run: ghapp agent stop\n",
            config.display()
        )
    );
    assert_eq!(home.run(&["leases", "--config", "other.toml"]).code, 0);
    let mut command = home.ghapp(&["leases"]);
    assert_eq!(Ended::from(command.env("GHAPP_CONFIG", "other.toml").output().unwrap()).code, 0);
    agent.asked();
    let path = home.run(&["config", "path", "--config", "other.toml", "--json"]);
    assert_eq!(path.json(), json!({"schema": 1, "path": config}));
}

#[test]
fn colours_are_used_on_request_only() {
    let home = Home::new();
    assert!(!home.run(&["leases"]).stderr.contains('\u{1b}'));
    let mut command = home.ghapp(&["leases", "--color", "always"]);
    let ended = Ended::from(command.env("NO_COLOR", "1").output().unwrap());
    assert!(ended.stderr.starts_with("ghapp: \u{1b}[1;31merror[E01]:\u{1b}[0m "), "{ended:?}");
}

#[test]
fn verbose_tells_what_lies_behind() {
    let home = Home::new();
    let ended = home.run(&["leases", "-v"]);
    assert!(ended.stderr.starts_with("ghapp: the agent is not running; starting one for "), "{ended:?}");
    assert!(ended.stderr.contains("ghapp: because: "), "{ended:?}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let home = Home::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = home.ghapp(&["config", "path"]);
    let output = command.stdout(Stdio::from(writer)).stderr(Stdio::piped()).output().unwrap();
    let ended = Ended::from(output);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}
