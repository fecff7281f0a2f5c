//! `ghapp lock` and `ghapp unlock`.

use serde_json::json;

use crate::support::{Home, error, status};

#[test]
fn locking_tells_what_was_forgotten_and_what_has_to_be_done_again() {
    let home = Home::new();
    let agent = home.agent(vec![
        json!({"reply": "locked", "revoked": 0, "not_revoked": 0, "login_needed": []}),
        json!({"reply": "locked", "revoked": 2, "not_revoked": 1, "login_needed": ["acme-bot"]}),
        json!({"reply": "locked", "revoked": 1}),
        json!({"reply": "unlocked"}),
        json!({"reply": "locked"}),
    ]);
    let lock = home.run(&["lock"]);
    assert_eq!((lock.stdout.as_str(), lock.stderr.as_str()), ("locked: keys and tokens forgotten\n", ""));
    let lock = home.run(&["lock", "--revoke"]);
    assert_eq!((lock.code, lock.stdout.as_str()), (0, "locked: 2 leases revoked, keys and tokens forgotten\n"));
    assert_eq!(
        lock.stderr,
        "ghapp: warning: 1 lease could not be revoked at GitHub and will expire within the hour\n\
         ghapp: warning: the key of acme-bot was in memory only; after unlocking it needs: ghapp login\n"
    );
    let lock = home.run(&["lock", "--revoke"]);
    assert_eq!(lock.stdout, "locked: 1 lease revoked, keys and tokens forgotten\n");
    assert_eq!(home.run(&["unlock"]).stdout, "unlocked\n");
    assert_eq!(home.run(&["--quiet", "lock"]).stdout, "");
    let asked = agent.asked();
    assert_eq!(asked[0], json!({"call": "lock", "revoke": false}));
    assert_eq!(asked[1], json!({"call": "lock", "revoke": true}));
    assert_eq!(asked[3], json!({"call": "unlock"}));
}

#[test]
fn a_locked_agent_is_shown_and_the_check_says_so() {
    let home = Home::new();
    let locked = || {
        let mut status = status();
        status["locked"] = json!(true);
        status
    };
    let none = json!({"reply": "installations", "installations": []});
    let agent = home.agent(vec![
        locked(),
        none,
        locked(),
        locked(),
        error("locked", "the agent is locked", "run: ghapp unlock"),
    ]);
    assert!(
        home.run(&["status"]).stdout.starts_with("agent      running  pid 4242, v9.9.9, locked, started by systemd")
    );
    let check = home.run(&["status", "--check"]);
    assert_eq!((check.code, check.stdout.as_str(), check.stderr.as_str()), (4, "", ""));
    assert!(home.run(&["agent", "status"]).stdout.ends_with("locked      yes\n"));
    let token = home.run(&["token", "acme/web"]);
    assert_eq!(token.code, 4);
    assert_eq!(token.stderr, "ghapp: error[E08]: the agent is locked\nghapp: hint: run: ghapp unlock\n");
    drop(agent.asked());
}

#[test]
fn without_an_agent_there_is_nothing_to_lock_and_none_is_started() {
    let home = Home::new();
    let lock = home.run(&["lock"]);
    assert_eq!(
        (lock.code, lock.stdout.as_str()),
        (0, "the agent is not running and holds nothing; the next command starts one that is not locked\n")
    );
    let unlock = home.run(&["unlock"]);
    assert_eq!((unlock.code, unlock.stdout.as_str()), (0, "the agent is not running; it starts unlocked\n"));
}
