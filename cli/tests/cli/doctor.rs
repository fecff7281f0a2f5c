//! `ghapp doctor`: exactly the lines that people see and paste.

use std::process::Command;

use ghapp_protocol::BUILD_VERSION;
use serde_json::{Value, json};

use crate::support::{Ended, Home, app, installation, installations, status_of};

/// A home with all programs in `bin`, an App, and git set up for it.
fn home() -> Home {
    let home = Home::new();
    home.install_ghapp("bin/ghapp");
    home.install_script("bin/ghapp-agent", &format!("#!/bin/sh\necho ghapp-agent {BUILD_VERSION}\n"));
    let helper = format!(
        "#!/bin/sh\ncase $1 in\n--version) echo git-credential-ghapp {BUILD_VERSION};;\n\
         get) echo username=x-access-token; echo password=ghs_canary; echo password_expiry_utc=4102444800;;\nesac\n"
    );
    home.install_script("bin/git-credential-ghapp", &helper);
    let git = String::from_utf8(Command::new("sh").args(["-c", "command -v git"]).output().unwrap().stdout).unwrap();
    let wrapper = "#!/bin/sh\n[ \"$1\" = --version ] && { echo git version 2.47.3; exit; }\n";
    home.install_script("bin/git", &format!("{wrapper}exec {} \"$@\"\n", git.trim()));
    home.write(
        "config/ghapp/config.toml",
        "[[app]]\nname = \"acme-bot\"\napp_id = 123456\nsigner = \"keyring\"\nslug = \"acme-bot\"\n\
         key = \"SHA256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=\"\n",
    );
    let helper = home.path("bin/git-credential-ghapp");
    home.write(
        ".gitconfig",
        format!(
            "[credential \"https://github.com/acme\"]\n\thelper =\n\thelper = {}\n\tuseHttpPath = true\n",
            helper.display()
        ),
    );
    home
}

fn status(home: &Home) -> Value {
    let mut status = status_of(&[app()]);
    status["version"] = json!(BUILD_VERSION);
    status["config"] = json!(home.path("config/ghapp/config.toml"));
    status
}

fn examined() -> Value {
    json!({"reply": "examined", "api_url": "https://api.github.com", "skew": 1})
}

fn route() -> Value {
    json!({
        "reply": "route", "host": "github.com", "repository": "acme/web", "app": "acme-bot", "covered": true,
        "reason": "git gets a token for acme/web with contents:write workflows:write",
    })
}

fn granted() -> Value {
    let mut one = installation(4711, "acme");
    one["permissions"] = json!({"contents": "write", "workflows": "write"});
    installations(&[one], false)
}

/// Runs the doctor with nothing of the machine in `PATH`, and replaces the path of the home directory by HOME.
fn doctor(home: &Home, locale: &str, arguments: &[&str]) -> Ended {
    let mut command = home.command(&home.path("bin/ghapp"));
    command.arg("doctor").args(arguments).env("PATH", home.path("bin")).env("LC_ALL", locale);
    let ended = Ended::from(command.output().unwrap());
    let place = home.path("").display().to_string();
    let place = place.trim_end_matches('/');
    let short = |text: &str| text.replace(place, "HOME").replace(BUILD_VERSION, "VERSION");
    Ended { code: ended.code, stdout: short(&ended.stdout), stderr: short(&ended.stderr) }
}

