//! What scripts read: `status`, `apps`, `installations`, `leases`, `revoke`.

use serde_json::{Value, json};

use crate::support::{Home, app, error, installation, installations, status, status_of};

fn lease(id: &str, repositories: Option<&[&str]>) -> Value {
    let mut lease = json!({
        "id": id, "app": "acme-bot", "host": "github.com", "account": "acme", "installation_id": 7,
        "permissions": {"contents": "write"}, "created_at": 1_789_996_400, "expires_at": 1_790_000_000,
        "last_used_at": 1_789_996_460, "uses": 12, "hashed_token": "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
        "requested_by": {"pid": 43, "exe": "git fetch"},
    });
    if let Some(repositories) = repositories {
        lease["repositories"] = json!(repositories);
    }
    lease
}

#[test]
fn status_lists_what_the_agent_knows() {
    let home = Home::new();
    let page = || installations(&[installation(7, "acme")], false);
    let agent = home.agent(vec![status(), page(), status(), page()]);
    assert_eq!(
        home.run(&["status", "--json"]).json(),
        json!({
            "schema": 1,
            "agent": {"running": true, "pid": 4242, "version": "9.9.9", "socket": "/run/agent.sock", "locked": false, "started_by": "systemd", "exposed": 0},
            "store": {"kind": "secret-service", "state": "ok"},
            "apps": [{
                "name": "acme-bot", "host": "github.com", "app_id": 123_456, "client_id": null, "slug": "acme-bot",
                "key_fingerprint": "SHA256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=", "state": "ok",
                "installations": [installation(7, "acme")],
            }],
            "leases": 2,
        })
    );
    home.run(&["setup-git", "--host", "github.com", "--owner", "acme"]);
    let ended = home.run(&["status"]);
    assert_eq!(
        ended.stdout,
        format!(
            "agent      running  pid 4242, v9.9.9, started by systemd  (/run/agent.sock)\n\
             store      secret-service (ok)\n\
             config     {}\n\
             git        asks ghapp for https://github.com/acme  ({})\n\
             leases     2\n\
             APP       HOST        KEY               STATE  INSTALLATIONS\n\
             acme-bot  github.com  SHA256:ungW…Fa0=  ok     acme (selected)\n",
            home.path("config/ghapp/config.toml").display(),
            home.path(".gitconfig").display()
        )
    );
    assert_eq!(agent.asked()[1], json!({"call": "installations", "app": "acme-bot", "refresh": false}));
}

