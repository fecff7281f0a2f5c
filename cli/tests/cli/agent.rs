//! `ghapp agent`.

use serde_json::json;

use crate::support::{Ended, Home, status};

#[test]
fn a_running_agent_is_described_reloaded_and_stopped() {
    let home = Home::new();
    let agent = home.agent(vec![
        status(),
        status(),
        status(),
        status(),
        json!({"reply": "reloaded"}),
        status(),
        json!({"reply": "stopping", "revoked": 2, "not_revoked": 1}),
        status(),
        json!({"reply": "stopping", "revoked": 0}),
    ]);
    assert_eq!(
        home.run(&["agent", "status"]).stdout,
        "pid         4242\nversion     9.9.9\nsocket      /run/agent.sock\n\
         config      /home/mona/config.toml\nstarted by  systemd\nlocked      no\n"
    );
    assert_eq!(
        home.run(&["agent", "status", "--json"]).json(),
        json!({"schema": 1, "agent": {
            "running": true, "pid": 4242, "version": "9.9.9", "socket": "/run/agent.sock", "locked": false, "started_by": "systemd", "exposed": 0,
        }})
    );
    let started = home.run(&["agent", "start"]);
    assert_eq!(started.stdout, format!("agent runs already: pid 4242, {}\n", home.socket().display()));
    assert_eq!(home.run(&["agent", "reload"]).stdout, "configuration read again\n");
    let stop = home.run(&["agent", "stop", "--revoke"]);
    assert_eq!(stop.stdout, "agent stopped: 2 leases revoked\n");
    assert!(stop.stderr.contains("1 lease could not be revoked at GitHub"), "{}", stop.stderr);
    assert_eq!(home.run(&["agent", "stop"]).stdout, "agent stopped\n");
    let asked = agent.asked();
    assert_eq!(asked[4], json!({"call": "reload"}));
    assert_eq!(asked[6], json!({"call": "stop", "revoke": true}));
}

#[test]
fn without_an_agent_stop_is_done_and_status_fails() {
    let home = Home::new();
    let stop = home.run(&["agent", "stop"]);
    assert_eq!((stop.code, stop.stdout.as_str()), (0, "the agent is not running\n"));
    assert_eq!(home.run(&["agent", "reload"]).code, 0);
    let status = home.run(&["agent", "status", "--json"]);
    assert_eq!((status.code, status.json()), (5, json!({"schema": 1, "agent": {"running": false}})));
}

#[test]
fn the_program_beside_ghapp_is_started_with_socket_and_configuration() {
    let home = Home::new();
    home.install_ghapp("bin/ghapp");
    home.install_script("bin/ghapp-agent", "#!/bin/sh\necho \"$*\"\n");

    let run = |arguments: &[&str]| {
        let mut command = home.command(&home.path("bin/ghapp"));
        Ended::from(command.args(arguments).output().unwrap())
    };
    let foreground = run(&["agent", "start", "--foreground", "--config", "other.toml"]);
    assert_eq!(
        foreground.stdout,
        format!("--foreground --socket {} --config {}\n", home.socket().display(), home.path("other.toml").display())
    );

    home.install_script("bin/ghapp-agent", "#!/bin/sh\necho 'failed: no keyring'\n");
    let failed = run(&["agent", "start"]);
    assert_eq!(failed.code, 5);
    assert!(failed.stderr.contains("error[E06]: the agent does not start: no keyring"), "{failed:?}");
}