#[test]
fn when_all_is_well_each_check_is_a_line() {
    let home = home();
    let agent = home.agent(vec![status(&home), examined(), granted(), route()]);
    let ended = doctor(&home, "C.UTF-8", &["acme/web"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{}", ended.stdout);
    assert_eq!(
        ended.stdout,
        "\
✓ git                  2.47.3
✓ helper               HOME/bin/git-credential-ghapp
✓ versions             helper, agent and ghapp are VERSION
✓ desktop              git's configuration names the helper by its path
✓ configuration        HOME/config/ghapp/config.toml
✓ Apps                 acme-bot on github.com
✓ git's configuration  readable
✓ remote               https://github.com/acme/web.git
✓ git asks ghapp       about https://github.com/acme (HOME/.gitconfig)
✓ helpers before       ghapp is asked before every other helper
✓ useHttpPath          git says which repository it means
✓ helpers behind       no other helper gets the token
✓ extra headers        git adds no Authorization header of its own
✓ environment          no variable leads programs past the App
– git-lfs              this directory is not the repository
✓ socket               HOME/agent.sock
✓ agent                runs: pid 4242, started by systemd
– systemd              there is no systemd
✓ agent's version      VERSION
✓ agent's Apps         the agent has the Apps of the file
✓ audit log            every decision is written down
✓ lock                 the agent is not locked
✓ key store            secret-service
✓ key                  SHA256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=
✓ key files            no key lies in a file where downloads go
✓ proxy                none is named
✓ network              https://api.github.com
✓ TLS                  the certificate is trusted
✓ clock                within 30 s of GitHub's
✓ App                  github.com accepts the key for App 123456
✓ installations        acme (selected)
✓ permissions          contents:write workflows:write
✓ repository           git gets a token for acme/web with contents:write workflows:write
✓ token                git gets one, to be used until 2100-01-01T00:00:00Z
all is well
"
    );
    agent.asked();
}

#[test]
fn what_is_wrong_has_its_way_out_on_a_line_to_paste() {
    let home = home();
    home.git(&["config", "--global", "--add", "credential.https://github.com/acme.helper", "store"]);
    let broken = json!({
        "reply": "examined", "api_url": "https://api.github.com",
        "key": {"code": "key_missing", "message": "the keyring has no key for acme-bot",
                "hint": "run: ghapp login --pem FILE --app-id 123456"},
        "reach": {"code": "unreachable", "message": "cannot reach api.github.com: timed out",
                  "hint": "check the network and HTTPS_PROXY, then try again"},
    });
    let agent = home.agent(vec![status(&home), broken.clone(), status(&home), broken]);
    let ended = doctor(&home, "C", &["acme/web", "--quiet"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (6, ""), "{}", ended.stdout);
    assert_eq!(
        ended.stdout,
        "\
warn helpers behind       git gives the token to store as well, which keeps it (HOME/.gitconfig)
      ghapp setup-git --host github.com --owner acme --remove && ghapp setup-git --host github.com --owner acme --absolute
FAIL key                  the keyring has no key for acme-bot
      ghapp login --pem FILE --app-id 123456
FAIL network              cannot reach api.github.com: timed out
      check the network and HTTPS_PROXY, then try again
"
    );
    let colourful = doctor(&home, "C", &["--color", "always"]);
    assert!(colourful.stdout.contains("\u{1b}[1;31mFAIL\u{1b}[0m key "), "{}", colourful.stdout);
    assert!(colourful.stdout.contains("\n      \u{1b}[36mghapp login --pem FILE --app-id 123456\u{1b}[0m\n"));
    assert!(
        colourful.stdout.ends_with("\n2 failures, 1 warning; 1 of them can be mended by: ghapp doctor --fix\n"),
        "{}",
        colourful.stdout
    );
    agent.asked();
}

#[test]
fn scripts_read_every_key_of_every_check() {
    let home = home();
    let mut locked = status(&home);
    locked["locked"] = json!(true);
    let agent = home.agent(vec![locked]);
    let ended = doctor(&home, "C", &["acme/web", "--json"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (4, ""));
    let json = ended.json();
    assert_eq!((&json["schema"], &json["ok"]), (&json!(1), &json!(false)));
    let checks = json["checks"].as_array().unwrap();
    let ids: Vec<_> = checks.iter().map(|check| check["id"].as_str().unwrap()).collect();
    assert_eq!(ids[..4], ["git", "helper", "versions", "desktop"]);
    assert_eq!(ids[ids.len() - 2..], ["repository", "token"]);
    let find = |id: &str| checks.iter().find(|check| check["id"] == id).unwrap();
    assert_eq!(
        *find("lock"),
        json!({
            "id": "lock", "title": "lock", "app": null, "state": "fail", "detail": "the agent is locked",
            "fix": "ghapp unlock", "code": "locked",
        })
    );
    assert_eq!(
        *find("key"),
        json!({
            "id": "key", "title": "key", "app": "acme-bot", "state": "skip", "detail": "waits for: key store", "fix": null,
            "code": null,
        })
    );
    agent.asked();
}

#[test]
fn two_apps_have_a_line_each() {
    let home = home();
    let config = std::fs::read_to_string(home.path("config/ghapp/config.toml")).unwrap();
    let second = config.replace("acme-bot", "ci-bot").replace("123456", "7");
    home.write("config/ghapp/config.toml", format!("{config}{second}"));
    let mut other = app();
    (other["name"], other["app_id"], other["slug"]) = (json!("ci-bot"), json!(7), json!("ci-bot"));
    let mut both = status(&home);
    both["apps"] = json!([app(), other]);
    let refused = json!({
        "reply": "examined", "api_url": "https://api.github.com",
        "refused": {"code": "key_refused", "message": "github.com does not accept the key for App 7", "hint": "compare"},
    });
    let agent = home.agent(vec![both, examined(), refused, granted()]);
    let ended = doctor(&home, "C", &[]);
    assert_eq!(ended.code, 7, "{}", ended.stdout);
    let about = |start: &str| {
        let lines = ended.stdout.lines().filter(|line| line.get(5..).is_some_and(|title| title.starts_with(start)));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        about("App of "),
        [
            "ok   App of acme-bot            github.com accepts the key for App 123456",
            "FAIL App of ci-bot              github.com does not accept the key for App 7",
        ]
    );
    assert_eq!(
        about("installations of "),
        ["ok   installations of acme-bot  acme (selected)", "skip installations of ci-bot    waits for: App of ci-bot"]
    );
    agent.asked();
}

#[test]
fn a_remote_that_names_nothing_is_a_usage_error() {
    let home = home();
    for (argument, says) in
        [("nonsense", "OWNER/REPO"), (".", "ghapp doctor OWNER/REPO"), ("https://ghs_canary/x", "URL")]
    {
        let ended = doctor(&home, "C", &[argument]);
        assert!(ended.code != 0 && ended.stdout.is_empty(), "{argument}: {ended:?}");
        assert!(ended.stderr.contains(says) && !ended.stderr.contains("canary"), "{argument}: {ended:?}");
    }
}