#[test]
fn status_works_without_an_agent_and_starts_none() {
    let home = Home::new();
    home.write(
        "config/ghapp/config.toml",
        "[[app]]\nname = \"b\"\nhost = \"github.com\"\napp_id = 5\nsigner = \"memory\"\n",
    );
    let ended = home.run(&["status", "--json"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(
        ended.json(),
        json!({
            "schema": 1, "agent": {"running": false}, "store": null, "leases": 0,
            "apps": [{
                "name": "b", "host": "github.com", "app_id": 5, "client_id": null, "slug": null, "key_fingerprint": null,
                "state": "unknown", "installations": [],
            }],
        })
    );
    let check = home.run(&["status", "--check"]);
    assert_eq!((check.code, check.stdout.as_str(), check.stderr.as_str()), (5, "", ""));
    home.write("config/ghapp/config.toml", "nonsense = 1\n");
    let broken = home.run(&["status", "--json"]);
    assert_eq!(broken.code, 0);
    assert!(broken.json()["config_error"].as_str().unwrap().contains(":1:1 "), "{broken:?}");
}

#[test]
fn leases_come_in_pages_and_never_with_their_token() {
    let home = Home::new();
    let page = |lease: Value, more| json!({"reply": "leases", "leases": [lease], "more": more});
    let pages = || vec![page(lease("L7", Some(&["web"])), true), page(lease("L9", None), false)];
    let agent = home.agent([pages(), pages()].concat());
    let expected = |id: &str, repositories: Value| {
        let mut lease = lease(id, None);
        lease["repositories"] = repositories;
        lease["created_at"] = json!("2026-09-21T13:13:20Z");
        lease["expires_at"] = json!("2026-09-21T14:13:20Z");
        lease["last_used_at"] = json!("2026-09-21T13:14:20Z");
        lease
    };
    assert_eq!(
        home.run(&["leases", "--json"]).json(),
        json!({"schema": 1, "leases": [expected("L7", json!(["web"])), expected("L9", json!("installation"))]})
    );
    let table = home.run(&["leases"]).stdout;
    assert!(table.starts_with("LEASE  APP       REPOSITORIES  PERMISSIONS     EXPIRES"), "{table}");
    assert!(table.contains("\nL9     acme-bot  acme/*        contents:write  "), "{table}");
    assert_eq!(agent.asked()[1], json!({"call": "leases", "after": "L7"}));
}

#[test]
fn a_page_that_leads_nowhere_is_not_asked_for_for_ever() {
    let home = Home::new();
    let agent = home.agent(vec![json!({"reply": "leases", "leases": [], "more": true}), status()]);
    assert_eq!(home.run(&["leases"]).code, 10);
    agent.asked();
}

#[test]
fn apps_and_installations_are_lists() {
    let home = Home::new();
    let agent = home.agent(vec![
        status(),
        status(),
        installations(&[installation(7, "acme")], false),
        status_of(&[]),
        status_of(&[]),
    ]);
    assert_eq!(
        home.run(&["apps", "--json"]).json(),
        json!({"schema": 1, "apps": [{
            "name": "acme-bot", "host": "github.com", "app_id": 123_456, "client_id": null, "slug": "acme-bot",
            "key_fingerprint": app()["key_fingerprint"], "state": "ok",
        }]})
    );
    let mut expected = installation(7, "acme");
    expected["app"] = json!("acme-bot");
    assert_eq!(
        home.run(&["installations", "--json", "--refresh"]).json(),
        json!({"schema": 1, "installations": [expected]})
    );
    assert_eq!(home.run(&["installations"]).code, 3);
    assert_eq!(home.run(&["apps", "--json"]).json(), json!({"schema": 1, "apps": []}));
    assert_eq!(agent.asked()[2]["refresh"], true);
}

#[test]
fn revoke_says_what_happened_to_each() {
    let home = Home::new();
    let agent = home.agent(vec![
        json!({"reply": "revoked", "revoked": ["L7"], "unknown": [], "failed": []}),
        json!({"reply": "revoked", "revoked": ["L7"], "unknown": ["L99"], "failed": []}),
        json!({"reply": "revoked", "revoked": [], "unknown": [], "failed": [["L9", {"code": "unreachable", "message": "GitHub cannot be reached"}]]}),
        error("locked", "the agent is locked", "ghapp unlock"),
    ]);
    let all = home.run(&["revoke", "--all"]);
    assert_eq!((all.code, all.stdout.as_str()), (0, "revoked 1 lease\n"));
    let unknown = home.run(&["revoke", "L7", "l99"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (1, "revoked 1 lease\n"));
    assert!(unknown.stderr.contains("error[E40]: there is no lease L99"), "{unknown:?}");
    let failed = home.run(&["revoke", "--all", "--json"]);
    assert_eq!(failed.code, 8);
    assert_eq!(
        failed.json(),
        json!({"schema": 1, "revoked": [], "unknown": [], "failed": [{"id": "L9", "reason": "GitHub cannot be reached"}]})
    );
    assert_eq!(home.run(&["revoke", "--all"]).code, 4);
    let asked = agent.asked();
    assert_eq!(asked[0], json!({"call": "revoke", "all": true}));
    assert_eq!(asked[1], json!({"call": "revoke", "leases": ["L7", "L99"], "all": false}));
    assert_eq!(home.run(&["revoke"]).code, 2);
}
